"""The servers of a campaign: started when first asked for, shared by its tries, always brought up.

For       Stages, which take fresh databases of them.
Touches   The embedded servers' folders and processes; a small file system of its own in memory.
Promises  What is handed out is up. All of it is gone at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import psycopg

from landbridge.embedded import Mongod, PostgreSQL
from landbridge.embedded.process import Launch

from .replica_set import ReplicaSet

RECOVERY_SECONDS_MAX = 60
SMALL_OPLOG_MB = 1
SMALL_DISK_MB = 240
SMALL_DISK_SETTINGS = {"max_wal_size": "32MB", "min_wal_size": "32MB", "wal_keep_size": "0"}

Started = TypeVar("Started", Mongod, PostgreSQL, ReplicaSet)


class ForgetfulMongod(Mongod):
    """A replica set of one whose oplog holds a megabyte: a few writes, and the past is gone."""

    def _launch(self) -> Launch:
        launch = super()._launch()
        # The oplog is cut at checkpoints, which are a minute apart by default.
        small = (f"--oplogSize={SMALL_OPLOG_MB}", "--syncdelay=1")
        return replace(launch, command=launch.command + small)


class Servers:
    """All kinds of servers that faults ask for, as a context manager."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._known: dict[str, Mongod | PostgreSQL | ReplicaSet] = {}

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def mongod(self) -> Mongod:
        """A replica set of one."""
        return self._up("mongod", Mongod)

    def other_mongod(self) -> Mongod:
        """Another replica set, which knows nothing of the first."""
        return self._up("other mongod", Mongod)

    def standalone(self) -> Mongod:
        """A mongod without a log."""
        return self._up("standalone", lambda: Mongod(replica_set=False))

    def forgetful(self) -> Mongod:
        """A replica set of one with the smallest log."""
        return self._up("forgetful", ForgetfulMongod)

    def three(self) -> ReplicaSet:
        """A replica set of three."""
        found = self._up("three", ReplicaSet)
        for member in found.members:
            member.start()
        found.await_primary()
        return found

    def postgresql(self) -> PostgreSQL:
        """A PostgreSQL with everything on that survives a crash."""
        return self._up("postgresql", PostgreSQL)

    def small_disk(self) -> tuple[PostgreSQL, Path]:
        """A PostgreSQL on a disk of its own that is soon full, and where that disk is."""
        found = self._up("small disk", self._on_small_disk)
        return found, found.folder.path

    def _up(self, name: str, make: Callable[[], Started]) -> Started:
        found = self._known.get(name)
        if found is None:
            made = make()
            self._stack.enter_context(made)
            self._known[name] = made
            return made
        if not isinstance(found, ReplicaSet):
            found.start()
        if isinstance(found, PostgreSQL):
            bring_up(found)
        return found  # type: ignore[return-value]

    def _on_small_disk(self) -> PostgreSQL:
        folder = Path(tempfile.mkdtemp(prefix="landbridge-campaign-"))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        folder.chmod(0o755)  # PostgreSQL runs as another account
        disk = folder / "disk"
        disk.mkdir()
        size = f"size={SMALL_DISK_MB}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(disk)], check=True)
        self._stack.callback(subprocess.run, ["umount", "--lazy", str(disk)], check=True)
        return PostgreSQL(disk, SMALL_DISK_SETTINGS)


def bring_up(server: PostgreSQL) -> None:
    """Start PostgreSQL where it is down, and wait until it takes connections after a crash."""
    server.start()
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        try:
            psycopg.connect(server.uri, connect_timeout=2).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def family(pid: int) -> list[int]:
    """Return a process of ours and all below it, the parent first."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                text = (entry / "stat").read_text()
                parent = int(text[text.rindex(")") + 2 :].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def signal_all(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to processes, those that have ended left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
