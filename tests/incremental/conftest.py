"""Sources of both kinds, and one call that brings a table up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pymongo
import pytest
from tests.layouts.checks import Mongo

from landbridge import Settings, bridge
from landbridge.embedded import Mongod, MongoServer
from landbridge.model.summary import StreamSummary

Load = Callable[..., StreamSummary]
SCHEMA = "raw"


@pytest.fixture(scope="session")
def standalone() -> Iterator[Mongod]:
    """A mongod without a replica set."""
    with Mongod(replica_set=False) as server:
        yield server


@pytest.fixture(params=["replica set", "standalone"])
def source_uri(request: pytest.FixtureRequest, mongod: MongoServer) -> Iterator[str]:
    """The URI of a fresh database on a server of either kind."""
    standalone = request.param == "standalone"
    server = request.getfixturevalue("standalone") if standalone else mongod
    name = f"test_{uuid4().hex[:12]}"
    yield urlsplit(server.uri)._replace(path=f"/{name}").geturl()
    with pymongo.MongoClient[dict[str, Any]](server.uri) as client:
        client.drop_database(name)


@pytest.fixture
def source(source_uri: str) -> Iterator[Mongo]:
    """The database of `source_uri`, by pymongo."""
    with pymongo.MongoClient[dict[str, Any]](source_uri) as client:
        yield client.get_default_database()


@pytest.fixture
def load(source_uri: str, postgres_uri: str) -> Load:
    """Run `incremental` on the one collection that there is; the run must succeed."""

    def run(**chosen: Any) -> StreamSummary:
        settings = Settings(method="incremental", **chosen)
        summary = bridge.sync(source_uri, postgres_uri, schema=SCHEMA, settings=settings)
        [stream] = summary.streams
        assert stream.error is None or stream.error["code"] == "delete_guard", stream.error
        return stream

    return run
