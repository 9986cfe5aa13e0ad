"""Connecting: quick answers, clear causes, and no password in any of them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import pymongo
import pytest

from landbridge.embedded import Mongod
from landbridge.errors import (
    AuthenticationError,
    LandbridgeError,
    PrivilegeError,
    SourceMissingError,
    UnreachableError,
    UsageError,
)
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect

from .reading import raw_in, source_of

SECRET = "s3cr3t"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Mongod]:
    """A mongod that asks for a password, with a database and a user who may read only that."""
    with Mongod(auth=True) as server:
        with pymongo.MongoClient(server.uri) as client:
            client.shop.orders.insert_one({"_id": 1})
            client.vault.gold.insert_one({"_id": 1})
            client.shop.command("createUser", "ann", pwd=SECRET, roles=["read"])
        yield server


def of_ann(guarded: Mongod, password: str, database: str, source: str = "shop") -> str:
    host = guarded.uri.rpartition("@")[2].partition("/")[0]
    return f"mongodb://ann:{password}@{host}/{database}?directConnection=true&authSource={source}"


def test_the_identity_holds_no_credentials_and_no_database(guarded: Mongod) -> None:
    with connect(of_ann(guarded, SECRET, "shop")) as connection:
        host = guarded.uri.rpartition("@")[2].partition("/")[0]
        assert connection.identity == f"landbridge/{host}"
        assert connection.database == "shop"
        assert SECRET not in repr(connection)
        with source_of(connection, "orders").read(snapshot=True) as read:
            assert len(raw_in(read)) == 1
        assert connection.snapshot_seconds == 300.0  # may not be asked, so the default


def test_a_standalone_is_identified_by_its_address(standalone_connection: Connection) -> None:
    host, port = standalone_connection.client.address or ("", 0)
    assert standalone_connection.identity == f"{host}:{port}"


def test_a_wrong_password_is_refused_without_being_shown(guarded: Mongod) -> None:
    with pytest.raises(AuthenticationError) as raised:
        connect(of_ann(guarded, SECRET + "x", "shop"))
    assert SECRET not in str(raised.value)
    assert "authSource" in raised.value.fix


def test_a_user_who_may_not_read_is_told_the_grant(guarded: Mongod) -> None:
    with (
        connect(of_ann(guarded, SECRET, "vault")) as connection,
        pytest.raises(PrivilegeError) as raised,
    ):
        catalog.collections(connection)
    assert (
        'db.getSiblingDB("shop").grantRolesToUser("ann", [{ role: "read", db: "vault" }])'
        in raised.value.fix
    )


def test_a_server_that_wants_a_user_says_so(guarded: Mongod) -> None:
    host = guarded.uri.rpartition("@")[2].partition("/")[0]
    with (
        connect(f"mongodb://{host}/shop?directConnection=true") as connection,
        pytest.raises(AuthenticationError) as raised,
    ):
        catalog.collections(connection)
    assert "user" in raised.value.fix


def test_a_uri_without_a_database_lists_them(connection: Connection, mongo_uri: str) -> None:
    connection.source.c.insert_one({})
    with pytest.raises(UsageError) as raised:
        connect(mongo_uri.replace(f"/{connection.database}", "/"))
    assert connection.database in raised.value.why
    assert "local" not in raised.value.why


def test_a_missing_database_lists_the_others(connection: Connection, mongo_uri: str) -> None:
    connection.source.c.insert_one({})
    wrong = mongo_uri.replace(connection.database, connection.database.upper())
    with connect(wrong) as other, pytest.raises(SourceMissingError) as raised:
        catalog.collections(other)
    assert connection.database in raised.value.why


@pytest.mark.parametrize(
    ("uri", "error"),
    [
        ("postgresql://u:s3cr3t@h/d", UsageError),
        ("mongodb://", UsageError),
        ("mongodb://u:s3cr3t@/d", UsageError),
        ("mongodb://u:s3cr3t@h:port/d", UsageError),
        ("mongodb://u:s3cr3t@h/d?tls=perhaps", UsageError),
        ("mongodb://u:s3cr3t@h/d?tlsCAFile=/does/not/exist", UsageError),
        ("mongodb://u:s3cr3t@h/d?useNewUrlParser=true", UsageError),
        ("mongodb://u:s3cr3t@a,b/d?directConnection=true", UsageError),
        ("mongodb://u:/s3cr3t/@h/d", UsageError),
        ("mongodb://u:%s3cr3t@h/d", UsageError),
        ("mongodb://u:x@s3cr3t@h/d", UsageError),
        ("mongodb://u:s3:cr3t@h/d", UsageError),
        ("mongodb://u:s3cr3t@h/d.orders", UsageError),
        ("mongodb+srv://u:s3cr3t@nowhere.invalid.example/d", UnreachableError),
        ("mongodb://u:s3cr3t@nowhere.invalid/d?serverSelectionTimeoutMS=300", UnreachableError),
    ],
)
def test_a_bad_uri_is_explained_without_its_password(
    uri: str, error: type[LandbridgeError]
) -> None:
    with pytest.raises(error) as raised:
        connect(uri)
    text = str(raised.value)
    assert "s3cr3t" not in text and "cr3t" not in text
    assert "Topology" not in text


def test_nobody_waits_30_seconds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        uri = f"mongodb://127.0.0.1:{mute.getsockname()[1]}/d"
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            connect(uri)
        assert time.monotonic() - started < 8
        with pytest.raises(UnreachableError) as raised:
            connect(f"{uri}?serverSelectionTimeoutMS=100")
        assert time.monotonic() - started < 9
    assert "directConnection" in raised.value.fix


def test_a_wrong_replica_set_name_is_unreachable(mongod: Mongod) -> None:
    with pytest.raises(UnreachableError) as raised:
        connect(
            mongod.uri.replace("/?directConnection=true", "/d?replicaSet=other")
            + "&serverSelectionTimeoutMS=500"
        )
    assert "other" in raised.value.why


def test_a_preference_for_secondaries_does_not_move_reads(mongo_uri: str) -> None:
    with connect(f"{mongo_uri}&readPreference=secondary") as connection:
        connection.source.c.insert_many([{"_id": n} for n in range(10)])
        with source_of(connection, "c").read(snapshot=True) as read:
            assert len(raw_in(read)) == 10
