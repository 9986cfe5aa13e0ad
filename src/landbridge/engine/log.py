"""The method `log`: every change of a collection, in order, from a place taken before the copy.

For       Tables that follow their collections: within seconds, or from run to run.
Touches   The table and its position in the log, always together.
Promises  A change is in the rows exactly once, or what came after it is: the last word is the
          source's. A position that the log no longer reaches back to is told by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from landbridge.codec import documents_in, id_of
from landbridge.engine import compare
from landbridge.engine.changes import (
    batches_of,
    coalesced,
    history,
    identity,
    segments,
    versions_of_one,
)
from landbridge.engine.layouts import Copied, Layout, Work
from landbridge.engine.load import copy_whole, run
from landbridge.engine.memory import MemorySource
from landbridge.engine.purpose import Purpose
from landbridge.engine.situation import Situation, examine
from landbridge.engine.stream import Job, remembered, taken
from landbridge.errors import (
    DeleteGuardError,
    LandbridgeError,
    LogUnavailableError,
    PositionLostError,
    SnapshotTooOldError,
    SourceDroppedError,
)
from landbridge.model.batch import Batch
from landbridge.model.log import DDL, ChangeLog, Event
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.settings import Load, Settings
from landbridge.model.stream import LiveSource
from landbridge.model.summary import Progress, StreamSummary
from landbridge.model.tables import Session
from landbridge.state import streams
from landbridge.state.streams import StreamRecord


@dataclass(slots=True)
class Followed:
    """One stream whose table has a place in the log."""

    job: Job
    live: LiveSource
    situation: Situation
    position: LogPosition  # up to which the rows have everything
    saved: LogPosition  # what the state says
    summary: StreamSummary
    batches: int = 0  # published in this run
    published: bool = False  # whether this run has written anything of it
    read_until: ClusterTime | None = None  # rows may be as of a time up to this one
    error: LandbridgeError | None = None

    @property
    def name(self) -> str:
        """The collection's name."""
        return self.job.source.collection.name

    @property
    def consistent_at(self) -> str | None:
        """The cluster time that all rows are as of; None while some are ahead of the others."""
        reached = self.position.reached
        if self.read_until is not None and self.read_until > reached:
            return None
        return str(reached)

    def concerns(self, event: Event) -> bool:
        """Return whether the rows lack an event."""
        if event.token <= self.position.token:
            return False
        snapshot = self.position.snapshot
        if snapshot is not None and event.time <= snapshot:
            return False
        return (
            event.collection == self.name
            or event.renamed_to == self.name
            or event.operation == "dropDatabase"
        )


def begin(job: Job, live: LiveSource, log: ChangeLog) -> Followed:
    """Take a stream; copy it where it has no place in the log, heal it where that is lost.

    Raises:
        LogUnavailableError: a view or a time series has no log.
        PositionLostError: the log does not reach back to the saved place, and `heal` is off.
        DeleteGuardError: to heal the table more rows would have to go than may.

    """
    collection, settings = job.source.collection, job.settings
    if not collection.keyed:
        raise LogUnavailableError(
            f"{collection.stream} cannot be followed",
            why=f"it is a {collection.kind}, whose changes are in no log",
            fix=f"leave it out with --exclude {collection.name}, and load it with --method full",
        )
    summary = StreamSummary(
        database=collection.database,
        collection=collection.name,
        target_schema=job.table.schema,
        target_table=job.table.name,
        method="log",
        load=settings.load,
    )
    with job.target.session() as session, taken(job, session) as stream:
        position = LogPosition.from_json(stream.position)
        if position is None or not _goes_on(job, session, stream):
            done = _copy(job, live, log, session, stream)
        else:
            why = log.why_lost(position, collection)
            if why is None:
                done = summary
            elif settings.heal:
                note = f"compared with the source and healed: {why}"
                deletes = "delete" in settings.operations
                done = _heal(job, live, log, session, stream, note, deletes=deletes)
            else:
                raise PositionLostError(
                    f"{collection.stream} cannot be followed from where the last run ended",
                    why=why,
                    fix="run again with --heal, which compares all documents with the table and"
                    " fetches what differs",
                )
        job = replace(job, settings=replace(settings, full_refresh=False))
        followed = _followed(job, live, session, stream, summary.then(done))
        if done.error is not None:
            raise DeleteGuardError(
                f"{collection.stream} is not followed further",
                why=done.error["message"],
                fix=done.error["fix"],
            )
        followed.published = done is not summary
        if followed.position.ahead:
            followed.read_until = log.clock()  # what was read was read before now
        return followed


