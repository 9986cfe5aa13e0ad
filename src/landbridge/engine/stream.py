"""A stream in the hands of one run: taken, worked on, given back.

For       Every method: they begin by taking a stream and end by publishing or releasing it.
Touches   The state tables, through the target's session.
Promises  What `taken` yields is held alone; the lease is given back however the work ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from landbridge.errors import InterruptedRunError
from landbridge.model.position import Bookmark, LogPosition
from landbridge.model.settings import Settings
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, Progress
from landbridge.model.tables import Session, TableName, Target
from landbridge.state import leases, streams
from landbridge.state.leases import Holder
from landbridge.state.streams import StreamKey, StreamRecord

TAKE_SECONDS_MAX = 5  # taking a stream is a few milliseconds of another run


@dataclass(frozen=True, slots=True)
class Job:
    """One stream of a run: what to do, and everything it is done with."""

    source: Source
    target: Target
    table: TableName
    neighbours: Collection[str]  # names of tables of other streams in the same schema
    settings: Settings
    run: str
    holder: Holder
    observer: Observer
    stopping: Callable[[], bool]

    @property
    def key(self) -> StreamKey:
        """What identifies the stream."""
        collection = self.source.collection
        return StreamKey(collection.database, collection.name, self.table.schema, self.table.name)

    def report(self, progress: Progress) -> None:
        """Tell whoever watches."""
        self.observer(progress)


def take(job: Job, session: Session) -> StreamRecord:
    """Take the stream: its lease, and a new epoch that fences out whoever had it before.

    Raises:
        BusyError: a living run holds it.

    """
    connection, name = session.connection, job.source.collection.stream
    record = None
    with session.transaction():
        # Lost in a server crash, this is as if the run had not begun. Who stands still in here,
        # and holds no lease yet, must not hold up others for good.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'off', true),"
            " set_config('lock_timeout', %s, true)",
            (f"{TAKE_SECONDS_MAX}s",),
        )
        stream_id = streams.enter(
            connection,
            job.key,
            source=job.source.identity,
            method=job.settings.method,
            settings=job.settings,
        )
        if leases.try_acquire(connection, stream_id, job.holder, job.target.pids):
            record = streams.raise_epoch(connection, stream_id)
    if record is None:
        leases.acquire(connection, stream_id, job.holder, job.target.pids, name)
        record = streams.raise_epoch(connection, stream_id)
    return record


@contextmanager
def taken(job: Job, session: Session) -> Iterator[StreamRecord]:
    """Take the stream, and give it back where the work on it fails.

    Raises:
        BusyError: a living run holds it.

    """
    record = take(job, session)
    connection = session.connection
    try:
        yield record  # a publish releases the lease in its own transaction
    except BaseException as error:
        # A broken connection can't release; the lease then ends by itself.
        with suppress(Exception):
            leases.release(connection, record.id, job.holder)
        # A table that is gone, say: the run that has the stream now has cleared it away.
        fenced = None
        with suppress(Exception):
            fenced = streams.fenced(connection, record)
        if fenced is not None:
            raise fenced from error
        raise


def remembered(
    session: Session, stream: StreamRecord, position: LogPosition | Bookmark
) -> LogPosition | Bookmark:
    """Write down where to go on once the copy that starts now is published, and return it.

    A copy that is resumed goes on from where it was begun: what changed since is read again.
    """
    if stream.loading is not None and stream.pending is not None:
        earlier = type(position).from_json(stream.pending)
        if earlier is not None:
            return earlier
    with session.transaction():
        streams.save_pending(session.connection, stream, position.to_json())
    return position


def stop_if_asked(job: Job) -> None:
    """Raise where the run is to end early; what is committed stays."""
    if job.stopping():
        raise InterruptedRunError(
            f"{job.source.collection.stream} was not finished",
            why="the run was asked to stop",
            fix="start the same command again",
        )
