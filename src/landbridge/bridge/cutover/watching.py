"""The day after: both sides are compared again and again.

For       `landbridge cutover watch`.
Touches   Both ends, by reading; a folder for its log and its reports.
Promises  A difference, or a server that is away, ends nothing: it is told of, and the next round
          comes at its time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from landbridge.bridge.cutover.folder import (
    ARCHIVE_NAME,
    REPORT_NAME,
    VERIFICATION_HTML,
    WATCH_LOG,
    Folder,
    opened,
)
from landbridge.bridge.cutover.going import FOLDER, differences_of
from landbridge.bridge.cutover.ways import Request, Way, way_of
from landbridge.errors import LandbridgeError, RetryableError, UsageError
from landbridge.model.amounts import count_of
from landbridge.model.cutover import Round, RoundObserver, Watch, Write
from landbridge.model.verification import Mode, Verification
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.quiet import QuietWatch, watch
from landbridge.verify.page import page_of

ROUNDS_KEPT_MAX = 100  # of those that were not equal


def watch_cutover(
    request: Request,
    *,
    for_seconds: float,
    every_seconds: float,
    mode: Mode = "full",
    folder: Path = FOLDER,
    round_observer: RoundObserver | None = None,
    ending: Event | None = None,
) -> Watch:
    """Compare both sides every so often, and say each time what was found.

    Args:
        request: the ends, and what moves between them.
        for_seconds: how long to go on.
        every_seconds: between the beginnings of two rounds.
        mode: how each round compares.
        folder: where a folder for this watch is made, with its log and its reports.
        round_observer: called after each round.
        ending: set by another thread to end it, after the round under way.

    Raises:
        UsageError: a URI or a value can't be read.
        LandbridgeError: the first round can't begin.

    """
    if for_seconds < 0 or every_seconds <= 0:
        raise UsageError(
            "a watch needs a time to go on for, and one between its rounds",
            why=f"they are {for_seconds} s and {every_seconds} s",
            fix="name both as spans of time, such as 24h and 30m",
        )
    with opened(folder, WATCH_LOG, alone=False) as (kept, _):
        return _Watching(request, mode, kept).run(
            for_seconds, every_seconds, round_observer, ending or Event()
        )


class _Watching:
    """A watch under way."""

    def __init__(self, request: Request, mode: Mode, folder: Folder) -> None:
        self._request = request
        self._mode = mode
        self._folder = folder
        self._known: tuple[Write, ...] = ()
        self._notes: list[str] = []

    def run(
        self,
        for_seconds: float,
        every_seconds: float,
        observer: RoundObserver | None,
        ending: Event,
    ) -> Watch:
        """Do the rounds; the report is on disk after each."""
        began, rounds = time.monotonic(), 0
        last: Round | None = None
        not_equal: list[Round] = []
        made = Watch(0)
        with connect(self._request.source) as mongo:
            way = way_of(self._request, mongo, self._folder.path / ARCHIVE_NAME)
            watched = watch(mongo, way.collections)
            self._notes += watched.notes
            while True:
                rounds += 1
                verification = self._verified(way)
                watched, writes = self._written(watched, mongo, way)
                last = Round(rounds, _now(), verification, writes)
                if verification.status != "equal" and len(not_equal) < ROUNDS_KEPT_MAX:
                    not_equal.append(last)
                following = rounds * every_seconds
                over = following > for_seconds
                made = Watch(
                    rounds,
                    last,
                    tuple(not_equal),
                    time.monotonic() - began,
                    ending.is_set() and not over,
                    tuple(dict.fromkeys(self._notes)),
                )
                self._keep(made, last, observer)
                # A round that took longer than it may is followed by the next at once.
                if over or ending.wait(max(0.0, began + following - time.monotonic())):
                    return replace(made, ended_early=not over, seconds=time.monotonic() - began)

    def _verified(self, way: Way) -> Verification:
        try:
            return way.verify(self._mode)
        except LandbridgeError as error:
            return Verification(error=error.to_json())

    def _written(
        self, watched: QuietWatch, mongo: Connection, way: Way
    ) -> tuple[QuietWatch, tuple[Write, ...]]:
        """Return what was written to the source since the round before."""
        try:
            watched.look(0.0, Event())
        except RetryableError as error:
            self._notes.append(f"round without a look at the log: {error.why}")
        except LandbridgeError as error:
            self._notes.append(f"writes between two rounds may be unknown: {error.why}")
            self._known = ()
            with suppress(LandbridgeError):
                watched = watch(mongo, way.collections)
        found = _since(self._known, watched.writes)
        self._known = watched.writes
        return watched, found

    def _keep(self, made: Watch, last: Round, observer: RoundObserver | None) -> None:
        found = last.verification
        text = f"round {last.number}: {found.status}"
        if found.status != "equal":
            text += f": {differences_of(found)}"
            if found.streams:
                name = f"round-{last.number:04}-{VERIFICATION_HTML}"
                self._folder.keep_text(name, page_of(found))
        if last.writes:
            text += f"; {written(last.writes)}"
        self._folder.say(text)
        self._folder.keep(REPORT_NAME, made.to_json())
        if observer is not None:
            observer(last)


def written(writes: Sequence[Write]) -> str:
    """Return `3 writes to the source (orders, users)`."""
    names = ", ".join(dict.fromkeys(one.collection for one in writes))
    return f"{count_of(sum(one.count for one in writes), 'write')} to the source ({names})"


def _since(before: Sequence[Write], now: Sequence[Write]) -> tuple[Write, ...]:
    """Return the writes that came after others of the same watch."""
    counts = {(one.collection, one.operation): one.count for one in before}
    grown = []
    for one in now:
        known = counts.get((one.collection, one.operation), 0)
        if one.count > known:
            first = one.last_at if known else one.first_at
            grown.append(replace(one, count=one.count - known, first_at=first))
    return tuple(grown)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
