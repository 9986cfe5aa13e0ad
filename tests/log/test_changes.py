"""Changes arrive in order, each once, whatever kind of change and of id they are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from pymongo import MongoClient
from tests.layouts.checks import Mongo, Postgres
from tests.log.conftest import SCHEMA, Follow, assert_equal, values

MIXED: list[Any] = [
    *(1, Int64(2), 3.5, Decimal128("4.25"), "5", ObjectId(), datetime(2024, 1, 1), True),
    *(Binary(b"x", 0), Binary(uuid4().bytes, 4), {"a": 1, "b": 2}, {"b": 2, "a": 1}, None),
]


def test_every_kind_of_change_arrives(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(20))
    first = follow()["a"]
    assert (first.tally.inserted, first.events) == (20, 0)

    mongo.a.insert_one({"_id": 100, "v": 100})
    mongo.a.update_one({"_id": 1}, {"$set": {"v": 201}})
    mongo.a.replace_one({"_id": 2}, {"v": 202, "new": "field"})
    mongo.a.delete_one({"_id": 3})
    mongo.a.delete_one({"_id": 4})
    mongo.a.insert_one({"_id": 4, "v": 204})
    second = follow()["a"]

    assert_equal(mongo, postgres, "a")
    assert second.events == 6
    tally = second.tally
    assert (tally.inserted, tally.updated, tally.deleted, tally.read) == (1, 3, 1, 4)
    assert second.consistent_at is not None
    third = follow()["a"]
    assert (third.events, third.tally.read) == (0, 0)


def test_ids_of_all_kinds_are_followed(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.a.insert_many({"_id": one, "v": n} for n, one in enumerate(MIXED))
    follow()
    for number, one in enumerate(MIXED):
        if number % 3 == 0:
            mongo.a.delete_one({"_id": one})
        elif number % 3 == 1:
            mongo.a.update_one({"_id": one}, {"$set": {"v": 100 + number}})
    mongo.a.insert_one({"_id": 1, "v": 1000})
    mongo.a.replace_one({"_id": 1}, {"_id": 1.0, "v": 1001})
    mongo.a.update_one({"_id": Decimal128("1.0")}, {"$inc": {"v": 1}})
    mongo.a.insert_one({"_id": 7, "v": 7})
    mongo.a.delete_one({"_id": 7.0})
    follow()
    assert_equal(mongo, postgres, "a")


def test_four_writes_of_one_document_in_a_transaction(
    mongo: Mongo, mongo_uri: str, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    follow()
    with MongoClient[dict[str, Any]](mongo_uri) as client, client.start_session() as session:
        documents = client.get_default_database().a
        with session.start_transaction():
            documents.update_one({"_id": 1}, {"$set": {"v": 2}}, session=session)
            documents.delete_one({"_id": 1}, session=session)
            documents.insert_one({"_id": 1, "v": 3}, session=session)
            documents.update_one({"_id": 1}, {"$set": {"v": 4}}, session=session)
    follow()
    assert values(postgres, "a") == [4]


def test_an_update_whose_document_is_gone_is_settled_by_what_follows(
    mongo: Mongo, postgres: Postgres, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is a round of its own here, so the look-up finds nothing."""
    monkeypatch.setattr("landbridge.mongo.log.REPLY_DOCUMENTS", 1)
    monkeypatch.setattr("landbridge.engine.following.EVENTS_MAX", 1)
    mongo.a.insert_many({"_id": n, "v": n} for n in range(3))
    follow()
    mongo.a.update_one({"_id": 1}, {"$set": {"v": 10}})
    mongo.a.delete_one({"_id": 1})
    mongo.a.update_one({"_id": 2}, {"$set": {"v": 20}})
    mongo.a.delete_one({"_id": 2})
    mongo.a.insert_one({"_id": 2, "v": 30})
    follow()
    assert values(postgres, "a") == [0, 30]


def test_operations_that_were_not_asked_for_are_passed_over(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(3))
    follow(operations=("insert", "update", "replace"))
    mongo.a.delete_one({"_id": 1})
    mongo.a.insert_one({"_id": 9, "v": 9})
    follow(operations=("insert", "update", "replace"))
    assert values(postgres, "a") == [0, 1, 2, 9]


def test_deletes_may_be_marked_only(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(3))
    follow(soft_delete=True)
    mongo.a.delete_one({"_id": 1})
    follow(soft_delete=True)
    marked = "SELECT _id, _sdc_deleted_at IS NOT NULL FROM raw.a ORDER BY 1"
    assert postgres.execute(marked).fetchall() == [(0, False), (1, True), (2, False)]
    mongo.a.insert_one({"_id": 1, "v": 1})
    follow(soft_delete=True)
    assert postgres.execute(marked).fetchall() == [(0, False), (1, False), (2, False)]


