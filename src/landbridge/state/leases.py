"""Leases: which process works on a stream, and for how long it is believed.

For       Two runs of one stream never overlapping, on one host or many.
Touches   landbridge.lease; may end the database sessions of a dead holder.
Promises  A living holder is never displaced. A dead one on this host is displaced at once,
          one elsewhere when its lease has ended; its sessions are ended with it.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from landbridge.errors import BusyError

LEASE_SECONDS = 30
RENEWAL_SECONDS = 5
_POLL_SECONDS = 1.0

Connection = psycopg.Connection[Any]

_under_way: set[str] = set()  # runs of this process


@dataclass(frozen=True, slots=True)
class Holder:
    """A run, as its lease shows it."""

    host: str
    space: str  # in which `pid` means something: containers may share a host's name
    pid: int
    started: int  # clock ticks since boot, so that a reused pid is told apart
    run: str

    @property
    def dead_here(self) -> bool:
        """Whether this is known to be a run of this host that has ended, maybe in a crash."""
        if (self.host, self.space) != (socket.gethostname(), process_space()):
            return False
        if self.pid == os.getpid() and self.run not in _under_way:
            return True
        return self.started != 0 and process_start(self.pid) != self.started


@contextmanager
def held_by_this_process(run: str) -> Iterator[Holder]:
    """Return the holder that this process is for the time of a run."""
    pid = os.getpid()
    _under_way.add(run)
    try:
        yield Holder(socket.gethostname(), process_space(), pid, process_start(pid) or 0, run)
    finally:
        _under_way.discard(run)


def process_space() -> str:
    """Return the boot and the pid namespace that this process lives in; empty where unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def process_start(pid: int) -> int | None:
    """Return when a process of this host started (proc(5), field 22), or None if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] == "Z" else int(fields[19])


def try_acquire(
    connection: Connection, stream_id: int, holder: Holder, pids: Sequence[int]
) -> bool:
    """Take the lease if nobody has it."""
    taken = connection.execute(
        "INSERT INTO landbridge.lease (stream_id, holder, pids, expires_at)"
        " VALUES (%s, %s, %s, now() + %s * interval '1 second') ON CONFLICT DO NOTHING",
        (stream_id, Jsonb(asdict(holder)), list(pids), LEASE_SECONDS),
    ).rowcount
    return taken == 1


def acquire(
    connection: Connection, stream_id: int, holder: Holder, pids: Sequence[int], stream: str
) -> None:
    """Take the lease of a stream; waits for one that a dead holder elsewhere left behind.

    Raises:
        BusyError: a living run holds it.

    """
    waited_until = None
    while not try_acquire(connection, stream_id, holder, pids):
        row = connection.execute(
            "SELECT holder, expires_at, expires_at < now() FROM landbridge.lease"
            " WHERE stream_id = %s",
            (stream_id,),
        ).fetchone()
        if row is None:
            continue
        other, expires_at, ended = Holder(**row[0]), row[1], row[2]
        ours = other == holder  # left behind when this run lost a connection
        if ended or other.dead_here or ours:
            if not ours:
                _end_sessions(connection, other)
            connection.execute(
                "DELETE FROM landbridge.lease WHERE stream_id = %s AND holder = %s",
                (stream_id, Jsonb(row[0])),
            )
            continue
        here = (other.host, other.space) == (holder.host, holder.space)
        if here or (waited_until is not None and expires_at > waited_until):
            raise BusyError(
                f"{stream} is being loaded by another run",
                why=f"process {other.pid} on {other.host} holds it (run {other.run})",
                fix="wait for that run to end, or stop that process",
            )
        waited_until = expires_at
        time.sleep(_POLL_SECONDS)


def renew(connection: Connection, holder: Holder, pids: Sequence[int]) -> None:
    """Say that this process is alive, for every stream that it holds."""
    connection.execute(
        "UPDATE landbridge.lease SET expires_at = now() + %s * interval '1 second', pids = %s"
        " WHERE holder = %s",
        (LEASE_SECONDS, list(pids), Jsonb(asdict(holder))),
    )


def release(connection: Connection, stream_id: int, holder: Holder) -> None:
    """Give the stream free."""
    connection.execute(
        "DELETE FROM landbridge.lease WHERE stream_id = %s AND holder = %s",
        (stream_id, Jsonb(asdict(holder))),
    )


def release_all(connection: Connection, holder: Holder) -> None:
    """Give free whatever the run still holds."""
    connection.execute("DELETE FROM landbridge.lease WHERE holder = %s", (Jsonb(asdict(holder)),))


def _end_sessions(connection: Connection, holder: Holder) -> None:
    """End what the holder left connected, also since it last wrote down its pids."""
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        (application_name(holder.run),),
    )


def application_name(run: str) -> str:
    """Return the name that a run's sessions bear in `pg_stat_activity`."""
    return f"landbridge {run}"
