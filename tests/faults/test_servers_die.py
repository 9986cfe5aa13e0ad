"""Servers that die or drop a connection in mid-run: tried again, or told; then the same command."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest
from tests.layouts.checks import (
    NAME,
    Mongo,
    Postgres,
    assert_equal,
    change,
    fill,
    leftovers,
    settings_for,
    sync,
)
from tests.layouts.conftest import Forced
from tests.layouts.repeating import RepeatingSource

from landbridge import bridge
from landbridge.bridge import attempts
from landbridge.bridge import run as bridge_run
from landbridge.embedded import Mongod, PostgreSQL
from landbridge.errors import LandbridgeError, RetryableError
from landbridge.model.summary import Progress
from landbridge.postgres.faults import translate_connect

Observer = Callable[[Progress], None]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again soon: a test has no 30 s."""
    monkeypatch.setattr(attempts, "RETRY_SECONDS", (0.1, 0.1, 0.2, 0.2, 0.2))


def once(phase: str, strike: Callable[[], None]) -> Observer:
    """Return an observer that strikes when a stream comes to a phase for the first time."""
    struck = threading.Lock()

    def observe(progress: Progress) -> None:
        begun = phase != "reading" or progress.documents > 0
        if progress.phase == phase and begun and struck.acquire(blocking=False):
            strike()

    return observe


def assert_crossed(mongo: Mongo, uri: str) -> None:
    """Compare over a connection that no crash has cut."""
    with psycopg.connect(uri, autocommit=True) as postgres:
        assert_equal(mongo[NAME], postgres)
        assert leftovers(postgres) == []


@pytest.mark.parametrize(
    ("layout", "phase"),
    [("tiny", "reading"), ("tiny", "publishing"), ("small", "indexing"), ("small", "publishing"),
     ("large", "reading"), ("large", "publishing")],
)  # fmt: skip
def test_cut_connections_are_made_again(
    layout: str,
    phase: str,
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> None:
    forced(layout)
    fill(mongo[NAME])

    def cut() -> None:
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'landbridge ') AND datname = current_database()"
        )

    sync(mongo_uri, postgres_uri, settings_for(layout), observer=once(phase, cut))
    assert_equal(mongo[NAME], postgres)
    change(mongo[NAME])
    sync(mongo_uri, postgres_uri, settings_for(layout), observer=once(phase, cut))
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


@pytest.mark.parametrize(
    ("layout", "phase"),
    [("tiny", "publishing"), ("small", "reading"), ("small", "publishing"), ("large", "reading"),
     ("large", "publishing")],
)  # fmt: skip
def test_a_crash_of_postgresql_is_survived(
    layout: str,
    phase: str,
    forced: Forced,
    mongo: Mongo,
    mongo_uri: str,
    mortal_postgresql: PostgreSQL,
    mortal_postgres_uri: str,
) -> None:
    forced(layout)
    fill(mongo[NAME])

    def crash() -> None:
        mortal_postgresql.kill()
        mortal_postgresql.start()

    for share in (0.0, 0.06):
        change(mongo[NAME], share=share) if share else None
        observer = once(phase, crash)
        sync(mongo_uri, mortal_postgres_uri, settings_for(layout), observer=observer)
        assert_crossed(mongo, mortal_postgres_uri)


@pytest.mark.parametrize("layout", ["tiny", "large"])
def test_a_postgresql_that_is_away_for_a_moment_is_waited_for(
    layout: str,
    forced: Forced,
    mongo: Mongo,
    mongo_uri: str,
    mortal_postgresql: PostgreSQL,
    mortal_postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing listens at its port meanwhile, which looks like a wrong address."""
    monkeypatch.setattr(attempts, "RETRY_SECONDS", (0.1, 0.5, 2.0, 4.0, 8.0))
    forced(layout)
    fill(mongo[NAME])
    back = threading.Timer(0.4, mortal_postgresql.start)

    def go_away() -> None:
        mortal_postgresql.kill()
        back.start()

    observer = once("publishing", go_away)
    try:
        sync(mongo_uri, mortal_postgres_uri, settings_for(layout), observer=observer)
    finally:
        back.join()
    assert_crossed(mongo, mortal_postgres_uri)


@pytest.mark.parametrize("layout", ["small", "large"])
def test_a_crash_between_copy_and_publish_never_empties_the_table(
    layout: str,
    forced: Forced,
    mongo: Mongo,
    mongo_uri: str,
    mortal_postgresql: PostgreSQL,
    mortal_postgres_uri: str,
) -> None:
    """Staging of a small load is unlogged and empty after the crash; nothing speaks for it."""
    forced(layout)
    fill(mongo[NAME])
    sync(mongo_uri, mortal_postgres_uri, settings_for(layout))
    change(mongo[NAME])
    seen: list[tuple[int, int]] = []

    def crash() -> None:
        mortal_postgresql.kill()
        mortal_postgresql.start()
        with psycopg.connect(mortal_postgres_uri, autocommit=True) as postgres:
            [(staging,)] = postgres.execute(
                "SELECT relname FROM pg_class WHERE starts_with(relname, '_lb_') AND relkind = 'r'"
            ).fetchall()
            for table in ("orders", staging):
                seen.extend(postgres.execute(f"SELECT count(*) FROM raw.{table}"))  # type: ignore[arg-type]

    sync(mongo_uri, mortal_postgres_uri, settings_for(layout), observer=once("indexing", crash))

    (living,), (staged,) = seen
    assert living == 2491
    assert (staged == 0) == (layout == "small")
    assert_crossed(mongo, mortal_postgres_uri)


@pytest.mark.parametrize("phase", ["indexing", "publishing"])
def test_documents_that_came_twice_stay_mended(
    phase: str,
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was read again is in the ledger, so that the load can be gone on with after it."""
    forced("large")
    monkeypatch.setattr(bridge_run, "CollectionSource", RepeatingSource)
    mongo[NAME].insert_many({"_id": n, "n": n} for n in range(1200))

    def cut() -> None:
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE starts_with(application_name, 'landbridge ') AND datname = current_database()"
        )

    done = sync(mongo_uri, postgres_uri, settings_for("large"), observer=once(phase, cut))
    assert (done.tally.read, done.tally.inserted) == (1200, 1200)
    held = postgres.execute("SELECT count(*), sum(n), count(DISTINCT _id) FROM raw.orders")
    assert held.fetchone() == (1200, 719400, 1200)
    assert leftovers(postgres) == []