def _goes_on(job: Job, session: Session, stream: StreamRecord) -> bool:
    """Return whether there is a table that changes can go into as it is."""
    if stream.loading is not None or job.settings.full_refresh:
        return False
    return examine(job, session, stream, resumable=False).takes_part


def _followed(
    job: Job, live: LiveSource, session: Session, stream: StreamRecord, summary: StreamSummary
) -> Followed:
    stream = streams.read_again(session.connection, stream)
    situation = examine(job, session, stream, resumable=False)
    position = LogPosition.from_json(stream.position)
    if position is None:  # a guard kept a first copy from being what the source is
        position = LogPosition("")
    return Followed(job, live, situation, position, position, summary)


def _load_of(settings: Settings, otherwise: Load) -> Load:
    return "append" if settings.load == "append" else otherwise


def _copy(
    job: Job, live: LiveSource, log: ChangeLog, session: Session, stream: StreamRecord
) -> StreamSummary:
    """Copy the whole collection; the log is followed from before the first document was read."""
    start = replace(log.now(), uuid=live.uuid_now(), ahead=True)
    live.read_after(log.clock())
    purpose = Purpose(
        "log",
        _load_of(job.settings, "overwrite"),
        remembered(session, stream, start),
        keeps_lease=True,
    )
    return copy_whole(job, session, stream, purpose)


def _heal(
    job: Job,
    live: LiveSource,
    log: ChangeLog,
    session: Session,
    stream: StreamRecord,
    note: str,
    batch: int | None = None,
    deletes: bool = True,
) -> StreamSummary:
    """Let the table be what the source is now, by its differences; the log goes on from here.

    `batch` is its number among what this run publishes for the stream. Without `deletes` rows
    stay whose documents are gone.
    """
    if not examine(job, session, stream, resumable=False).takes_part:
        return _copy(job, live, log, session, stream)
    collection = live.collection
    held = LogPosition.from_json(stream.position)
    start = replace(
        log.now(),
        uuid=live.uuid_now(),
        ahead=True,
        sequence=held.sequence if held is not None else 0,
    )
    live.read_after(log.clock())
    nothing = MemorySource(replace(collection, documents=0, bytes=0), live.identity, ())
    reading = replace(job, source=nothing)
    purpose = Purpose(
        "log",
        _load_of(job.settings, "upsert"),
        start,
        partial=True,
        keeps_lease=True,
        notes=(note,),
    )
    layout: Layout = "small"
    if deletes and _is_empty(live):
        # Nothing is left to be compared, and all rows are to go.
        purpose = replace(purpose, load=_load_of(job.settings, "overwrite"), partial=False)
        layout = "tiny"

    def once(snapshot: bool) -> StreamSummary:
        def complete(work: Work, copied: Copied) -> None:
            if work.purpose.partial:
                compare.heal(work, copied, live, snapshot=snapshot)
                if not deletes:
                    work.gone.clear()

        situation = examine(job, session, stream, resumable=False, begun=True)
        return run(reading, session, situation, purpose, layout, complete=complete, batch=batch)

    try:
        return once(live.snapshots)
    except SnapshotTooOldError:
        return once(False)


def _is_empty(live: LiveSource) -> bool:
    with live.read_only_ids() as read:
        return next(iter(read), None) is None


# -- changes ------------------------------------------------------------------------------


def apply(followed: Followed, log: ChangeLog, events: Sequence[Event], token: str) -> None:
    """Bring a stream's table to `token`, the place after these events.

    Raises:
        SourceDroppedError: the collection was dropped or renamed, and is not to be followed so.
        DeleteGuardError: a drop would empty a table that the guard keeps.

    """
    wanted = [event for event in events if followed.concerns(event)]
    parts = list(segments(wanted))
    with followed.job.target.session() as session:
        for number, part in enumerate(parts):
            lacking = [event for event in part if followed.concerns(event)]
            if not lacking:
                continue  # a heal has seen them
            if lacking[0].operation in DDL:
                _follow_ddl(followed, log, session, lacking[0])
            else:
                end = token if number == len(parts) - 1 else part[-1].token
                _apply_changes(followed, log, session, lacking, end)
    advance(followed, token)


def advance(followed: Followed, token: str) -> None:
    """Know that the rows have everything up to `token`."""
    followed.position = _moved(followed.position, token)
    ahead = followed.consistent_at is None
    if followed.position.ahead != ahead:
        followed.position = replace(followed.position, ahead=ahead)


def _moved(position: LogPosition, token: str) -> LogPosition:
    """Return the position at a later token, which never moves back."""
    if token <= position.token:
        return position
    later = replace(position, token=token)
    if position.snapshot is not None and later.time > position.snapshot:
        later = replace(later, snapshot=None)
    return later


