"""The rows of a table that stand for documents: the current ones, and those set aside.

For       The modes that ask both servers for figures.
Touches   landbridge.quarantine; whether a table is there.
Promises  Rows that are marked as deleted, and versions that a later one replaced, are no documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bson
import psycopg
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from psycopg import sql

from landbridge.model.tables import TableName
from landbridge.verify.pairs import Pair

SOFT_DELETE = "_sdc_deleted_at"
LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)

_REPLACED = "\N{REPLACEMENT CHARACTER}"


def identifier(table: TableName) -> sql.Identifier:
    """Return a table's name as SQL."""
    return sql.Identifier(table.schema, table.name)


def exists(connection: psycopg.Connection[Any], table: TableName) -> bool:
    """Return whether there is such a table."""
    row = connection.execute(
        "SELECT to_regclass(%s) IS NOT NULL", (identifier(table).as_string(connection),)
    ).fetchone()
    return bool(row and row[0])


def marks_deleted(pair: Pair) -> bool:
    """Return whether a row may stand there whose document is gone, and say so."""
    return pair.plan is not None and any(c.name == SOFT_DELETE for c in pair.plan.main.columns)


def current_rows(pair: Pair) -> sql.Composable:
    """Return what to write after FROM: the rows that stand for documents, as `t`."""
    table = identifier(pair.table)
    key = pair.plan.key_column if pair.plan else None
    conditions = []
    rows: sql.Composable = table
    if pair.settings.load == "append" and key is not None:
        rows = sql.SQL(
            "(SELECT DISTINCT ON ({key}) * FROM {table} ORDER BY {key}, _sdc_sequence DESC)"
        ).format(key=sql.Identifier(key), table=table)
        if pair.settings.keeps_history:
            conditions.append(sql.SQL("_lb_operation <> 'delete'"))
    if marks_deleted(pair):
        conditions.append(sql.SQL("_sdc_deleted_at IS NULL"))
    if not conditions:
        return sql.SQL("{} AS t").format(rows)
    return sql.SQL("(SELECT * FROM {} AS v WHERE {}) AS t").format(
        rows, sql.SQL(" AND ").join(conditions)
    )


@dataclass(frozen=True, slots=True)
class Held:
    """Documents in quarantine: their ids as the driver reads them, and how many can't be read."""

    ids: tuple[Any, ...] = ()
    unreadable: int = 0


def held_documents(connection: psycopg.Connection[Any], pair: Pair) -> Held:
    """Return the documents of a stream that were set aside, and so have no row."""
    if pair.stream_id is None:
        return Held()
    # Named, so that the server hands the documents out a few at a time.
    ids, unreadable = [], 0
    with connection.transaction(), connection.cursor("landbridge_held") as cursor:
        cursor.execute(
            "SELECT document FROM landbridge.quarantine WHERE stream_id = %s AND generation <= %s",
            (pair.stream_id, pair.generation),
        )
        for (document,) in cursor:
            try:
                identity = bson.decode(bytes(document), LENIENT)["_id"]
            except (BSONError, KeyError):
                unreadable += 1
                continue
            if _REPLACED in repr(identity):  # not the text that the document has
                unreadable += 1
            else:
                ids.append(identity)
    return Held(tuple(ids), unreadable)
