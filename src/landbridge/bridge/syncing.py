"""A sync: the collections of a source become tables, stream by stream.

For       `landbridge sync`, its dry run, and notebooks.
Touches   Both ends, through their rooms.
Promises  A stream that fails does not stop the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from landbridge.bridge.run import Run, begun, error_of, finish, job_of, record_failure, silent
from landbridge.bridge.tables import named, tables_of
from landbridge.codec import COMPILED, names
from landbridge.config import selection
from landbridge.engine import dry_run, full, incremental
from landbridge.engine.wishes import AUTO
from landbridge.errors import (
    InternalError,
    LandbridgeError,
    RetryableError,
    UsageError,
)
from landbridge.model.report import SyncPlan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, Progress, StreamSummary, Summary
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.source import CollectionSource
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import migrate, streams

_log = logging.getLogger("landbridge")

_SLOW = () if COMPILED else ("without its compiled kernel landbridge is many times slower",)

RETRIES_MAX = 5
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # 30 s in all


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

    Returns:
        What each stream did. A stream's failure is in the summary, not raised.

    Raises:
        LandbridgeError: what stops the whole run: a URI, a connection, a selection.

    """
    settings, notes = _possible(settings or Settings())
    began = time.monotonic()
    with connect(source) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        with begun(target, "sync", observer or silent, jobs) as run:
            schema = schema or names.table_name(mongo.database, settings)
            tables, taken = tables_of(run.target, chosen, schema, settings)

            def load(collection: Collection) -> StreamSummary:
                table = TableName(schema, tables[collection.name])
                return _load_stream(run, mongo, collection, table, taken, settings)

            done = _all_of(load, chosen, jobs, run)
            error = error_of(done)
            finish(run, error)
    return Summary(tuple(done), time.monotonic() - began, error, run.id, (*_SLOW, *notes))


def _possible(settings: Settings) -> tuple[Settings, tuple[str, ...]]:
    """Return the settings that keep what was asked for, and what is to be said of them."""
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


def _all_of(
    load: Callable[[Collection], StreamSummary],
    collections: Sequence[Collection],
    jobs: int,
    run: Run,
) -> list[StreamSummary]:
    with ThreadPoolExecutor(max(1, min(jobs, len(collections)))) as pool:
        futures = [pool.submit(load, collection) for collection in collections]
        try:
            return [future.result() for future in futures]
        except BaseException:
            run.stopping.set()
            run.target.cancel()
            for future in futures:
                future.cancel()
            raise


def _load_stream(
    run: Run,
    mongo: Connection,
    collection: Collection,
    table: TableName,
    neighbours: set[str],
    settings: Settings,
) -> StreamSummary:
    """Load one stream, again after a passing fault; a failure becomes part of the summary."""
    began = time.monotonic()
    failure: LandbridgeError
    for attempt in range(RETRIES_MAX + 1):
        try:
            with faults.translated(f"{collection.stream} could not be loaded"):
                described = catalog.with_sizes(mongo, collection)
                if AUTO in settings.indexes:
                    described = catalog.with_indexes(mongo, described)
                source = CollectionSource(mongo, described)
                job = job_of(run, source, table, neighbours, settings)
                if settings.method == "incremental":
                    summary = incremental.load(job, source)
                else:
                    summary = full.load(job)
                run.observer(Progress(collection.stream, "done", summary.tally.read))
                return summary
        except RetryableError as error:
            failure = error
            if attempt == RETRIES_MAX or run.stopping.wait(RETRY_SECONDS[attempt]):
                break
        except LandbridgeError as error:
            failure = error
            break
        except Exception as error:  # a bug stops its own stream, not the others
            _log.debug("%s failed unexpectedly", collection.stream, exc_info=True)
            failure = InternalError.of(error)
            break
    run.observer(Progress(collection.stream, "failed"))
    summary = StreamSummary(
        database=collection.database,
        collection=collection.name,
        target_schema=table.schema,
        target_table=table.name,
        method=settings.method,
        load=settings.load,
        seconds=time.monotonic() - began,
        error=failure.to_json(),
    )
    record_failure(run, summary)
    return summary


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
                known: dict[tuple[str, str], streams.KnownStream] = {}
                children: set[str] = set()
                if migrate.is_installed(session.connection):
                    known = streams.known_streams(session.connection, schema)
                    children = streams.child_tables(session.connection, schema)
                given = {stream: record.table for stream, record in known.items()}
                tables, taken = named(chosen, given, children, settings)
                plans = []
                for collection in chosen:
                    described = catalog.with_sizes(mongo, collection)
                    if AUTO in settings.indexes:
                        described = catalog.with_indexes(mongo, described)
                    plans.append(
                        dry_run.plan_stream(
                            CollectionSource(mongo, described),
                            session,
                            TableName(schema, tables[described.name]),
                            taken,
                            settings,
                            known.get((described.database, described.name)),
                        )
                    )
        finally:
            database.close()
    return SyncPlan(tuple(plans))
