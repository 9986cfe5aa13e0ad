"""The layouts of a load: how documents reach the private tables, by size and server.

For       `full`, which chooses one and then publishes what it copied.
Touches   The source by reading; the load's private tables and the ledger.
Promises  tiny: one transaction. small: several COPYs of one cursor, dropped by a crash.
          large: ranges of `_id`, each committed with its ledger row, resumed after a crash.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Literal

from landbridge.codec import documents_in
from landbridge.engine.copying import Account, Constants, Copier
from landbridge.engine.shape import Shape
from landbridge.engine.stream import Job, stop_if_asked
from landbridge.model.batch import Batch
from landbridge.model.settings import Settings
from landbridge.model.stream import IdRange, Source
from landbridge.model.summary import Progress
from landbridge.model.tables import Session
from landbridge.state import ledger, quarantine, streams
from landbridge.state.ledger import LedgerSum
from landbridge.state.plans import plan_to_json
from landbridge.state.quarantine import Rejected
from landbridge.state.streams import StreamRecord

Layout = Literal["tiny", "small", "one cursor", "large"]

TINY_BYTES_MAX = 16 << 20
CHUNK_BYTES = 48 << 20
# A snapshot may take half of the history that the server keeps, at a speed that every
# machine we measured passes by far.
READ_BYTES_A_SECOND_MIN = 30 << 20
SNAPSHOT_SHARE = 0.5
SAMPLE_DOCUMENTS = 1000
SAMPLE_SECONDS = 2.0
LEARNT_DOCUMENTS = 500
QUEUED_BYTES_MAX = 12 << 20
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class Work:
    """One load under way, handed from layout to publish."""

    job: Job
    session: Session
    stream: StreamRecord
    generation: int
    merges: bool  # into a living table; else the private one becomes the table
    shape: Shape
    constants: Constants
    began: float

    def keep(self, session: Session, rejected: list[Rejected], chunk: int | None = None) -> None:
        """Set documents aside, in the session's open transaction."""
        if rejected:
            streams.lock_for_chunk(session.connection, self.stream)
            quarantine.add(
                session.connection,
                self.stream.id,
                self.generation,
                self.job.run,
                rejected,
                chunk,
            )


@dataclass(slots=True)
class Copied:
    """What lies in the private tables, ready to be published."""

    account: Account
    consistent_at: str | None = None
    duplicates_possible: bool = False
    from_ledger: bool = False
    notes: list[str] = field(default_factory=list)


def choose(source: Source, settings: Settings, stream: StreamRecord | None) -> Layout:
    """Choose the layout for a collection on its server."""
    collection = source.collection
    size = collection.bytes
    if stream is not None and stream.loading and collection.rangeable and not settings.full_refresh:
        return "large"
    if settings.ranges and collection.rangeable:
        return "large"
    if size is not None and size <= TINY_BYTES_MAX:
        return "tiny"
    if not collection.rangeable:
        return "one cursor"
    seconds = (size or 0) / READ_BYTES_A_SECOND_MIN
    if source.snapshots and seconds <= source.snapshot_seconds * SNAPSHOT_SHARE:
        return "small"
    return "large"


