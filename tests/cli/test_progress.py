"""Progress: estimates say "about", and a pipe gets whole lines."""

from __future__ import annotations

import io
import sys
import threading
import time

import pytest

from landbridge.cli import progress
from landbridge.cli.progress import Reading, shown_progress
from landbridge.model.summary import Phase, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_figures_give_a_rate_and_the_time_left_once_there_is_something_to_tell() -> None:
    reading = Reading(Progress("shop.orders", "reading", 12_000, 34_000), began=100.0)

    assert reading.figures(100.1) == "12,000 of about 34,000"
    assert reading.figures(102.0) == "12,000 of about 34,000, 6,000/s, about 3.7 s left"
    reading.last = Progress("shop.orders", "indexing", 34_000, 34_000)
    assert reading.figures(103.0) == "building keys and indexes"


def test_a_pipe_gets_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.05)
    with shown_progress() as observer:
        observer(Progress("shop.orders", "reading", 500, 1000))
        observer(Progress("shop.customers", "waiting"))
        observer(Progress("shop.items", "done", 7, 7))
        time.sleep(0.2)

    line = capsys.readouterr().err.splitlines()[0]
    assert "1 of 3 collections done; shop.orders: 500 of about 1,000" in line


def test_bars_take_reports_from_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    phases: tuple[Phase, ...] = ("waiting", "reading", "reading", "indexing", "publishing", "done")

    def run(stream: str) -> None:
        for step, phase in enumerate(phases):
            observer(Progress(stream, phase, step * 100, None if step < 2 else 500))
            time.sleep(0.02)

    with shown_progress() as observer:
        threads = [threading.Thread(target=run, args=(f"shop.c{n % 5}",)) for n in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert not any(thread.is_alive() for thread in threads)

    assert "of 5 collections done" in terminal.getvalue()
