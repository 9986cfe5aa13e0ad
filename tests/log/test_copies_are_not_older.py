"""A copy never lacks what happened before the place in the log that was taken for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from tests.campaign.replica_set import ReplicaSet

from landbridge.engine.purpose import Purpose
from landbridge.errors import RetryableError
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.log import DatabaseLog
from landbridge.mongo.source import CollectionSource

TRIES = 100


@pytest.fixture(scope="module")
def busy_uri() -> Iterator[str]:
    """A database of a set of three, that four threads write to all the while."""
    ended = threading.Event()
    with ReplicaSet() as three:
        uri = urlsplit(three.uri)._replace(path="/busy").geturl()
        with pymongo.MongoClient[dict[str, Any]](uri) as client:
            collection = client.get_default_database()["t"]
            collection.insert_one({"_id": "first"})

            def write() -> None:
                while not ended.is_set():
                    collection.update_one({"_id": "first"}, {"$inc": {"n": 1}})

            writers = [threading.Thread(target=write) for _ in range(4)]
            for writer in writers:
                writer.start()
            yield uri
            ended.set()
            for writer in writers:
                writer.join()


def test_a_snapshot_is_not_older_than_the_place_that_was_taken_before_it(busy_uri: str) -> None:
    """The time that a majority has lies behind the newest write."""
    with connect(busy_uri) as connection:
        [collection] = catalog.collections(connection)
        older = []
        for _ in range(TRIES):
            log, source = DatabaseLog(connection), CollectionSource(connection, collection)
            place = log.now()
            source.read_after(log.clock())
            with source.read(snapshot=True) as read:
                list(read)
                assert read.consistent_at is not None
                if ClusterTime.parse(read.consistent_at) < place.time.before:
                    older.append((place.time, read.consistent_at))
        assert older == []


def test_a_copy_that_is_older_than_its_place_is_never_published() -> None:
    place = LogPosition("826565A2F0000000052B0229296E04")
    purpose = Purpose("log", "overwrite", place)
    with pytest.raises(RetryableError):
        purpose.position_at(str(place.time.before.before))
    assert purpose.position_at(str(place.time.before)) is not None
