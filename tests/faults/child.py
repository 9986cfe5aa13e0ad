"""A sync in a process of its own, which a test may kill; forked from one that imported it all."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psycopg
from tests.layouts.checks import SCHEMA

from landbridge import bridge
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress, Summary

SECONDS_MAX = 60
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.faults.child", "landbridge.codec", "psycopg_binary"])


@dataclass(frozen=True)
class Order:
    """What the process is to do, and when it is to die."""

    source: str
    target: str
    settings: Settings
    constants: Mapping[str, int]
    jobs: int = 3
    die_at_exchange: int = 0  # the number of the exchange with PostgreSQL; 0: never
    die_at_phase: str = ""
    answered: bool = False  # die when the server has answered, not before it is asked


class Child:
    """The process under way."""

    def __init__(self, order: Order) -> None:
        self._results, theirs = _PROCESSES.Pipe(duplex=False)
        self._process = _PROCESSES.Process(target=_work, args=(order, theirs))
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        pid = self._process.pid
        assert pid is not None
        return pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def phase(self) -> Progress | Summary | int | None:
        """Return the next word of the process; None where it has ended without one."""
        try:
            word: Progress | Summary | int = self._results.recv()
        except EOFError:
            return None
        return word

    def until(self, phase: str) -> None:
        """Return when the process has come to a phase."""
        while word := self.phase():
            if isinstance(word, Progress) and word.phase == phase:
                return
        raise AssertionError(f"it ended before {phase}")

    def end(self) -> tuple[Summary | None, int]:
        """Return the summary, if there was one, and the number of exchanges with PostgreSQL."""
        summary, exchanges = None, 0
        while (word := self.phase()) is not None:
            if isinstance(word, Summary):
                summary = word
            elif isinstance(word, int):
                exchanges = word
        self._process.join(SECONDS_MAX)
        return summary, exchanges

    def kill(self) -> None:
        """Kill it with -9, and wait until it is gone."""
        self._process.kill()
        self._process.join(SECONDS_MAX)


def run(order: Order) -> tuple[Summary | None, int]:
    """Run to the end, whichever it is."""
    return Child(order).end()


def _work(order: Order, results: Connection) -> None:
    for place, value in order.constants.items():
        module, name = place.rsplit(".", 1)
        setattr(importlib.import_module(module), name, value)
    exchanges = _Exchanges(order)

    def observe(progress: Progress) -> None:
        results.send(progress)
        if progress.phase == order.die_at_phase:
            os.kill(os.getpid(), signal.SIGKILL)

    with suppress(KeyboardInterrupt):
        summary = bridge.sync(
            order.source,
            order.target,
            schema=SCHEMA,
            settings=order.settings,
            jobs=order.jobs,
            observer=observe,
        )
        results.send(exchanges.count)
        results.send(summary)


class _Exchanges:
    """Counts what is said to PostgreSQL, and ends the process at one of these."""

    def __init__(self, order: Order) -> None:
        self.count = 0
        original = psycopg.Connection.wait

        def wait(connection: Any, *arguments: Any, **options: Any) -> Any:
            self.count += 1
            last = self.count == order.die_at_exchange
            if last and not order.answered:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = original(connection, *arguments, **options)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        psycopg.Connection.wait = wait  # type: ignore[method-assign]
