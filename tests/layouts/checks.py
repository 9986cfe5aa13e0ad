"""What the tests of layouts and faults share: documents, an independent comparison, traces.

Nothing here uses landbridge's own reading of values: a row is compared with what pymongo says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from landbridge import bridge
from landbridge.model.settings import Settings
from landbridge.model.summary import StreamSummary, Tally

Documents = Collection[dict[str, Any]]
Mongo = Database[dict[str, Any]]
Postgres = psycopg.Connection[Any]

LAYOUTS = ("tiny", "small", "large")
SCHEMA = "raw"
NAME = "orders"
TABLE = sql.Identifier(SCHEMA, NAME)
BAD_EVERY = 251  # documents with a NUL, which go to quarantine
LATE_EVERY = 400  # documents between two that bring a new field

# With these a collection of a few hundred kilobytes is read as one of many megabytes would be.
SMALL_PARTS = {
    "landbridge.engine.ranges.CHUNK_BYTES": 60_000,
    "landbridge.engine.relay.QUEUED_BYTES_MAX": 60_000,
    "landbridge.engine.layouts.TINY_BYTES_MAX": 0,
    "landbridge.mongo.read.REPLY_BYTES_WANTED": 30_000,
}


def constants_for(layout: str) -> Mapping[str, int]:
    """Return the constants that make a small collection take a layout."""
    return {} if layout == "tiny" else SMALL_PARTS


def settings_for(layout: str, **chosen: Any) -> Settings:
    """Return settings that make a collection on a replica set take a layout."""
    return Settings(ranges=layout == "large", **chosen)


def document(number: int, version: int = 0) -> dict[str, Any]:
    """Return a document; those with a number that `BAD_EVERY` divides can't become rows."""
    made: dict[str, Any] = {
        "_id": number,
        "n": number * 7 + version,
        "name": f"name {number} of version {version}" + " ." * (number % 40),
        "price": number / 8 + version,
        "at": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=number + version),
        "nested": {"a": number % 13, "b": [number, {"deep": version}]},
    }
    if number % 3 == 0:
        made["third"] = None if number % 2 else number % 2 == 0
    if number % LATE_EVERY == LATE_EVERY - 1:
        made[f"late{number // LATE_EVERY}"] = f"late {number}"
    if number % BAD_EVERY == BAD_EVERY - 1 and version % 2 == 0:
        made["note"] = "a\0b"
    return made


def fill(collection: Documents, documents: int = 2500) -> None:
    """Fill a collection."""
    collection.insert_many(document(number) for number in range(documents))


def change(collection: Documents, seed: int = 0, share: float = 0.06) -> None:
    """Insert, replace and delete; about `share` of all documents each."""
    chance = random.Random(seed)
    numbers = [found["_id"] for found in collection.find({}, {"_id": 1})]
    many = int(len(numbers) * share)
    gone = set(chance.sample(numbers, many))
    changed = set(chance.sample(numbers, many)) - gone
    new = range(max(numbers) + 1, max(numbers) + 1 + many)
    collection.bulk_write(
        [DeleteOne({"_id": number}) for number in gone]
        + [ReplaceOne({"_id": n}, document(n, version=1 + seed % 5)) for n in changed]
        + [InsertOne(document(number, version=seed % 5)) for number in new]
    )


def expected(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the row that a document must become, by column; None where it can't be one."""
    if "\0" in str(found.get("note", "")):
        return None
    row = {name: value for name, value in found.items() if name != "nested"}
    row |= {f"nested_{name}": value for name, value in found["nested"].items()}
    if "at" in row:
        row["at"] = row["at"].replace(tzinfo=UTC)
    return row


def rows_of(postgres: Postgres, table: sql.Identifier = TABLE) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table without landbridge's own columns and without NULLs."""
    with postgres.cursor(row_factory=dict_row) as cursor:
        query = sql.SQL("SELECT * FROM {}").format(table)
        for row in cursor.execute(query, prepare=False):  # its columns may be other ones now
            yield {
                name: value
                for name, value in row.items()
                if value is not None and not name.startswith("_lb_")
            }


def assert_equal(collection: Documents, postgres: Postgres, table: sql.Identifier = TABLE) -> None:
    """Compare every document with its row, and the quarantine with what can't be a row."""
    wanted, bad = {}, []
    for found in collection.find():
        row = expected(found)
        if row is None:
            bad.append(str(found["_id"]))
        else:
            wanted[found["_id"]] = {k: v for k, v in row.items() if v is not None}
    rows = list(rows_of(postgres, table))
    held = {row["_id"]: row for row in rows}
    assert len(rows) == len(held) == len(wanted)
    assert held.keys() == wanted.keys()
    for number, row in wanted.items():
        assert held[number] == row
    aside = postgres.execute(
        "SELECT q.document_id::jsonb ->> '$numberInt' FROM landbridge.quarantine q"
        " JOIN landbridge.stream s ON s.id = q.stream_id AND q.generation <= s.generation"
        " WHERE s.collection = %s",
        (collection.name,),
    )
    assert sorted(number for (number,) in aside) == sorted(bad)


def leftovers(postgres: Postgres) -> list[Any]:
    """Return every trace of a load that should have gone with its end."""
    found: list[Any] = postgres.execute(
        "SELECT relname::text FROM pg_class WHERE starts_with(relname, '_lb_')"
        " OR starts_with(relname, 'lb_')"
    ).fetchall()
    found += postgres.execute("SELECT stream_id, holder FROM landbridge.lease").fetchall()
    found += postgres.execute("SELECT stream_id, number FROM landbridge.chunk").fetchall()
    found += postgres.execute(
        "SELECT id, 'loading' FROM landbridge.stream WHERE loading IS NOT NULL"
    ).fetchall()
    found += postgres.execute(
        "SELECT q.id, 'unpublished' FROM landbridge.quarantine q JOIN landbridge.stream s"
        " ON s.id = q.stream_id WHERE q.generation > s.generation"
    ).fetchall()
    return found


def sync(
    source: str, target: str, settings: Settings | None = None, **options: Any
) -> StreamSummary:
    """Run a sync of one collection, which must succeed."""
    summary = bridge.sync(source, target, schema=SCHEMA, settings=settings, **options)
    assert summary.error is None, summary.error
    [stream] = summary.streams
    return stream


def counts(tally: Tally) -> tuple[int, ...]:
    """Return read, inserted, updated, unchanged, deleted, quarantined."""
    return (
        tally.read,
        tally.inserted,
        tally.updated,
        tally.unchanged,
        tally.deleted,
        tally.quarantined,
    )


def layout_of_last_run(postgres: Postgres) -> str:
    """Return the layout that the last finished load took."""
    row = postgres.execute(
        "SELECT layout FROM landbridge.run_stream ORDER BY finished_at DESC LIMIT 1"
    ).fetchone()
    assert row is not None
    return str(row[0])