def test_append_keeps_the_history(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.command("create", "a", changeStreamPreAndPostImages={"enabled": True})
    mongo.a.insert_one({"_id": 1, "v": 1})
    follow(load="append")
    for version in (2, 3):
        mongo.a.update_one({"_id": 1}, {"$set": {"v": version}})
    mongo.a.delete_one({"_id": 1})
    mongo.a.insert_one({"_id": 1, "v": 5})
    follow(load="append")
    follow(load="append")
    history = postgres.execute(
        "SELECT v, _lb_operation, _lb_cluster_time IS NULL FROM raw.a"
        " ORDER BY _sdc_sequence, _lb_cluster_time"
    ).fetchall()
    assert history == [
        (1, "copy", True),
        (2, "update", False),
        (3, "update", False),
        (None, "delete", False),
        (5, "insert", False),
    ]
    times = postgres.execute(
        "SELECT _lb_cluster_time FROM raw.a WHERE _lb_cluster_time IS NOT NULL"
        " ORDER BY _sdc_sequence"
    ).fetchall()
    assert times == sorted(times)
    assert abs(times[-1][0] - datetime.now(UTC)).total_seconds() < 600


def test_versions_of_a_hot_document_sort_from_run_to_run(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 0})
    follow(load="append")
    for last in (3000, 3001):
        for version in range(last - 3000, last) if last == 3000 else (3001,):
            mongo.a.replace_one({"_id": 1}, {"v": version + 1})
        follow(load="append")
    newest = postgres.execute("SELECT v FROM raw.a ORDER BY _sdc_sequence DESC LIMIT 1").fetchone()
    assert newest == (3002,)


def test_quarantine_follows_its_documents(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.a.insert_many([{"_id": 1, "v": 1}, {"_id": 2, "v": 2, "note": "a\0b"}])
    follow()
    entries = "SELECT document_id, replaced FROM landbridge.quarantine ORDER BY 1"
    assert [bad for bad, _ in postgres.execute(entries)] == ['{"$numberInt":"2"}']
    mongo.a.update_one({"_id": 1}, {"$set": {"note": "c\0d"}})
    mongo.a.update_one({"_id": 2}, {"$set": {"note": "fine"}})
    mongo.a.insert_one({"_id": 3, "v": 3, "note": "e\0f"})
    second = follow()["a"]
    assert values(postgres, "a") == [2]
    assert second.tally.quarantined == 2
    assert postgres.execute(entries).fetchall() == [
        ('{"$numberInt":"1"}', True),
        ('{"$numberInt":"3"}', False),
    ]
    mongo.a.delete_one({"_id": 3})
    mongo.a.update_one({"_id": 1}, {"$set": {"note": "better"}})
    follow()
    assert values(postgres, "a") == [1, 2]
    assert postgres.execute(entries).fetchall() == []


def test_child_tables_and_new_fields_follow(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_many({"_id": n, "v": n, "tags": ["x", "y"]} for n in range(3))
    follow(arrays="table")
    mongo.a.update_one({"_id": 1}, {"$set": {"tags": ["z"], "late": 1.5}})
    mongo.a.delete_one({"_id": 2})
    mongo.a.insert_one({"_id": 5, "v": 5, "lines": [{"a": 1}, {"a": 2}]})
    follow(arrays="table")
    tags = postgres.execute("SELECT value FROM raw.a_tags ORDER BY _parent_id, _ordinal")
    assert [value for (value,) in tags] == ["x", "y", "z"]
    assert postgres.execute("SELECT count(*) FROM raw.a_lines").fetchone() == (2,)
    assert values(postgres, "a", "_id late") == [(0, None), (1, 1.5), (5, None)]


def test_one_stream_that_fails_does_not_stop_the_others(
    mongo: Mongo, postgres: Postgres, sync: Any
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    mongo.b.insert_one({"_id": 1, "v": 1})
    assert sync().error is None
    mongo.a.insert_one({"_id": 2, "v": 2, "new": 1})
    mongo.b.insert_one({"_id": 2, "v": 2})
    summary = sync(contract="freeze")
    failed = {stream.collection: stream.error for stream in summary.streams}
    assert failed["a"] is not None and failed["a"]["code"] == "contract_broken"
    assert failed["b"] is None
    assert (values(postgres, "a"), values(postgres, "b")) == ([1], [1, 2])
    assert sync().error is None
    assert_equal(mongo, postgres, "a", "b")


def test_names_that_look_like_sql_are_names(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    name = '"; drop table x; --'
    mongo[name].insert_one({"_id": 1, "v": 1})
    [stream] = follow().values()
    mongo[name].insert_one({"_id": 2, "v": 2})
    follow()
    count = psycopg.sql.SQL("SELECT count(*) FROM {}").format(
        psycopg.sql.Identifier(SCHEMA, stream.target_table)
    )
    assert postgres.execute(count).fetchone() == (2,)
