"""The method `incremental`: what is new by a replication key, and what is gone by the ids.

For       Sources without a log, as often as one likes: inserts, updates that move the key on, and
          deletes, at the cost of what changed and of one look at all ids.
Touches   Private tables until the publish; then the table, and the bookmark, in one transaction.
Promises  The bookmark is never past the server's clock, and is read from again less the look-back.
          After a sweep the table has exactly the documents of the source.
"""

from __future__ import annotations

from dataclasses import replace

from landbridge.engine import compare
from landbridge.engine.layouts import TINY_BYTES_MAX, Copied, Work, choose
from landbridge.engine.load import copy_whole, run
from landbridge.engine.part import KeyPart
from landbridge.engine.purpose import Purpose
from landbridge.engine.situation import examine
from landbridge.engine.stream import Job, remembered, taken
from landbridge.errors import KeyUnorderedError, SnapshotTooOldError
from landbridge.model.position import Bookmark
from landbridge.model.replication import TIMED, KeyFacts
from landbridge.model.settings import Load, Settings
from landbridge.model.stream import LiveSource
from landbridge.model.summary import Progress, StreamSummary
from landbridge.model.tables import Session
from landbridge.state import streams
from landbridge.state.streams import StreamRecord

LOOKBACK_SECONDS = 300.0


def load(job: Job, live: LiveSource) -> StreamSummary:
    """Bring one stream up to date with what is new in its collection.

    The first run, and one with another key, reads the collection whole.

    Raises:
        KeyUnorderedError: the key holds arrays.
        LandbridgeError: what stopped it; nothing that readers see has changed then.

    """
    settings = job.settings
    with job.target.session() as session, taken(job, session) as stream:
        job.report(Progress(job.source.collection.stream, "reading"))
        facts = live.key_facts(settings.key)
        if facts.arrays:
            raise _unordered(job)
        bookmark = Bookmark.from_json(stream.position)
        if bookmark is not None and bookmark.key == settings.key and _goes_on(job, session, stream):
            return _load_new(job, live, session, stream, facts, bookmark)
        reached = Bookmark(settings.key, facts.largest, facts.largest_id)
        # Of a copy that goes on after a crash the first ranges are old.
        resumed = stream.loading is not None
        copied = copy_whole(
            job,
            session,
            stream,
            Purpose(
                "incremental",
                _load_of(settings, "overwrite" if settings.sweep else "upsert"),
                remembered(session, stream, reached),
                keeps_lease=resumed,
                without_key=facts.missing,
                notes=_notes(job, facts),
            ),
        )
        stream = streams.read_again(session.connection, stream)
        bookmark = Bookmark.from_json(stream.position)
        again = replace(job, settings=replace(settings, full_refresh=False))
        if not resumed or bookmark is None or not _goes_on(again, session, stream):
            return copied
        return copied.then(_load_new(again, live, session, stream, facts, bookmark))


def _goes_on(job: Job, session: Session, stream: StreamRecord) -> bool:
    """Return whether there is a table that the rows of this run can go into as it is."""
    if stream.loading is not None or job.settings.full_refresh:
        return False
    return examine(job, session, stream, resumable=False).takes_part


def _load_new(
    job: Job,
    live: LiveSource,
    session: Session,
    stream: StreamRecord,
    facts: KeyFacts,
    bookmark: Bookmark,
) -> StreamSummary:
    settings = job.settings
    sweeps = _sweeps(job, bookmark)
    lookback = LOOKBACK_SECONDS if settings.lookback_seconds is None else settings.lookback_seconds
    # A sparse index does not have them, and to look for them would be to read everything.
    by_id = settings.missing_key == "by-id" and not facts.sparse
    wanted = live.key_range(facts, bookmark, lookback, missing=by_id)
    part = KeyPart(live, wanted, TINY_BYTES_MAX)
    purpose = Purpose(
        "incremental",
        _load_of(settings, "upsert"),
        Bookmark(settings.key, facts.largest, facts.largest_id, 0 if sweeps else bookmark.runs + 1),
        partial=True,
        without_key=facts.missing,
        notes=_notes(job, facts),
    )

    def complete(work: Work, copied: Copied) -> None:
        if sweeps:
            compare.sweep(work, copied, live)

    part_job = replace(job, source=part)
    layout = choose(part, settings, None)
    situation = examine(job, session, stream, resumable=False)
    try:
        return run(part_job, session, situation, purpose, layout, complete=complete)
    except SnapshotTooOldError:
        situation = examine(job, session, stream, resumable=False, begun=True)
        return run(part_job, session, situation, purpose, layout, snapshot=False, complete=complete)


def _load_of(settings: Settings, otherwise: Load) -> Load:
    return "append" if settings.load == "append" else otherwise


def _sweeps(job: Job, bookmark: Bookmark) -> bool:
    settings = job.settings
    if not job.source.collection.keyed or settings.load == "append" or not settings.sweep:
        return False
    return bookmark.runs + 1 >= settings.sweep


def _unordered(job: Job) -> KeyUnorderedError:
    key = job.settings.key
    return KeyUnorderedError(
        f"{job.source.collection.stream} cannot be read by the key {key}",
        why="some documents hold an array there, and arrays have no order to go on from",
        fix="choose a field with one value as --key, or load with --method full",
    )


def _notes(job: Job, facts: KeyFacts) -> tuple[str, ...]:
    settings, collection = job.settings, job.source.collection
    notes = []
    if not facts.indexed and collection.kind != "view":
        many = "all" if collection.documents is None else f"all {collection.documents:,}"
        notes.append(
            f"the key {facts.key} has no index, so each run reads {many} documents; make one with"
            f' db.getSiblingDB("{collection.database}").getCollection("{collection.name}")'
            f'.createIndex({{"{facts.key}": 1}})'
        )
    elif facts.sparse:
        notes.append(
            f"the index on {facts.key} is sparse: documents without the key are found by the"
            " sweep only"
        )
    untimed = sorted(facts.largest.keys() - set(TIMED))
    if untimed and collection.keyed:
        notes.append(
            f"keys that are {' and '.join(untimed)}s hold no time, so there is no look-back: an"
            " update that is written out of order is not seen"
        )
    if facts.others:
        kinds = ", ".join(f"{many:,} of {kind}" for kind, many in facts.others.items())
        notes.append(f"keys without an order are read in every run: {kinds}")
    if facts.missing:
        read = "read by their _id" if settings.missing_key == "by-id" else "left to full runs"
        notes.append(f"{facts.missing:,} documents have no {facts.key}: {read}")
    if not collection.keyed:
        notes.append("rows have no identity here: an update adds a row, and deletes are not seen")
    return tuple(notes)
