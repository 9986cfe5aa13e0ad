"""Servers that are not as a sync wants them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pymongo
import pytest
from psycopg import sql

from landbridge.embedded import Mongod
from landbridge.embedded.process import ServerProcess

from .looking import SECRET, as_role, in_database

FEW = [{"resource": {"db": "shop", "collection": ""}, "actions": ["find", "listCollections"]}]
ONE = [
    {"resource": {"db": "shop", "collection": ""}, "actions": ["listCollections", "collStats"]},
    {"resource": {"db": "shop", "collection": "orders"}, "actions": ["find"]},
]


class Uninitiated(Mongod):
    """A mongod of a replica set that nobody has initiated."""

    def _await(self, process: ServerProcess) -> None:
        process.wait_until(lambda: "Waiting for connections" in process.log())


@pytest.fixture(scope="session")
def guarded() -> Iterator[Mongod]:
    """A replica set that asks for a password, with users who may do this and that in `shop`."""
    with Mongod(auth=True) as server:
        with pymongo.MongoClient[dict[str, Any]](server.uri) as client:
            client.shop.orders.insert_many([{"_id": n, "updatedAt": n} for n in range(100)])
            client.shop.customers.insert_one({"_id": 1})
            client.shop.command("createRole", "few", privileges=FEW, roles=[])
            client.shop.command("createRole", "one", privileges=ONE, roles=[])
            for user, roles in {
                "reader": ["read"],
                "log_reader": ["read", {"role": "read", "db": "local"}],
                "few": ["few"],
                "one": ["one"],
                "nobody": [],
            }.items():
                client.shop.command("createUser", user, pwd=SECRET, roles=roles)
        yield server


@pytest.fixture(scope="session")
def standalone_uri() -> Iterator[str]:
    """A database `shop` on a mongod that is no replica set."""
    with Mongod(replica_set=False) as server:
        with pymongo.MongoClient[dict[str, Any]](server.uri) as client:
            client.shop.orders.insert_one({"_id": 1})
        yield in_database(server.uri, "shop")


@pytest.fixture(scope="session")
def uninitiated_uri() -> Iterator[str]:
    """A database on a member of a replica set that was never initiated."""
    with Uninitiated() as server:
        yield in_database(server.uri, "shop")


@pytest.fixture
def role(postgres: psycopg.Connection) -> Iterator[str]:
    """A role that may only connect to the test's database."""
    name = f"role_{postgres.info.dbname}"
    quoted = sql.Identifier(name)
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(quoted, SECRET))
    yield name
    postgres.execute(sql.SQL("DROP OWNED BY {}").format(quoted))
    postgres.execute(sql.SQL("DROP ROLE {}").format(quoted))


@pytest.fixture
def role_uri(postgres_uri: str, role: str) -> str:
    """The test's database for that role."""
    return as_role(postgres_uri, role)
