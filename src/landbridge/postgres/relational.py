"""A schema that exists already, as PostgreSQL's catalog describes it.

For       Imports through a mapping, proposals of one, and the comparison of their rows.
Touches   The target's catalog, by reading.
Promises  Ordinary and partitioned tables with all their columns and constraints, in a fixed order.
          Partitions are left out: their parent stands for them.
"""

from __future__ import annotations

from typing import Any

import psycopg

from landbridge.model.relational import (
    Action,
    Check,
    Enumeration,
    ForeignKey,
    Identity,
    RelationalColumn,
    RelationalSchema,
    RelationalTable,
    Trigger,
    UniqueKey,
)
from landbridge.model.tables import TableName

Connection = psycopg.Connection[Any]

_IDENTITY: dict[str, Identity] = {"": "", "a": "always", "d": "by default"}
_ACTION: dict[str, Action] = {
    "a": "no action",
    "r": "restrict",
    "c": "cascade",
    "n": "set null",
    "d": "set default",
}
_VARLENA_HEADER = 4
_SIZED = ("character varying", "character")
_BITS = ("bit", "bit varying")
_TIMES = ("timestamp without time zone", "timestamp with time zone")

_TABLES = """
SELECT c.oid, c.relname::text, c.reltuples FROM pg_class c
WHERE c.relnamespace = to_regnamespace(quote_ident(%s)) AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
ORDER BY c.relname COLLATE "C"
"""

_ENUMS = """
SELECT t.oid, n.nspname::text, t.typname::text,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = t.oid
             ORDER BY e.enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'e'
ORDER BY n.nspname COLLATE "C", t.typname COLLATE "C"
"""

# A domain is followed down to what it is made of; its modifier then is the one that counts.
_COLUMNS = """
WITH RECURSIVE wanted AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name, a.atttypid, a.atttypmod,
           a.attnotnull, a.attidentity::text AS identity, a.attgenerated::text AS generated,
           pg_get_expr(d.adbin, d.adrelid) AS expression, d.oid AS default_oid
    FROM pg_attribute a
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped),
down AS (
    SELECT attrelid, attnum, atttypid AS type, atttypmod AS modifier, false AS is_array,
           NULL::text AS domain, false AS refuses_null, NULL::text AS default_of_domain, 0 AS level
    FROM wanted
    UNION ALL
    SELECT d.attrelid, d.attnum,
           CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
           CASE WHEN t.typtype = 'd' AND d.modifier < 0 THEN t.typtypmod ELSE d.modifier END,
           d.is_array OR t.typtype <> 'd',
           coalesce(d.domain, CASE WHEN t.typtype = 'd'
                              THEN n.nspname || '.' || t.typname END COLLATE "default"),
           d.refuses_null OR t.typtype = 'd' AND NOT d.is_array AND t.typnotnull,
           coalesce(d.default_of_domain,
                    CASE WHEN t.typtype = 'd' THEN t.typdefault END COLLATE "default"),
           d.level + 1
    FROM down d JOIN pg_type t ON t.oid = d.type JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'd' OR t.typcategory = 'A' AND t.typelem <> 0),
bottom AS (
    SELECT DISTINCT ON (attrelid, attnum) * FROM down ORDER BY attrelid, attnum, level DESC)
SELECT w.attrelid, w.name, format_type(w.atttypid, w.atttypmod), format_type(b.type, NULL),
       b.type, b.modifier, b.is_array, w.attnotnull OR b.refuses_null, w.identity, w.generated,
       coalesce(w.expression, b.default_of_domain), b.domain,
       (SELECT ARRAY[n.nspname::text, s.relname::text]
        FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace
        WHERE s.relkind = 'S' AND s.oid = coalesce(
            (SELECT p.objid FROM pg_depend p
             WHERE p.classid = 'pg_class'::regclass AND p.refclassid = 'pg_class'::regclass
               AND p.refobjid = w.attrelid AND p.refobjsubid = w.attnum
               AND p.deptype IN ('a', 'i') LIMIT 1),
            -- A sequence that the column doesn't own, and that its default names.
            (SELECT p.refobjid FROM pg_depend p JOIN pg_class q ON q.oid = p.refobjid
             WHERE p.classid = 'pg_attrdef'::regclass AND p.objid = w.default_oid
               AND p.refclassid = 'pg_class'::regclass AND q.relkind = 'S' LIMIT 1)))
FROM wanted w JOIN bottom b USING (attrelid, attnum)
ORDER BY w.attrelid, w.attnum
"""

