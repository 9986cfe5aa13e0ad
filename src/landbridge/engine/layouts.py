"""The layouts of a load: how documents reach the private tables, by size and server.

For       `full`, which chooses one and then publishes what it copied.
Touches   The source by reading; the load's private tables.
Promises  tiny: one transaction. small: several COPYs of one cursor, dropped by a crash. The
          third, large, is in `ranges`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Literal

from landbridge.codec import documents_in
from landbridge.engine.copying import Account, Constants, Copier
from landbridge.engine.purpose import Purpose
from landbridge.engine.relay import Relay
from landbridge.engine.shape import Shape
from landbridge.engine.stream import Job, stop_if_asked
from landbridge.model.batch import Batch
from landbridge.model.settings import Settings
from landbridge.model.stream import Source
from landbridge.model.summary import Progress
from landbridge.model.tables import Session
from landbridge.state import quarantine, streams
from landbridge.state.quarantine import Rejected
from landbridge.state.streams import StreamRecord

Layout = Literal["tiny", "small", "one cursor", "large"]

TINY_BYTES_MAX = 16 << 20
# A snapshot may take half of the history that the server keeps, at a speed that every
# machine we measured passes by far.
READ_BYTES_A_SECOND_MIN = 30 << 20
SNAPSHOT_SHARE = 0.5
LEARNT_DOCUMENTS = 500


@dataclass(slots=True)
class Work:
    """One load under way, handed from layout to publish."""

    job: Job
    purpose: Purpose
    session: Session
    stream: StreamRecord
    generation: int
    merges: bool  # into a living table; else the private one becomes the table
    shape: Shape
    constants: Constants
    began: float
    gone: list[bytes] = field(default_factory=list)  # ids of rows that are to leave the table
    batch: int | None = None  # number among those of one run, where it publishes several

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
                self.batch if chunk is None else chunk,
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


class Counter:
    """Progress of one stream, from several workers."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._documents = 0
        self._bytes = 0

    def __call__(self, documents: int, size: int) -> None:
        """Count in what a worker has encoded."""
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
            partial(work.keep, work.session),
            Counter(work.job),
        )
        copier.copy_all(batches)
        consistent_at = read.consistent_at
    return Copied(copier.account, consistent_at, duplicates_possible=not snapshot)


def _primed(work: Work, batches: Iterator[Batch]) -> Iterator[Batch]:
    """Let the plan take in the first batch and make the tables; return all batches."""
    first = next(batches, None)
    if first is not None and not work.shape.plan.main.fields:
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
    counter = Counter(job)
    with job.target.copy_sessions() as sessions, job.source.read(snapshot=snapshot) as read:
        relay = Relay[Batch]()
        batches = _primed(work, iter(read))
        copiers = [
            Copier(
                shape,
                session,
                work.constants,
                partial(work.keep, session),
                counter,
            )
            for session in sessions
        ]
        workers = [
            threading.Thread(target=relay.guard, args=(partial(copier.copy_all, relay.batches()),))
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
        for session in sessions:
            session.flush_counts()
        consistent_at = read.consistent_at
    account = Account()
    for copier in copiers:
        account.add(copier.account)
    return Copied(account, consistent_at, duplicates_possible=not snapshot)
