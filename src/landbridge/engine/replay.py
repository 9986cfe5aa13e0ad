"""A copy by ranges brought to one point in time: what changed meanwhile is read again, as of then.

For       `full` where a collection is too large for one snapshot and the source keeps a log.
Touches   The source's log and single documents; the private tables, the ledger.
Promises  The private tables hold the collection as of one cluster time, or the report says that
          they do not. What is replayed and its counts are committed together.
"""

from __future__ import annotations

from collections.abc import Iterator

from landbridge.codec import batch_of, id_document
from landbridge.engine.changes import identity
from landbridge.engine.copying import Account, Copier
from landbridge.engine.keys import GONE_KEYS, OPEN_KEYS, key_plan, stage_entries, stage_keys
from landbridge.engine.layouts import Copied, Work
from landbridge.engine.ranges import sums
from landbridge.engine.stream import stop_if_asked
from landbridge.errors import LandbridgeError, RetryableError, SnapshotTooOldError
from landbridge.model.log import DDL, ChangeLog
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.settings import OPERATIONS
from landbridge.model.stream import LiveSource
from landbridge.state import ledger, quarantine, streams

IDS_MAX = 50_000  # replayed in one transaction


def replay(
    work: Work, copied: Copied, live: LiveSource, log: ChangeLog, start: LogPosition
) -> None:
    """Read again, as of now, what has changed since `start`.

    Raises:
        RetryableError: the collection was dropped, renamed or replaced meanwhile.

    """
    end = log.clock()
    many = 0
    try:
        for ids in _touched(work, live, log, start, end):
            many += len(ids)
            _read_again(work, copied, live, ids, end)
    except SnapshotTooOldError as error:
        copied.notes.append(f"not one point in time: {error.why}")
        return
    if many:
        copied.notes.append(f"{many:,} documents changed while it was read, and were read again")
    copied.consistent_at = str(end)


def _touched(
    work: Work, live: LiveSource, log: ChangeLog, start: LogPosition, end: ClusterTime
) -> Iterator[list[bytes]]:
    """Yield the ids that the log names up to `end`, some at a time."""
    ids: dict[object, bytes] = {}
    with log.read(start.time, [live.collection], OPERATIONS) as batches:
        for batch in batches:
            stop_if_asked(work.job)
            for event in batch.events:
                if event.operation in DDL:
                    streams.save_loading(work.session.connection, work.stream, None)
                    raise RetryableError(
                        f"{live.collection.stream} was not published",
                        why="the collection was dropped, renamed or replaced while it was read",
                        fix="start the same command again",
                    )
                if event.id is not None:
                    ids[identity(event.id)] = id_document(event.id[0], event.id[1:])
            if len(ids) >= IDS_MAX:
                yield list(ids.values())
                ids = {}
            if LogPosition(batch.token).time >= end:
                break
    if ids:
        yield list(ids.values())


def _read_again(
    work: Work, copied: Copied, live: LiveSource, ids: list[bytes], end: ClusterTime
) -> None:
    session, connection, plan = work.session, work.session.connection, work.shape.plan
    copier = Copier(
        work.shape,
        session,
        work.constants,
        lambda rejected: work.keep(session, rejected),
        lambda documents, size: None,
    )
    with session.transaction():
        streams.lock_for_chunk(connection, work.stream)
        stage_keys(session, key_plan(plan), GONE_KEYS, [batch_of(ids)])
        entries = quarantine.documents_of(connection, work.stream.id, work.generation)
        ended = []
        if entries:
            stage_entries(session, plan, OPEN_KEYS, entries)
            ended = session.entries_with(plan.key_column or "_id", OPEN_KEYS, GONE_KEYS)
            quarantine.renew(connection, ended, ())
            session.drop([OPEN_KEYS])
        removed = session.remove_rows(work.shape.tables, plan, GONE_KEYS)
        session.drop([GONE_KEYS])
        with live.read_ids(ids, at=end) as read:
            copier.copy_all(iter(read))
        mended = Account(documents=-removed - len(ended), rows=-removed, rejected=-len(ended))
        mended.add(copier.account)
        ledger.correct(connection, work.stream.id, work.generation, sums(mended))
    copied.account.add(mended)


def begin(log: ChangeLog) -> tuple[LogPosition | None, str]:
    """Return where the log is now, or why it cannot be followed."""
    try:
        return log.now(), ""
    except LandbridgeError as error:
        return None, error.why
