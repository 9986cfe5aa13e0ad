"""Error 239: the server gives a snapshot up while it is read, and the load goes on without one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pymongo
import pytest
from tests.layouts.checks import (
    NAME,
    Mongo,
    Postgres,
    assert_equal,
    change,
    fill,
    layout_of_last_run,
    leftovers,
    sync,
)
from tests.layouts.conftest import Forced

from landbridge.embedded import Mongod
from landbridge.model.summary import Progress

WINDOW_SECONDS = 1
SLOW_SECONDS = 2.5


@pytest.fixture(scope="module")
def forgetful_mongod() -> Iterator[Mongod]:
    """A replica set of one that keeps its history for a second."""
    parameters = {"minSnapshotHistoryWindowInSeconds": str(WINDOW_SECONDS)}
    with Mongod(parameters=parameters) as server:
        yield server


@pytest.fixture
def forgetful_uri(forgetful_mongod: Mongod) -> str:
    return urlsplit(forgetful_mongod.uri)._replace(path=f"/test_{uuid4().hex[:12]}").geturl()


@pytest.fixture
def forgetful_mongo(forgetful_uri: str) -> Iterator[Mongo]:
    """A database that is written to all the while, so that history passes."""
    ended = threading.Event()
    with pymongo.MongoClient(forgetful_uri) as client:

        def write() -> None:
            while not ended.wait(0.05):
                client.get_default_database()["clock"].insert_one({})

        writer = threading.Thread(target=write)
        writer.start()
        yield client.get_default_database()
        ended.set()
        writer.join()


class Slow:
    """An observer that holds every worker up once, for longer than the server's memory."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._slept = False

    def __call__(self, progress: Progress) -> None:
        with self._one_at_a_time:
            if progress.documents > 0 and not self._slept:
                self._slept = True
                time.sleep(SLOW_SECONDS)


@pytest.mark.parametrize("load", ["first", "later"])
def test_a_lost_snapshot_is_gone_on_with_by_ranges(
    load: str,
    forced: Forced,
    forgetful_mongo: Mongo,
    forgetful_uri: str,
    postgres: Postgres,
    postgres_uri: str,
) -> None:
    forced("small")
    fill(forgetful_mongo[NAME], 4000)
    if load == "later":
        sync(forgetful_uri, postgres_uri, select=[NAME])
        assert layout_of_last_run(postgres) == "small"
        change(forgetful_mongo[NAME])

    done = sync(forgetful_uri, postgres_uri, select=[NAME], observer=Slow())

    assert layout_of_last_run(postgres) == "large"
    assert done.consistent_at is not None
    assert done.tally.read == 4000
    assert_equal(forgetful_mongo[NAME], postgres)
    assert leftovers(postgres) == []


def test_a_view_whose_snapshot_is_lost_is_read_without_one(
    forced: Forced,
    forgetful_mongo: Mongo,
    forgetful_uri: str,
    postgres: Postgres,
    postgres_uri: str,
) -> None:
    """A view has no ranges."""
    forced("small")
    fill(forgetful_mongo["behind"], 4000)
    forgetful_mongo.create_collection(NAME, viewOn="behind", pipeline=[])

    done = sync(forgetful_uri, postgres_uri, select=[NAME], observer=Slow())

    assert layout_of_last_run(postgres) == "one cursor"
    assert done.consistent_at is None
    assert done.tally.read == 4000
    assert_equal(forgetful_mongo[NAME], postgres)
    assert leftovers(postgres) == []