def _apply_changes(
    followed: Followed, log: ChangeLog, session: Session, events: Sequence[Event], token: str
) -> None:
    job, live, settings = followed.job, followed.live, followed.job.settings
    looks_up = any(event.document is None and event.operation != "delete" for event in events)
    position = _moved(followed.position, token)
    position = replace(position, ahead=looks_up or followed.consistent_at is None)
    gone: list[bytes] = []
    live.read_after(events[-1].time)
    if settings.keeps_history:
        first = max(round(time.time() * 1000), position.sequence + 1)
        position = replace(position, sequence=first + versions_of_one(events) - 1)
        batches = _versions(followed, events, first)
    else:
        changes = coalesced(events)
        gone = changes.gone
        batches = chain(batches_of(changes.documents), _read(live, changes.unread))
    collection = replace(live.collection, documents=len(events), bytes=0)
    purpose = Purpose(
        "log",
        _load_of(settings, "upsert"),
        position,
        partial=True,
        every=settings.keeps_history,
        guarded=False,
        keeps_lease=True,
        events=len(events),
    )
    followed.batches += 1
    memory = MemorySource(collection, live.identity, batches)
    summary = run(
        # Its steps are too short to be told of; `progress` says where the stream stands.
        replace(job, source=memory, observer=lambda step: None),
        session,
        followed.situation,
        purpose,
        "tiny",
        gone=gone,
        batch=followed.batches,
    )
    if looks_up:
        followed.read_until = log.clock()  # what was read instead is as of some time until now
    followed.position = followed.saved = position
    followed.published = True
    followed.summary = followed.summary.then(summary)
    _remember(followed, session, changed=bool(summary.schema_changes))


def _remember(followed: Followed, session: Session, *, changed: bool) -> None:
    """Know the table as the last publish left it."""
    situation = followed.situation
    if changed:
        stream = streams.read_again(session.connection, situation.stream)
        followed.situation = examine(followed.job, session, stream, resumable=False)
    else:
        stream = replace(situation.stream, generation=situation.generation)
        followed.situation = replace(situation, stream=stream)


def _read(live: LiveSource, ids: list[bytes]) -> Iterator[Batch]:
    """Read documents that the log does not hold; one that is not there any more is passed over.

    The event that says what became of it follows.
    """
    if ids:
        with live.read_ids(ids) as read:
            yield from read


def _versions(followed: Followed, events: Sequence[Event], first: int) -> Iterator[Batch]:
    unread = [e for e in events if e.document is None and e.operation != "delete"]
    found: dict[object, bytes] = {}
    for batch in _read(followed.live, coalesced(unread).unread):
        for document in documents_in(batch):
            held = id_of(document)
            if held is not None:
                found[identity(bytes((held[0],)) + held[1])] = document
    yield from history(events, found, first)


def _follow_ddl(followed: Followed, log: ChangeLog, session: Session, event: Event) -> None:
    job = followed.job
    what = _described(followed, event)
    if job.settings.on_ddl == "stop":
        raise SourceDroppedError(
            f"{job.source.collection.stream} is not followed further",
            why=f"it was {what}",
            fix="run again with --on-ddl follow to let the table be what the source is now",
        )
    job.report(Progress(job.source.collection.stream, "reading"))
    stream = followed.situation.stream
    note = f"compared with the source: the collection was {what}"
    followed.batches += 1
    summary = _heal(job, followed.live, log, session, stream, note, followed.batches)
    followed.summary = followed.summary.then(summary)
    if summary.error is not None:
        raise DeleteGuardError(
            f"{job.source.collection.stream} was {what}, and its rows are kept",
            why=summary.error["message"],
            fix=summary.error["fix"],
        )
    healed = _followed(job, followed.live, session, stream, followed.summary)
    followed.situation, followed.position = healed.situation, healed.position
    followed.saved = healed.saved
    followed.published = True
    if followed.position.ahead:
        followed.read_until = log.clock()


def _described(followed: Followed, event: Event) -> str:
    if event.renamed_to == followed.name:
        return f"replaced by {event.collection}"
    if event.operation == "rename":
        return f"renamed to {event.renamed_to}"
    return "dropped with its database" if event.operation == "dropDatabase" else "dropped"


def progress(followed: Followed, now: float) -> Progress:
    """Return where a stream stands; `now` is in seconds since 1970."""
    return Progress(
        followed.job.source.collection.stream,
        "following",
        followed.summary.events,
        lag_seconds=max(0.0, now - followed.position.reached.seconds),
    )
