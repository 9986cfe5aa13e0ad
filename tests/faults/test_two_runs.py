"""Two runs of one stream never overlap: the second waits, is refused, or takes over."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb
from tests.layouts.checks import (
    NAME,
    Mongo,
    Postgres,
    assert_equal,
    change,
    constants_for,
    fill,
    leftovers,
    settings_for,
    sync,
)
from tests.layouts.conftest import Forced

from landbridge import bridge
from landbridge.bridge import attempts
from landbridge.engine import stream
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress, Summary
from landbridge.state import leases

from .child import Child, Order, run


def raise_epoch(postgres: Postgres) -> None:
    """Take the stream as a run elsewhere does, whose role can't end the other's sessions."""
    postgres.execute("UPDATE landbridge.stream SET epoch = epoch + 1")


@pytest.mark.parametrize(
    ("layout", "phase"),
    [("tiny", "reading"), ("tiny", "publishing"), ("small", "publishing"), ("large", "reading")],
)
def test_a_second_run_is_told_at_once_who_holds_the_stream(
    layout: str, phase: str, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, settings_for(layout), constants_for(layout))
    run(order)
    change(mongo[NAME])
    first = Child(order)
    first.until(phase)
    first.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        second, _ = run(order)
        waited = time.monotonic() - began
    finally:
        first.send(signal.SIGCONT)
    assert second is not None and second.error is not None
    assert second.error["code"] == "stream_busy"
    assert f"process {first.pid} on " in second.error["message"]
    assert waited < 5

    summary, _ = first.end()
    assert summary is not None and summary.error is None
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


@pytest.mark.parametrize(
    ("layout", "phase"),
    [("tiny", "reading"), ("small", "reading"), ("small", "publishing"), ("large", "reading")],
)
def test_a_paused_run_whose_stream_was_taken_over_commits_nothing(
    layout: str, phase: str, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, settings_for(layout), constants_for(layout))
    stale = Child(order)
    stale.until(phase)
    stale.send(signal.SIGSTOP)
    try:
        postgres.execute("UPDATE landbridge.lease SET expires_at = now() - interval '1 second'")
        mongo[NAME].delete_many({"_id": {"$gte": 2000}})
        second, _ = run(order)  # ends the sessions of the paused one
        assert second is not None and second.error is None
        if layout == "large":  # it went on with what was copied before the deletes
            run(order)
        assert_equal(mongo[NAME], postgres)
    finally:
        stale.send(signal.SIGCONT)
    # It finds its connections gone, and begins again, as anyone may.
    late, _ = stale.end()
    assert late is not None
    assert late.error is None or late.error["code"] == "connection_lost"
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


@pytest.mark.parametrize("phase", ["reading", "indexing", "publishing"])
@pytest.mark.parametrize("layout", ["small", "large"])
def test_a_stale_epoch_is_fenced(
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
    sync(mongo_uri, postgres_uri, settings_for(layout))
    before = postgres.execute("SELECT sum(n), count(*) FROM raw.orders").fetchone()
    change(mongo[NAME])
    taken = threading.Event()

    def take(progress: Progress) -> None:
        if progress.phase == phase and not taken.is_set():
            taken.set()
            raise_epoch(postgres)

    summary = bridge.sync(
        mongo_uri, postgres_uri, schema="raw", settings=settings_for(layout), observer=take
    )

    assert summary.error is not None and summary.error["code"] == "fenced"
    assert postgres.execute("SELECT sum(n), count(*) FROM raw.orders").fetchone() == before
    sync(mongo_uri, postgres_uri, settings_for(layout))
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


def test_a_run_that_stands_still_as_it_takes_a_stream_holds_nobody_up_for_good(
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has no lease yet that could end, only a row that nobody sees and all wait for."""
    monkeypatch.setattr(stream, "TAKE_SECONDS_MAX", 0.2)
    monkeypatch.setattr(attempts, "RETRY_SECONDS", (0.1,) * 5)
    fill(mongo[NAME], 10)
    sync(mongo_uri, postgres_uri)
    postgres.execute("CREATE TABLE kept AS TABLE landbridge.stream")
    postgres.execute("DELETE FROM landbridge.stream")
    with psycopg.connect(postgres_uri) as other:
        other.execute(
            "INSERT INTO landbridge.stream OVERRIDING SYSTEM VALUE SELECT * FROM public.kept"
        )
        summary = bridge.sync(mongo_uri, postgres_uri, schema="raw")
        assert summary.error is not None and summary.error["code"] == "locked"
    sync(mongo_uri, postgres_uri)


