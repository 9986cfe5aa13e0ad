"""The catalog: what each collection is, and what it costs to know."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from typing import Any

from landbridge.model.stream import Collection
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection


def test_every_kind_is_described(either: Connection) -> None:
    database = either.source
    database.plain.insert_many([{"_id": n} for n in range(10)])
    database.create_collection("capped", capped=True, size=4096)
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.create_collection("collated", collation={"locale": "de"})
    database.create_collection("simple", collation={"locale": "simple"})
    database.create_collection("times", timeseries={"timeField": "at"})
    database.create_collection("view", viewOn="plain", pipeline=[])
    name = either.database

    found = catalog.collections(either)
    assert [replace(one, uuid=None) for one in found] == [
        Collection(name, "capped", capped=True),
        Collection(name, "clustered", clustered=True),
        Collection(name, "collated", collated=True),
        Collection(name, "plain"),
        Collection(name, "simple"),
        Collection(name, "times", kind="timeseries", id_indexed=False),
        Collection(name, "view", kind="view", id_indexed=False),
    ]
    assert all(len(one.uuid or "") == 32 for one in found if one.kind == "collection")


def test_sizes_are_estimated(either: Connection) -> None:
    database = either.source
    database.plain.insert_many([{"_id": n} for n in range(10)])
    database.create_collection("empty")
    database.create_collection("view", viewOn="plain", pipeline=[])
    database.create_collection("times", timeseries={"timeField": "at"})
    database.times.insert_one({"at": datetime.datetime(2026, 1, 1)})
    sized: Any = {one.name: catalog.with_sizes(either, one) for one in catalog.collections(either)}

    def sizes(name: str) -> tuple[int | None, ...]:
        return sized[name].documents, sized[name].bytes, sized[name].document_bytes

    assert sizes("plain") == (10, 140, 14)
    assert sizes("empty") == (0, 0, None)
    assert sizes("view") == (None, None, None)
    assert sizes("times")[0] is None and sizes("times")[1] > 0


def test_indexes_are_told_by_their_first_field(either: Connection) -> None:
    plain = either.source.plain
    for keys in (
        [("customer.id", 1), ("at", -1)],
        [("at", -1)],
        [("at", 1), ("n", 1)],
        [("tag", "hashed")],
        [("words", "text")],
        [("place", "2dsphere")],
        [("$**", 1)],
        [("_id", 1), ("n", 1)],
    ):
        plain.create_index(keys)
    [found] = catalog.collections(either)
    assert catalog.with_indexes(either, found).indexed_paths == ("customer.id", "at", "tag")


def test_200_collections_take_no_time(connection: Connection) -> None:
    for n in range(200):
        connection.source.create_collection(f"c{n}")
    started = time.monotonic()
    for one in catalog.collections(connection):
        catalog.with_sizes(connection, one)
    assert time.monotonic() - started < 1.0  # some 40 ms alone; the machine may be busy


def test_a_dropped_collection_is_empty_when_sized(connection: Connection) -> None:
    gone = Collection(connection.database, "gone")
    assert catalog.with_sizes(connection, gone).documents == 0
    assert catalog.with_indexes(connection, gone).indexed_paths == ()
