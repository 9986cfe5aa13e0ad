"""Counts of both sides, and what explains a difference."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import psycopg
from pymongo.database import Database
from tests.verify.conftest import Sync, Verify

Mongo = Database[dict[str, Any]]


def test_counts_are_of_documents_and_rows(mongo: Mongo, sync: Sync, verify: Verify) -> None:
    mongo.orders.insert_many([{"n": n} for n in range(7)])
    mongo.create_collection("empty")
    sync()
    for mode in ("count", "aggregate", "hash", "full"):
        found = verify(mode=mode)
        assert not found.unequal()
        assert (found["orders"].source_count, found["orders"].target_count) == (7, 7)
        assert found["empty"].source_count == 0


def test_a_row_that_was_taken_away_is_missed(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_many([{"n": n} for n in range(7)])
    sync()
    postgres.execute("DELETE FROM raw.orders WHERE n = 3")
    found = verify(mode="count")
    assert found.status == "different"
    assert found["orders"].delta == -1


def test_documents_in_quarantine_are_expected_to_be_missing(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_many([{"v": "a\0b"}, {"v": "plain"}])
    sync()
    found = verify(mode="count")
    assert found.status == "equal"
    assert (found["orders"].delta, found["orders"].quarantined) == (-1, 1)


def test_a_document_in_quarantine_that_is_gone_is_not_expected(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_many([{"v": "a\0b"}, {"v": "plain"}])
    sync()
    mongo.orders.delete_one({"v": "a\0b"})
    found = verify(mode="count")
    assert found.status == "equal"
    assert (found["orders"].delta, found["orders"].quarantined) == (0, 0)


def test_rows_that_are_marked_as_deleted_do_not_count(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_many([{"n": n} for n in range(5)])
    sync(soft_delete=True)
    mongo.orders.delete_one({"n": 2})
    sync(soft_delete=True)
    assert verify(mode="count")["orders"].target_count == 4
    assert verify().status == "equal"


def test_of_a_history_the_last_version_counts(mongo: Mongo, sync: Sync, verify: Verify) -> None:
    mongo.orders.insert_many([{"_id": n, "n": n} for n in range(5)])
    sync(method="log", load="append")
    mongo.orders.update_one({"_id": 1}, {"$set": {"n": 100}})
    mongo.orders.delete_one({"_id": 2})
    sync(method="log", load="append")
    found = verify()
    assert not found.unequal()
    assert found["orders"].target_count == 4


def test_a_collection_without_a_table_and_a_table_without_a_collection_differ(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.old.insert_one({"n": 1})
    mongo.other.insert_one({"n": 1})
    sync()
    mongo.old.drop()
    mongo.new.insert_one({"n": 1})
    found = verify(mode="count")
    assert found["new"].status == "different"
    assert "never loaded" in found["new"].notes[0]
    assert (found["old"].status, found["old"].target_count) == ("different", 1)
    assert found["other"].status == "equal"


def test_a_table_that_was_dropped_is_named(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_one({"n": 1})
    sync()
    postgres.execute("DROP TABLE raw.orders")
    for mode in ("count", "aggregate", "hash", "full"):
        found = verify(mode=mode)
        assert found["orders"].status == "different"
        assert "raw.orders is gone" in found["orders"].notes[0]


def test_hostile_names_and_views_are_counted(mongo: Mongo, sync: Sync, verify: Verify) -> None:
    mongo['we"ird; DROP TABLE x--'].insert_many([{"n": n} for n in range(3)])
    mongo.create_collection("few", viewOn='we"ird; DROP TABLE x--', pipeline=[{"$limit": 2}])
    mongo.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    mongo.clustered.insert_one({"n": 1})
    mongo.create_collection("measures", timeseries={"timeField": "at"})
    mongo.measures.insert_many([{"at": dt.datetime(2024, 1, n), "v": n} for n in (1, 2, 3)])
    collation = {"locale": "en", "strength": 1}
    mongo.create_collection("collated", collation=collation)
    mongo.collated.insert_many([{"v": "a"}, {"v": "A"}, {"v": "b"}])
    mongo.create_collection("seen", viewOn="collated", pipeline=[], collation=collation)
    sync()
    for mode in ("count", "aggregate"):
        found = verify(mode=mode)
        assert not found.unequal()
        assert found["few"].source_count == 2
        assert found["measures"].target_count == 3


def test_a_writer_that_goes_on_does_not_break_the_count(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.orders.insert_many([{"n": n} for n in range(100)])
    sync()
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            mongo.orders.insert_one({"n": 0})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for mode in ("count", "aggregate"):
            assert verify(mode=mode)["orders"].error is None
    finally:
        over.set()
        writer.join()
