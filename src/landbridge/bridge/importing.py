"""An import: the files of an archive become tables, as the collections that they hold would.

For       `landbridge import` without a mapping, its dry run, and notebooks.
Touches   The archive, by reading; the target, through its rooms.
Promises  A file that isn't the one that was exported changes no table. A stream that fails does not
          stop the others.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from landbridge.bridge.attempts import all_of, attempted, failed
from landbridge.bridge.run import begun, error_of, finish, job_of, silent
from landbridge.bridge.tables import planned, tables_of
from landbridge.codec import COMPILED, documents_in, names
from landbridge.config import selection
from landbridge.engine import dry_run, full
from landbridge.errors import LandbridgeError, UsageError
from landbridge.files import Archive, FileSource, look_at, open_store
from landbridge.model.importing import OnError
from landbridge.model.report import SyncPlan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, Progress, StreamSummary, Summary
from landbridge.model.tables import TableName
from landbridge.postgres import faults
from landbridge.postgres.connect import Target

_SLOW = () if COMPILED else ("without its compiled kernel landbridge is many times slower",)


def import_files(
    place: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    settings: Settings | None = None,
    on_error: OnError = "continue",
    jobs: int = 3,
    observer: Observer | None = None,
) -> Summary:
    """Load the files of an archive, or of mongoexport, into tables of landbridge's own.

    Args:
        place: a local folder, or `s3://bucket/prefix`.
        target: PostgreSQL URI.
        schema: target schema; by default the name of the database that was exported, under the
            name policy.
        select: names or patterns (`*`, `?`) of collections; all by default.
        exclude: names or patterns to leave out.
        settings: how tables are shaped and loaded; the method is `full`.
        on_error: `continue` sets lines aside that are no documents; with `stop` every file is read
            once before the first row is written, and the first such line ends the import.
        jobs: collections at once.
        observer: called with every step of progress, from several threads.

    Returns:
        What each stream did. A stream's failure is in the summary, not raised.

    Raises:
        LandbridgeError: what stops the whole import: a place, a manifest, files that are missing.

    """
    settings = replace(settings or Settings(), method="full")
    began = time.monotonic()
    archive = look_at(open_store(place))
    schema = _schema(archive, schema, settings)
    chosen = _chosen(archive, schema, select, exclude)
    if on_error == "stop":
        for collection in chosen:
            _read_through(FileSource(archive, collection, on_error), observer or silent)
    with begun(target, "import", observer or silent) as run:
        tables, taken = tables_of(run.target, chosen, schema, settings)

        def load(collection: Collection) -> StreamSummary:
            table = TableName(schema, tables[collection.name])
            source = FileSource(archive, collection, on_error)
            job = job_of(run, source, table, taken, settings)
            started = time.monotonic()
            try:
                summary = attempted(run, collection.stream, lambda: full.load_once(job))
            except LandbridgeError as failure:
                seconds = time.monotonic() - started
                return failed(run, collection, table, settings, failure, seconds)
            run.observer(Progress(collection.stream, "done", summary.tally.read))
            return summary

        done = all_of(load, chosen, jobs, run)
        error = error_of(done)
        finish(run, error)
    seconds = time.monotonic() - began
    return Summary(tuple(done), seconds, error, run.id, (*_SLOW, *archive.notes))


def plan_import(
    place: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    settings: Settings | None = None,
    on_error: OnError = "continue",
    observer: Observer | None = None,
) -> SyncPlan:
    """Read every line of an archive and return what an import would do; touches no table.

    The parameters and the errors are those of `import_files`.
    """
    settings = replace(settings or Settings(), method="full")
    archive = look_at(open_store(place))
    schema = _schema(archive, schema, settings)
    chosen = _chosen(archive, schema, select, exclude)
    database = Target(target, "landbridge dry run", 1)
    try:
        with faults.translated("the plan could not be made"), database.session() as session:
            tables, taken, known = planned(session, chosen, schema, settings)
            plans = [
                dry_run.plan_stream(
                    FileSource(archive, collection, on_error),
                    session,
                    TableName(schema, tables[collection.name]),
                    taken,
                    settings,
                    known.get((collection.database, collection.name)),
                    whole=observer or silent,
                )
                for collection in chosen
            ]
    finally:
        database.close()
    return SyncPlan(tuple(plans), archive.notes)


def _schema(archive: Archive, schema: str | None, settings: Settings) -> str:
    if schema is not None:
        return schema
    if archive.manifest is None:
        raise UsageError(
            "--schema is missing",
            why=f"nothing in {archive.store.place} says which database its files are of",
            fix="name the schema for the tables: --schema shop, say",
        )
    return names.table_name(archive.manifest.database, settings)


def _chosen(
    archive: Archive, schema: str, select: Sequence[str], exclude: Sequence[str]
) -> list[Collection]:
    # Without a manifest the schema stands for the database, so that the same files, wherever they
    # lie the next time, are the same stream.
    database = archive.manifest.database if archive.manifest else schema
    chosen = selection.select(archive.collections(database), select, exclude)
    archive.check(chosen)
    return chosen


def _read_through(source: FileSource, observer: Observer) -> None:
    """Read every line, so that the first that is no document is met before a row is written."""
    stream, documents = source.collection.stream, 0
    with source.read(snapshot=False) as read:
        for batch in read:
            documents += sum(1 for _ in documents_in(batch)) + len(batch.aside)
            observer(Progress(stream, "reading", documents, source.collection.documents))
