"""Collections that are dropped, renamed, replaced and made again."""

from __future__ import annotations

from typing import Any

import pytest
from pymongo import MongoClient
from tests.layouts.checks import Mongo, Postgres
from tests.log.conftest import Follow, assert_equal, values


@pytest.fixture(autouse=True)
def filled(mongo: Mongo, follow: Follow) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(10))
    mongo.b.insert_many({"_id": n, "v": n} for n in range(5))
    follow()


def test_out_onto_a_followed_collection(mongo: Mongo, postgres: Postgres, follow: Follow) -> None:
    mongo.a.aggregate([{"$match": {"_id": {"$lt": 3}}}, {"$set": {"v": 77}}, {"$out": "b"}])
    follow()
    mongo.b.insert_one({"_id": 100, "v": 100})
    follow()
    assert_equal(mongo, postgres, "a", "b")


def test_a_rename_onto_a_followed_collection_from_another_one(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.other.insert_many({"_id": n, "v": 1000 + n} for n in range(4))
    mongo.other.rename("b", dropTarget=True)
    mongo.b.update_one({"_id": 2}, {"$set": {"v": 5}})
    follow(select=("a", "b"))
    assert_equal(mongo, postgres, "a", "b")


def test_a_rename_between_followed_collections(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.rename("b", dropTarget=True)
    follow()
    assert_equal(mongo, postgres, "b")
    assert values(postgres, "a") == []


def test_a_drop_empties_the_table_and_a_new_collection_fills_it(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.drop()
    mongo.a.insert_many({"_id": n, "v": n} for n in range(50, 53))
    mongo.b.drop()
    follow()
    assert_equal(mongo, postgres, "a", "b")
    mongo.b.insert_one({"_id": 1, "v": 1})
    mongo.a.delete_one({"_id": 51})
    follow()
    assert_equal(mongo, postgres, "a", "b")


def test_dropped_with_its_database(
    mongo: Mongo, mongo_uri: str, postgres: Postgres, follow: Follow
) -> None:
    with MongoClient[dict[str, Any]](mongo_uri) as client:
        client.drop_database(mongo.name)
    follow()
    assert_equal(mongo, postgres, "a", "b")
    mongo.a.insert_one({"_id": 1, "v": 1})
    follow()
    assert_equal(mongo, postgres, "a", "b")


def test_stop_keeps_the_table_and_ends(mongo: Mongo, postgres: Postgres, sync: Any) -> None:
    mongo.a.drop()
    mongo.b.insert_one({"_id": 9, "v": 9})
    summary = sync(on_ddl="stop")
    errors = {stream.collection: stream.error for stream in summary.streams}
    assert errors["a"] is not None and errors["a"]["code"] == "source_dropped"
    assert len(values(postgres, "a")) == 10
    assert_equal(mongo, postgres, "b")
    assert sync().error is None
    assert values(postgres, "a") == []


def test_the_guard_keeps_a_large_table_when_its_collection_is_dropped(
    mongo: Mongo, postgres: Postgres, sync: Any
) -> None:
    mongo.large.insert_many({"_id": n, "v": n} for n in range(1500))
    assert sync().error is None
    mongo.large.drop()
    for _ in range(2):
        summary = sync()
        [failed] = [stream for stream in summary.streams if stream.error]
        assert failed.collection == "large"
        assert failed.error is not None and failed.error["code"] == "delete_guard"
        assert len(values(postgres, "large")) == 1500
    assert sync(max_delete_share_percent=100.0).error is None
    assert values(postgres, "large") == []


def test_collections_come_and_go_without_touching_the_others(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    follow(select=("a",))
    mongo.b.insert_one({"_id": 70, "v": 70})
    mongo.c.insert_one({"_id": 1, "v": 1})
    streams = follow(select=("a", "c"))
    assert (streams["a"].tally.read, streams["c"].tally.inserted) == (0, 1)
    assert 70 not in values(postgres, "b")
    mongo.b.insert_one({"_id": 71, "v": 71})
    back = follow()
    assert_equal(mongo, postgres, "a", "b", "c")
    assert back["b"].events == 2
