"""The proxy spoils what it is told to, and nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pymongo
import pytest
from pymongo.errors import AutoReconnect
from tests.campaign.proxy import Proxy, is_commit
from tests.campaign.wire import Backend, Frontend

SECONDS_MAX = 30


def through(uri: str, proxy: Proxy) -> str:
    parts = urlsplit(uri)
    account, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{account}{at}127.0.0.1:{proxy.port}").geturl()


@pytest.fixture
def proxy(postgres_uri: str) -> Iterator[Proxy]:
    with Proxy(urlsplit(postgres_uri).port or 0, speaks_postgresql=True) as proxy:
        yield proxy


@pytest.fixture
def spoiled(postgres_uri: str, proxy: Proxy) -> Iterator[psycopg.Connection]:
    """A connection through the proxy, and a table."""
    with psycopg.connect(through(postgres_uri, proxy), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (n int)")
        yield connection


def test_a_plain_wire_changes_nothing(spoiled: psycopg.Connection, proxy: Proxy) -> None:
    long = "x" * 300_000
    assert spoiled.execute("SELECT %s", (long,)).fetchone() == (long,)
    assert proxy.open == 1


def test_connections_are_cut_and_new_ones_refused(
    spoiled: psycopg.Connection, postgres_uri: str, proxy: Proxy
) -> None:
    proxy.refusing = True
    assert proxy.cut() == 1
    with pytest.raises(psycopg.OperationalError):
        spoiled.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(through(postgres_uri, proxy), connect_timeout=5)
    proxy.heal()
    psycopg.connect(through(postgres_uri, proxy)).close()


def test_a_half_open_connection_is_silent_until_it_is_found_dead(
    spoiled: psycopg.Connection, proxy: Proxy
) -> None:
    ended = threading.Event()
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            spoiled.execute("SELECT 1")
        except psycopg.OperationalError as error:
            errors.append(error)
        ended.set()

    proxy.swallowing = True
    asking = threading.Thread(target=ask)
    asking.start()
    assert not ended.wait(0.5)
    proxy.heal()
    assert ended.wait(SECONDS_MAX)
    asking.join()
    assert len(errors) == 1


def test_a_commit_is_done_and_its_answer_never_comes(
    spoiled: psycopg.Connection, postgres: psycopg.Connection, proxy: Proxy
) -> None:
    for number in range(2):
        with spoiled.transaction():
            spoiled.execute("INSERT INTO t VALUES (%s)", (number,))
    trap = proxy.set_trap(2)
    with spoiled.transaction():
        spoiled.execute("INSERT INTO t VALUES (2)")
    with pytest.raises(psycopg.OperationalError), spoiled.transaction():
        spoiled.execute("INSERT INTO t VALUES (3)")
    assert trap.sprung.is_set()
    assert trap.outcome == "COMMIT"
    found = postgres.execute("SELECT n FROM t ORDER BY n").fetchall()
    assert found == [(0,), (1,), (2,), (3,)]


def test_a_trap_may_wait_for_a_commit_in_a_pipeline(
    spoiled: psycopg.Connection, postgres: psycopg.Connection, proxy: Proxy
) -> None:
    trap = proxy.set_trap(1)
    with pytest.raises(psycopg.OperationalError), spoiled.pipeline(), spoiled.transaction():
        for number in range(5):
            spoiled.execute("INSERT INTO t VALUES (%s)", (number,))
    assert trap.outcome == "COMMIT"
    assert postgres.execute("SELECT count(*) FROM t").fetchone() == (5,)


def test_mongodb_is_cut_as_well(mongo_uri: str) -> None:
    with Proxy(urlsplit(mongo_uri).port or 0) as proxy:
        uri = through(mongo_uri, proxy)
        with pymongo.MongoClient(uri, retryReads=False, serverSelectionTimeoutMS=2000) as client:
            client.get_default_database()["c"].insert_one({"_id": 1})
            proxy.refusing = True
            assert proxy.cut() >= 1
            with pytest.raises(AutoReconnect):
                client.get_default_database()["c"].find_one()


def test_words_are_understood_in_pieces_of_any_size() -> None:
    def message(kind: bytes, body: bytes) -> bytes:
        return kind + (len(body) + 4).to_bytes(4, "big") + body

    said = (
        message(b"", (80877103).to_bytes(4, "big"))
        + message(b"", (196608).to_bytes(4, "big") + b"user\0me\0\0")
        + message(b"Q", b"BEGIN\0")
        + message(b"P", b"\0COMMIT\0\0\0")
        + message(b"S", b"")
    )
    answered = b"N" + message(b"C", b"BEGIN\0") + message(b"Z", b"I") + message(b"C", b"COMMIT\0")
    for size in (1, 3, len(said)):
        frontend = Frontend()
        pieces = [said[at : at + size] for at in range(0, len(said), size)]
        found = [text for piece in pieces for text in frontend.statements(piece)]
        assert found == ["BEGIN", "COMMIT"]
        assert [is_commit(text) for text in found] == [False, True]
        backend = Backend(frontend)
        parts = [answered[at : at + size] for at in range(0, len(answered), size)]
        assert [tag for part in parts for tag in backend.outcomes(part)] == ["BEGIN", "COMMIT"]
