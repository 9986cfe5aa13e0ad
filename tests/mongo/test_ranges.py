"""Ranges: whatever the ids are, each document lies in exactly one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pymongo.errors import DuplicateKeyError

from landbridge.embedded import MongoServer
from landbridge.model.stream import IdRange
from landbridge.mongo import ranges
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.source import CollectionSource

from .reading import ids_in, raw_in, source_of, with_database

SCALARS = st.one_of(
    st.sampled_from([None, True, False, MinKey(), MaxKey(), float("nan"), 0, -0.0, Int64(5)]),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    st.sampled_from(["NaN", "1E+3", "5.00", "-0", "Infinity"]).map(Decimal128),
    st.text(st.characters(codec="utf-8"), max_size=20),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.binary(max_size=20),
    st.tuples(st.binary(max_size=9), st.sampled_from([1, 5, 128])).map(lambda b: Binary(*b)),
    st.datetimes(datetime.datetime(1, 1, 2), datetime.datetime(9999, 1, 1)),
    st.builds(Timestamp, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)),
    st.text(max_size=5).map(lambda text: Code(text.replace("\0", ""))),
)
IDS = SCALARS | st.dictionaries(st.text("abc", min_size=1, max_size=2), SCALARS, max_size=3)


def ranges_of(source: CollectionSource, bytes_each: int) -> list[list[bytes]]:
    found = []
    for part in source.split(bytes_each):
        with source.read_range(part) as read:
            found.append(raw_in(read))
    return found


def in_server_order(connection: Connection, name: str) -> list[bytes]:
    cursor = connection.raw_collection(name).find().sort("_id", 1)
    return [bytes(document.raw) for document in cursor]


@pytest.fixture(scope="module")
def lasting_connection(mongod: MongoServer) -> Iterator[Connection]:
    """A database for all examples of a property."""
    with connect(with_database(mongod.uri)) as connection:
        connection.source.create_collection("c")
        yield connection
        connection.client.drop_database(connection.database)


@settings(max_examples=60)
@given(ids=st.lists(IDS, max_size=60), bytes_each=st.integers(10, 600), random_cuts=st.booleans())
@example(ids=[MinKey(), MaxKey()], bytes_each=10, random_cuts=False)
@example(
    ids=[MinKey(), None, float("nan"), {}, {"a": None}, MaxKey()], bytes_each=10, random_cuts=True
)
@example(ids=[], bytes_each=10, random_cuts=True)
def test_ranges_miss_nothing_and_repeat_nothing(
    lasting_connection: Connection, ids: list[Any], bytes_each: int, random_cuts: bool
) -> None:
    collection = lasting_connection.raw_collection("c")
    collection.delete_many({})
    for one in ids:
        with suppress(DuplicateKeyError):
            collection.insert_one(RawBSONDocument(bson.encode({"_id": one})))

    with pytest.MonkeyPatch.context() as patch:
        if random_cuts:
            patch.setattr(ranges, "RANDOM_SHARE_MAX", 1e9)
        found = ranges_of(source_of(lasting_connection, "c"), bytes_each)

    assert [one for part in found for one in part] == in_server_order(lasting_connection, "c")


def test_large_collections_are_cut_at_random_documents(either: Connection) -> None:
    either.source.c.insert_many([{"_id": n, "pad": "x" * 100} for n in range(40_000)])
    source = source_of(either, "c")
    total = source.collection.bytes or 0

    parts = source.split(total // 10)

    assert 10 <= len(parts) <= 11
    counts = [len(one) for one in ranges_of(source, total // 10)]
    assert sum(counts) == 40_000
    assert max(counts) < 3 * 4_000
    assert source.split(total) == [IdRange(0, None, None)]


def test_few_documents_are_cut_evenly(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n, "pad": "x" * 100} for n in range(100)])
    source = source_of(connection, "c")
    counts = [len(one) for one in ranges_of(source, (source.collection.bytes or 0) // 4)]
    assert counts == [25, 25, 25, 25]


def test_an_empty_collection_is_one_open_range(either: Connection) -> None:
    either.source.create_collection("c")
    source = source_of(either, "c")
    assert source.split(1000) == [IdRange(0, None, None)]
    with source.read_range(IdRange(0, None, None)) as read:
        assert raw_in(read) == []


def test_clustered_and_capped_collections_are_cut_too(either: Connection) -> None:
    either.source.create_collection("cl", clusteredIndex={"key": {"_id": 1}, "unique": True})
    either.source.create_collection("capped", capped=True, size=1_000_000)
    for name in ("cl", "capped"):
        ids: list[Any] = [MinKey(), *range(500), *(f"{n}" for n in range(500)), MaxKey()]
        either.source[name].insert_many([{"_id": one} for one in ids])
        source = source_of(either, name)
        assert source.collection.rangeable
        found = ranges_of(source, (source.collection.bytes or 0) // 5)
        assert len(found) >= 5
        assert [one for part in found for one in part] == in_server_order(either, name)


def test_an_id_that_changes_its_type_between_cut_and_read_is_no_error(
    connection: Connection,
) -> None:
    connection.source.c.insert_many([{"_id": n} for n in range(10)])
    five, same = bson.encode({"_id": 5}), bson.encode({"_id": 5.0})
    source = source_of(connection, "c")
    with source.read_range(IdRange(1, five, same)) as read:
        assert ids_in(read) == []
    with source.read_range(IdRange(0, None, bson.encode({"_id": MinKey()}))) as read:
        assert ids_in(read) == []


def test_a_low_bound_is_read_and_a_high_bound_is_not(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n} for n in range(10)])
    part = IdRange(0, bson.encode({"_id": 3}), bson.encode({"_id": 7}))
    with source_of(connection, "c").read_range(part) as read:
        assert ids_in(read) == [3, 4, 5, 6]