class _Counter:
    """Progress of one stream, from several workers."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._documents = 0
        self._bytes = 0

    def __call__(self, documents: int, size: int) -> None:
        with self._lock:
            self._documents += documents
            self._bytes += size
            collection = self._job.source.collection
            progress = Progress(
                collection.stream, "reading", self._documents, collection.documents, self._bytes
            )
        self._job.report(progress)
        stop_if_asked(self._job)


# -- tiny ---------------------------------------------------------------------------------


def copy_tiny(work: Work) -> Copied:
    """Copy by one connection in the transaction that the caller holds open."""
    streams.lock_for_publish(work.session.connection, work.stream)
    source, shape = work.job.source, work.shape
    snapshot = source.snapshots
    with source.read(snapshot=snapshot) as read:
        batches = _primed(work, iter(read))
        copier = Copier(
            shape,
            work.session,
            work.constants,
            lambda rejected: work.keep(work.session, rejected),
            _Counter(work.job),
        )
        copier.copy_all(batches)
        consistent_at = read.consistent_at
    return Copied(copier.account, consistent_at, duplicates_possible=not snapshot)


def _primed(work: Work, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Let the plan take in the first batch and make the tables; return all batches."""
    first = next(batches, None)
    if first is not None:
        documents = list(islice(documents_in(first), LEARNT_DOCUMENTS))
        # What the first few teach, the others need not explain, which is slow.
        for number in (1, 10, len(documents)):
            work.shape.learn(documents[:number])
    work.shape.start(work.session)
    return _rejoined(first, batches)


def _rejoined(first: Batch | None, rest: Iterator[Batch]) -> Iterator[Batch]:
    if first is not None:
        yield first
    first = None  # so that its bytes can go
    yield from rest


# -- small: one cursor, several COPYs -----------------------------------------------------


def copy_small(work: Work, *, snapshot: bool) -> Copied:
    """Read by one cursor and copy over several connections.

    Raises:
        SnapshotTooOldError: the server gave the snapshot up while it was being read.

    """
    job, shape = work.job, work.shape
    counter = _Counter(job)
    with job.target.copy_sessions() as sessions, job.source.read(snapshot=snapshot) as read:
        relay = _Relay()
        batches = _primed(work, iter(read))
        copiers = [
            Copier(
                shape,
                session,
                work.constants,
                lambda rejected, session=session: work.keep(session, rejected),  # type: ignore[misc]
                counter,
            )
            for session in sessions
        ]
        workers = [
            threading.Thread(target=relay.guard, args=(copier.copy_all, relay.batches()))
            for copier in copiers
        ]
        for worker in workers:
            worker.start()
        try:
            for batch in batches:
                if not relay.put(batch):
                    break
                del batch
        except BaseException as error:
            relay.fail(error)
        finally:
            relay.close()
            for worker in workers:
                worker.join()
        relay.raise_failure()
        consistent_at = read.consistent_at
    account = Account()
    for copier in copiers:
        account.add(copier.account)
    return Copied(account, consistent_at, duplicates_possible=not snapshot)


class _Relay:
    """Batches from one reader to several workers, bounded in bytes; the first failure ends all."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._batches: list[Batch] = []
        self._queued_bytes = 0
        self._closed = False
        self._failure: BaseException | None = None

    def put(self, batch: Batch) -> bool:
        """Hand a batch over; False where the workers have failed."""
        with self._ready:
            self._ready.wait_for(
                lambda: (
                    self._failure is not None
                    or not self._batches
                    or self._queued_bytes + batch.bytes <= QUEUED_BYTES_MAX
                )
            )
            self._batches.append(batch)
            self._queued_bytes += batch.bytes
            self._ready.notify()
            return self._failure is None

    def batches(self) -> Iterator[Batch | None]:
        """Yield batches as they come, and None when there was none for a moment."""
        while True:
            with self._ready:
                if not self._batches and not self._closed:
                    self._ready.wait(_POLL_SECONDS)
                if self._failure is not None:
                    raise _AbandonedError
                if self._batches:
                    batch: Batch | None = self._batches.pop(0)
                    assert batch is not None
                    self._queued_bytes -= batch.bytes
                    self._ready.notify_all()
                elif self._closed:
                    return
                else:
                    batch = None
            yield batch

    def close(self) -> None:
        """Say that no batch follows."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def fail(self, error: BaseException) -> None:
        """Let the first failure end everything."""
        with self._ready:
            self._failure = self._failure or error
            self._batches.clear()
            self._ready.notify_all()

    def guard(self, work, *arguments) -> None:  # type: ignore[no-untyped-def]
        """Run a worker; its error becomes the relay's."""
        try:
            work(*arguments)
        except _AbandonedError:
            pass
        except BaseException as error:
            self.fail(error)

    @property
    def failed(self) -> bool:
        """Whether anything went wrong."""
        return self._failure is not None

    def raise_failure(self) -> None:
        """Raise what went wrong, if anything did."""
        if self._failure is not None:
            raise self._failure


