"""Reading: every document arrives as it is stored, and nothing stays behind on the server."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from typing import Any

import bson
import pymongo
import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId
from bson.raw_bson import RawBSONDocument

from landbridge.codec import documents_in
from landbridge.embedded import Mongod
from landbridge.errors import (
    ConnectionLostError,
    LandbridgeError,
    RetryableError,
    SnapshotTooOldError,
)
from landbridge.model.stream import Collection, Source
from landbridge.mongo import read as read_module
from landbridge.mongo import source as source_module
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.source import CollectionSource

from .reading import ids_in, raw_in, source_of, with_database

MEGABYTE = 1_000_000
SLEEP = {"body": "function() { sleep(20); return 1 }", "args": [], "lang": "js"}


def stored(connection: Connection, name: str) -> set[bytes]:
    return {bytes(document.raw) for document in connection.raw_collection(name).find()}


def open_cursors(connection: Connection) -> int:
    status = connection.client.admin.command("serverStatus")
    return int(status["metrics"]["cursor"]["open"]["total"])


def make_capped(database: Any) -> None:
    database.create_collection("c", capped=True, size=10 * MEGABYTE)
    database.c.insert_many([{"n": n} for n in range(3000)])


def make_clustered(database: Any) -> None:
    database.create_collection("c", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.c.insert_many([{"_id": f"id {n}"} for n in range(3000)])


def make_collated(database: Any) -> None:
    database.create_collection("c", collation={"locale": "en", "strength": 2})
    database.c.insert_many([{"_id": f"Id {n}"} for n in range(3000)])


def make_view(database: Any) -> None:
    database.base.insert_many([{"n": n, "pad": "x" * 100} for n in range(3000)])
    database.create_collection("c", viewOn="base", pipeline=[{"$project": {"_id": 0, "n": 1}}])


def make_time_series(database: Any) -> None:
    database.create_collection("c", timeseries={"timeField": "at"})
    start = datetime.datetime(2026, 1, 1)
    database.c.insert_many(
        [{"_id": 1, "at": start + datetime.timedelta(minutes=n), "n": n} for n in range(3000)]
    )


def make_narrow(database: Any) -> None:
    database.c.insert_many([{"_id": n} for n in range(30_000)])


@pytest.mark.parametrize(
    "make",
    [make_narrow, make_capped, make_clustered, make_collated, make_view, make_time_series],
)
def test_every_kind_of_collection_is_read_whole(
    either: Connection, make: Callable[[Any], None]
) -> None:
    make(either.source)
    source: Source = source_of(either, "c")

    with source.read(snapshot=source.snapshots) as read:
        found = raw_in(read)

    assert len(found) == either.source.c.count_documents({})
    assert set(found) == stored(either, "c")


def test_what_gives_a_point_in_time_is_found_by_trying(
    connection: Connection, standalone_connection: Connection
) -> None:
    for one, expected in ((connection, True), (standalone_connection, False)):
        make_view(one.source)
        one.source.create_collection("capped", capped=True, size=4096)
        one.source.create_collection("fresh")

        assert source_of(one, "base").snapshots is expected
        assert source_of(one, "fresh").snapshots is expected
        assert source_of(one, "c").snapshots is expected
        assert source_of(one, "capped").snapshots is False
        assert source_of(one, "base").snapshot_seconds == 300.0


def test_an_empty_and_a_missing_collection_bring_no_batch(connection: Connection) -> None:
    connection.source.create_collection("empty")
    source = source_of(connection, "empty")
    for snapshot in (False, True):
        with source.read(snapshot=snapshot) as read:
            assert list(read) == []
            assert (read.consistent_at is not None) is snapshot
    connection.source.other.insert_one({})
    connection.source.drop_collection("empty")
    with source.read(snapshot=True) as read:
        assert list(read) == []


def test_documents_of_16_megabytes_pass(connection: Connection) -> None:
    largest = 16 * 1024 * 1024 - 32
    connection.source.c.insert_many([{"_id": n, "b": b"x" * largest} for n in range(3)])
    connection.source.c.insert_many([{"_id": n} for n in range(3, 1000)])

    with source_of(connection, "c").read(snapshot=True) as read:
        batches = list(read)

    assert sum(batch.bytes for batch in batches) > 3 * largest
    assert max(len(batch.data) for batch in batches) < 17 * 1024 * 1024
    with source_of(connection, "c").read(snapshot=True) as read:
        assert ids_in(read) == list(range(1000))


def test_replies_aim_at_their_size(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n, "pad": "x" * 1000} for n in range(20_000)])
    known = source_of(connection, "c")
    unknown = CollectionSource(connection, Collection(connection.database, "c"))

    for source, settled in ((known, 1), (unknown, 4)):
        with source.read(snapshot=False) as read:
            sizes = [batch.bytes for batch in read]
        assert all(3_000_000 < size < 4_000_000 for size in sizes[settled:-1])


def test_ranges_follow_id_order(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n} for n in (3, 1, 2)])
    source = source_of(connection, "c")
    [whole] = source.split(MEGABYTE)
    with source.read_range(whole) as read:
        assert ids_in(read) == [1, 2, 3]


def test_documents_are_read_by_ids_of_every_kind(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    far_date = b"\x12\0\0\0\x09_id\0" + (2**62).to_bytes(8, "little") + b"\0"
    broken_text = b"\x11\0\0\0\x02_id\0\x03\0\0\0\xff\xfe\0\0"
    raw_ids = [far_date, broken_text]
    ids: list[Any] = [5, Int64(6), 7.5, Decimal128("1E+3"), "s", "", None, True, float("nan")]
    ids += [ObjectId(), MinKey(), MaxKey(), {"a": 1}, {}, b"x", bson.Timestamp(1, 2)]
    ids += [bson.Code("f"), bson.Binary(b"x", 7)]
    raw_ids += [bson.encode({"_id": one}) for one in ids]
    connection.raw_collection("c").insert_many([RawBSONDocument(one) for one in raw_ids])
    connection.source.c.insert_many([{"_id": n} for n in range(1001, 2000)])
    source = source_of(connection, "c")

    with source.read_ids(raw_ids) as read:
        assert sorted(raw_in(read)) == sorted(raw_ids)
    monkeypatch.setattr(source_module, "IDS_BYTES_MAX", 60)
    with source.read_ids([*raw_ids, bson.encode({"_id": "absent"})]) as read:
        assert sorted(raw_in(read)) == sorted(raw_ids)
    with source.read_ids([bson.encode({"_id": 5.0})]) as read:
        assert ids_in(read) == [5]
    with source.read_ids([]) as read:
        assert raw_in(read) == []


def test_a_snapshot_does_not_see_what_is_written_meanwhile(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n, "v": 0, "p": "x" * 400} for n in range(30_000)])
    source = source_of(connection, "c")

    def values(snapshot: bool) -> list[int]:
        with source.read(snapshot=snapshot) as read:
            batches = iter(read)
            found = [next(batches)]
            connection.source.c.update_many({}, {"$inc": {"v": 1}})
            connection.source.c.insert_many([{"v": 100} for _ in range(10)])
            found += batches
            seconds, _, increment = (read.consistent_at or "0:0").partition(":")
            assert (int(seconds) > 1_500_000_000 and int(increment) > 0) is snapshot
        return [bson.decode(one)["v"] for batch in found for one in documents_in(batch)]

    assert set(values(snapshot=True)) == {0}
    assert 100 in values(snapshot=False)


def test_leaving_early_closes_the_cursor(either: Connection) -> None:
    either.source.c.insert_many([{"_id": n, "p": "x" * 1000} for n in range(10_000)])
    source = source_of(either, "c")
    before = open_cursors(either)

    with source.read(snapshot=False) as read:
        next(iter(read))
        assert open_cursors(either) == before + 1
    assert open_cursors(either) == before

    with pytest.raises(ZeroDivisionError), source.read(snapshot=False) as read:
        for _ in read:
            1 / 0  # noqa: B018
    assert open_cursors(either) == before


def test_a_server_that_dies_is_a_lost_connection_at_once() -> None:
    with Mongod() as server, connect(with_database(server.uri)) as connection:
        connection.source.c.insert_many([{"_id": n, "p": "x" * 1000} for n in range(10_000)])
        source = source_of(connection, "c")
        started = time.monotonic()
        with pytest.raises(ConnectionLostError), source.read(snapshot=True) as read:
            for _ in read:
                server.kill()
        assert time.monotonic() - started < 8

        server.start()
        with source.read(snapshot=True) as read:
            assert len(raw_in(read)) == 10_000


def test_a_killed_cursor_is_a_lost_connection(connection: Connection) -> None:
    connection.source.c.insert_many([{"_id": n, "p": "x" * 1000} for n in range(10_000)])
    with (
        pytest.raises(ConnectionLostError) as raised,
        source_of(connection, "c").read(snapshot=True) as read,
    ):
        for _ in read:
            connection.client.admin.command("killAllSessions", [])
    assert "cannot read" in str(raised.value)


@pytest.mark.parametrize(
    ("code", "error"),
    [(239, SnapshotTooOldError), (246, RetryableError), (11600, ConnectionLostError)],
)
def test_the_servers_errors_say_what_to_do_next(
    failing_connection: Connection, code: int, error: type[LandbridgeError]
) -> None:
    failing_connection.source.c.insert_many([{"p": "x" * 1000} for _ in range(10_000)])
    source = source_of(failing_connection, "c")
    failing_connection.client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"times": 1},
        data={"failCommands": ["getMore"], "errorCode": code},
    )
    with pytest.raises(error) as raised, source.read(snapshot=True) as read:
        raw_in(read)
    assert "RawBSONDocument" not in str(raised.value)


def test_a_cut_connection_is_lost_and_leaves_no_cursor(failing_connection: Connection) -> None:
    failing_connection.source.c.insert_many([{"p": "x" * 1000} for _ in range(10_000)])
    source = source_of(failing_connection, "c")
    before = open_cursors(failing_connection)
    failing_connection.client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"times": 1},
        data={"failCommands": ["getMore"], "closeConnection": True},
    )
    with pytest.raises(ConnectionLostError), source.read(snapshot=True) as read:
        raw_in(read)
    assert open_cursors(failing_connection) == before


def test_majority_is_left_where_the_server_has_none(failing_connection: Connection) -> None:
    failing_connection.source.c.insert_one({"_id": 1})
    source = source_of(failing_connection, "c")
    failing_connection.client.admin.command(
        "configureFailPoint",
        "failCommand",
        mode={"times": 1},
        data={"failCommands": ["find"], "errorCode": read_module.MAJORITY_DISABLED},
    )
    with source.read(snapshot=False) as read:
        assert ids_in(read) == [1]


def test_several_threads_read_by_one_client(connection: Connection) -> None:
    for name in "abcd":
        connection.source[name].insert_many([{"n": n, "p": "x" * 900} for n in range(10_000)])
    counts: list[int] = []

    def count(name: str) -> None:
        with source_of(connection, name).read(snapshot=True) as read:
            counts.append(len(raw_in(read)))

    threads = [threading.Thread(target=count, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [10_000] * 4


def test_a_sample_is_bounded(either: Connection) -> None:
    either.source.c.insert_many([{"_id": n} for n in range(50_000)])
    source = source_of(either, "c")
    sample = [bson.decode(document)["_id"] for document in source.sample(1000, 2.0)]
    assert len(sample) == 1000
    assert sample[:500] == list(range(500))
    assert max(sample[500:]) > 10_000

    either.source.large.insert_many([{"b": b"x" * 3_000_000} for _ in range(10)])
    assert 5 <= len(source_of(either, "large").sample(1000, 2.0)) <= 6

    either.source.create_collection(
        "slow",
        viewOn="c",
        pipeline=[{"$set": {"x": {"$function": SLEEP}}}],
    )
    started = time.monotonic()
    source_of(either, "slow").sample(1000, 0.5)
    assert time.monotonic() - started < 5


def test_a_view_that_is_slow_to_start_still_tells_whether_it_can(
    connection: Connection, standalone_connection: Connection
) -> None:
    for one, expected in ((connection, True), (standalone_connection, False)):
        one.source.c.insert_many([{"_id": n} for n in range(100)])
        one.source.create_collection(
            "slow",
            viewOn="c",
            pipeline=[{"$set": {"x": {"$function": SLEEP}}}, {"$sort": {"x": pymongo.DESCENDING}}],
        )
        assert source_of(one, "slow").snapshots is expected
