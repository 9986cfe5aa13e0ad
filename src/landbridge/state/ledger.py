"""The ledger of a load by ranges: which chunks are in the private table, with their counts.

For       Going on after a crash where the last commit was.
Touches   landbridge.chunk.
Promises  A chunk is claimed by one transaction at a time, the one that holds its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from landbridge.model.batch import PathProfile, Profile
from landbridge.model.plan import Path
from landbridge.model.stream import IdRange

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class LedgerSum:
    """What the committed chunks of a generation hold together."""

    documents: int
    rows: int
    quarantined: int
    bytes: int
    profile: Profile


def lay_out(connection: Connection, stream_id: int, generation: int, parts: list[IdRange]) -> None:
    """Write down the ranges of a load, none of them done."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO landbridge.chunk (stream_id, generation, number, low, high)"
            " VALUES (%s, %s, %s, %s, %s)",
            [(stream_id, generation, part.number, part.low, part.high) for part in parts],
        )


def remaining(connection: Connection, stream_id: int, generation: int) -> list[IdRange]:
    """Return the ranges that no committed chunk covers, in order."""
    rows = connection.execute(
        "SELECT number, low, high FROM landbridge.chunk"
        " WHERE stream_id = %s AND generation = %s AND NOT done ORDER BY number",
        (stream_id, generation),
    )
    return [IdRange(number, low and bytes(low), high and bytes(high)) for number, low, high in rows]


def claim(connection: Connection, stream_id: int, generation: int, number: int) -> bool:
    """Take a chunk for this transaction; False where another has committed it.

    Waits while a transaction that claimed it is still open: a dead client's session may
    yet commit.
    """
    row = connection.execute(
        "UPDATE landbridge.chunk SET done = true"
        " WHERE stream_id = %s AND generation = %s AND number = %s AND NOT done RETURNING 1",
        (stream_id, generation, number),
    ).fetchone()
    return row is not None


def count(
    connection: Connection, stream_id: int, generation: int, number: int, sums: LedgerSum
) -> None:
    """Write a claimed chunk's counts, in the transaction that holds its rows."""
    connection.execute(
        "UPDATE landbridge.chunk"
        " SET documents = %s, rows = %s, quarantined = %s, bytes = %s, profile = %s"
        " WHERE stream_id = %s AND generation = %s AND number = %s",
        (
            sums.documents,
            sums.rows,
            sums.quarantined,
            sums.bytes,
            Jsonb(_profile_to_json(sums.profile)),
            stream_id,
            generation,
            number,
        ),
    )


def correct(connection: Connection, stream_id: int, generation: int, sums: LedgerSum) -> None:
    """Count in what was mended after all chunks, in the transaction that mends it."""
    row = connection.execute(
        "INSERT INTO landbridge.chunk (stream_id, generation, number, done)"
        " SELECT %(stream)s, %(generation)s, least(min(number), 0) - 1, true"
        " FROM landbridge.chunk WHERE stream_id = %(stream)s AND generation = %(generation)s"
        " RETURNING number",
        {"stream": stream_id, "generation": generation},
    ).fetchone()
    assert row is not None
    count(connection, stream_id, generation, row[0], sums)


def total(connection: Connection, stream_id: int, generation: int) -> LedgerSum:
    """Return the sum over the committed chunks."""
    rows = connection.execute(
        "SELECT documents, rows, quarantined, bytes, profile FROM landbridge.chunk"
        " WHERE stream_id = %s AND generation = %s AND done",
        (stream_id, generation),
    ).fetchall()
    profile: Profile = {}
    for row in rows:
        for place, seen in _profile_from_json(row[4]):
            profile.setdefault(place, PathProfile()).add(seen)
    sums = [sum(row[i] for row in rows) for i in range(4)]
    return LedgerSum(sums[0], sums[1], sums[2], sums[3], profile)


def _profile_to_json(profile: Profile) -> list[Any]:
    return [[table, list(path), asdict(seen)] for (table, path), seen in profile.items()]


def _profile_from_json(data: list[Any] | None) -> Iterator[tuple[tuple[int, Path], PathProfile]]:
    for table, path, seen in data or []:
        yield (table, tuple(path)), PathProfile(**seen)


def clear(connection: Connection, stream_id: int) -> None:
    """Forget the chunks of every generation of a stream."""
    connection.execute("DELETE FROM landbridge.chunk WHERE stream_id = %s", (stream_id,))