def test_a_tiny_load_can_not_be_overtaken_at_all(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """It holds its stream's row from beginning to end."""
    fill(mongo[NAME])
    waited: list[bool] = []

    def take(progress: Progress) -> None:
        if progress.phase == "indexing":
            with pytest.raises(LockNotAvailable), postgres.transaction():
                postgres.execute("SET LOCAL lock_timeout = 100")
                raise_epoch(postgres)
            waited.append(True)

    sync(mongo_uri, postgres_uri, observer=take)
    assert waited == [True]
    assert_equal(mongo[NAME], postgres)


def test_a_dead_holder_is_replaced_at_once(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, Settings(ranges=True), constants_for("large"))
    run(replace(order, die_at_phase="indexing"))
    [(holder,)] = postgres.execute("SELECT holder FROM landbridge.lease").fetchall()
    began = time.monotonic()
    summary, _ = run(order)
    assert summary is not None and summary.error is None
    assert time.monotonic() - began < leases.LEASE_SECONDS / 3
    assert holder["run"] != summary.run
    assert leftovers(postgres) == []


def test_sessions_that_a_dead_holder_opened_last_are_ended_too(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """A server may be busy with a statement of a client that is long gone."""
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, Settings(ranges=True), constants_for("large"))
    child = Child(order)
    child.until("indexing")
    child.send(signal.SIGSTOP)
    # As if it had connected since it last wrote down what it has.
    postgres.execute("UPDATE landbridge.lease SET pids = '{}', expires_at = now()")
    summary, _ = run(order)
    assert summary is not None and summary.error is None
    sessions = postgres.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE starts_with(application_name, 'landbridge ')"
    )
    child.kill()
    assert sessions.fetchone() == (0,)
    assert_equal(mongo[NAME], postgres)


def lease_elsewhere(postgres: Postgres, seconds: float) -> dict[str, Any]:
    holder = {"host": "elsewhere", "space": "", "pid": 1, "started": 1, "run": "r"}
    postgres.execute(
        "INSERT INTO landbridge.lease (stream_id, holder, pids, expires_at)"
        " SELECT id, %s, '{}', now() + %s * interval '1 second' FROM landbridge.stream",
        (Jsonb(holder), seconds),
    )
    return holder


def test_a_holder_elsewhere_is_waited_for_until_its_lease_ends(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    sync(mongo_uri, postgres_uri)
    lease_elsewhere(postgres, 1.5)
    began = time.monotonic()
    sync(mongo_uri, postgres_uri)
    assert 1.4 < time.monotonic() - began < 10
    assert leftovers(postgres) == []


def test_a_holder_elsewhere_that_renews_is_alive(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    sync(mongo_uri, postgres_uri)
    lease_elsewhere(postgres, 20)
    renew = "UPDATE landbridge.lease SET expires_at = now() + interval '30 seconds'"
    timer = threading.Timer(0.5, postgres.execute, [renew])
    timer.start()
    summary = bridge.sync(mongo_uri, postgres_uri, schema="raw")
    timer.join()
    assert summary.error is not None and summary.error["code"] == "stream_busy"
    assert "on elsewhere" in summary.error["message"]


@pytest.mark.parametrize("names", ["same", "other"])
def test_two_first_runs_at_once_make_state_and_tables_once(
    names: str, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """One of them loads; the other one loads too, a moment later, or is told who does."""
    for number in range(4):
        fill(mongo[f"{NAME}{number}"], 300)
    settings = [Settings(), Settings(names="snake" if names == "other" else "lower")]
    children = [Child(Order(mongo_uri, postgres_uri, one, {})) for one in settings]
    ends = [child.end()[0] for child in children]
    for summary in ends:
        assert summary is not None
        codes = {stream.error["code"] for stream in summary.streams if stream.error}
        assert codes <= {"stream_busy"}
    assert any(_loaded(end, f"{NAME}{number}") for end in ends for number in range(4))
    sync_all = bridge.sync(mongo_uri, postgres_uri, schema="raw", settings=settings[0])
    assert sync_all.status == "ok"
    assert leftovers(postgres) == []
    found = postgres.execute("SELECT count(*) FROM landbridge.stream").fetchone()
    assert found == (4,)


def _loaded(summary: Summary | None, name: str) -> bool:
    assert summary is not None
    return any(s.collection == name and s.error is None for s in summary.streams)