_KEYS = """
SELECT i.indrelid, x.relname::text, i.indisprimary, NOT i.indimmediate,
       NOT i.indnullsnotdistinct, i.indpred IS NOT NULL OR i.indexprs IS NOT NULL,
       ARRAY(SELECT a.attname::text
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
             WHERE u.place <= i.indnkeyatts ORDER BY u.place)
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
WHERE i.indrelid = ANY(%s) AND i.indisunique AND i.indisvalid
ORDER BY NOT i.indisprimary, x.relname COLLATE "C"
"""

_FOREIGN_KEYS = """
SELECT k.conrelid, k.conname::text, n.nspname::text, c.relname::text, k.condeferrable,
       k.confdeltype::text, k.confupdtype::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
             ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
             ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.confrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.conrelid = ANY(%s) AND k.contype = 'f' ORDER BY k.conname COLLATE "C"
"""

_CHECKS = """
SELECT conrelid, conname::text, pg_get_expr(conbin, conrelid) FROM pg_constraint
WHERE conrelid = ANY(%s) AND contype = 'c' ORDER BY conname COLLATE "C"
"""

_TRIGGERS = """
SELECT tgrelid, tgname::text, pg_get_triggerdef(oid) FROM pg_trigger
WHERE tgrelid = ANY(%s) AND NOT tgisinternal AND tgenabled <> 'D' ORDER BY tgname COLLATE "C"
"""


def read_schema(connection: Connection, schema: str) -> RelationalSchema | None:
    """Describe a schema, or return None where there is none of that name."""
    exists = connection.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone()
    if exists is None:
        return None
    found = connection.execute(_TABLES, (schema,)).fetchall()
    tables = [oid for oid, _, _ in found]
    enums = {
        oid: Enumeration(space, name, tuple(labels))
        for oid, space, name, labels in connection.execute(_ENUMS)
    }
    columns = _grouped(connection, _COLUMNS, tables)
    keys = _grouped(connection, _KEYS, tables)
    foreign_keys = _grouped(connection, _FOREIGN_KEYS, tables)
    checks = _grouped(connection, _CHECKS, tables)
    triggers = _grouped(connection, _TRIGGERS, tables)
    return RelationalSchema(
        schema,
        tuple(
            RelationalTable(
                name=TableName(schema, name),
                columns=tuple(_column(row, enums) for row in columns.get(oid, ())),
                keys=tuple(
                    UniqueKey(key, tuple(on), primary, deferrable, nulls_distinct)
                    for key, primary, deferrable, nulls_distinct, partial, on in keys.get(oid, ())
                    if not partial
                ),
                foreign_keys=tuple(_foreign_key(row) for row in foreign_keys.get(oid, ())),
                checks=tuple(Check(*row) for row in checks.get(oid, ())),
                triggers=tuple(Trigger(*row) for row in triggers.get(oid, ())),
                partial_keys=tuple(row[0] for row in keys.get(oid, ()) if row[4]),
                rows=rows,
            )
            for oid, name, rows in found
        ),
        tuple(one for one in enums.values() if one.schema == schema),
    )


def _grouped(
    connection: Connection, query: str, tables: list[int]
) -> dict[int, list[tuple[Any, ...]]]:
    """Return the rows of a query by the table in their first column, without it."""
    rows: dict[int, list[tuple[Any, ...]]] = {}
    for table, *rest in connection.execute(query, (tables,)):
        rows.setdefault(table, []).append(tuple(rest))
    return rows


def _column(row: tuple[Any, ...], enums: dict[int, Enumeration]) -> RelationalColumn:
    (name, written, base, type_oid, modifier, array, required, identity, generated, default) = row[
        :10
    ]
    domain, sequence = row[10:]
    length = precision = scale = None
    if modifier >= 0 and base in _SIZED:
        length = modifier - _VARLENA_HEADER
    elif modifier >= 0 and base in _BITS:
        length = modifier
    elif modifier >= 0 and base in _TIMES:
        precision = modifier
    elif modifier >= 0 and base == "numeric":
        packed = modifier - _VARLENA_HEADER
        precision = packed >> 16
        scale = ((packed & 0x7FF) ^ 0x400) - 0x400  # eleven bits, with a sign
    enum = enums.get(type_oid)
    return RelationalColumn(
        name=name,
        type=written,
        base=enum.name if enum else base,
        array=array,
        nullable=not required,
        default=default,
        identity=_IDENTITY[identity],
        generated=bool(generated),
        sequence=TableName(*sequence) if sequence else None,
        length=length,
        precision=precision,
        scale=scale,
        enum=enum,
        domain=domain,
    )


def _foreign_key(row: tuple[Any, ...]) -> ForeignKey:
    name, schema, table, deferrable, on_delete, on_update, columns, target_columns = row
    return ForeignKey(
        name=name,
        columns=tuple(columns),
        target=TableName(schema, table),
        target_columns=tuple(target_columns),
        deferrable=deferrable,
        on_delete=_ACTION[on_delete],
        on_update=_ACTION[on_update],
    )
