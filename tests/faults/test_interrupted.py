"""Ctrl-C at any phase ends soon, leaves no lease, and the same command finishes."""

from __future__ import annotations

import signal
import time

import psycopg
import pytest
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
)

from .child import Child, Order, run


@pytest.mark.parametrize(
    ("layout", "phase"),
    [("tiny", "reading"), ("small", "reading"), ("small", "publishing"), ("large", "reading"),
     ("large", "indexing")],
)  # fmt: skip
def test_an_interrupted_run_is_finished_by_the_same_command(
    layout: str, phase: str, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, settings_for(layout), constants_for(layout))
    run(order)
    change(mongo[NAME])

    child = Child(order)
    child.until(phase)
    child.send(signal.SIGINT)
    child.end()

    assert postgres.execute("SELECT count(*) FROM landbridge.lease").fetchone() == (0,)
    ends = postgres.execute("SELECT status FROM landbridge.run ORDER BY started_at").fetchall()
    assert ends in ([("ok",), ("failed",)], [("ok",), ("ok",)])
    summary, _ = run(order)
    assert summary is not None and summary.error is None
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


def test_an_interrupted_run_does_not_wait_for_what_the_server_is_doing(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME])
    order = Order(mongo_uri, postgres_uri, settings_for("small"), constants_for("small"))
    run(order)
    with psycopg.connect(postgres_uri) as other:
        other.execute("LOCK TABLE raw.orders IN ACCESS EXCLUSIVE MODE")
        child = Child(order)
        child.until("reading")
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
        while postgres.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)
        child.send(signal.SIGINT)
        began = time.monotonic()
        child.end()
        assert time.monotonic() - began < 5
    codes = "SELECT error->>'code' FROM landbridge.run ORDER BY started_at"
    assert postgres.execute(codes).fetchall() == [(None,), ("interrupted",)]
    assert leftovers(postgres) == []