class _AbandonedError(Exception):
    """Another worker failed; this one's rows are to be rolled back."""


# -- large: ranges with a ledger ----------------------------------------------------------


def copy_ranges(work: Work, *, resumed: bool) -> Copied:
    """Copy range by range; each is committed with its ledger row."""
    job, shape, connection = work.job, work.shape, work.session.connection
    if resumed:
        shape.resume()
    else:
        shape.learn(job.source.sample(SAMPLE_DOCUMENTS, SAMPLE_SECONDS))
        with work.session.transaction():
            streams.lock_for_publish(connection, work.stream)
            ledger.clear(connection, work.stream.id)
            shape.start(work.session)
            ledger.lay_out(
                connection, work.stream.id, work.generation, job.source.split(CHUNK_BYTES)
            )
            _save_loading(work, work.session)
    shape.remember = lambda session: _save_loading(work, session)
    parts: queue.SimpleQueue[IdRange] = queue.SimpleQueue()
    for part in ledger.remaining(connection, work.stream.id, work.generation):
        parts.put(part)
    relay, counter = _Relay(), _Counter(job)
    with job.target.copy_sessions() as sessions:
        workers = [
            threading.Thread(
                target=relay.guard, args=(_copy_parts, work, session, parts, relay, counter)
            )
            for session in sessions
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    relay.raise_failure()
    total = ledger.total(connection, work.stream.id, work.generation)
    account = Account(
        documents=total.documents,
        rows=total.rows,
        bytes=total.bytes,
        rejected=total.quarantined,
        profile=total.profile,
    )
    notes = ["read in ranges: not one point in time until the log method follows it up"]
    return Copied(account, None, duplicates_possible=True, from_ledger=True, notes=notes)


def _save_loading(work: Work, session: Session) -> None:
    """Remember the load's plan, in the transaction that changes its tables."""
    streams.save_loading(
        session.connection,
        work.stream,
        {
            "generation": work.generation,
            "merges": work.merges,
            "settings": asdict(work.job.settings),
            "plan": plan_to_json(work.shape.plan),
        },
    )


def sums(account: Account) -> LedgerSum:
    """Return an account as the ledger keeps it."""
    return LedgerSum(
        account.documents, account.rows, account.rejected, account.bytes, account.profile
    )


def _copy_parts(
    work: Work,
    session: Session,
    parts: queue.SimpleQueue[IdRange],
    relay: _Relay,
    counter: _Counter,
) -> None:
    while not relay.failed:
        try:
            part = parts.get_nowait()
        except queue.Empty:
            return
        while not _copy_part(work, session, part, counter):
            pass  # the plan grew: the same range again


def _copy_part(work: Work, session: Session, part: IdRange, counter: _Counter) -> bool:
    """Copy one range in one transaction; False where the plan had to grow instead."""
    stream, generation, connection = work.stream, work.generation, session.connection
    copier = Copier(
        work.shape,
        session,
        work.constants,
        lambda rejected: work.keep(session, rejected, part.number),
        counter,
    )
    growing = None
    with work.shape.copying() as plan:
        try:
            with session.transaction():
                streams.lock_for_chunk(connection, stream)
                if not ledger.claim(connection, stream.id, generation, part.number):
                    return True
                with work.job.source.read_range(part) as read:
                    account, growing = copier.copy_chunk(iter(read), plan)
                if growing is not None:
                    raise _AbandonedError
                ledger.count(connection, stream.id, generation, part.number, sums(account))
        except _AbandonedError:
            pass
    if growing is None:
        return True
    work.shape.grow(session, growing)
    return False
