"""What is new is read, what is gone goes, and nothing is lost at the edges of a run."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from tests.incremental.conftest import SCHEMA, Load
from tests.layouts.checks import Mongo, Postgres

from landbridge import Settings, bridge

NOW = datetime.now(UTC).replace(microsecond=0)
KEY = "updatedAt"


def at(minutes: float) -> datetime:
    """Return a time that many minutes ago."""
    return NOW - timedelta(minutes=minutes)


def fill(source: Mongo, count: int = 100, key: str = KEY) -> None:
    source.orders.insert_many({"_id": n, "v": 0, key: at(1000 - n)} for n in range(count))


def rows(postgres: Postgres, columns: str = "_id, v") -> list[tuple[Any, ...]]:
    return postgres.execute(f"SELECT {columns} FROM {SCHEMA}.orders ORDER BY 1").fetchall()


def assert_equal(source: Mongo, postgres: Postgres) -> None:
    wanted = sorted((found["_id"], found["v"]) for found in source.orders.find())
    assert rows(postgres) == wanted


def test_only_what_is_new_is_read_and_what_is_gone_goes(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source)
    source.orders.create_index(KEY)
    first = load(key=KEY)
    assert (first.tally.read, first.tally.inserted) == (100, 100)

    source.orders.update_many({"_id": {"$lt": 3}}, {"$set": {"v": 1, KEY: at(0)}})
    source.orders.delete_many({"_id": {"$gte": 90, "$lt": 95}})
    source.orders.insert_one({"_id": 200, "v": 0, KEY: at(0)})
    second = load(key=KEY)

    assert_equal(source, postgres)
    assert (second.tally.updated, second.tally.inserted, second.tally.deleted) == (3, 1, 5)
    assert second.tally.read < 20
    third = load(key=KEY)
    assert (third.tally.updated, third.tally.inserted, third.tally.deleted) == (0, 0, 0)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_dotted_key_of_several_types_is_walked_type_by_type(
    source: Mongo, postgres: Postgres, load: Load, indexed: bool
) -> None:
    kinds: list[Any] = [
        *(at(9), at(8), ObjectId.from_datetime(at(7)), "a", "b", 5, 7.5, Int64(6)),
        *(Decimal128("7.25"), True, {"x": 1}, None),
    ]
    source.orders.insert_many(
        {"_id": n, "v": 0, "meta": {"at": kind}} for n, kind in enumerate(kinds)
    )
    if indexed:
        source.orders.create_index("meta.at")
    load(key="meta.at", sweep=0)

    later: list[Any] = [at(0), ObjectId.from_datetime(at(0)), "c", 8, Decimal128("9.5"), math.nan]
    later += [False, {"y": 2}]
    source.orders.insert_many(
        {"_id": 100 + n, "v": 0, "meta": {"at": kind}} for n, kind in enumerate(later)
    )
    load(key="meta.at", sweep=0)
    assert_equal(source, postgres)


def test_a_kind_that_comes_later_is_read_whole(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    source.orders.create_index(KEY)
    load(key=KEY, sweep=0)
    source.orders.insert_many({"_id": 20 + n, "v": 0, KEY: f"text {n}"} for n in range(3))
    assert load(key=KEY, sweep=0).tally.inserted == 3
    assert_equal(source, postgres)


def test_a_key_in_the_far_future_does_not_end_the_reading(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    source.orders.insert_one({"_id": 50, "v": 0, KEY: datetime(2099, 1, 1)})
    source.orders.create_index(KEY)
    load(key=KEY, sweep=0)
    source.orders.update_one({"_id": 3}, {"$set": {"v": 9, KEY: datetime.now(UTC)}})
    load(key=KEY, sweep=0)
    assert_equal(source, postgres)


def test_what_is_committed_late_is_found_within_the_look_back(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    source.orders.create_index(KEY)
    source.orders.insert_one({"_id": 50, "v": 0, KEY: at(0)})
    load(key=KEY, sweep=0)
    source.orders.insert_one({"_id": 51, "v": 0, KEY: at(4)})
    source.orders.insert_one({"_id": 52, "v": 0, KEY: at(60)})
    load(key=KEY, sweep=0)
    assert [number for number, _ in rows(postgres)][-2:] == [50, 51]
    load(key=KEY, sweep=0, lookback_seconds=3600.0)
    assert_equal(source, postgres)


def test_the_sweep_fetches_what_the_key_did_not_show(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    source.orders.create_index(KEY)
    load(key=KEY)
    source.orders.insert_one({"_id": 52, "v": 0, KEY: at(5000)})
    assert load(key=KEY, sweep=0).tally.inserted == 0
    assert load(key=KEY).tally.inserted == 1
    assert_equal(source, postgres)


def test_every_nth_run_sweeps(source: Mongo, postgres: Postgres, load: Load) -> None:
    fill(source, 10)
    source.orders.create_index(KEY)
    load(key=KEY, sweep=3)
    source.orders.delete_one({"_id": 4})
    deleted = [load(key=KEY, sweep=3).tally.deleted for _ in range(4)]
    assert deleted == [0, 0, 1, 0]


def test_the_guard_keeps_rows_and_commits_the_rest(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 3000)
    source.orders.create_index(KEY)
    load(key=KEY)
    source.orders.delete_many({"_id": {"$lt": 1500}})
    source.orders.insert_one({"_id": 5000, "v": 0, KEY: at(0)})
    refused = load(key=KEY)
    assert refused.error is not None and refused.error["code"] == "delete_guard"
    assert (refused.tally.inserted, refused.tally.deleted) == (1, 0)
    assert len(rows(postgres)) == 3001
    assert load(key=KEY, max_delete_share_percent=100.0).tally.deleted == 1500
    assert_equal(source, postgres)


def test_a_sweep_that_the_guard_refused_is_due_in_the_next_run(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 3000)
    source.orders.create_index(KEY)
    load(key=KEY, sweep=2)
    source.orders.delete_many({"_id": {"$lt": 1500}})
    assert load(key=KEY, sweep=2).error is None
    assert load(key=KEY, sweep=2).error is not None
    allowed = load(key=KEY, sweep=2, max_delete_share_percent=100.0)
    assert allowed.tally.deleted == 1500
    assert_equal(source, postgres)


def test_a_sparse_index_is_read_without_what_it_lacks(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 50)
    source.orders.insert_many({"_id": 1000 + n, "v": 0} for n in range(20))
    source.orders.create_index(KEY, sparse=True)
    load(key=KEY)
    source.orders.update_one({"_id": 7}, {"$set": {"v": 9, KEY: at(0)}})
    source.orders.insert_one({"_id": 2000, "v": 0})
    without = load(key=KEY, sweep=0)
    assert without.tally.read < 10
    load(key=KEY)
    assert_equal(source, postgres)


def test_soft_deletes_mark_rows_and_a_document_that_returns_is_unmarked(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 5)
    source.orders.create_index(KEY)
    load(key=KEY, soft_delete=True)
    held = source.orders.find_one_and_delete({"_id": 2})
    load(key=KEY, soft_delete=True)
    marked = rows(postgres, "_id, _sdc_deleted_at IS NOT NULL")
    assert [gone for _, gone in marked] == [False, False, True, False, False]
    source.orders.insert_one(held)
    load(key=KEY, soft_delete=True)
    assert not any(gone for _, gone in rows(postgres, "_id, _sdc_deleted_at IS NOT NULL"))


def test_ids_of_all_kinds_are_swept(source: Mongo, postgres: Postgres, load: Load) -> None:
    ids: list[Any] = [1, "1", ObjectId(), 2.5, 0.1, Decimal128("3.5"), {"a": 1.5}, at(1), True]
    ids += ["x" * 2000, "y" * 2000, 2.0**70, Int64(2**62)]
    source.orders.insert_many({"_id": one, "v": n} for n, one in enumerate(ids))
    load()
    source.orders.delete_many({"v": {"$in": [1, 3, 4, 5, 6, 7]}})
    source.orders.replace_one({"_id": 1}, {"_id": 1.0, "v": 0})
    assert load().tally.deleted == 6
    held = sorted(value for (value,) in rows(postgres, "v"))
    assert held == sorted(found["v"] for found in source.orders.find())
    source.orders.insert_one({"_id": "z" * 3000, "v": 99})
    load()
    assert (99,) in rows(postgres, "v")


@pytest.mark.parametrize("policy", ["by-id", "full"])
def test_documents_without_the_key_are_counted_and_read_by_policy(
    source: Mongo, postgres: Postgres, load: Load, policy: str
) -> None:
    fill(source, 10)
    source.orders.create_index(KEY)
    source.orders.insert_many({"_id": 100 + n, "v": 0} for n in range(3))
    assert load(key=KEY, sweep=0, missing_key=policy).without_key == 3
    source.orders.insert_many({"_id": 200 + n, "v": 0} for n in range(2))
    second = load(key=KEY, sweep=0, missing_key=policy)
    assert second.without_key == 5
    assert second.tally.inserted == (2 if policy == "by-id" else 0)
    load(key=KEY, missing_key=policy)
    assert_equal(source, postgres)


def test_without_an_index_the_run_says_what_would_help(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    notes = " ".join(load(key=KEY).notes)
    assert f'getCollection("orders").createIndex({{"{KEY}": 1}})' in notes
    source.orders.update_one({"_id": 3}, {"$set": {"v": 9, KEY: at(0)}})
    load(key=KEY, sweep=0)
    assert_equal(source, postgres)


@pytest.mark.parametrize("indexed", [True, False])
def test_a_key_that_holds_arrays_is_refused(
    source: Mongo, source_uri: str, postgres_uri: str, indexed: bool
) -> None:
    fill(source, 3)
    source.orders.insert_one({"_id": 9, KEY: [at(1), at(2)]})
    if indexed:
        source.orders.create_index(KEY)
    summary = bridge.sync(
        source_uri, postgres_uri, settings=Settings(method="incremental", key=KEY)
    )
    assert summary.error is not None and summary.error["code"] == "key_unordered"


def test_another_key_reads_the_collection_whole(
    source: Mongo, postgres: Postgres, load: Load
) -> None:
    fill(source, 10)
    load()
    source.orders.update_one({"_id": 3}, {"$set": {"v": 9}})
    assert load(key=KEY).tally.read == 10
    assert_equal(source, postgres)


def test_append_keeps_each_version(source: Mongo, postgres: Postgres, load: Load) -> None:
    fill(source, 5)
    source.orders.create_index(KEY)
    load(key=KEY, load="append")
    for version in (1, 2):
        source.orders.update_one({"_id": 3}, {"$set": {"v": version, KEY: at(0)}})
        load(key=KEY, load="append")
    versions = postgres.execute(
        f"SELECT v FROM {SCHEMA}.orders WHERE _id = 3 ORDER BY _sdc_sequence"
    )
    assert versions.fetchall() == [(0,), (1,), (2,)]


def test_quarantine_follows_the_documents(source: Mongo, postgres: Postgres, load: Load) -> None:
    fill(source, 5)
    source.orders.create_index(KEY)
    source.orders.insert_one({"_id": 10, "v": 0, "note": "a\0b", KEY: at(1)})
    source.orders.insert_one({"_id": 11, "v": 0, "note": "a\0b", KEY: at(1)})
    assert load(key=KEY).tally.quarantined == 2
    count = "SELECT count(*) FROM landbridge.quarantine"
    first = postgres.execute("SELECT id FROM landbridge.quarantine ORDER BY id").fetchall()
    load(key=KEY)
    assert postgres.execute("SELECT id FROM landbridge.quarantine ORDER BY id").fetchall() == first
    source.orders.update_one({"_id": 10}, {"$set": {"note": "fine", KEY: at(0)}})
    source.orders.update_one({"_id": 3}, {"$set": {"note": "now\0bad", KEY: at(0)}})
    changed = load(key=KEY)
    assert (changed.tally.inserted, changed.tally.deleted) == (1, 0)
    assert [number for number, _ in rows(postgres)] == [0, 1, 2, 4, 10]
    assert postgres.execute(count).fetchone() == (2,)
    source.orders.delete_many({"_id": {"$in": [3, 11]}})
    load(key=KEY)
    assert postgres.execute(count).fetchone() == (0,)


def test_a_large_backlog_is_copied_over_several_connections(
    source: Mongo, postgres: Postgres, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", 1000)
    monkeypatch.setattr("landbridge.engine.incremental.TINY_BYTES_MAX", 1000)
    fill(source, 400)
    source.orders.create_index(KEY)
    load(key=KEY)
    source.orders.update_many({"_id": {"$lt": 350}}, {"$set": {"v": 1, KEY: at(0), "new": "x"}})
    source.orders.delete_many({"_id": {"$gte": 390}})
    changed = load(key=KEY)
    assert (changed.tally.updated, changed.tally.deleted) == (350, 10)
    assert_equal(source, postgres)
    layouts = postgres.execute("SELECT layout FROM landbridge.run_stream ORDER BY finished_at")
    assert layouts.fetchall()[-1] == ("one cursor",)


def test_overwrite_asked_for_with_incremental_reads_all_and_says_so(
    source: Mongo, source_uri: str, postgres_uri: str, postgres: Postgres
) -> None:
    fill(source, 5)
    summary = bridge.sync(
        source_uri,
        postgres_uri,
        schema=SCHEMA,
        settings=Settings(method="incremental", load="overwrite"),
    )
    assert summary.streams[0].method == "full"
    assert any("the method is full" in note for note in summary.notes)


def test_an_empty_collection_fills_later(source: Mongo, postgres: Postgres, load: Load) -> None:
    source.create_collection("orders")
    load(key=KEY)
    fill(source, 5)
    load(key=KEY)
    assert_equal(source, postgres)
