"""The command under test, in a process of its own that can be killed at a named point.

For       The campaign: the same command line as a person's, forked from a process that has
          imported it all, so that a run costs milliseconds to start.
Touches   The process, and two files for what it prints.
Promises  Points are counted the same way in each run: every exchange with PostgreSQL has the
          first words of its statement as a name, and each name a number of its own.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Transaction

SECONDS_MAX = 120
STATUS_LOST = 255
POINTS_FILE = "points"

_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    [
        "tests.campaign.worker",
        "landbridge.cli",
        "landbridge.bridge",
        "landbridge.codec",
        "landbridge.cli.report",
        "landbridge.cli.progress",
        "psycopg_binary",
        "pymongo",
    ]
)


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a run: the `number`th exchange whose statement begins so."""

    name: str
    number: int
    answered: bool  # when the server has answered, not before it is asked

    def __str__(self) -> str:
        return f"{'after' if self.answered else 'before'} {self.name!r} number {self.number}"


@dataclass(frozen=True, slots=True)
class Order:
    """What the process is to do, and where it is to die."""

    arguments: tuple[str, ...]
    folder: Path
    constants: Mapping[str, Any] = field(default_factory=dict)
    die_at: Point | None = None


class Worker:
    """The process under way."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process = _PROCESSES.Process(target=_work, args=(order,), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self._process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it with -9, and return when it is gone."""
        self.send(signal.SIGKILL)
        self._process.join(SECONDS_MAX)

    def wait(self, seconds: float = SECONDS_MAX) -> int | None:
        """Return the exit code; None where it has not ended by then."""
        self._process.join(seconds)
        code = self._process.exitcode
        # The fork server may lose how a process ended that was killed at its birth.
        return -signal.SIGKILL if code == STATUS_LOST else code

    def report(self) -> dict[str, Any]:
        """Return the JSON that it printed; empty where it printed none."""
        text = self._read("stdout").strip()
        try:
            found: dict[str, Any] = json.loads(text.splitlines()[-1]) if text else {}
        except ValueError:
            return {}
        return found

    def said(self) -> str:
        """Return what it wrote for a person."""
        return self._read("stderr")

    def _read(self, name: str) -> str:
        """Return what a file of its holds; nothing where it died before it had one."""
        file = self._order.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def points(self) -> dict[str, int]:
        """Return how often it came to each point, where it ended by itself."""
        found: dict[str, int] = json.loads((self._order.folder / POINTS_FILE).read_text())
        return found


def _work(order: Order) -> None:
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(order.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
    for place, value in order.constants.items():
        module, name = place.rsplit(".", 1)
        setattr(importlib.import_module(module), name, value)
    watch = _Watch(order.die_at)
    from landbridge.cli import main

    code = main(list(order.arguments))
    (order.folder / POINTS_FILE).write_text(json.dumps(watch.counts))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class _Watch:
    """Counts what is said to PostgreSQL, and ends the process at one point of it."""

    def __init__(self, die_at: Point | None) -> None:
        self.counts: Counter[str] = Counter()
        self._die_at = die_at
        self._name = threading.local()
        self._lock = threading.Lock()
        self._watch_statements()
        self._watch_exchanges()

    def _watch_statements(self) -> None:
        """Keep the first words of each statement, before it is sent."""
        self._named(psycopg.Cursor, "execute", _first_words)
        self._named(psycopg.Cursor, "copy", _first_words)
        self._named(Transaction, "__enter__", lambda *_: "BEGIN")
        self._named(Transaction, "__exit__", lambda _, kind, *__: "ROLLBACK" if kind else "COMMIT")

    def _named(self, owner: type, method: str, name_of: Callable[..., str]) -> None:
        original = getattr(owner, method)

        def named(itself: Any, *arguments: Any, **options: Any) -> Any:
            self._name.last = name_of(itself, *arguments)
            return original(itself, *arguments, **options)

        setattr(owner, method, named)

    def _watch_exchanges(self) -> None:
        original = psycopg.Connection.wait

        def wait(connection: Any, *arguments: Any, **options: Any) -> Any:
            name = getattr(self._name, "last", "connect")
            with self._lock:
                self.counts[name] += 1
                number = self.counts[name]
                self._end_if(Point(name, number, answered=False))
            answer = original(connection, *arguments, **options)
            self._end_if(Point(name, number, answered=True))
            return answer

        psycopg.Connection.wait = wait  # type: ignore[method-assign]

    def _end_if(self, here: Point) -> None:
        if self._die_at == here:
            os.kill(os.getpid(), signal.SIGKILL)


def _first_words(context: Any, query: Any, *_: Any) -> str:
    """Return what tells one kind of statement from another: which table it is of does not."""
    if isinstance(query, bytes):
        text = query.decode(errors="replace")
    else:
        text = query if isinstance(query, str) else query.as_string(context)
    words = text.replace("(", " ").split()[:3]
    return " ".join("…" if "lb_" in word or '"."' in word else word for word in words)
