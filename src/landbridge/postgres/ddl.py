"""Tables: made, altered, keyed, indexed, renamed.

For       Giving a plan its tables, and following it when it grows.
Touches   The target's tables.
Promises  A living table is altered under a short lock timeout with retries, so that readers do
          not queue behind a waiting change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from landbridge.errors import LockedError
from landbridge.model.plan import Column, Role, TablePlan
from landbridge.model.tables import IndexWish, Persistence, TableName
from landbridge.postgres.catalog import indexed_columns, quoted

Connection = psycopg.Connection[Any]

LOCK_SECONDS_MAX = 2
LOCK_TRIES_MAX = 5
BUILD_MEMORY = "256MB"  # kernel measurements: more gives nothing for tables of this size

_SELDOM_COMPARED = ("jsonb", "bytea", "double precision", "numeric")


def identifier(table: TableName) -> sql.Identifier:
    """Return the quoted name of a table."""
    return sql.Identifier(table.schema, table.name) if table.schema else sql.Identifier(table.name)


def names(columns: Iterable[str]) -> sql.Composed:
    """Return quoted column names, separated by commas."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _type(column: Column) -> sql.Composed:
    # The type is one of ours (`schema.columns`), never a user's text.
    written = sql.SQL(column.type)
    collation = sql.SQL(' COLLATE "C"') if column.byte_order else sql.SQL("")
    return sql.Composed([written, collation])


def _definition(column: Column) -> sql.Composed:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), _type(column))


def create_statement(table: TableName, plan: TablePlan, persistence: Persistence) -> sql.Composed:
    """Return the CREATE TABLE statement for a plan; identity first, landbridge's own last."""
    kind = {"logged": "", "unlogged": "UNLOGGED ", "temporary": "TEMPORARY "}[persistence]
    ending = " ON COMMIT DROP" if persistence == "temporary" else ""
    return sql.SQL("CREATE {kind}TABLE {table} ({columns}){ending}").format(
        kind=sql.SQL(kind),
        table=identifier(table),
        columns=sql.SQL(", ").join(_definition(column) for column in plan.creation_order),
        ending=sql.SQL(ending),
    )


def add_key_statement(table: TableName, columns: Sequence[str]) -> sql.Composed:
    """Return the statement that gives a table its primary key."""
    return sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(identifier(table), names(columns))


def index_statement(table: TableName, wish: IndexWish) -> sql.Composed:
    """Return the statement that makes an index."""
    return sql.SQL("CREATE INDEX ON {} ({})").format(identifier(table), names(wish.columns))


def analyze_statement(table: TableName, plan: TablePlan) -> sql.Composed:
    """Return the ANALYZE of the columns that queries compare.

    The others (measures, `jsonb`, bytes, the hash) cost most of the time; since not all are
    named, autovacuum still counts the table as changed and sees to them in its own time.
    """
    compared = [
        column.name
        for column in plan.columns
        if column.type not in _SELDOM_COMPARED and column.role is not Role.HASH
    ]
    if not compared:
        return sql.SQL("ANALYZE {}").format(identifier(table))
    return sql.SQL("ANALYZE {} ({})").format(identifier(table), names(compared))


def alter_statements(table: TableName, before: TablePlan, after: TablePlan) -> list[sql.Composed]:
    """Return the ALTER TABLE that leads from one plan to a later one, if anything changed."""
    clauses = []
    for old, new in zip(before.columns, after.columns, strict=False):
        if (old.type, old.byte_order) != (new.type, new.byte_order):
            clauses.append(
                sql.SQL("ALTER COLUMN {} TYPE {} USING {}").format(
                    sql.Identifier(new.name), _type(new), _converted(old, new)
                )
            )
    clauses += [
        sql.SQL("ADD COLUMN {}").format(_definition(column))
        for column in after.columns[len(before.columns) :]
    ]
    if not clauses:
        return []
    return [sql.SQL("ALTER TABLE {} {}").format(identifier(table), sql.SQL(", ").join(clauses))]


def _converted(old: Column, new: Column) -> sql.Composed:
    """Return the expression that widens a column's values without loss."""
    name, target = sql.Identifier(old.name), sql.SQL(new.type)
    if old.family == "null":
        return sql.SQL("NULL::{}").format(target)
    if old.role is Role.PARENT:  # `identity.fill_key` puts the keys in the place of these
        return sql.SQL("convert_to({}, 'UTF8')").format(plain_text(old))
    if old.type == "double precision" and new.type == "numeric":
        # A direct cast keeps 15 digits only; the text form is exact (extra_float_digits > 0).
        return sql.SQL("{}::text::numeric").format(name)
    if new.type == "text":
        return sql.SQL("{}").format(plain_text(old))
    return sql.SQL("{}::{}").format(name, target)


