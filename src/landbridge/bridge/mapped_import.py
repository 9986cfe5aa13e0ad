"""An import into tables that people made, by a mapping: from a MongoDB or from an archive.

For       `landbridge import --mapping`, and notebooks.
Touches   Both ends, through their rooms.
Promises  The mapping is checked against the tables before a document is read. Collections come in
          the order of their references; a failure stops what comes after it.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

from landbridge.bridge.attempts import RETRIES_MAX, RETRY_SECONDS
from landbridge.bridge.mapped_check import check_data, first_violation
from landbridge.bridge.mapped_sources import opened
from landbridge.bridge.mapped_task import Asked, Task, checked
from landbridge.bridge.run import Run, begun, error_of, finish, silent
from landbridge.engine import import_late, importing
from landbridge.engine.import_ids import repeated_ids
from landbridge.engine.importing import Import, ImportJob
from landbridge.errors import InternalError, LandbridgeError, MappingError, RetryableError
from landbridge.mapping import check
from landbridge.mapping.document import read_mapping
from landbridge.mapping.rules import Dangling
from landbridge.model.importing import OnError, RowWriter
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, StreamSummary, Summary
from landbridge.model.tables import Session
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.postgres.late import LateWriter
from landbridge.postgres.session import PostgresSession
from landbridge.postgres.upsert import Upserter
from landbridge.state import imports, streams
from landbridge.state.streams import StreamKey, StreamRecord

BATCH_SIZE = 500
SNAPSHOT_DOCUMENTS_MAX = 1_000_000  # the server keeps the past for five minutes
DEFERRED = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET CONSTRAINTS ALL DEFERRED"

_log = logging.getLogger("landbridge")


def import_mapped(
    target: str,
    mapping_text: str,
    *,
    mapping_name: str = "the mapping",
    input: str | None = None,
    source: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    batch_size: int = BATCH_SIZE,
    dry_run: bool = False,
    on_error: OnError = "continue",
    dangling: Dangling = "quarantine",
    observer: Observer | None = None,
) -> Summary:
    """Bring the rows of existing tables up to date with documents, by a mapping.

    Args:
        target: PostgreSQL URI.
        mapping_text: the mapping file.
        mapping_name: what messages call it.
        input: an archive: a folder or `s3://…`; or
        source: MongoDB URI with a database.
        select: names or patterns of collections; all that the mapping names by default.
        exclude: names or patterns to leave out.
        batch_size: documents of one transaction.
        dry_run: check all data, and write nothing.
        on_error: `stop` at the first document that does not fit, or `continue` without it.
        dangling: what becomes of references that lead nowhere, where the mapping does not say.
        observer: called with every step of progress.

    Returns:
        What each collection's import did. A failure is in the summary, not raised.

    Raises:
        MappingError: the mapping can't be read, or is not as the tables are.
        LandbridgeError: what stops the whole run: a URI, a connection, a selection.

    """
    mapping = read_mapping(mapping_text, mapping_name)
    began = time.monotonic()
    watching = observer or silent
    asked = Asked(mapping, mapping_text, mapping_name, batch_size, on_error, dangling)
    with ExitStack() as stack:
        sources, notes = stack.enter_context(
            opened(
                mapping,
                place=input,
                uri=source,
                select=select,
                exclude=exclude,
                on_error=on_error,
            )
        )
        if not sources:
            raise MappingError(
                f"{mapping_name} names none of the collections",
                notes,
                fix="correct the names in the mapping, or the selection; names are case-sensitive",
            )
        database = stack.enter_context(closing(Target(target, "landbridge import", 1)))
        task = checked(database, asked)
        notes += check.notes(mapping, task.schema)
        if input is not None:  # the files are read to their end before a row is written
            found = {name: repeated_ids(one, watching) for name, one in sources.items()}
            task = replace(task, repeated=found)
        if dry_run:
            planned = check_data(database, list(sources.values()), task, watching)
            notes.append("a dry run: nothing was written")
            error = first_violation(planned) if on_error == "stop" else None
            return Summary(tuple(planned), time.monotonic() - began, error, notes=tuple(notes))
        run = stack.enter_context(begun(target, "import", watching))
        with run.target.session() as session, faults.translated("cannot begin the import"):
            imports.forget_old(session.connection)
        done = _import_all(run, sources, task, notes)
        error = error_of(done)
        finish(run, error)
    return Summary(tuple(done), time.monotonic() - began, error, run.id, tuple(notes))


def _import_all(
    run: Run, sources: dict[str, Source], task: Task, notes: list[str]
) -> list[StreamSummary]:
    done: list[StreamSummary] = []
    for group in task.order.groups:
        present = [sources[name] for name in group.collections if name in sources]
        if not present:
            continue
        if any(summary.error for summary in done):
            names = ", ".join(one.collection.name for one in present)
            notes.append(f"{names}: not imported, because of the failure before")
            continue
        done.extend(_import_group(run, present, task, group.together))
    return done


def _import_group(
    run: Run, present: Sequence[Source], task: Task, together: bool
) -> list[StreamSummary]:
    """Import collections that refer to each other, then what was put off until all are there."""
    works: list[Import] = []
    failure: LandbridgeError | None = None
    for attempt in range(RETRIES_MAX + 1):
        works, failure = [], None
        try:
            told = faults.translated(f"{present[0].collection.stream} could not be imported")
            with told, run.target.session() as session:
                _load_group(run, session, present, task, together, works)
        except RetryableError as passing:
            failure = passing
            if attempt < RETRIES_MAX and not run.stopping.wait(RETRY_SECONDS[attempt]):
                continue  # what is written stays, and is found unchanged
        except LandbridgeError as refusal:
            failure = refusal
        except Exception as bug:  # told as one, with what was done before it
            _log.debug("the import failed unexpectedly", exc_info=True)
            failure = InternalError.of(bug)
        break
    if failure is not None and not works:
        raise failure
    done = []
    with run.target.session() as session:
        for work in works:
            work.session = session
            if failure is not None and together:
                work.account = importing.Account()  # nothing of the group was committed
            error = failure.to_json() if failure is not None and work is works[-1] else None
            done.append(importing.finish(work, error))
    return done


def _load_group(
    run: Run,
    session: PostgresSession,
    present: Sequence[Source],
    task: Task,
    together: bool,
    works: list[Import],
) -> None:
    jobs = [_job(run, source, task, together) for source in present]
    imports.forget_pending(session.connection, run.id)
    with ExitStack() as stack:
        if together:
            works.extend(importing.begin(job, session) for job in jobs)
            stack.enter_context(session.transaction())
            session.connection.execute(DEFERRED)
            for work in works:
                importing.load(work)
        else:
            for job in jobs:
                works.append(importing.begin(job, session))
                importing.load(works[-1])
        shapes = [work.job.shape for work in works]
        if any(
            reference.late
            for shape in shapes
            for rows in shape.tables
            for reference in rows.references
        ):
            records = [work.record for work in works]

            def guard() -> None:
                for record in records:
                    streams.lock_for_chunk(session.connection, record)

            import_late.settle(works, LateWriter(session.connection, shapes, run.id, guard))


def _job(run: Run, source: Source, task: Task, together: bool) -> ImportJob:
    collection = source.collection
    converter = task.converter(collection)
    shape = converter.shape

    def writer_for(session: Session, record: StreamRecord) -> RowWriter:
        connection = session.connection

        def guard() -> None:
            streams.lock_for_chunk(connection, record)

        return Upserter(connection, shape, run.id, guard, together)

    documents = collection.documents
    settings: dict[str, Any] = {"mapping": task.asked.text, "dangling": task.asked.dangling}
    return ImportJob(
        source=source,
        converter=converter,
        writer_for=writer_for,
        key=StreamKey(
            collection.database, collection.name, task.schema.name, shape.main.table.name.name
        ),
        settings=settings,
        fingerprint=hashlib.blake2b(task.asked.text.encode(), digest_size=16).digest(),
        run=run.id,
        holder=run.holder,
        pids=lambda: run.target.pids,
        observer=run.observer,
        stopping=run.stopping.is_set,
        batch_size=task.asked.batch_size,
        on_error=task.asked.on_error,
        repeated=task.repeated.get(collection.name, {}),
        snapshot=documents is not None and documents <= SNAPSHOT_DOCUMENTS_MAX and source.snapshots,
    )
