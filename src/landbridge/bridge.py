"""The one module that knows every concrete room: a request becomes a run.

For       The command line, the service and notebooks; `landbridge.sync` is `sync` here.
Touches   Both ends, through their rooms.
Promises  A stream that fails does not stop the others. What is returned accounts for every
          document; nothing is printed.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from landbridge import __version__
from landbridge.codec import COMPILED, names
from landbridge.config import selection
from landbridge.engine import dry_run, full
from landbridge.engine.memory import MemorySource
from landbridge.engine.stream import Job
from landbridge.engine.wishes import AUTO
from landbridge.errors import (
    InternalError,
    LandbridgeError,
    RetryableError,
    StreamsFailedError,
    UnsupportedError,
    UsageError,
    redact,
)
from landbridge.model.report import QuarantineEntry, SyncPlan
from landbridge.model.settings import Contract, Nul, Settings
from landbridge.model.stream import Collection, Source
from landbridge.model.summary import Observer, Progress, StreamSummary, Summary
from landbridge.model.tables import Session, TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.source import CollectionSource
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import leases, migrate, quarantine, runs, streams
from landbridge.state.leases import Holder

_log = logging.getLogger("landbridge")

_SLOW = () if COMPILED else ("without its compiled kernel landbridge is many times slower",)

RETRIES_MAX = 5
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # 30 s in all


def _silent(progress: Progress) -> None:
    """Watch nothing."""


@dataclass(slots=True)
class Run:
    """One run against one target: its identity, its connections, its heartbeat."""

    id: str
    target: Target
    holder: Holder
    observer: Observer
    stopping: threading.Event = field(default_factory=threading.Event)


@contextmanager
def _run(target_uri: str, command: str, observer: Observer, jobs: int) -> Iterator[Run]:
    """Begin a run, keep its leases alive, and write how it ended."""
    run_id = str(uuid.uuid4())
    copy_connections = max(1, min(2, os.cpu_count() or 1))
    target = Target(target_uri, leases.application_name(run_id), copy_connections)
    with closing(target), leases.held_by_this_process(run_id) as holder:
        run = Run(run_id, target, holder, observer)
        with faults.translated("the state of the run could not be written"):
            with target.session() as session:
                migrate.migrate(session.connection)
                runs.start(session.connection, run_id, command, __version__, socket.gethostname())
            with _heartbeat(run):
                try:
                    yield run
                except BaseException as error:
                    _record_end(run, error)
                    raise


@contextmanager
def _heartbeat(run: Run) -> Iterator[None]:
    """Keep the leases of a run alive, and give free at its end what is left of them."""
    ended = threading.Event()
    heart = threading.Thread(target=_renew_leases, args=(run, ended), daemon=True)
    heart.start()
    try:
        yield
    finally:
        ended.set()
        heart.join()
        with suppress(Exception), run.target.session() as session:
            leases.release_all(session.connection, run.holder)


def _record_end(run: Run, error: BaseException) -> None:
    """Write how a run ended that returns nothing, where that can be written."""
    code = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    report = {"code": code, "message": redact(str(error)) or type(error).__name__}
    if isinstance(error, LandbridgeError):
        report = error.to_json()
    with suppress(Exception), run.target.session() as session:
        runs.finish(session.connection, run.id, "failed", report)


def _renew_leases(run: Run, ended: threading.Event) -> None:
    while not ended.wait(leases.RENEWAL_SECONDS):
        try:
            with run.target.session() as session:
                leases.renew(session.connection, run.holder, run.target.pids)
        except Exception:  # the loads themselves will meet the same fault, and tell of it
            continue


def sync(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    method: str = "full",
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
        method: `full`.
        settings: how tables are shaped and loaded.
        jobs: collections at once.
        observer: called with every step of progress, from several threads.

    Returns:
        What each stream did. A stream's failure is in the summary, not raised.

    Raises:
        LandbridgeError: what stops the whole run: a URI, a connection, a selection.

    """
    settings = settings or Settings()
    _refuse(method, settings)
    began = time.monotonic()
    with connect(source) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        with _run(target, "sync", observer or _silent, jobs) as run:
            schema = schema or names.table_name(mongo.database, settings)
            tables, taken = _tables(run.target, chosen, schema, settings)

            def load(collection: Collection) -> StreamSummary:
                table = TableName(schema, tables[collection.name])
                return _load_stream(run, mongo, collection, table, taken, settings)

            done = _all_of(load, chosen, jobs, run)
            error = _error_of(done)
            _finish(run, error)
    return Summary(tuple(done), time.monotonic() - began, error, run.id, _SLOW)


def _refuse(method: str, settings: Settings) -> None:
    if method != "full":
        raise UnsupportedError(
            f"the method {method} is not there yet",
            why="this version loads by the method full",
            fix="use --method full, which also brings updates and deletes",
        )
    if settings.load == "append" and settings.arrays == "table":
        raise UsageError(
            "--arrays table cannot be used with --load append",
            why="a child row would not say which version of its parent it belongs to",
            fix="keep arrays in jsonb (--arrays jsonb), or use another --load",
        )


def _tables(
    target: Target, collections: Sequence[Collection], schema: str, settings: Settings
) -> tuple[dict[str, str], set[str]]:
    """Return each collection's table in a schema, made where needed, and all names taken."""
    with target.session() as session, faults.translated(f"cannot use the schema {schema}"):
        session.create_schema(schema)
        known = streams.table_names(session.connection, schema)
        children = streams.child_tables(session.connection, schema)
    return _named(collections, known, children, settings)


