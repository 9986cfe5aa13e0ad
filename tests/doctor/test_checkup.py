"""Both ends together, and the short check beside a first sync."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from pymongo.database import Database

from landbridge.bridge import checkup, doctor
from landbridge.embedded import Mongod, MongoServer
from landbridge.errors import UsageError
from landbridge.model.finding import Finding
from landbridge.model.settings import Method
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.postgres.connect import Target
from landbridge.postgres.session import PostgresSession

from .looking import as_user, codes, found, look

Mongo = Database[dict[str, Any]]

QUICK_SECONDS_MAX = 0.05
UNSAFE_IN_TESTS = {"fsync", "full_page_writes"}


def test_the_default_schema_is_that_of_a_sync(postgres_uri: str, guarded: Mongod) -> None:
    diagnosis = look(as_user(guarded.uri, "reader", "shop"), postgres_uri)
    assert diagnosis.status == "ok"
    assert "the schema shop" in found(diagnosis, "target_schema").message
    assert diagnosis.verdict.startswith("a sync by full can start")


def test_an_end_that_is_away_does_not_hide_the_other(mongo_uri: str, postgres_uri: str) -> None:
    nobody = "mongodb://u:s3cr3t@127.0.0.1:1/shop?serverSelectionTimeoutMS=200"
    diagnosis = look(nobody, postgres_uri)
    assert found(diagnosis, "unreachable").where == "source"
    assert ("ok", "state_schema") in codes(diagnosis)

    diagnosis = look(mongo_uri, "postgresql://u:s3cr3t@127.0.0.1:1/bi")
    assert found(diagnosis, "unreachable").where == "target"
    assert ("ok", "reachable") in codes(diagnosis)
    assert diagnosis.error is not None and diagnosis.error["code"] == "preflight_failed"


def test_two_that_do_not_answer_cost_one_wait() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        began = time.monotonic()
        diagnosis = look(
            f"mongodb://127.0.0.1:{port}/shop?serverSelectionTimeoutMS=2000",
            f"postgresql://127.0.0.1:{port}/bi?connect_timeout=2",
        )
    assert {one.where for one in diagnosis.findings} == {"source", "target"}
    assert time.monotonic() - began < 3.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"source": None},
        {"method": "partial"},
        {"key": ""},
        {"key": "$where"},
        {"key": "a..b"},
        {"every_seconds": 0},
        {"source": "mongodb://u:s3cr3t@h:port/d"},
        {"target": "postgresql://h:port/d"},
    ],
    ids=str,
)
def test_wrong_use_is_refused(wrong: dict[str, Any], mongo_uri: str) -> None:
    request = {"source": mongo_uri, "target": None, **wrong}
    with pytest.raises(UsageError) as raised:
        doctor(request.pop("source"), request.pop("target"), **request)
    assert "s3cr3t" not in str(raised.value)


def test_a_source_without_a_database_is_wrong_use(mongod: MongoServer) -> None:
    with pytest.raises(UsageError):
        doctor(mongod.uri, None)


# -- quick --------------------------------------------------------------------------------


@pytest.fixture
def session(postgres_uri: str) -> Iterator[PostgresSession]:
    target = Target(postgres_uri, "landbridge test", 1)
    with target.session() as session:
        yield session
    target.close()


def quick(
    uri: str, session: PostgresSession, method: Method = "full", key: str = "_id"
) -> list[Finding]:
    with connect(uri) as connection:
        return checkup.quick(
            connection, catalog.collections(connection), session, method=method, key=key
        )


@pytest.mark.parametrize("method", ["full", "incremental", "log"])
def test_a_good_pair_has_no_notes(
    mongo: Mongo, mongo_uri: str, session: PostgresSession, method: Method
) -> None:
    mongo.orders.insert_one({"_id": 1})
    assert {one.code for one in quick(mongo_uri, session, method)} <= UNSAFE_IN_TESTS
    assert session.idle


def test_the_short_check_tells_what_a_run_does_not(
    mongo: Mongo, mongo_uri: str, standalone_uri: str, session: PostgresSession
) -> None:
    mongo.orders.insert_one({"_id": 1})
    session.connection.execute("SET statement_timeout = '20s'")
    notes = quick(mongo_uri, session, "incremental", "updatedAt")
    assert {"key_index", "statement_timeout"} <= {one.code for one in notes}
    assert {one.severity for one in notes} <= {"warning", "error"}
    assert "standalone" in {one.code for one in quick(standalone_uri, session, "log")}


def test_a_large_collection_outlasts_a_short_history(
    mongo: Mongo, mongo_uri: str, session: PostgresSession
) -> None:
    for number in range(10):
        mongo.events.insert_many([{"n": number, "text": "x" * 1_000_000} for _ in range(7)])
    mongo.small.insert_one({})
    parameter = {"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 2}
    mongo.client.admin.command(parameter)
    try:
        thorough = found(look(mongo_uri), "snapshot_history")
        short = [one for one in quick(mongo_uri, session) if one.code == "snapshot_history"]
    finally:
        mongo.client.admin.command({**parameter, "minSnapshotHistoryWindowInSeconds": 300})
    assert (thorough.severity, thorough.where) == ("warning", f"{mongo.name}.events")
    assert short == [thorough]
    assert thorough.fix.endswith("minSnapshotHistoryWindowInSeconds: 5})")
    assert "snapshot_history" not in {one.code for one in quick(mongo_uri, session)}


def test_the_short_check_takes_at_most_50_ms(
    mongo: Mongo, mongo_uri: str, session: PostgresSession
) -> None:
    for number in range(100):
        mongo[f"c{number}"].insert_one({"updatedAt": number})
    with connect(mongo_uri) as connection:
        found = catalog.collections(connection)
        for method in ("full", "incremental", "log"):
            took = []
            for _ in range(5):  # the machine may be busy
                began = time.monotonic()
                checkup.quick(connection, found, session, method=method, key="updatedAt")
                took.append(time.monotonic() - began)
            assert min(took) < QUICK_SECONDS_MAX


def test_the_short_check_raises_nothing_where_it_may_not_ask(
    guarded: Mongod, role_uri: str
) -> None:
    with psycopg.connect(role_uri, autocommit=True) as connection:
        session = PostgresSession(connection)
        uri = as_user(guarded.uri, "few", "shop")
        assert {one.code for one in quick(uri, session, "incremental", "updatedAt")} <= {
            "state_schema",
            *UNSAFE_IN_TESTS,
        }
        with connect(uri) as mongo:
            found = catalog.collections(mongo)
            mongo.close()
            connection.close()
            assert checkup.quick(mongo, found, session) == []
