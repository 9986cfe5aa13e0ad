"""A database on either kind of server, reached through landbridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from landbridge.embedded import Mongod
from landbridge.mongo.connect import Connection, connect

from .reading import with_database


@pytest.fixture(scope="session")
def standalone() -> Iterator[Mongod]:
    """A mongod that is no replica set."""
    with Mongod(replica_set=False) as server:
        yield server


@pytest.fixture(scope="session")
def failing_mongod() -> Iterator[Mongod]:
    """A replica set of one that fails on demand."""
    with Mongod(parameters={"enableTestCommands": "1"}) as server:
        yield server


@pytest.fixture
def connection(mongo_uri: str) -> Iterator[Connection]:
    """A fresh database of the replica set."""
    with connect(mongo_uri) as connection:
        yield connection


@pytest.fixture
def standalone_connection(standalone: Mongod) -> Iterator[Connection]:
    """A fresh database of the standalone."""
    with connect(with_database(standalone.uri)) as connection:
        yield connection
        connection.client.drop_database(connection.database)


@pytest.fixture
def failing_connection(failing_mongod: Mongod) -> Iterator[Connection]:
    """A fresh database of the server that fails on demand."""
    with connect(with_database(failing_mongod.uri)) as connection:
        yield connection
        connection.client.admin.command("configureFailPoint", "failCommand", mode="off")
        connection.client.drop_database(connection.database)


@pytest.fixture(params=["replica set", "standalone"])
def either(request: pytest.FixtureRequest) -> Connection:
    """A fresh database of one server, then of the other."""
    name = "connection" if request.param == "replica set" else "standalone_connection"
    connection: Connection = request.getfixturevalue(name)
    return connection
