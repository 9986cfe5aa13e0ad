"""Ranges: the ids cut where the table says, so that both sides can be read side by side.

For       Comparing in parallel, in pieces that can be taken up again.
Touches   A sample of the table's keys.
Promises  Together the ranges hold every id of either side, of whatever kind.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import psycopg
from psycopg import sql

from landbridge.verify import identity
from landbridge.verify.reading import Bound, Range, qualified
from landbridge.verify.shape import Shape

DOCUMENTS_EACH = 50_000
BYTES_EACH = 64_000_000
ROWS_EACH = 500_000
SAMPLED_MAX = 20_000  # keys


def split(
    connection: psycopg.Connection[Any], shape: Shape, documents: int, size: int
) -> list[Range]:
    """Return ranges of about as many documents as are held at a time, in order."""
    count = max(documents // DOCUMENTS_EACH, size // BYTES_EACH)
    if len(shape.tables) > 1:  # elements of arrays are small, and there may be very many
        count = max(count, rows(connection, shape) // ROWS_EACH)
    if count < 2:
        return [Range()]
    keys = _sampled_keys(connection, shape, documents)
    step = len(keys) / count
    chosen = [keys[int(step * number)] for number in range(1, count)] if keys else []
    bounds = [bound for one in dict.fromkeys(chosen) if (bound := _bound(shape, *one))]
    edges = [None, *bounds, None]
    return [Range(low, high) for low, high in pairwise(edges)]


def rows(connection: psycopg.Connection[Any], shape: Shape) -> int:
    """Return how many rows the tables have together."""
    total = 0
    for table in shape.tables:
        query = sql.SQL("SELECT count(*) FROM {}").format(qualified(table.name))
        found = connection.execute(query).fetchone()
        total += found[0] if found else 0
    return total


def _sampled_keys(
    connection: psycopg.Connection[Any], shape: Shape, documents: int
) -> list[tuple[bytes, str]]:
    percent = min(100.0, 100.0 * SAMPLED_MAX / max(1, documents))
    key = sql.Identifier(shape.key or "")
    query = sql.SQL(
        "SELECT {key}, {key}::text FROM {table} TABLESAMPLE SYSTEM (%s::real) ORDER BY 1"
    ).format(key=key, table=qualified(shape.main.name))
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query, (percent,))
        result = cursor.pgresult
        assert result is not None
        found = []
        for row in range(result.ntuples):
            content, text = result.get_value(row, 0), result.get_value(row, 1)
            if content is not None and text is not None:
                found.append((bytes(content), text.decode()))
    return found


def _bound(shape: Shape, content: bytes, text: str) -> Bound | None:
    column = identity.id_columns(shape)[0]
    value = identity.value_of(shape, column, content)
    if value is None:
        return None
    return Bound(identity.id_document(value), text, shape.main.columns[column].form)
