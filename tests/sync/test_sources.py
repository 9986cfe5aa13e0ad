"""What isn't a plain collection: views, time series, capped, collated, clustered, system."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_views_may_repeat_and_lack_ids(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n % 3, "tags": ["a", "b", "c"]} for n in range(6))
    mongo.create_collection("unwound", viewOn="t", pipeline=[{"$unwind": "$tags"}])
    mongo.create_collection("without_id", viewOn="t", pipeline=[{"$project": {"_id": 0, "v": 1}}])
    mongo.create_collection("few", viewOn="t", pipeline=[{"$match": {"v": 1}}])
    done = sync()
    assert {s.collection for s in done.summary.streams} == {"t", "unwound", "without_id", "few"}
    for name in ("unwound", "without_id", "few"):
        check(name)
    mongo["t"].update_one({"_id": 1}, {"$set": {"tags": ["a", "d"]}})
    mongo["t"].update_one({"_id": 2}, {"$set": {"v": 1}})
    mongo["t"].delete_one({"_id": 5})

    again = sync()

    # Rows without an identity differ as a whole: the new one comes, the old one goes.
    assert again.counts("without_id") == {"read": 5, "inserted": 1, "unchanged": 4, "deleted": 2}
    assert again.counts("few") == {"read": 3, "inserted": 2, "unchanged": 1, "deleted": 1}
    assert again.counts("unwound")["read"] == 14
    for name in ("unwound", "without_id", "few"):
        check(name)
    assert sync().counts("unwound") == {"read": 14, "unchanged": 14}


def test_a_view_under_a_view_of_postgresql_is_merged(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(10))
    mongo.create_collection("w", viewOn="t", pipeline=[{"$project": {"_id": 0}}])
    sync()
    postgres.execute("CREATE VIEW raw.seen AS SELECT count(*) FROM raw.w")
    mongo["t"].delete_many({"_id": {"$gt": 3}})
    assert sync().counts("w") == {"read": 4, "unchanged": 4, "deleted": 6}
    assert postgres.execute("SELECT * FROM raw.seen").fetchone() == (4,)
    check("w")


def test_a_broken_view_fails_alone(mongo: Mongo, sync: Sync, check: Check) -> None:
    mongo["t"].insert_one({"_id": 1, "v": "x"})
    pipeline = [{"$project": {"v": {"$add": ["$v", 1]}}}]
    mongo.create_collection("broken", viewOn="t", pipeline=pipeline)
    done = sync()
    assert done.counts("t") == {"read": 1, "inserted": 1}
    error = done["broken"].error
    assert error is not None and "$add" in error["message"]
    assert done.summary.error is not None and done.summary.error["code"] == "streams_failed"
    check("t")


def test_time_series_may_repeat_an_id(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo.create_collection("ts", timeseries={"timeField": "at", "metaField": "m"})
    mongo["ts"].insert_many({"_id": n % 3, "at": NOW, "m": {"s": n}, "v": n} for n in range(9))
    mongo["ts"].insert_many({"_id": 1, "at": NOW, "m": {"s": 1}, "v": 1} for _ in range(2))
    done = sync()
    assert [s.collection for s in done.summary.streams] == ["ts"]  # not its buckets
    assert done.counts("ts") == {"read": 11, "inserted": 11}
    check("ts")
    mongo["ts"].insert_one({"_id": 1, "at": NOW, "m": {"s": 1}, "v": 1})
    assert sync().counts("ts") == {"read": 12, "inserted": 1, "unchanged": 11}
    check("ts")
    assert sync(load="append", schema="a").counts("ts") == {"read": 12, "inserted": 12}
    assert sync(load="append", schema="a").counts("ts") == {"read": 12, "unchanged": 12}


@pytest.mark.parametrize("ranges", [False, True])
def test_collated_and_capped_collections_are_read_whole(
    mongo: Mongo, sync: Sync, check: Check, ranges: bool
) -> None:
    german = {"locale": "de", "strength": 1}
    mongo.create_collection("collated", collation=german)
    mongo["collated"].insert_many({"_id": each} for each in ("a", "Ö", "z", 1, "ab"))
    mongo.create_collection("capped", capped=True, size=4096, max=5)
    mongo["capped"].insert_many({"_id": n, "v": n} for n in range(8))
    done = sync(ranges=ranges)
    assert done.counts("collated") == {"read": 5, "inserted": 5}
    assert done.counts("capped") == {"read": 5, "inserted": 5}
    mongo["capped"].insert_one({"_id": 8, "v": 8})
    again = sync(ranges=ranges)
    assert again.counts("capped") == {"read": 5, "inserted": 1, "unchanged": 4, "deleted": 1}
    check("collated")
    check("capped")


def test_system_collections_are_never_loaded(mongo: Mongo, sync: Sync) -> None:
    mongo["t"].insert_one({"_id": 1})
    mongo["system.js"].insert_one({"_id": "f", "value": 1})
    mongo.create_collection("view", viewOn="t", pipeline=[])
    assert {s.collection for s in sync().summary.streams} == {"t", "view"}
    assert {s.collection for s in sync(select=["*"]).summary.streams} == {"t", "view"}


def test_two_collections_that_clean_to_one_name_get_two_tables(
    mongo: Mongo, sync: Sync, check: Check
) -> None:
    for n, name in enumerate(("Orders", "orders", "ORDERS", "or ders", "or_ders")):
        mongo[name].insert_one({"_id": n, "name": name})
    done = sync()
    tables = {s.collection: s.table for s in done.summary.streams}
    assert len(set(tables.values())) == 5
    for name, table in tables.items():
        check(name, table)
    mongo["oRDERS"].insert_one({"_id": 1, "name": "later"})
    again = {s.collection: s.table for s in sync().summary.streams}
    assert tables.items() <= again.items()
    check("oRDERS", again["oRDERS"])


def test_a_child_table_and_a_collection_of_its_name_stay_apart(
    mongo: Mongo, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "a": [n, n]} for n in range(3))
    mongo["t_a"].insert_many({"_id": n, "own": n} for n in range(4))
    mongo["u"].insert_one({"_id": 1})
    for _ in range(2):
        done = sync(arrays="table")
        for name in ("t", "t_a", "u"):
            assert done.code(name) is None, done[name].error
            check(name, done[name].table)
    mongo["u"].update_one({"_id": 1}, {"$set": {"b": ["x"]}})
    mongo["u_b"].insert_one({"_id": 1})
    mongo["w_c"].insert_one({"_id": 1})
    sync(arrays="table")
    mongo["w"].insert_one({"_id": 1, "c": ["x"]})
    for settings in ({}, {"take_over": True}):
        done = sync(arrays="table", **settings)
        for name in ("t", "t_a", "u", "u_b", "w", "w_c"):
            assert done.code(name) is None, done[name].error
            check(name, done[name].table)
