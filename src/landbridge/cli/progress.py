"""What a person sees while a run goes on: bars on a terminal, a line now and then elsewhere.

For       `shown_progress`, which gives the observer that the bridge calls.
Touches   Standard error.
Promises  The observer may be called from any thread. Estimates say "about".
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from landbridge.cli.text import count_of, duration, printable
from landbridge.model.summary import Observer, Phase, Progress
from landbridge.model.verification import Checked, VerifyObserver

LINE_EVERY_SECONDS = 5.0
RATE_AFTER_SECONDS = 0.5  # A rate over less time says nothing.
NAME_WIDTH_MAX = 32
PHASES = {"indexing": "building keys and indexes", "publishing": "publishing"}


@dataclass(slots=True)
class Reading:
    """One stream under way: where it stands, and since when it reads."""

    last: Progress
    began: float

    def rate(self, now: float) -> float | None:
        """Documents per second so far."""
        seconds = now - self.began
        if seconds < RATE_AFTER_SECONDS or not self.last.documents:
            return None
        return self.last.documents / seconds

    def figures(self, now: float) -> str:
        """`12,000 of about 34,000, 21,400/s, about 2 s left`, or the name of a later phase."""
        if self.last.phase in PHASES:
            return PHASES[self.last.phase]
        if self.last.phase == "following":
            return f"{count_of(self.last.documents, 'change')}, {_behind(self.last.lag_seconds)}"
        text = f"{self.last.documents:,}"
        if self.last.total is not None:
            text += f" of about {self.last.total:,}"
        rate = self.rate(now)
        if rate is not None:
            text += f", {rate:,.0f}/s"
            if self.last.total is not None and self.last.total > self.last.documents:
                text += f", about {duration((self.last.total - self.last.documents) / rate)} left"
        return text


def _behind(seconds: float | None) -> str:
    return "up to date" if seconds is None or seconds < 2 else f"{duration(seconds)} behind"


class Board:
    """All streams of a run, as the observer last heard of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.reading: dict[str, Reading] = {}
        self.streams: set[str] = set()
        self.ended: set[str] = set()

    def hear(self, progress: Progress) -> None:
        """Note where a stream stands; the caller holds `lock`."""
        self.streams.add(progress.stream)
        following = progress.phase == "following"
        if progress.phase in ("done", "failed"):
            self.ended.add(progress.stream)
            self.reading.pop(progress.stream, None)
        elif progress.phase != "waiting":
            self.ended.discard(progress.stream)  # a cutover reads a collection several times
            known = self.reading.get(progress.stream)
            if known is None or (known.last.phase == "following") != following:
                self.reading[progress.stream] = Reading(progress, time.monotonic())
            else:
                known.last = progress

    @property
    def overall(self) -> str:
        """`4 of 25 collections done`."""
        return f"{len(self.ended)} of {len(self.streams)} collections done"


@contextmanager
def shown_progress() -> Iterator[Observer]:
    """Show what the observer hears until the context ends."""
    with _bars() if sys.stderr.isatty() else _lines() as observer:
        yield observer


def of_checks(observer: Observer) -> VerifyObserver:
    """Return what hears of a verification and tells it as progress."""

    def observe(checked: Checked) -> None:
        phase: Phase = "done" if checked.done else "reading"
        observer(Progress(checked.stream, phase, checked.documents, checked.total))

    return observe


@contextmanager
def _lines() -> Iterator[Observer]:
    board, over = Board(), threading.Event()

    def observe(progress: Progress) -> None:
        with board.lock:
            board.hear(progress)

    def print_lines() -> None:
        while not over.wait(LINE_EVERY_SECONDS):
            now = time.monotonic()
            with board.lock:
                if not board.streams:
                    continue
                parts = [board.overall]
                parts += [
                    f"{printable(stream)}: {reading.figures(now)}"
                    for stream, reading in board.reading.items()
                ]
            print(time.strftime("%H:%M:%S ") + "; ".join(parts), file=sys.stderr, flush=True)

    printer = threading.Thread(target=print_lines, name="progress", daemon=True)
    printer.start()
    try:
        yield observe
    finally:
        over.set()
        printer.join()


@contextmanager
def _bars() -> Iterator[Observer]:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TaskID
    from rich.progress import Progress as Bars
    from rich.text import Text

    board = Board()
    tasks: dict[str, TaskID] = {}
    drawing = threading.Lock()  # Never taken while rich draws, which happens under its own lock.

    class Name(ProgressColumn):
        def render(self, task: Task) -> Text:
            name = printable(task.description)
            short = name if len(name) <= NAME_WIDTH_MAX else "…" + name[1 - NAME_WIDTH_MAX :]
            return Text(short, no_wrap=True)

    class Figures(ProgressColumn):
        def render(self, task: Task) -> Text:
            with board.lock:
                reading = board.reading.get(task.description)
                if reading is None:
                    return Text("" if task.description in tasks else board.overall)
                return Text(reading.figures(time.monotonic()))

    console = Console(stderr=True)
    with Bars(Name(), BarColumn(20), Figures(), console=console, transient=True) as bars:
        overall = bars.add_task("", visible=False)

        def observe(progress: Progress) -> None:
            name = progress.stream
            with drawing:
                with board.lock:
                    board.hear(progress)
                    running = name in board.reading
                    ended, streams = board.ended, board.streams
                bars.update(overall, completed=len(ended), total=len(streams), visible=True)
                if running and name not in tasks:
                    tasks[name] = bars.add_task(name)
                if running:
                    bars.update(tasks[name], completed=progress.documents, total=progress.total)
                elif name in tasks:
                    bars.remove_task(tasks.pop(name))

        yield observe