@pytest.mark.parametrize(
    "words",
    ["the database system is starting up", "the database system is in recovery mode",
     "the database system is shutting down", "sorry, too many clients already",
     "the database system is not yet accepting connections"],
)  # fmt: skip
def test_a_postgresql_that_takes_no_connection_now_is_tried_again(words: str) -> None:
    """After the crash of one session the others' processes are ended, and all is recovered."""
    error = psycopg.OperationalError(f"connection failed: port 5432 failed: FATAL:  {words}")
    assert isinstance(translate_connect(error, "127.0.0.1:5432", "me"), RetryableError)


def test_a_postgresql_that_stays_away_is_told_and_the_same_command_finishes(
    forced: Forced,
    mongo: Mongo,
    mongo_uri: str,
    mortal_postgresql: PostgreSQL,
    mortal_postgres_uri: str,
) -> None:
    forced("large")
    fill(mongo[NAME])
    with pytest.raises(LandbridgeError) as told:
        summary = bridge.sync(
            mongo_uri,
            mortal_postgres_uri,
            schema="raw",
            settings=settings_for("large"),
            observer=once("indexing", mortal_postgresql.kill),
        )
        assert summary.error is not None
        raise LandbridgeError(summary.error["message"], why="", fix="")
    assert "PostgreSQL" in str(told.value)

    mortal_postgresql.start()
    sync(mongo_uri, mortal_postgres_uri, settings_for("large"))
    assert_crossed(mongo, mortal_postgres_uri)


@pytest.mark.parametrize("layout", ["small", "large"])
def test_a_crash_of_mongod_is_survived(
    layout: str,
    forced: Forced,
    mortal_mongod: Mongod,
    mortal_mongo: Mongo,
    mortal_mongo_uri: str,
    postgres: Postgres,
    postgres_uri: str,
) -> None:
    forced(layout)
    fill(mortal_mongo[NAME])
    stop = threading.Event()

    def crash() -> None:
        mortal_mongod.kill()
        mortal_mongod.start()
        stop.set()

    settings = settings_for(layout)
    sync(mortal_mongo_uri, postgres_uri, settings, observer=once("reading", crash))
    assert stop.is_set()
    assert_equal(mortal_mongo[NAME], postgres)
    assert leftovers(postgres) == []


def test_a_mongod_that_stays_away_is_told_and_the_same_command_finishes(
    forced: Forced,
    mortal_mongod: Mongod,
    mortal_mongo: Mongo,
    mortal_mongo_uri: str,
    postgres: Postgres,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forced("large")
    monkeypatch.setattr(attempts, "RETRIES_MAX", 1)
    fill(mortal_mongo[NAME])
    uri = f"{mortal_mongo_uri}&serverSelectionTimeoutMS=300" if "?" in mortal_mongo_uri else ""
    summary = bridge.sync(
        uri,
        postgres_uri,
        schema="raw",
        settings=settings_for("large"),
        observer=once("reading", mortal_mongod.kill),
    )
    assert summary.error is not None
    assert summary.error["code"] == "connection_lost"
    assert postgres.execute("SELECT count(*) FROM landbridge.lease").fetchone() == (0,)

    mortal_mongod.start()
    sync(mortal_mongo_uri, postgres_uri, settings_for("large"))
    assert_equal(mortal_mongo[NAME], postgres)
    assert leftovers(postgres) == []
