"""Found: what stands in the tables, in the form in which it is compared.

For       Holding documents against rows through a mapping.
Touches   The target, by reading.
Promises  Rows are asked for by their keys, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.relational import RelationalColumn
from landbridge.model.tables import TableName
from landbridge.verify.mapped.casts import TIME_TYPES, Comparable, from_text
from landbridge.verify.mapped.expected import Filled
from landbridge.verify.rows import identifier

Connection = psycopg.Connection[Any]
Found = dict[str, Comparable]  # by column

_KEY_ARRAYS = {
    "uuid": "uuid[]",
    "smallint": "bigint[]",
    "integer": "bigint[]",
    "bigint": "bigint[]",
    "numeric": "numeric[]",
}


def printed(column: RelationalColumn, alias: str = "t") -> sql.Composable:
    """Return the expression that prints a column so that `from_text` reads it."""
    form = _printed(column)
    if column.array and column.base in TIME_TYPES | {"date", "bytea"}:
        form = (
            "CASE WHEN {c} IS NOT NULL THEN ARRAY(SELECT "
            + form.replace("{c}", "e.e")
            + " FROM unnest({c}) WITH ORDINALITY AS e (e, n) ORDER BY n) END"
        )
    elif column.array:
        form = "{c}::text[]"
    return sql.SQL(form).format(c=sql.Identifier(alias, column.name))


def _printed(column: RelationalColumn) -> str:
    if column.base in TIME_TYPES:
        return "(extract(epoch FROM {c}) * 1000000)::text"
    if column.base == "date":
        return "CASE WHEN isfinite({c}) THEN ({c} - DATE '1970-01-01')::text ELSE {c}::text END"
    return "encode({c}, 'hex')" if column.base == "bytea" else "{c}::text"


def read(value: str | list[str | None] | None, column: RelationalColumn) -> Comparable:
    """Return what a column was printed as, in the form in which it is compared."""
    if value is None:
        return None
    if isinstance(value, list):
        return tuple(None if one is None else from_text(one, column) for one in value)
    return from_text(value, column)


def is_one_of(column: RelationalColumn, keys: Iterable[str]) -> sql.Composed:
    """Return the condition that a column holds one of these keys; by its index."""
    return sql.SQL("{} = ANY({}::{})").format(
        sql.Identifier("t", column.name),
        sql.Literal(list(keys)),
        sql.SQL(_KEY_ARRAYS.get(column.base, "text[]")),
    )


def main_rows(
    connection: Connection, filled: Filled, key: str, keys: Collection[str]
) -> dict[str, Found]:
    """Return the rows with these keys, by key."""
    rows = _rows(connection, filled, key, keys)
    return dict(rows)


def child_rows(
    connection: Connection, filled: Filled, keys: Collection[str]
) -> dict[str, list[Found]]:
    """Return the rows of these parents, by the parent's key."""
    assert filled.child is not None
    found: dict[str, list[Found]] = {}
    for parent, row in _rows(connection, filled, filled.child.parent, keys):
        found.setdefault(parent, []).append(row)
    return found


def _rows(
    connection: Connection, filled: Filled, key: str, keys: Collection[str]
) -> Iterable[tuple[str, Found]]:
    if not keys:
        return
    columns = [filled.column(name) for name in filled.compared]
    items = [sql.SQL("{}::text").format(sql.Identifier("t", key)), *map(printed, columns)]
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {}").format(
        sql.SQL(", ").join(items),
        identifier(filled.table.name),
        is_one_of(filled.column(key), keys),
    )
    for row in connection.execute(query):
        cells = zip(columns, row[1:], strict=True)
        yield row[0], {column.name: read(value, column) for column, value in cells}


def existing(
    connection: Connection, table: TableName, column: RelationalColumn, keys: Collection[str]
) -> set[str]:
    """Return which of these keys a table has."""
    if not keys:
        return set()
    query = sql.SQL("SELECT {}::text FROM {} AS t WHERE {}").format(
        sql.Identifier("t", column.name), identifier(table), is_one_of(column, keys)
    )
    return {key for (key,) in connection.execute(query)}


def mapped_ids(
    connection: Connection, schema: str, collection: str, names: Sequence[str]
) -> dict[str, str]:
    """Return the keys that the id map has for canonical ids."""
    rows = connection.execute(
        "SELECT source_id, target_id FROM landbridge.id_map"
        " WHERE target_schema = %s AND collection = %s AND source_id = ANY(%s)",
        (schema, collection, list(names)),
    )
    return dict(rows.fetchall())
