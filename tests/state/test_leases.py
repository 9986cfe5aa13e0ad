"""Who holds a stream, and for how long that is believed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from tests.layouts.checks import Postgres

from landbridge.errors import BusyError, FencedError, RetryableError
from landbridge.model.settings import Settings
from landbridge.state import leases, migrate, streams
from landbridge.state.leases import Holder
from landbridge.state.streams import StreamKey

KEY = StreamKey("shop", "orders", "raw", "orders")


@pytest.fixture
def stream_id(postgres: Postgres) -> int:
    migrate.migrate(postgres)
    return enter(postgres, KEY)


def enter(postgres: Postgres, key: StreamKey) -> int:
    return streams.enter(postgres, key, source="here", method="full", settings=Settings())


def dead_holder() -> Holder:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = leases.process_start(process.pid)
    assert started is not None
    process.communicate(b"\n")
    return Holder(socket.gethostname(), leases.process_space(), process.pid, started, "dead")


def test_a_stream_is_entered_once(postgres: Postgres, stream_id: int) -> None:
    assert enter(postgres, KEY) == stream_id
    assert enter(postgres, StreamKey("shop", "items", "raw", "items")) != stream_id


@pytest.mark.parametrize(
    "other",
    [StreamKey("shop", "orders", "raw", "orders2"), StreamKey("shop2", "orders", "raw", "orders")],
    ids=["a collection with two tables", "a table with two collections"],
)
@pytest.mark.usefixtures("stream_id")
def test_a_collection_has_one_table_in_a_schema(postgres: Postgres, other: StreamKey) -> None:
    with pytest.raises(RetryableError, match="cannot begin to load"):
        enter(postgres, other)


def test_a_living_run_is_not_displaced(postgres: Postgres, stream_id: int) -> None:
    with leases.held_by_this_process("one") as one, leases.held_by_this_process("two") as two:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")
        with pytest.raises(BusyError, match=rf"process {os.getpid()} on .* \(run one\)"):
            leases.acquire(postgres, stream_id, two, [2], "shop.orders")
        leases.release(postgres, stream_id, two)  # not its own
        with pytest.raises(BusyError):
            leases.acquire(postgres, stream_id, two, [2], "shop.orders")
        leases.release(postgres, stream_id, one)
        leases.acquire(postgres, stream_id, two, [2], "shop.orders")


def test_a_run_gets_its_own_lease_again(postgres: Postgres, stream_id: int) -> None:
    """It could not give it back where its connection was lost."""
    with leases.held_by_this_process("one") as one:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")
        leases.acquire(postgres, stream_id, one, [2], "shop.orders")
    row = postgres.execute("SELECT pids FROM landbridge.lease").fetchone()
    assert row == ([2],)


def test_an_earlier_run_of_this_process_has_ended(postgres: Postgres, stream_id: int) -> None:
    with leases.held_by_this_process("one") as one:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")
    with leases.held_by_this_process("two") as two:
        leases.acquire(postgres, stream_id, two, [2], "shop.orders")


def test_a_process_that_ended_is_displaced_at_once(postgres: Postgres, stream_id: int) -> None:
    assert leases.try_acquire(postgres, stream_id, dead_holder(), [])
    with leases.held_by_this_process("one") as one:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")


def test_another_process_under_the_same_number_is_not_taken_for_the_holder(
    postgres: Postgres, stream_id: int
) -> None:
    earlier = Holder(socket.gethostname(), leases.process_space(), os.getppid(), 1, "earlier")
    assert leases.try_acquire(postgres, stream_id, earlier, [])
    with leases.held_by_this_process("one") as one:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")


def test_renewing_and_giving_back_touch_own_leases_only(postgres: Postgres, stream_id: int) -> None:
    other_id = enter(postgres, StreamKey("shop", "items", "raw", "items"))
    with leases.held_by_this_process("one") as one, leases.held_by_this_process("two") as two:
        leases.acquire(postgres, stream_id, one, [1], "shop.orders")
        leases.acquire(postgres, other_id, two, [2], "shop.items")
        postgres.execute("UPDATE landbridge.lease SET expires_at = now()")
        leases.renew(postgres, one, [7])
        rows = postgres.execute(
            "SELECT stream_id, pids, expires_at > now() + interval '25 seconds'"
            " FROM landbridge.lease ORDER BY stream_id"
        ).fetchall()
        assert rows == [(stream_id, [7], True), (other_id, [2], False)]
        leases.release_all(postgres, one)
    assert postgres.execute("SELECT stream_id FROM landbridge.lease").fetchall() == [(other_id,)]


def test_an_older_epoch_may_neither_copy_nor_publish(postgres: Postgres, stream_id: int) -> None:
    stale = streams.raise_epoch(postgres, stream_id)
    assert streams.fenced(postgres, stale) is None
    fresh = streams.raise_epoch(postgres, stream_id)
    for lock in (streams.lock_for_chunk, streams.lock_for_publish):
        lock(postgres, fresh)
        with pytest.raises(FencedError, match="no longer holds shop"):
            lock(postgres, stale)
    assert isinstance(streams.fenced(postgres, stale), FencedError)
