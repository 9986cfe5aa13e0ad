"""Keys: given to tables, repaired where ids came twice, and moved from `_id` to `_key`.

For       Rows having one identity each, the one MongoDB gives them.
Touches   The target's tables.
Promises  A key build that finds duplicates loses nothing: their ids are returned, to be read again.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from landbridge.codec import canonical_key, id_document, id_of_key
from landbridge.errors import StopError
from landbridge.model.plan import Plan, Role
from landbridge.model.tables import TableName
from landbridge.postgres import catalog
from landbridge.postgres.catalog import quoted
from landbridge.postgres.ddl import (
    BUILD_MEMORY,
    add_key_statement,
    identifier,
    plain_text,
    with_lock_retries,
)

Connection = psycopg.Connection[Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS_A_BATCH = 10_000


def add_key(connection: Connection, table: TableName, columns: Sequence[str]) -> bool:
    """Give a table its primary key; False, the table untouched, where two rows have the same.

    A load that goes on after a crash may find it there.
    """
    if catalog.has_key(connection, table):
        return True
    try:
        with connection.transaction():
            connection.execute(
                "SELECT set_config('maintenance_work_mem', %s, true)", (BUILD_MEMORY,)
            )
            connection.execute(add_key_statement(table, columns))
    except pg.UniqueViolation:
        return False
    return True


def take_duplicates(connection: Connection, tables: Sequence[TableName], plan: Plan) -> list[bytes]:
    """Remove all rows whose key stands more than once, and their child rows.

    Returns one BSON document `{_id: …}` for each id, so that the documents can be read again.
    """
    key = sql.Identifier(plan.key_column or "_id")
    main = identifier(tables[0])
    twice = TableName("", "lb_twice")
    with connection.transaction():
        connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE lb_twice ON COMMIT DROP AS"
                " SELECT {key} FROM {main} GROUP BY 1 HAVING count(*) > 1"
            ).format(key=key, main=main)
        )
        ids, hashed = ids_of_keys(connection, plan, sql.SQL("FROM {}").format(identifier(twice)))
        if hashed:
            raise StopError(
                "documents with ids of over 1,000 bytes were returned twice by the server",
                why="they changed while a server without snapshot reads was being read",
                fix="start the same command again",
            )
        for child in tables[1:]:
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE _parent_id IN (SELECT {} FROM lb_twice)").format(
                    identifier(child), key
                )
            )
        connection.execute(
            sql.SQL("DELETE FROM {main} WHERE {key} IN (SELECT {key} FROM lb_twice)").format(
                main=main, key=key
            )
        )
    return ids


def ids_of_keys(
    connection: Connection, plan: Plan, source: sql.Composable
) -> tuple[list[bytes], list[bytes]]:
    """Return a BSON document `{_id: …}` for each row of `source`, `FROM … WHERE …`.

    Its ids are equal to those of the documents where MongoDB compares them. Keys that were
    hashed tell no id and are returned apart.
    """
    if plan.main.column_with(Role.KEY) >= 0:
        keys = connection.execute(sql.SQL("SELECT _key {}").format(source))
        found = [(bytes(key), id_of_key(bytes(key))) for (key,) in keys]
        ids = [id_document(*identity) for _, identity in found if identity is not None]
        return ids, [key for key, identity in found if identity is None]
    column = plan.main.columns[plan.main.column_with(Role.ID)]
    escaped = plan.settings.nul == "escape"
    rows = connection.execute(sql.SQL("SELECT {} {}").format(plain_text(column), source))
    return [id_document(*_bson_id(column.family, text, escaped)) for (text,) in rows], []


def fill_key(
    connection: Connection, tables: Sequence[TableName], before: Plan, after: Plan
) -> None:
    """Compute `_key` for rows that were keyed by `_id` until now, and point child rows at it.

    The tables have been altered to `after` already: the id may have become text.
    """
    old = before.main.columns[before.main.column_with(Role.ID)]
    new = after.main.columns[after.main.column_with(Role.ID)]
    shown = plain_text(old) if new.type == old.type else sql.Identifier(new.name)
    escaped = after.settings.nul == "escape"
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE lb_keys (id text, key bytea) ON COMMIT DROP")
        rows = connection.execute(
            sql.SQL("SELECT {} FROM {} WHERE _key IS NULL").format(shown, identifier(tables[0]))
        )
        with connection.cursor() as writer:
            for batch in _batches(rows):
                with writer.copy("COPY lb_keys (id, key) FROM STDIN") as copy:
                    for text in batch:
                        copy.write_row((text, canonical_key(*_bson_id(old.family, text, escaped))))
        connection.execute(
            sql.SQL(
                "UPDATE {} SET _key = k.key FROM lb_keys k WHERE _key IS NULL AND {} = k.id"
            ).format(identifier(tables[0]), shown)
        )
        # What child rows hold of their parent's id, after the column became `bytea`.
        held = "decode(k.id, 'hex')" if old.type == "bytea" else "convert_to(k.id, 'UTF8')"
        for child in tables[1:]:
            connection.execute(
                sql.SQL(
                    "UPDATE {} SET _parent_id = k.key FROM lb_keys k WHERE _parent_id = {}"
                ).format(identifier(child), sql.SQL(held))
            )
        # Staged and living rows may both be filled in one transaction.
        connection.execute("DROP TABLE pg_temp.lb_keys")


def _batches(rows: psycopg.Cursor[Any]) -> Iterator[list[str]]:
    while batch := rows.fetchmany(_KEYS_A_BATCH):
        yield [text for (text,) in batch]


def move_key(connection: Connection, table: TableName) -> None:
    """Make `_key` the primary key of a living table that `_id` was the key of.

    Foreign keys that point at `_id` get a unique constraint there to point at.
    """
    primary = connection.execute(
        "SELECT conname::text FROM pg_constraint"
        " WHERE conrelid = to_regclass(%s) AND contype = 'p'",
        (quoted(table),),
    ).fetchone()
    pointing = connection.execute(
        "SELECT conrelid::regclass::text, n.nspname::text, c.relname::text, k.conname::text,"
        " pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE k.contype = 'f' AND k.confrelid = to_regclass(%s)",
        (quoted(table),),
    ).fetchall()

    def move() -> None:
        for _, schema, name, constraint, _ in pointing:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
                    sql.Identifier(schema, name), sql.Identifier(constraint)
                )
            )
        if primary:
            connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}, ALTER COLUMN _id DROP NOT NULL").format(
                    identifier(table), sql.Identifier(primary[0])
                )
            )
        if pointing:
            connection.execute(sql.SQL("ALTER TABLE {} ADD UNIQUE (_id)").format(identifier(table)))
        connection.execute(add_key_statement(table, ["_key"]))
        for _, schema, name, constraint, definition in pointing:
            connection.execute(
                sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                    sql.Identifier(schema, name),
                    sql.Identifier(constraint),
                    sql.SQL(definition),  # as the catalog printed it
                )
            )

    with_lock_retries(connection, f"cannot give {table} another key", move)


def _bson_id(family: str, text: str, escaped: bool) -> tuple[int, bytes]:
    """Return (type byte, value) of an id from its plain text and its column's family."""
    match family:
        case "objectid":
            return 0x07, bytes.fromhex(text)
        case "integer":
            return 0x12, struct.pack("<q", int(text))
        case "date":
            return 0x09, struct.pack("<q", _milliseconds(text))
        case "uuid":
            return 0x05, struct.pack("<iB", 16, 4) + uuid.UUID(text).bytes
        case "string":
            if escaped:
                text = text.replace("\u24000", "\x00").replace("\u24001", "\u2400")
            data = text.encode()
            return 0x02, struct.pack("<i", len(data) + 1) + data + b"\x00"
        case _:  # binary, or binary_<subtype>
            data = bytes.fromhex(text)
            subtype = int(family.partition("_")[2] or 0)
            return 0x05, struct.pack("<iB", len(data), subtype) + data


def _milliseconds(text: str) -> int:
    if text.lstrip("-").isdigit():
        return int(text)
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
