"""Positions: kept with the rows, told by name when lost, healed instead of loaded anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from bson import Timestamp
from psycopg.types.json import Jsonb
from tests.layouts.checks import Mongo, Postgres
from tests.log.conftest import SCHEMA, Follow, assert_equal, values

from landbridge import Settings, bridge
from landbridge.embedded import Mongod
from landbridge.model.summary import Summary

SECONDS_MAX = 30


def position(postgres: Postgres, name: str = "a") -> dict[str, Any]:
    row = postgres.execute(
        "SELECT position FROM landbridge.stream WHERE collection = %s", (name,)
    ).fetchone()
    assert row is not None
    return dict(row[0])


def move(postgres: Postgres, **changed: Any) -> None:
    postgres.execute("UPDATE landbridge.stream SET position = position || %s", (Jsonb(changed),))


FOREIGN = "5A1004" + "0" * 32 + "461E5F6964002B040004"


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(lambda held: {"token": "zz"}, id="no token"),
        pytest.param(
            lambda held: {"token": held["token"][:18] + "2B022C0100296E" + FOREIGN},
            id="an event that is not there",
        ),
        pytest.param(lambda held: {"token": "82FFFFFFF0000000012B0229296E04"}, id="of the future"),
        pytest.param(lambda held: {"uuid": "00" * 16}, id="of another collection"),
    ],
)
def test_a_lost_position_is_told_by_name_and_healed(
    mongo: Mongo, postgres: Postgres, sync: Any, lost: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(50))
    assert sync().error is None
    mongo.a.update_one({"_id": 1}, {"$set": {"v": 100}})
    mongo.a.delete_one({"_id": 2})
    mongo.a.insert_one({"_id": 60, "v": 60})
    held = position(postgres)
    move(postgres, **lost(held))

    refused = sync()
    assert refused.error is not None and refused.error["code"] == "position_lost"
    assert len(values(postgres, "a")) == 50

    healed = sync(heal=True)
    assert healed.error is None
    [stream] = healed.streams
    assert (stream.tally.read, stream.tally.inserted, stream.tally.updated) == (2, 1, 1)
    assert stream.tally.deleted == 1
    assert_equal(mongo, postgres, "a")
    mongo.a.insert_one({"_id": 61, "v": 61})
    assert sync().error is None
    assert_equal(mongo, postgres, "a")


def test_a_heal_keeps_rows_where_deletes_are_not_asked_for(
    mongo: Mongo, postgres: Postgres, sync: Any
) -> None:
    kept = ("insert", "update", "replace")
    mongo.a.insert_many({"_id": n, "v": n} for n in range(5))
    assert sync(operations=kept).error is None
    mongo.a.delete_many({})
    move(postgres, token="zz")
    assert sync(operations=kept, heal=True).error is None
    assert values(postgres, "a") == list(range(5))


def test_the_place_of_a_source_is_not_taken_for_that_of_another(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres
) -> None:
    settings = Settings(method="log")
    mongo.a.insert_many({"_id": n, "v": n} for n in range(20))
    assert bridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=settings).error is None
    with Mongod() as other:
        import pymongo

        uri = other.uri.replace("/?", f"/{mongo.name}?")
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            client[mongo.name].a.insert_many({"_id": n, "v": n} for n in range(5, 25))
            refused = bridge.sync(uri, postgres_uri, schema=SCHEMA, settings=settings)
            assert refused.error is not None and refused.error["code"] == "position_lost"
            assert values(postgres, "a") == list(range(20))
            healing = Settings(method="log", heal=True)
            assert bridge.sync(uri, postgres_uri, schema=SCHEMA, settings=healing).error is None
            assert values(postgres, "a") == list(range(5, 25))


def test_a_position_is_there_before_the_first_document_is_read(
    mongo: Mongo,
    mongo_uri: str,
    postgres_uri: str,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from landbridge.mongo.source import CollectionSource

    seen: list[Any] = []
    read = CollectionSource.read

    def watching(self: CollectionSource, *, snapshot: bool) -> Any:
        with psycopg.connect(postgres_uri) as other:
            seen.append(other.execute("SELECT pending FROM landbridge.stream").fetchone())
        return read(self, snapshot=snapshot)

    monkeypatch.setattr(CollectionSource, "read", watching)
    mongo.a.insert_one({"_id": 1, "v": 1})
    summary = bridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=Settings(method="log"))
    assert summary.error is None
    assert seen[0][0]["method"] == "log" and seen[0][0]["token"]
    assert postgres.execute("SELECT pending FROM landbridge.stream").fetchone() == (None,)


def test_a_copy_by_ranges_is_followed_up(
    mongo: Mongo, postgres: Postgres, sync: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes while ranges are read is in the log that is replayed over them."""
    monkeypatch.setattr("landbridge.engine.ranges.CHUNK_BYTES", 2_000)
    from landbridge.engine import ranges

    mongo.a.insert_many({"_id": n, "v": n, "text": "x" * 50} for n in range(400))
    copy = ranges.copy_ranges

    def changing(work: Any, *, resumed: bool) -> Any:
        mongo.a.delete_one({"_id": 5})
        copied = copy(work, resumed=resumed)
        mongo.a.update_many({"_id": {"$lt": 50}}, {"$inc": {"v": 1000}})
        mongo.a.delete_one({"_id": 399})
        mongo.a.insert_one({"_id": 1000, "v": 1})
        return copied

    monkeypatch.setattr(ranges, "copy_ranges", changing)
    summary = sync(ranges=True)
    assert summary.error is None
    assert_equal(mongo, postgres, "a")


