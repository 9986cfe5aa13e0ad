"""A whole export: which collections, at which time, into which files; the manifest at its end.

For       `landbridge export`, its dry run, and notebooks.
Touches   The source, reading only; the place of the archive.
Promises  All collections are read as of one time, where the server gives that. A collection that
          fails does not stop the others, but keeps the manifest from being written.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

import bson
from bson import json_util

from landbridge import __version__
from landbridge.bridge.exporting.collection import Task, export_collection
from landbridge.bridge.exporting.log import ExportLog, now
from landbridge.config import selection
from landbridge.errors import (
    ArchiveTakenError,
    DocumentsRejectedError,
    InternalError,
    LandbridgeError,
    RetryableError,
    StreamsFailedError,
    UsageError,
)
from landbridge.files import Store, archive_names, open_store, read_manifest, write_manifest
from landbridge.files.progress import PROGRESS_NAME, Asked, ExportProgress, progress_of
from landbridge.model.amounts import count_of
from landbridge.model.archive import (
    MANIFEST_NAME,
    ArchiveFile,
    Compression,
    ExportedFile,
    ExportSummary,
    Manifest,
)
from landbridge.model.position import ClusterTime
from landbridge.model.summary import Observer, Progress
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.scan import Scan

OUT_DEFAULT = "output"
LARGE_DOCUMENT_BYTES = 1 << 20  # on average; such collections go one at a time, for the memory

_log = logging.getLogger("landbridge")


def export(
    source: str,
    out: str | None = None,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    query: str | None = None,
    compress: Compression = "none",
    batch_size: int | None = None,
    jobs: int = 3,
    dry_run: bool = False,
    observer: Observer | None = None,
) -> ExportSummary:
    """Write collections as JSON lines into a folder or a bucket.

    Args:
        source: MongoDB URI with a database.
        out: a local path or `s3://bucket/prefix`; `output/TIME` by default.
        select: names or patterns (`*`, `?`) of collections; all by default.
        exclude: names or patterns to leave out.
        query: a filter in extended JSON, for every collection.
        compress: `none`, `zstd` or `gzip`.
        batch_size: documents of a server's reply; as many as make 3.5 MB by default.
        jobs: collections at once.
        dry_run: connect and count, write nothing.
        observer: called with every step of progress, from several threads.

    Returns:
        What each file holds. A collection's failure is in the summary, not raised.

    Raises:
        LandbridgeError: what stops the whole export: a URI, a connection, a place that is taken.

    """
    began = time.monotonic()
    wanted = _query_of(query)
    out = out or str(PurePath(OUT_DEFAULT, datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")))
    store = open_store(out)
    with connect(source) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        names = archive_names([one.name for one in chosen], compress)
        scans = [Scan(mongo, catalog.with_sizes(mongo, one), wanted, batch_size) for one in chosen]
        asked = Asked(mongo.identity, mongo.database, names, compress, _canonical(wanted))
        _refuse_finished(store)
        if dry_run:
            progress_of(store, asked, "")
            files = tuple(_planned(scan, names[scan.collection.name]) for scan in scans)
            seconds = time.monotonic() - began
            return ExportSummary(store.place, files, seconds, dry_run=True)
        with store.held():
            _refuse_finished(store)
            run = _Run(mongo, store, asked, jobs, observer or _silent)
            return replace(run.export(scans), seconds=time.monotonic() - began)


class _Run:
    def __init__(
        self, mongo: Connection, store: Store, asked: Asked, jobs: int, observer: Observer
    ) -> None:
        self._store, self._asked, self._jobs, self._observer = store, asked, jobs, observer
        self._identity, self._database = mongo.identity, mongo.database
        self._stopping = threading.Event()
        self._alone = threading.Lock()  # held by the one collection of large documents at work
        self._progress, self._goes_on = progress_of(store, asked, now())
        self._logged = ExportLog(store)

    def export(self, scans: Sequence[Scan]) -> ExportSummary:
        """Write all files, and the manifest if they are whole."""
        at = _moment(scans, self._progress)
        self._logged.say(
            f"export of {self._database} {'goes on' if self._goes_on else 'begins'}, "
            f"landbridge {__version__}, from {self._identity}"
        )
        self._progress.begin(self._progress.cluster_time or (str(at) if at else None))
        files = self._all(scans, at)
        failed = [one for one in files if one.error]
        summary = ExportSummary(
            self._store.place, tuple(files), cluster_time=self._progress.cluster_time
        )
        if failed:
            self._logged.say(f"export fails: {len(failed)} of {len(files)} collections")
            return replace(summary, error=_error_of(failed, files, self._store.place))
        documents = sum(one.file.documents for one in files)
        self._logged.say(
            f"export ends: {len(files)} files, {documents:,} documents, "
            f"{sum(one.file.bytes for one in files):,} bytes"
        )
        write_manifest(self._store, self._manifest(files))
        self._progress.end()
        return replace(summary, error=_rejections_of(files))

    def _manifest(self, files: Sequence[ExportedFile]) -> Manifest:
        return Manifest(
            landbridge=__version__,
            source=self._asked.source,
            database=self._asked.database,
            started_at=self._progress.started_at,
            finished_at=now(),
            cluster_time=self._progress.cluster_time,
            compression=self._asked.compression,
            query=self._asked.query,
            files=tuple(one.file for one in files),
        )

    def _all(self, scans: Sequence[Scan], at: ClusterTime | None) -> list[ExportedFile]:
        for scan in scans:
            self._observer(Progress(scan.collection.stream, "waiting", total=scan.total))
        with ThreadPoolExecutor(max(1, min(self._jobs, len(scans)))) as pool:
            futures = [pool.submit(self._one, scan, at) for scan in scans]
            try:
                return [future.result() for future in futures]
            except BaseException:
                self._stopping.set()
                for future in futures:
                    future.cancel()
                raise

    def _one(self, scan: Scan, at: ClusterTime | None) -> ExportedFile:
        name = scan.collection.name
        file = ArchiveFile(self._asked.files[name], name, 0, 0, 0, "")
        task = Task(
            self._store, scan, file, self._asked.compression, at, self._progress, self._logged,
            self._observer, self._stopping,
        )  # fmt: skip
        is_large = (scan.collection.document_bytes or 0) > LARGE_DOCUMENT_BYTES
        try:
            with self._alone if is_large else nullcontext():
                return export_collection(task)
        except LandbridgeError as failure:
            error = failure
        except Exception as failure:  # a bug stops its own collection, not the others
            _log.debug("%s failed unexpectedly", scan.collection.stream, exc_info=True)
            error = InternalError.of(failure)
        self._observer(Progress(scan.collection.stream, "failed"))
        self._logged.say(f"{name}: fails: {error.what}: {error.why}")
        known = scan.collection
        return ExportedFile(known.database, file, known.bytes, error=error.to_json())


def _moment(scans: Sequence[Scan], progress: ExportProgress) -> ClusterTime | None:
    """Return the time to read all collections at: that of the run before, where it is kept."""
    able = [scan for scan in scans if scan.snapshots]
    if not able:
        return None
    if progress.cluster_time is not None:
        before = ClusterTime.parse(progress.cluster_time)
        try:
            with able[-1].read(at=before) as read:
                next(iter(read), None)
            return before
        except RetryableError:  # too old, or older than the collection
            pass
    return able[-1].now()


def _query_of(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        parsed: Any = json_util.loads(text)
        if not isinstance(parsed, dict):
            raise ValueError("it is no object")
        return bson.encode(parsed)
    except (ValueError, TypeError, bson.errors.BSONError) as error:
        raise UsageError(
            "--query can't be understood",
            why=str(error),
            fix="""write a filter in extended JSON: '{"status": {"$ne": "deleted"}}'""",
        ) from error


def _canonical(query: bytes | None) -> str | None:
    if query is None:
        return None
    options = json_util.CANONICAL_JSON_OPTIONS
    return json_util.dumps(bson.decode(query, options), json_options=options)


def _refuse_finished(store: Store) -> None:
    # With progress beside it the last step is still to be done: the same command does it.
    if read_manifest(store) is not None and store.size(PROGRESS_NAME) is None:
        raise ArchiveTakenError(
            f"cannot export into {store.place}",
            why=f"a finished archive is there ({MANIFEST_NAME})",
            fix="name another --out, or remove that archive",
        )


def _planned(scan: Scan, name: str) -> ExportedFile:
    collection = scan.collection
    file = ArchiveFile(name, collection.name, scan.count(), 0, 0, "")
    return ExportedFile(collection.database, file, collection.bytes)


def _error_of(
    failed: Sequence[ExportedFile], files: Sequence[ExportedFile], place: str
) -> dict[str, str]:
    if len(files) == 1 and failed[0].error:
        return failed[0].error
    return StreamsFailedError(
        f"{len(failed)} of {len(files)} collections were not exported",
        why="; ".join(f"{one.stream}: {(one.error or {}).get('message')}" for one in failed[:5]),
        fix=f"remove the causes and run the same command again with --out {place}; it goes on",
    ).to_json()


def _rejections_of(files: Sequence[ExportedFile]) -> dict[str, str] | None:
    rejecting = [one.file for one in files if one.file.rejected]
    if not rejecting:
        return None
    rejected = sum(file.rejected for file in rejecting)
    return DocumentsRejectedError(
        f"{count_of(rejected, 'document')} could not be written as JSON",
        why="text that is not UTF-8, or a key that extended JSON takes for a type",
        fix=f"they are whole in {', '.join(file.rejected_name for file in rejecting[:5])}, with "
        "the reasons; mend them at the source, or take them from there",
    ).to_json()


def _silent(progress: Progress) -> None:
    """Watch nothing."""
