"""A sync: the collections of a source become tables, stream by stream.

For       `landbridge sync`, its dry run, and notebooks.
Touches   Both ends, through their rooms.
Promises  A stream that fails does not stop the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event

from landbridge.bridge import checkup, following
from landbridge.bridge.attempts import all_of, attempted, failed
from landbridge.bridge.run import Request, Run, begun, error_of, finish, job_of, silent, source_of
from landbridge.bridge.tables import planned, tables_of
from landbridge.codec import COMPILED, names
from landbridge.config import selection
from landbridge.config.replication import check_key
from landbridge.engine import dry_run, full, incremental
from landbridge.errors import LandbridgeError, UsageError
from landbridge.model.report import SyncPlan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, Progress, StreamSummary, Summary
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.log import DatabaseLog
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import streams

FINDINGS_SHOWN_MAX = 5

_SLOW = () if COMPILED else ("without its compiled kernel landbridge is many times slower",)


def sync(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    settings: Settings | None = None,
    jobs: int = 3,
    observer: Observer | None = None,
    follow: bool = False,
    ending: Event | None = None,
) -> Summary:
    """Bring the tables of `target` up to date with the collections of `source`.

    Args:
        source: MongoDB URI with a database.
        target: PostgreSQL URI.
        schema: target schema; the source database's name under the name policy by default.
        select: names or patterns (`*`, `?`) of collections; all by default.
        exclude: names or patterns to leave out.
        settings: what is read, and how tables are shaped and loaded.
        jobs: collections at once.
        observer: called with every step of progress, from several threads.
        follow: with the method `log`, go on until `ending` is set.
        ending: set by another thread to end a run that follows.

    Returns:
        What each stream did. A stream's failure is in the summary, not raised.

    Raises:
        LandbridgeError: what stops the whole run: a URI, a connection, a selection.

    """
    settings, notes = _possible(settings or Settings())
    began = time.monotonic()
    with connect(source) as mongo:
        schema = schema or names.table_name(mongo.database, settings)
        asked = Request(schema, select, exclude, settings)
        by_log = settings.method == "log"
        # By the log, collections that are gone are chosen too: the target knows them.
        chosen = [] if by_log else selection.select(catalog.collections(mongo), select, exclude)
        with begun(target, "sync", observer or silent) as run:
            notes += _looked_at_first(run, mongo, asked)
            if by_log:
                done = following.sync_by_log(run, mongo, asked, jobs, follow, ending or Event())
            else:
                done = _sync_all(run, mongo, chosen, asked, jobs)
            error = error_of(done)
            finish(run, error)
    return Summary(tuple(done), time.monotonic() - began, error, run.id, (*_SLOW, *notes))


def _looked_at_first(run: Run, mongo: Connection, asked: Request) -> tuple[str, ...]:
    """Return what a short check finds before the first sync into a schema; later ones have none."""
    settings = asked.settings
    with run.target.session() as session:
        if streams.table_names(session.connection, asked.schema):
            return ()
        with suppress(LandbridgeError):  # the sync itself will meet it, and tell of it
            chosen = selection.select(catalog.collections(mongo), asked.select, asked.exclude)
            findings = checkup.quick(
                mongo, chosen, session, method=settings.method, key=settings.key
            )
            shown = [f"{one.where}: {one.message}" for one in findings[:FINDINGS_SHOWN_MAX]]
            if len(findings) > len(shown):
                shown.append(f"{len(findings) - len(shown)} more findings: see landbridge doctor")
            return tuple(shown)
    return ()


def _sync_all(
    run: Run, mongo: Connection, chosen: Sequence[Collection], asked: Request, jobs: int
) -> list[StreamSummary]:
    settings = asked.settings
    tables, taken = tables_of(run.target, chosen, asked.schema, settings)
    log = DatabaseLog(mongo)

    def load(collection: Collection) -> StreamSummary:
        table = TableName(asked.schema, tables[collection.name])
        began = time.monotonic()

        def work() -> StreamSummary:
            source = source_of(mongo, collection, settings)
            job = job_of(run, source, table, taken, settings)
            if settings.method == "incremental":
                return incremental.load(job, source)
            return full.load(job, source, log)

        try:
            summary = attempted(run, collection.stream, work)
        except LandbridgeError as failure:
            return failed(run, collection, table, settings, failure, time.monotonic() - began)
        run.observer(Progress(collection.stream, "done", summary.tally.read))
        return summary

    return all_of(load, chosen, jobs, run)


def _possible(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that keep what was asked for, and what is to be said of them."""
    check_key(settings.key)
    if settings.load == "append" and settings.arrays == "table":
        raise UsageError(
            "--arrays table cannot be used with --load append",
            why="a child row would not say which version of its parent it belongs to",
            fix="keep arrays in jsonb (--arrays jsonb), or use another --load",
        )
    if settings.method == "incremental" and settings.load == "overwrite":
        note = "--load overwrite asks for all documents: the method is full, not incremental"
        return replace(settings, method="full"), (note,)
    return settings, ()


def plan_sync(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    settings: Settings | None = None,
) -> SyncPlan:
    """Return what `sync` would do, from the catalogs and a sample; touches nothing.

    The parameters and the errors are those of `sync`.
    """
    settings, _ = _possible(settings or Settings())
    with connect(source) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        schema = schema or names.table_name(mongo.database, settings)
        database = Target(target, "landbridge dry run", 1)
        try:
            with faults.translated("the plan could not be made"), database.session() as session:
                tables, taken, known = planned(session, chosen, schema, settings)
                plans = []
                for collection in chosen:
                    plans.append(
                        dry_run.plan_stream(
                            source_of(mongo, collection, settings),
                            session,
                            TableName(schema, tables[collection.name]),
                            taken,
                            settings,
                            known.get((collection.database, collection.name)),
                        )
                    )
        finally:
            database.close()
    return SyncPlan(tuple(plans))
