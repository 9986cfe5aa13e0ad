"""One run against one target: begun, kept alive, and its end written down.

For       Every call that changes the target.
Touches   landbridge.run, the leases of the run's streams.
Promises  However a run ends, its end is written where that is possible and its leases are free.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from landbridge import __version__
from landbridge.engine.stream import Job
from landbridge.engine.wishes import AUTO
from landbridge.errors import LandbridgeError, StreamsFailedError, redact
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection, Source
from landbridge.model.summary import Observer, Progress, StreamSummary
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.mongo.source import CollectionSource
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import leases, migrate, runs
from landbridge.state.leases import Holder


def silent(progress: Progress) -> None:
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
def begun(target_uri: str, command: str, observer: Observer) -> Iterator[Run]:
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


@dataclass(frozen=True, slots=True)
class Request:
    """What a sync was asked for, beside its ends."""

    schema: str
    select: Sequence[str]
    exclude: Sequence[str]
    settings: Settings


def source_of(mongo: Connection, collection: Collection, settings: Settings) -> CollectionSource:
    """Return a collection as something to read from, its size and indexes looked up."""
    described = catalog.with_sizes(mongo, collection)
    if AUTO in settings.indexes:
        described = catalog.with_indexes(mongo, described)
    return CollectionSource(mongo, described)


def job_of(
    run: Run,
    source: Source,
    table: TableName,
    neighbours: set[str],
    settings: Settings,
) -> Job:
    """Return one stream of the run as the engine takes it."""
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


def record_failure(run: Run, summary: StreamSummary) -> None:
    """Write that a stream failed, where that can be written."""
    try:
        with run.target.session() as session:
            runs.record_failure(session.connection, run.id, summary)
    except Exception:  # the target may be what failed; the summary tells of it in any case
        return


def error_of(done: Sequence[StreamSummary]) -> dict[str, str] | None:
    """Return what a run with these streams failed of, if anything."""
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


def finish(run: Run, error: dict[str, str] | None) -> None:
    """Write how the run ended."""
    with run.target.session() as session:
        runs.finish(session.connection, run.id, "failed" if error else "ok", error)