@contextmanager
def following(mongo_uri: str, postgres_uri: str, **chosen: Any) -> Iterator[list[Summary]]:
    """Follow in a thread until the block ends; the list then holds the summary."""
    ending = threading.Event()
    done: list[Summary] = []

    def run() -> None:
        settings = Settings(method="log", heal=True, **chosen)
        done.append(
            bridge.sync(
                mongo_uri,
                postgres_uri,
                schema=SCHEMA,
                settings=settings,
                follow=True,
                ending=ending,
            )
        )

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        ending.set()
        thread.join(SECONDS_MAX)
    assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def there(postgres: Postgres, name: str) -> bool:
    found = postgres.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.{name}",)).fetchone()
    return bool(found and found[0])


def test_following_goes_on_until_it_is_ended(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    with following(mongo_uri, postgres_uri) as done:
        until(lambda: there(postgres, "a"))
        for number in range(2, 40):
            mongo.a.insert_one({"_id": number, "v": number})
        until(lambda: len(values(postgres, "a")) == 39)
        mongo.a.drop()
        until(lambda: values(postgres, "a") == [])
        mongo.a.insert_one({"_id": 5, "v": 5})
        until(lambda: values(postgres, "a") == [5])
    [summary] = done
    assert summary.error is None
    assert summary.streams[0].events >= 39


def test_stop_ends_a_run_that_follows(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    mongo.b.insert_one({"_id": 1, "v": 1})
    with following(mongo_uri, postgres_uri, on_ddl="stop") as done:
        until(lambda: there(postgres, "a") and there(postgres, "b"))
        mongo.a.drop()
        until(lambda: bool(done))
    errors = {stream.collection: stream.error for stream in done[0].streams}
    assert errors["a"] is not None and errors["a"]["code"] == "source_dropped"
    assert errors["b"] is None
    assert values(postgres, "a") == [1]


def test_rows_ahead_of_their_place_are_known_from_run_to_run(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    assert follow()["a"].consistent_at is not None
    mongo.a.update_one({"_id": 1}, {"$set": {"v": 2}})
    follow()
    assert isinstance(position(postgres)["ahead"], bool)
    move(postgres, ahead=True)
    assert follow()["a"].consistent_at is not None  # nothing was written since: it has come there
    assert position(postgres)["ahead"] is False


def test_the_place_of_an_idle_stream_is_saved_on_a_timer(
    mongo: Mongo,
    mongo_uri: str,
    postgres_uri: str,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("landbridge.engine.following.SAVE_SECONDS", 0.2)
    mongo.a.insert_one({"_id": 1, "v": 1})
    with following(mongo_uri, postgres_uri):
        until(lambda: there(postgres, "a"))
        until(lambda: bool(position(postgres)))
        before = position(postgres)["token"]
        mongo.unrelated.insert_one({})
        until(lambda: position(postgres)["token"] > before)


def test_a_second_run_is_told_who_follows(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres, sync: Any
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    with following(mongo_uri, postgres_uri):
        until(lambda: there(postgres, "a"))
        summary = sync()
        assert summary.error is not None and summary.error["code"] == "stream_busy"
    assert sync().error is None


def test_a_run_that_lost_its_stream_commits_nothing(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres
) -> None:
    mongo.a.insert_one({"_id": 1, "v": 1})
    with following(mongo_uri, postgres_uri) as done:
        until(lambda: there(postgres, "a"))
        until(lambda: bool(position(postgres)))
        postgres.execute("UPDATE landbridge.stream SET epoch = epoch + 1")
        mongo.a.insert_one({"_id": 2, "v": 2})
        until(lambda: bool(done))
        assert values(postgres, "a") == [1]
    assert done[0].error is not None and done[0].error["code"] == "fenced"


def test_a_standalone_and_a_view_have_no_log(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, sync: Any
) -> None:
    from landbridge.errors import LogUnavailableError

    mongo.a.insert_one({"_id": 1, "v": 1})
    mongo.command("create", "seen", viewOn="a", pipeline=[])
    summary = sync()
    errors = {stream.collection: stream.error for stream in summary.streams}
    assert errors["a"] is None
    assert errors["seen"] is not None and errors["seen"]["code"] == "no_log"
    with Mongod(replica_set=False) as server:
        uri = server.uri.replace("/?", "/shop?")
        with pytest.raises(LogUnavailableError):
            bridge.sync(uri, postgres_uri, settings=Settings(method="log"))


def test_full_and_log_take_turns(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: Postgres, follow: Follow
) -> None:
    mongo.a.insert_many({"_id": n, "v": n} for n in range(5))
    full = Settings()
    assert bridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=full).error is None
    mongo.a.delete_one({"_id": 0})
    follow()
    assert_equal(mongo, postgres, "a")
    mongo.a.insert_one({"_id": 9, "v": 9})
    assert bridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=full).error is None
    mongo.a.update_one({"_id": 9}, {"$set": {"v": 10}})
    follow()
    assert_equal(mongo, postgres, "a")


def test_a_position_is_older_than_the_log(mongo: Mongo, postgres: Postgres, sync: Any) -> None:
    """A server that was made after the position says so; here the position is moved back."""
    mongo.a.insert_one({"_id": 1, "v": 1})
    assert sync().error is None
    first = mongo.client.local["oplog.rs"].find_one(sort=[("$natural", 1)])
    assert first is not None
    begin: Timestamp = first["ts"]
    token = f"82{begin.time - 1000:08X}{1:08X}2B0229296E04"
    move(postgres, token=token, uuid="11" * 16)
    summary = sync()
    assert summary.error is not None and summary.error["code"] == "position_lost"