def plain_text(column: Column) -> sql.Composable:
    """Return the expression that gives an id as `codec` writes it into a text column."""
    name = sql.Identifier(column.name)
    if column.type == "bytea":
        return sql.SQL("encode({}, 'hex')").format(name)
    if column.type == "timestamp with time zone":
        return sql.SQL(
            "CASE WHEN {c} >= '0001-01-01Z' AND {c} < '10000-01-01Z'"
            " THEN to_char({c} AT TIME ZONE 'UTC', {form})"
            " ELSE (extract(epoch FROM {c}) * 1000)::bigint::text END"
        ).format(c=name, form=sql.Literal('YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    return sql.SQL("{}::text").format(name)


def alter_private(
    connection: Connection, table: TableName, before: TablePlan, after: TablePlan
) -> None:
    """Alter a table that no reader knows."""
    statements = alter_statements(table, before, after)
    if statements:
        with connection.transaction():
            # Doubles that become numeric pass through text, which must be the shortest exact form.
            connection.execute("SELECT set_config('extra_float_digits', '1', true)")
            for statement in statements:
                connection.execute(statement)


def with_lock_retries(connection: Connection, what: str, change: Callable[[], None]) -> None:
    """Run `change` inside the open transaction, each try under a short lock timeout.

    Raises:
        LockedError: other sessions held the table through all tries.

    """
    for attempt in range(1, LOCK_TRIES_MAX + 1):
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_SECONDS_MAX}s",)
                )
                change()
                connection.execute("SELECT set_config('lock_timeout', '0', true)")
            return
        except pg.LockNotAvailable:
            if attempt == LOCK_TRIES_MAX:
                raise LockedError(
                    what,
                    why=f"other sessions hold locks on it; {LOCK_TRIES_MAX} tries of"
                    f" {LOCK_SECONDS_MAX} s were not enough",
                    fix="end long transactions that read the table, then start again",
                ) from None
            time.sleep(attempt)


def add_indexes(
    connection: Connection, table: TableName, wishes: Iterable[IndexWish]
) -> list[IndexWish]:
    """Make the indexes that are wished and not there yet.

    Returns the wishes that can't be met: a value is too long for an index entry.
    """
    wishes = list(wishes)
    if not wishes:
        return []
    present = {columns for _, columns in indexed_columns(connection, table)}
    unmet = []
    for wish in wishes:
        if wish.columns in present:
            continue
        present.add(wish.columns)
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('maintenance_work_mem', %s, true)", (BUILD_MEMORY,)
                )
                connection.execute(index_statement(table, wish))
        except pg.ProgramLimitExceeded:
            unmet.append(wish)
    return unmet


def rename(connection: Connection, table: TableName, name: str) -> None:
    """Rename a table, and with it the indexes that bear its old name."""
    renamed = TableName(table.schema, name)
    connection.execute(
        sql.SQL("ALTER TABLE {} RENAME TO {}").format(identifier(table), sql.Identifier(name))
    )
    rows = connection.execute(
        "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = to_regclass(%s) AND starts_with(c.relname, %s)",
        (quoted(renamed), table.name),
    ).fetchall()
    for (index,) in rows:
        suffix = index[len(table.name) :].encode()
        wanted = name.encode()[: 63 - len(suffix)].decode(errors="ignore") + suffix.decode()
        taken = connection.execute(
            "SELECT to_regclass(%s) IS NOT NULL", (quoted(TableName(table.schema, wanted)),)
        ).fetchone()
        if taken and not taken[0]:
            connection.execute(
                sql.SQL("ALTER INDEX {} RENAME TO {}").format(
                    sql.Identifier(table.schema, index), sql.Identifier(wanted)
                )
            )


def copy_owner_and_grants(connection: Connection, source: TableName, target: TableName) -> None:
    """Give `target` the owner and the grants of `source`."""
    rows = connection.execute(
        "SELECT coalesce(r.rolname, '')::text, x.privilege_type, x.is_grantable"
        " FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) x"
        " LEFT JOIN pg_roles r ON r.oid = x.grantee"
        " WHERE c.oid = to_regclass(%s) AND x.grantee <> c.relowner",
        (quoted(source),),
    ).fetchall()
    connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(identifier(target)))
    default = connection.execute(
        "SELECT DISTINCT r.rolname::text FROM pg_class c"
        " CROSS JOIN LATERAL aclexplode(c.relacl) x JOIN pg_roles r ON r.oid = x.grantee"
        " WHERE c.oid = to_regclass(%s) AND x.grantee <> c.relowner",
        (quoted(target),),
    ).fetchall()
    for (role,) in default:
        connection.execute(
            sql.SQL("REVOKE ALL ON {} FROM {}").format(identifier(target), sql.Identifier(role))
        )
    for role, privilege, grantable in rows:
        connection.execute(
            sql.SQL("GRANT {} ON {} TO {}{}").format(
                sql.SQL(privilege),
                identifier(target),
                sql.Identifier(role) if role else sql.SQL("PUBLIC"),
                sql.SQL(" WITH GRANT OPTION" if grantable else ""),
            )
        )
    owners = connection.execute(
        "SELECT pg_get_userbyid(s.relowner)::text, s.relowner <> t.relowner"
        " FROM pg_class s, pg_class t WHERE s.oid = to_regclass(%s) AND t.oid = to_regclass(%s)",
        (quoted(source), quoted(target)),
    ).fetchone()
    if owners and owners[1]:
        connection.execute(
            sql.SQL("ALTER TABLE {} OWNER TO {}").format(
                identifier(target), sql.Identifier(owners[0])
            )
        )