def _named(
    collections: Sequence[Collection],
    known: Mapping[tuple[str, str], str],
    children: set[str],
    settings: Settings,
) -> tuple[dict[str, str], set[str]]:
    """Name each collection's table; a name once given stays, two never share one."""
    tables: dict[str, str] = {}
    taken = {*known.values(), *children}
    for collection in collections:
        name = known.get((collection.database, collection.name))
        if name is None:
            name = names.table_name(collection.name, settings, taken)
            taken.add(name)
        tables[collection.name] = name
    return tables, taken - children


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
                summary = full.load(_job(run, source, table, neighbours, settings))
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
        load=settings.load,
        seconds=time.monotonic() - began,
        error=failure.to_json(),
    )
    _record_failure(run, summary)
    return summary


def _job(
    run: Run,
    source: Source,
    table: TableName,
    neighbours: set[str],
    settings: Settings,
) -> Job:
    return Job(
        source=source,
        target=run.target,
        table=table,
        neighbours=neighbours,
        settings=settings,
        run=run.id,
        holder=run.holder,
        observer=run.observer,
        stopping=run.stopping.is_set,
    )


def _record_failure(run: Run, summary: StreamSummary) -> None:
    try:
        with run.target.session() as session:
            runs.record_failure(session.connection, run.id, summary)
    except Exception:  # the target may be what failed; the summary tells of it in any case
        return


def _error_of(done: Sequence[StreamSummary]) -> dict[str, str] | None:
    failed = [summary for summary in done if summary.error]
    if not failed:
        return None
    if len(done) == 1:
        return failed[0].error
    return StreamsFailedError(
        f"{len(failed)} of {len(done)} streams failed",
        why="; ".join(f"{s.stream}: {(s.error or {}).get('message')}" for s in failed[:5]),
        fix="the others have finished; see each stream's own error, then start again",
    ).to_json()


def _finish(run: Run, error: dict[str, str] | None) -> None:
    with run.target.session() as session:
        runs.finish(session.connection, run.id, "failed" if error else "ok", error)


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
    settings = settings or Settings()
    _refuse("full", settings)
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
                tables, taken = _named(chosen, given, children, settings)
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


# -- quarantine ---------------------------------------------------------------------------


def list_quarantine(
    target: str, *, stream: str | None = None, limit: int = 100
) -> list[QuarantineEntry]:
    """Return the documents that were set aside, the oldest first."""
    with _state(target) as session:
        if not migrate.is_installed(session.connection):
            return []
        return quarantine.entries(session.connection, stream=stream, limit=limit)


def show_quarantine(target: str, entry: int) -> QuarantineEntry:
    """Return one entry with its whole document.

    Raises:
        UsageError: there is no such entry.

    """
    with _state(target) as session:
        found = None
        if migrate.is_installed(session.connection):
            found = quarantine.entry(session.connection, entry)
    if found is None:
        raise UsageError(
            f"there is no quarantine entry {entry}",
            why="it was never made, or a later good version of its document closed it",
            fix="list what there is with landbridge quarantine list",
        )
    return found


@contextmanager
def _state(target: str) -> Iterator[Session]:
    database = Target(target, "landbridge", 1)
    try:
        with faults.translated("the quarantine cannot be read"), database.session() as session:
            yield session
    finally:
        database.close()


def retry_quarantine(
    target: str,
    *,
    entries: Sequence[int] = (),
    stream: str | None = None,
    nul: Nul | None = None,
    contract: Contract | None = None,
    observer: Observer | None = None,
) -> Summary:
    """Try to turn documents that were set aside into rows.

    The settings are those of their stream's last load, but for `nul` and `contract` where given.
    Those that fit now are loaded and their entries closed; the others stay, with their reason.
    """
    chosen: dict[str, Any] = {"nul": nul, "contract": contract}
    chosen = {name: choice for name, choice in chosen.items() if choice is not None}
    began = time.monotonic()
    done: list[StreamSummary] = []
    with _run(target, "quarantine retry", observer or _silent, 1) as run:
        with run.target.session() as session:
            waiting = quarantine.waiting(session.connection, stream=stream, ids=entries)
        for held in waiting:
            source = _held_source(held)
            table = TableName(held.key.target_schema, held.key.target_table)
            settings = replace(_settings_of(held), full_refresh=False, **chosen)
            try:
                with faults.translated(f"{held.key.collection} could not be retried"):
                    with run.target.session() as session:
                        taken = streams.table_names(session.connection, table.schema).values()
                    job = _job(run, source, table, set(taken), settings)
                    done.append(full.load(job, [number for number, _ in held.documents]))
            except LandbridgeError as failure:
                done.append(
                    StreamSummary(
                        database=held.key.database,
                        collection=held.key.collection,
                        target_schema=table.schema,
                        target_table=table.name,
                        load=settings.load,
                        error=failure.to_json(),
                    )
                )
        error = _error_of(done)
        _finish(run, error)
    return Summary(tuple(done), time.monotonic() - began, error, run.id)


def _held_source(held: quarantine.Held) -> MemorySource:
    documents = [document for _, document in held.documents]
    collection = Collection(
        held.key.database,
        held.key.collection,
        "collection" if held.keyed else "view",
        documents=len(documents),
        bytes=0,
    )
    return MemorySource(collection, documents)


def _settings_of(held: quarantine.Held) -> Settings:
    stored = {**held.settings, "indexes": tuple(held.settings["indexes"])}
    settings = Settings(**stored)
    return settings if settings.load == "append" else replace(settings, load="upsert")
