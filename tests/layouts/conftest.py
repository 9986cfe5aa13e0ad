"""Collections that are made to take a layout, and the other kind of server."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pymongo
import pytest

from landbridge.embedded import Mongod

from .checks import Mongo, constants_for

Forced = Callable[[str], None]


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> Forced:
    """Return what makes small collections take a layout, over two COPY connections."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    def force(layout: str) -> None:
        for place, value in constants_for(layout).items():
            module, name = place.rsplit(".", 1)
            monkeypatch.setattr(importlib.import_module(module), name, value)

    return force


@pytest.fixture(scope="session")
def standalone() -> Iterator[Mongod]:
    """A mongod that is no replica set: no snapshots."""
    with Mongod(replica_set=False) as server:
        yield server


@pytest.fixture
def standalone_uri(standalone: Mongod) -> Iterator[str]:
    """The URI of a fresh database of the standalone, dropped afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    yield urlsplit(standalone.uri)._replace(path=f"/{name}").geturl()
    with pymongo.MongoClient(standalone.uri) as client:
        client.drop_database(name)


@pytest.fixture
def standalone_mongo(standalone_uri: str) -> Iterator[Mongo]:
    """The database of `standalone_uri`, by pymongo."""
    with pymongo.MongoClient(standalone_uri) as client:
        yield client.get_default_database()
