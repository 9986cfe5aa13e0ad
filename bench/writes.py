"""Writes: what a source does while it is followed, in the mix that the figures are asked for.

For       `bench.following`: a backlog made at once, and a process that writes at a steady rate.
Touches   Five collections of the database that it is given.
Promises  Of the writes 60 % are updates, 30 % inserts, 10 % deletes, of documents of about 1 KB.

As a process: SOURCE RATE SECONDS; it prints how many writes were acknowledged.
"""

from __future__ import annotations

import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, MongoClient, UpdateOne
from pymongo.collection import Collection
from pymongo.database import Database

NAMES = tuple(f"changing{number}" for number in range(5))
MARKER = -1  # an id of the same kind as the others
FIRST_DOCUMENTS = 20_000  # of each collection, before anything is followed
ROUND = 10_000  # writes of one collection at a time, when a backlog is made
BATCHES_A_SECOND = 5
SEED = 20_251_125


_chance = random.Random(SEED)
_NOTES = [f"{_chance.getrandbits(1200):0300x}" * 2 for _ in range(100)]


def document(number: int) -> RawBSONDocument:
    """Return a document of about 1 KB."""
    return RawBSONDocument(
        bson.encode(
            {
                "_id": number,
                "name": f"reading {number}",
                "value": number / 7,
                "count": 0,
                "ok": number % 2 == 0,
                "city": f"city {number % 100}",
                "note": _NOTES[number % len(_NOTES)],
                "place": {"lat": number / 13, "street": "x" * 80},
                "tags": [f"tag{number % 30}", "reading"],
            }
        )
    )


class Range:
    """The documents that a collection has: `low <= _id < high`."""

    def __init__(self, collection: Collection[Any]) -> None:
        self.collection = collection
        self.low, self.high = 0, 0

    def insert(self, count: int) -> None:
        """Insert the next documents."""
        self.collection.insert_many(map(document, range(self.high, self.high + count)))
        self.high += count

    def update(self, count: int) -> None:
        """Change documents, the oldest first."""
        bounds = {"_id": {"$gte": self.low, "$lt": self.low + count}}
        self.collection.update_many(bounds, {"$inc": {"count": 1}, "$set": {"ok": True}})

    def delete(self, count: int) -> None:
        """Delete the oldest documents."""
        self.collection.delete_many({"_id": {"$gte": self.low, "$lt": self.low + count}})
        self.low += count


def fill(database: Database[Any]) -> list[Range]:
    """Make the collections."""
    ranges = []
    for name in NAMES:
        database[name].drop()
        ranges.append(Range(database[name]))
        ranges[-1].insert(FIRST_DOCUMENTS)
        database[name].insert_one({"_id": MARKER, "at": time.time()})
    return ranges


def backlog(ranges: list[Range], writes: int) -> None:
    """Write that much, in rounds over the collections."""
    done = 0
    while done < writes:
        for one in ranges:
            one.insert(ROUND * 3 // 10)
            one.update(ROUND * 6 // 10)
            one.delete(ROUND // 10)
            done += ROUND


def main(source: str, rate: str, seconds: str) -> None:
    """Write at a steady rate, one thread for each collection."""
    each = int(rate) // len(NAMES)
    with (
        MongoClient[dict[str, Any]](source) as client,
        ThreadPoolExecutor(len(NAMES)) as pool,
    ):
        database = client.get_default_database()
        began = time.time()
        writers = [
            pool.submit(_write, Range(database[name]), each, began, float(seconds))
            for name in NAMES
        ]
        acknowledged = sum(writer.result() for writer in writers)
        print(json.dumps({"writes": acknowledged, "seconds": time.time() - began}))


def _write(one: Range, rate: int, began: float, seconds: float) -> int:
    """Write `rate` a second; a marker says when. Return how many were acknowledged."""
    rng = random.Random(SEED)
    one.high = FIRST_DOCUMENTS
    acknowledged = turn = 0
    while (now := time.time()) - began < seconds:
        time.sleep(max(0.0, began + turn / BATCHES_A_SECOND - now))
        operations: list[Any] = []
        known_until = one.high
        for _ in range(rate // BATCHES_A_SECOND):
            chance = rng.random()
            if chance < 0.6:
                known = {"_id": rng.randrange(one.low, known_until)}
                operations.append(UpdateOne(known, {"$inc": {"count": 1}}))
            elif chance < 0.9:
                operations.append(InsertOne(document(one.high)))
                one.high += 1
            else:
                operations.append(DeleteOne({"_id": one.low}))
                one.low += 1
        operations.append(UpdateOne({"_id": MARKER}, {"$set": {"at": time.time()}}))
        # In order they would go out one kind at a time, each waiting for the one before.
        one.collection.bulk_write(operations, ordered=False)
        acknowledged += len(operations)
        turn += 1
    return acknowledged


if __name__ == "__main__":
    main(*sys.argv[1:])
