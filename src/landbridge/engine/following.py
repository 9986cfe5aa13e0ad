"""Following: one reader of the log, and all its streams brought up to date as events come.

For       The method `log`, once its streams have begun.
Touches   The source's log, reading ahead; each stream's table and position.
Promises  Events are applied in order, one stream by one worker at a time. A place in the log is
          saved when everything before it is in the rows, and never before. A stream that fails
          does not stop the others.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from landbridge.engine import log as stream_log
from landbridge.engine.log import Followed
from landbridge.engine.relay import AbandonedError, Relay
from landbridge.errors import InternalError, LandbridgeError, RetryableError, SourceDroppedError
from landbridge.model.log import ChangeLog, Event, LogBatch
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.tables import Target
from landbridge.state import streams
from landbridge.state.streams import Reached

EVENTS_MAX = 40_000  # taken together
BYTES_MAX = 48 << 20
LINGER_SECONDS = 0.25  # that few events wait for others
SAVE_SECONDS = 10.0  # between savings of places that nothing happened at

_log = logging.getLogger("landbridge")


@dataclass(slots=True)
class _Gathered:
    """Events that wait to be applied, and the place after them."""

    by_name: dict[str, list[Event]] = field(default_factory=dict)
    events: int = 0
    bytes: int = 0
    token: str = ""
    since: float = 0.0

    def add(self, batch: LogBatch, names: Sequence[str]) -> None:
        """Take a batch in."""
        if not self.events:
            self.since = time.monotonic()
        for event in batch.events:
            if event.operation == "dropDatabase":
                concerned = list(names)
            else:
                concerned = [event.collection]
                if event.renamed_to is not None:
                    concerned.append(event.renamed_to)
            for name in concerned:
                self.by_name.setdefault(name, []).append(event)
        self.events += len(batch.events)
        self.bytes += batch.bytes
        self.token = batch.token

    @property
    def full(self) -> bool:
        """Whether it is enough for one round."""
        return self.events >= EVENTS_MAX or self.bytes >= BYTES_MAX

    @property
    def ripe(self) -> bool:
        """Whether it has waited long enough."""
        return self.events > 0 and time.monotonic() - self.since >= LINGER_SECONDS


def follow(
    followed: Sequence[Followed],
    log: ChangeLog,
    target: Target,
    *,
    until: ClusterTime | None,
    ending: Callable[[], bool],
) -> None:
    """Bring streams up to date, to `until` or for as long as nobody is `ending` it.

    A stream's own failure is left in its `error`.

    Raises:
        RetryableError: a server went away; what is committed stays.
        PositionLostError: the log has gone on without us.

    """
    alive = [one for one in followed if one.error is None]
    if not alive:
        return
    for one in alive:
        one.job.report(stream_log.progress(one, time.time()))
    relay = Relay[LogBatch]()
    reader = threading.Thread(target=relay.guard, args=(lambda: _read(relay, alive, log),))
    reader.start()
    try:
        with ThreadPoolExecutor(target.copy_connections) as pool:
            _Loop(alive, log, target, pool, until, ending).run(relay)
    finally:
        relay.fail(_EndedError())
        reader.join()


class _EndedError(Exception):
    """The loop has ended; the reader need not go on."""


def _read(relay: Relay[LogBatch], alive: Sequence[Followed], log: ChangeLog) -> None:
    start = min(one.position.time for one in alive)
    collections = [one.live.collection for one in alive]
    with log.read(start, collections, alive[0].job.settings.operations) as batches:
        for batch in batches:
            if not relay.put(batch):
                return


class _Loop:
    """The rounds: gather, apply, save."""

    def __init__(
        self,
        alive: Sequence[Followed],
        log: ChangeLog,
        target: Target,
        pool: ThreadPoolExecutor,
        until: ClusterTime | None,
        ending: Callable[[], bool],
    ) -> None:
        self._alive = list(alive)
        self._log = log
        self._target = target
        self._pool = pool
        self._until = until
        self._ending = ending
        self._saved_at = time.monotonic()
        self._names = [one.name for one in alive]
        self._stopped = False  # a collection was dropped, and the run is to end with it

    def run(self, relay: Relay[LogBatch]) -> None:
        try:
            self._rounds(relay)
        except AbandonedError:
            relay.raise_failure()
        self._save(self._alive)

    def _rounds(self, relay: Relay[LogBatch]) -> None:
        gathered = _Gathered()
        for batch in relay.batches():
            if self._ending() or not self._alive or self._stopped:
                break
            if batch is not None:
                gathered.add(batch, self._names)
            reached = self._reached(gathered.token)
            if gathered.full or gathered.ripe or reached or (batch and not gathered.events):
                self._round(gathered)
                gathered = _Gathered()
            if reached:
                break

    def _reached(self, token: str) -> bool:
        return bool(token) and self._until is not None and LogPosition(token).time >= self._until

    def _round(self, gathered: _Gathered) -> None:
        """Apply what was gathered, streams side by side."""
        busy = [one for one in self._alive if one.name in gathered.by_name]
        futures = [
            self._pool.submit(self._apply, one, gathered.by_name[one.name], gathered.token)
            for one in busy
        ]
        failures = [future.exception() for future in futures]
        for one in self._alive:
            if one not in busy:
                stream_log.advance(one, gathered.token)
        for failure in failures:
            if failure is not None:
                raise failure
        # A bounded run ends by itself; one that follows would go on without the stream.
        dropped = any(isinstance(one.error, SourceDroppedError) for one in self._alive)
        self._stopped = dropped and self._until is None
        self._alive = [one for one in self._alive if one.error is None]
        saves = time.monotonic() - self._saved_at >= SAVE_SECONDS
        now = time.time()
        for one in busy:
            one.job.report(stream_log.progress(one, now))
        if saves:
            self._save([one for one in self._alive if one.position != one.saved])

    def _apply(self, one: Followed, events: list[Event], token: str) -> None:
        try:
            # In a thread of the pool: what leaves it untranslated would be taken for a bug.
            with self._target.translated(f"{one.name} could not be followed"):
                stream_log.apply(one, self._log, events, token)
        except RetryableError:
            raise
        except LandbridgeError as error:
            one.error = error
        except Exception as error:  # a bug stops its own stream, not the others
            _log.debug("%s failed unexpectedly", one.name, exc_info=True)
            one.error = InternalError.of(error)

    def _save(self, moved: Sequence[Followed]) -> None:
        """Save where streams are whose rows did not change."""
        self._saved_at = time.monotonic()
        if not moved:
            return
        reached = [
            Reached(one.situation.stream, one.position.to_json(), one.consistent_at)
            for one in moved
        ]
        with self._target.session() as session:
            held = streams.save_reached(session.connection, reached)
        for one in moved:
            one.saved = one.position
            if one.situation.stream.id not in held:
                one.error = streams.fenced_error(one.situation.stream)
