"""The same command again and again while faults strike, as a timer or a supervisor gives it.

For       Faults that strike at a random moment of whatever the command is doing.
Touches   Worker processes, one at a time.
Promises  `end` returns when none is at work. A bug in a run, or one that never ends, is raised
          there.
"""

from __future__ import annotations

import random
import signal
import threading
import time

from .stage import END_SECONDS_MAX, Failed, Stage
from .worker import Worker

PAUSE_SECONDS = 0.05
START_SECONDS_MAX = 30


class Shift(threading.Thread):
    """Runs one after the other, as a context manager."""

    def __init__(self, stage: Stage, *flags: str) -> None:
        super().__init__(name="shift", daemon=True)
        self._stage, self._flags = stage, flags
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._worker: Worker | None = None
        self.runs = 0

    def __enter__(self) -> Shift:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.end()
            return
        self._over.set()
        if self._worker is not None:
            self._worker.kill()
        self.join(END_SECONDS_MAX)

    @property
    def worker(self) -> Worker:
        """The run of this moment, or the next one where none is under way."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            worker = self._worker
            if worker is not None and worker.alive:
                return worker
            if self._failure is not None:
                raise self._failure
            time.sleep(0.001)
        raise Failed("no run was under way")

    def wait_a_while(self, chance: random.Random, seconds: float) -> None:
        """Let a random time pass."""
        self._over.wait(chance.random() * seconds)

    def end(self) -> None:
        """Let the last run come to its end; one that follows is asked to, and must do so well."""
        self._over.set()
        deadline = time.monotonic() + END_SECONDS_MAX
        asked = None
        while self.is_alive() and time.monotonic() < deadline:
            worker = self._worker
            if worker is not asked and worker is not None and self._stage.method.follows:
                worker.send(signal.SIGTERM)  # once: a second one does not wait
                asked = worker
            self.join(0.2)
        if self.is_alive():
            if self._worker is not None:
                self._worker.kill()
            raise Failed(f"a run did not end within {END_SECONDS_MAX} s of being asked")
        if self._failure is not None:
            raise self._failure

    def run(self) -> None:
        """Give the command until the shift is over."""
        try:
            while not self._over.is_set():
                self._worker = worker = self._stage.worker(*self._flags)
                self.runs += 1
                while (code := worker.wait(0.2)) is None:
                    pass
                self._stage.note(worker, code)
                self._over.wait(PAUSE_SECONDS)
        except BaseException as error:
            self._failure = error
