"""Syncs by the log: streams are begun, then followed together, and begun again after a fault.

For       `landbridge sync --method log`, once or with `--follow`.
Touches   Both ends, through their rooms.
Promises  A stream that fails does not stop the others. What was committed before a fault is where
          the next attempt goes on from.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Event

from landbridge.bridge.attempts import (
    RETRIES_MAX,
    RETRY_SECONDS,
    all_of,
    attempted,
    failed,
)
from landbridge.bridge.run import Request, Run, job_of, source_of
from landbridge.bridge.tables import tables_of
from landbridge.config import selection
from landbridge.engine import following
from landbridge.engine import log as stream_log
from landbridge.engine.log import Followed
from landbridge.errors import (
    LandbridgeError,
    PositionLostError,
    RetryableError,
    SourceMissingError,
)
from landbridge.model.position import LogPosition
from landbridge.model.stream import Collection
from landbridge.model.summary import Phase, Progress, StreamSummary
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.mongo.log import DatabaseLog
from landbridge.postgres import faults
from landbridge.state import leases, runs, streams

_log = logging.getLogger("landbridge")

HEALS_WITHOUT_PROGRESS_MAX = 2


@dataclass(slots=True)
class _Stream:
    """One stream of the run: its latest beginning, or why there is none."""

    collection: Collection
    table: TableName
    followed: Followed | None = None
    failure: LandbridgeError | None = None


def sync_by_log(
    run: Run, mongo: Connection, asked: Request, jobs: int, follow: bool, ending: Event
) -> list[StreamSummary]:
    """Begin all streams that were asked for, and follow them to the present, or on and on.

    Raises:
        LogUnavailableError: the server keeps no log.

    """
    log = DatabaseLog(mongo)
    log.clock()
    chosen = _chosen(run, mongo, asked)
    tables, taken = tables_of(run.target, chosen, asked.schema, asked.settings)
    all_streams = [_Stream(one, TableName(asked.schema, tables[one.name])) for one in chosen]
    by_name = {one.collection.name: one for one in all_streams}

    def begin(collection: Collection) -> None:
        one = by_name[collection.name]
        try:
            begun = attempted(
                run, collection.stream, lambda: _begun(run, mongo, log, one, taken, asked, ending)
            )
        except LandbridgeError as failure:
            _fail(run, one, failure, follow=follow)
            return
        if one.followed is not None:
            begun.summary = one.followed.summary.then(begun.summary)
        one.followed = begun

    began = time.monotonic()
    all_of(begin, chosen, jobs, run)
    _follow(run, log, all_streams, begin, follow=follow, ending=ending)
    return [_ended(run, one, asked, time.monotonic() - began) for one in all_streams]


def _chosen(run: Run, mongo: Connection, asked: Request) -> list[Collection]:
    """Return the collections that were asked for, those with a place in the log that are gone too.

    The log tells what became of them.
    """
    with run.target.session() as session:
        known = streams.known_streams(session.connection, asked.schema)
    gone = [
        Collection(database, name)
        for (database, name), stream in known.items()
        if database == mongo.database and LogPosition.from_json(stream.position) is not None
    ]
    try:
        there = catalog.collections(mongo)
    except SourceMissingError:
        if not gone:
            raise
        there = []
    names = {collection.name for collection in there}
    there += [collection for collection in gone if collection.name not in names]
    return selection.select(there, asked.select, asked.exclude)


def _begun(
    run: Run,
    mongo: Connection,
    log: DatabaseLog,
    one: _Stream,
    taken: set[str],
    asked: Request,
    ending: Event,
) -> Followed:
    settings = asked.settings
    if one.followed is not None:
        settings = replace(settings, full_refresh=False)
    source = source_of(mongo, one.collection, settings)
    job = job_of(run, source, one.table, taken, settings)
    copying = replace(job, stopping=lambda: job.stopping() or ending.is_set())
    begun = stream_log.begin(copying, source, log)
    begun.job = replace(begun.job, stopping=job.stopping)
    return begun


def _follow(
    run: Run,
    log: DatabaseLog,
    all_streams: list[_Stream],
    begin: Callable[[Collection], None],
    *,
    follow: bool,
    ending: Event,
) -> None:
    """Follow all streams that have begun; after a fault begin them again where they are."""
    attempt = heals = 0
    while True:
        alive = [one for one in all_streams if one.followed and one.failure is None]
        if not alive or ending.is_set():
            return
        followed = [one.followed for one in alive if one.followed]
        before = [one.position for one in followed]
        fault: LandbridgeError
        try:
            with faults.translated("the changes could not be followed"):
                until = None if follow else log.clock()
                following.follow(followed, log, run.target, until=until, ending=ending.is_set)
            return
        except (RetryableError, PositionLostError) as error:
            fault = error
        finally:
            for one in alive:
                if one.followed and one.followed.error is not None:
                    _fail(run, one, one.followed.error, follow=follow)
        if [one.position for one in followed] != before:
            attempt = heals = 0
        alive = [one for one in alive if one.failure is None]
        if isinstance(fault, PositionLostError):
            heals += 1
            given_up = heals > HEALS_WITHOUT_PROGRESS_MAX
        else:
            given_up = attempt == RETRIES_MAX or ending.wait(RETRY_SECONDS[attempt])
            attempt += 1
        for one in alive:
            if given_up and not ending.is_set():
                _fail(run, one, fault, follow=follow)
            elif not ending.is_set():
                begin(one.collection)


def _fail(run: Run, one: _Stream, failure: LandbridgeError, *, follow: bool) -> None:
    """Let a stream go: others may take it. A run that goes on for long tells of it at once."""
    one.failure = failure
    run.observer(Progress(one.collection.stream, "failed"))
    if follow:
        _log.warning("%s is not followed any more: %s", one.collection.stream, failure)
    if one.followed is not None:
        with suppress(Exception), run.target.session() as session:
            leases.release(session.connection, one.followed.situation.stream.id, run.holder)


def _ended(run: Run, one: _Stream, asked: Request, seconds: float) -> StreamSummary:
    """Return what a stream has done, and write what the history lacks of it."""
    failure, followed = one.failure, one.followed
    if followed is None:
        assert failure is not None
        return failed(run, one.collection, one.table, asked.settings, failure, seconds)
    summary = replace(followed.summary, consistent_at=followed.consistent_at, seconds=seconds)
    if failure is not None:
        summary = replace(summary, error=failure.to_json(), consistent_at=None)
        with suppress(Exception), run.target.session() as session:
            runs.record_failure(session.connection, run.id, summary)
    elif not followed.published:
        with run.target.session() as session:
            runs.record_stream(
                session.connection,
                run.id,
                followed.situation.stream.id,
                summary,
                layout=None,
                bytes_read=0,
            )
    phase: Phase = "failed" if failure is not None else "done"
    run.observer(Progress(one.collection.stream, phase, summary.tally.read))
    return summary
