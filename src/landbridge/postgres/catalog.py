"""What PostgreSQL's catalog says about a table: columns, size, and what depends on it.

For       Deciding between merge and swap, and checking a table before bytes are copied into it.
Touches   The target's catalog, by reading.
Promises  An object that a swap would lose is named among the dependents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from landbridge.errors import TableChangedError
from landbridge.model.plan import Column
from landbridge.model.tables import TableName, TableState

Connection = psycopg.Connection[Any]

# One row: everything about a relation that a load wants to know.
_DESCRIBE = """
SELECT c.oid, c.relkind IN ('r', 'p'), pg_total_relation_size(c.oid), c.reltuples,
  ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
  ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
  ARRAY(SELECT a.attname::text FROM pg_constraint k
        CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = u.attnum
        WHERE k.conrelid = c.oid AND k.contype = 'p' ORDER BY u.place),
  ARRAY(SELECT 'foreign key ' || quote_ident(conname) FROM pg_constraint
        WHERE contype = 'f' AND (confrelid = c.oid OR conrelid = c.oid)
        UNION SELECT 'constraint ' || quote_ident(conname) FROM pg_constraint
        WHERE contype IN ('c', 'u', 'x') AND conrelid = c.oid
        UNION SELECT 'view ' || r.ev_class::regclass FROM pg_depend d
        JOIN pg_rewrite r ON r.oid = d.objid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = c.oid AND r.ev_class <> c.oid
        UNION SELECT 'rule ' || quote_ident(rulename) FROM pg_rewrite WHERE ev_class = c.oid
        UNION SELECT 'function ' || d.objid::regprocedure FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_class'::regclass
          AND d.refobjid = c.oid
        UNION SELECT 'publication ' || quote_ident(p.pubname) FROM pg_publication_rel r
        JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid
        UNION SELECT 'trigger ' || quote_ident(tgname) FROM pg_trigger
        WHERE tgrelid = c.oid AND NOT tgisinternal
        UNION SELECT 'policy ' || quote_ident(polname) FROM pg_policy WHERE polrelid = c.oid
        UNION SELECT 'statistics ' || quote_ident(stxname) FROM pg_statistic_ext
        WHERE stxrelid = c.oid
        UNION SELECT 'inheritance of ' || inhrelid::regclass FROM pg_inherits
        WHERE inhparent = c.oid OR inhrelid = c.oid
        UNION SELECT 'comment' FROM pg_description
        WHERE classoid = 'pg_class'::regclass AND objoid = c.oid
        UNION SELECT 'row type use' FROM pg_depend d
        WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype
          AND d.deptype = 'n'
        UNION SELECT 'grant on column ' || quote_ident(attname) FROM pg_attribute
        WHERE attrelid = c.oid AND attacl IS NOT NULL
        UNION SELECT 'setting of column ' || quote_ident(attname) FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
          AND (atthasdef OR attoptions IS NOT NULL OR coalesce(attstattarget, -1) <> -1
               OR attnotnull AND NOT EXISTS (
                  SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p'
                  AND attnum = ANY(k.conkey)))
        UNION SELECT 'index ' || i.indexrelid::regclass FROM pg_index i
        JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        WHERE i.indrelid = c.oid AND NOT i.indisprimary
          AND (i.indisunique OR m.amname <> 'btree' OR i.indnatts <> i.indnkeyatts
               OR i.indoption::text ~ '[1-9]'
               OR EXISTS (SELECT FROM unnest(i.indclass::oid[]) AS u(opclass)
                          JOIN pg_opclass o ON o.oid = u.opclass WHERE NOT o.opcdefault))
        UNION SELECT 'row security' WHERE c.relrowsecurity
        UNION SELECT 'replica identity' WHERE c.relreplident <> 'd'
        UNION SELECT 'tablespace' WHERE c.reltablespace <> 0
        UNION SELECT 'setting ' || unnest(c.reloptions)),
  ARRAY(SELECT DISTINCT a.attname::text FROM pg_depend d
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
        WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid > 0
          AND d.classid IN ('pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_policy'::regclass,
                            'pg_trigger'::regclass, 'pg_statistic_ext'::regclass,
                            'pg_publication_rel'::regclass)
        UNION SELECT a.attname::text FROM pg_constraint k
        JOIN pg_attribute a ON a.attrelid = c.oid
             AND (k.confrelid = c.oid AND a.attnum = ANY(k.confkey)
                  OR k.conrelid = c.oid AND a.attnum = ANY(k.conkey))
        WHERE k.contype IN ('f', 'c', 'x')),
  EXISTS (SELECT FROM aclexplode(c.relacl) x LEFT JOIN pg_roles r ON r.oid = x.grantee
          WHERE x.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
            AND x.grantee <> c.relowner AND NOT coalesce(r.rolsuper, false))
FROM pg_class c
WHERE c.oid = %s
"""


def inspect(connection: Connection, table: TableName) -> TableState | None:
    """Describe a table, or return None where nothing bears the name."""
    # Asked first, as planning the whole query takes longer than all else where nothing is there.
    found = connection.execute("SELECT to_regclass(%s)::oid", (quoted(table),)).fetchone()
    if found is None or found[0] is None:
        return None
    row = connection.execute(_DESCRIBE, found).fetchone()
    if row is None:
        return None
    oid, is_table, size, rows, names, types, key, dependents, used, foreign_writers = row
    return TableState(
        oid=oid,
        columns=dict(zip(names, types, strict=True)),
        bytes=size,
        rows=rows,
        dependents=tuple(sorted(dependents)),
        used_columns=frozenset(used),
        foreign_writers=foreign_writers,
        key=tuple(key),
        is_table=is_table,
    )


def check_columns(connection: Connection, table: TableName, columns: Sequence[Column]) -> None:
    """Compare a table's column types with those that the codec will write.

    Binary COPY takes a value of another type where the width happens to fit, and stores
    garbage; so nothing is copied before this.

    Raises:
        TableChangedError: a column is missing or of another type.

    """
    rows = connection.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (quoted(table),),
    )
    present = dict(rows.fetchall())
    for column in columns:
        found = present.get(column.name)
        if found != column.type:
            raise TableChangedError(
                f"the column {column.name} of {table} is not as it was planned",
                why=f"it should be {column.type} and is {found or 'missing'}",
                fix="undo that change, or load the table anew with --full-refresh",
            )


def quoted(table: TableName) -> str:
    """Return the name as `to_regclass` reads it."""
    parts = [table.schema, table.name] if table.schema else [table.name]
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def has_key(connection: Connection, table: TableName) -> bool:
    """Return whether a table has a primary key."""
    row = connection.execute(
        "SELECT EXISTS (SELECT FROM pg_constraint"
        " WHERE conrelid = to_regclass(%s) AND contype = 'p')",
        (quoted(table),),
    ).fetchone()
    return bool(row and row[0])


def indexed_columns(connection: Connection, table: TableName) -> list[tuple[str, tuple[str, ...]]]:
    """Return (name, columns) of each index; an expression or a condition gives no columns."""
    rows = connection.execute(
        """
        SELECT i.indexrelid::regclass::text, CASE WHEN i.indpred IS NULL AND i.indexprs IS NULL
            THEN ARRAY(SELECT a.attname::text
                       FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
                       JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
                       ORDER BY u.place) END
        FROM pg_index i WHERE i.indrelid = to_regclass(%s)
        """,
        (quoted(table),),
    )
    return [(name, tuple(columns or ())) for name, columns in rows]
