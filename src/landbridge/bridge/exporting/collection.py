"""One collection of an export: read, written, gone on with after a fault or a crash.

For       `run`, which does this for each collection.
Touches   The collection, reading only; its file, and the one of its rejected documents.
Promises  `consistent_at` names a time only if all of the file is as of that time.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace

from landbridge.bridge.exporting.log import ExportLog
from landbridge.codec import id_text, unwritable
from landbridge.engine.archiving import Archiving, Place
from landbridge.errors import InterruptedRunError, RetryableError, SnapshotTooOldError
from landbridge.files import Store
from landbridge.files.parts import PartsFile, parts_file
from landbridge.files.progress import ExportProgress, Safe
from landbridge.model.amounts import count_of, size
from landbridge.model.archive import ArchiveFile, Compression, ExportedFile, Rejection
from landbridge.model.position import ClusterTime
from landbridge.model.summary import Observer, Progress
from landbridge.mongo.scan import Scan

RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # 30 s in all
REJECTIONS_SHOWN_MAX = 5
LINES_PER_BSON = 2.5  # lines take about so many times the bytes of BSON

_FUZZY = "not of one moment: the server gives no snapshot of it"
_LATER = (
    "not of one moment: {documents:,} documents are as of {at}, the others were read later, for "
    "the server's history no longer reached back"
)
_MIXED = "not of one moment: it was gone on with after a crash, without a snapshot"


@dataclass(slots=True)
class Task:
    """One collection that is to become a file."""

    store: Store
    scan: Scan
    file: ArchiveFile  # its name, before anything is counted
    compression: Compression
    at: ClusterTime | None  # the time of the whole export
    progress: ExportProgress
    log: ExportLog
    observer: Observer
    stopping: threading.Event
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def stream(self) -> str:
        """`database.collection`."""
        return self.scan.collection.stream


def export_collection(task: Task) -> ExportedFile:
    """Write a collection's file to its end, or return it as an earlier run did.

    Raises:
        LandbridgeError: what stopped it; what is safe stays.

    """
    collection, name = task.scan.collection, task.file.collection
    known = task.progress.safe(name)
    if known is not None and known.finished and task.store.size(known.file.name) is not None:
        task.observer(Progress(task.stream, "done", known.file.documents))
        return ExportedFile(collection.database, known.file, collection.bytes, kept=True)
    task.log.say(f"{name}: begins" if known is None else f"{name}: goes on")
    file = _with_retries(task)
    task.observer(Progress(task.stream, "done", file.documents, bytes=file.bytes_plain))
    task.log.say(
        f"{name}: ends, {count_of(file.documents, 'document')}, {size(file.bytes)}, "
        f"sha256 {file.sha256}" + (f", {file.rejected:,} rejected" if file.rejected else "")
    )
    rejections = tuple(task.rejections)
    return ExportedFile(collection.database, file, collection.bytes, rejected=rejections)


def _with_retries(task: Task) -> ArchiveFile:
    failures = 0
    while True:
        start = _start_of(task)
        try:
            return _Attempt(task, start).run()
        except SnapshotTooOldError:
            # What has begun goes on as it is; what hasn't is read at a time of its own.
            task.at = task.scan.now() if start.place is None and failures == 0 else None
            failures += 1
        except RetryableError as error:
            failures = 0 if task.progress.safe(task.file.collection) != start else failures + 1
            if failures > len(RETRY_SECONDS) or task.stopping.wait(RETRY_SECONDS[failures - 1]):
                raise
            if type(error) is RetryableError and task.at is not None:
                task.at = task.scan.now()  # the collection is younger than that time


def _start_of(task: Task) -> Safe:
    """Return what is safe to go on from; nothing, where the place can't be trusted."""
    known = task.progress.safe(task.file.collection)
    fresh = Safe(task.file, uuid=task.scan.collection.uuid)
    if known is None or known.finished or known.place is None or not task.store.resumes:
        return fresh
    left = task.store.open_partial(known.file.name)
    if left is None:  # a crash came between the file's name and this progress
        return fresh
    left.close()
    if not task.scan.resumes or known.uuid != fresh.uuid or known.member != task.scan.member():
        return fresh
    place, last_id = bytes.fromhex(known.place), bytes.fromhex(known.last_id or "")
    if last_id and not task.scan.has_place(last_id, place):
        return fresh
    return known


class _Attempt:
    """One try to read a collection to its end, from what is safe."""

    def __init__(self, task: Task, start: Safe) -> None:
        self._task, self._start = task, start
        self._at = task.at if task.scan.snapshots else None
        self._member = task.scan.member()
        self._began = time.monotonic()
        self._kept = _with_moment(start, None if self._at is None else str(self._at))

    def run(self) -> ArchiveFile:
        """Write what is read; return the finished file."""
        task = self._task
        place = None if self._start.place is None else bytes.fromhex(self._start.place)
        expect_bytes = int((task.scan.collection.bytes or 0) * LINES_PER_BSON)
        with ExitStack() as opened:
            self._output = opened.enter_context(
                parts_file(
                    task.store,
                    task.file.name,
                    task.compression,
                    keep_bytes=self._kept.bytes,
                    expect_bytes=expect_bytes,
                )
            )
            self._rejected = _Rejected(task, self._start, opened)
            self._archiving = Archiving(
                self._output,
                reject=self._rejected.take,
                on_part=self._on_part,
                on_progress=self._on_progress,
                stopping=task.stopping.is_set,
            )
            with task.scan.read(at=self._at, after=place) as read:
                if not self._archiving.write(read):
                    raise InterruptedRunError(
                        "interrupted", why="another collection failed", fix="run it again"
                    )
            self._rejected.finish()
            self._output.finish()
            file = replace(self._counted(), sha256=self._output.sha256)
        task.progress.save(file.collection, replace(self._start, file=file, finished=True))
        return file

    def _counted(self) -> ArchiveFile:
        return replace(
            self._kept,
            documents=self._kept.documents + self._archiving.documents,
            bytes=self._output.size,
            bytes_plain=self._kept.bytes_plain + self._archiving.bytes_plain,
            seconds=self._kept.seconds + time.monotonic() - self._began,
            rejected=self._kept.rejected + self._rejected.count,
        )

    def _on_part(self, place: Place) -> None:
        self._rejected.end_part()
        safe = replace(
            self._start,
            file=self._counted(),
            place=place.token.hex(),
            last_id=None if place.last_id is None else place.last_id.hex(),
            rejected_bytes=self._rejected.size,
            member=self._member,
        )
        self._task.progress.save(safe.file.collection, safe)

    def _on_progress(self) -> None:
        done, total = self._counted(), self._task.scan.total
        self._task.observer(
            Progress(self._task.stream, "reading", done.documents, total, done.bytes_plain)
        )


class _Rejected:
    """The file of the documents that have no line; there is none before the first."""

    def __init__(self, task: Task, start: Safe, opened: ExitStack) -> None:
        self.count = 0
        self._task, self._opened = task, opened
        self._file: PartsFile | None = None
        if start.rejected_bytes:
            self._open(start.rejected_bytes)

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return 0 if self._file is None else self._file.size

    def take(self, document: bytes) -> None:
        """Write a document with the reason."""
        if self._file is None:
            self._open(0)
        assert self._file is not None
        path, reason = unwritable(document) or ((), "")
        rejection = Rejection(id_text(document), ".".join(path), reason)
        if len(self._task.rejections) < REJECTIONS_SHOWN_MAX:
            self._task.rejections.append(rejection)
        line = asdict(rejection) | {"bson": base64.b64encode(document).decode()}
        self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.count += 1

    def end_part(self) -> None:
        """Make what was written so far survive a crash."""
        if self._file is not None:
            self._file.end_part()

    def finish(self) -> None:
        """Give the file its name, if there is one."""
        if self._file is not None:
            self._file.finish()

    def _open(self, keep_bytes: int) -> None:
        name = self._task.file.rejected_name
        opening = parts_file(self._task.store, name, "none", keep_bytes=keep_bytes, expect_bytes=0)
        self._file = self._opened.enter_context(opening)


def _with_moment(start: Safe, at: str | None) -> ArchiveFile:
    """Return what is kept, with the time that all of the file will be as of, if there is one."""
    kept = start.file
    if start.place is None:
        return replace(kept, consistent_at=at, notes=() if at else (_FUZZY,))
    if kept.consistent_at == at:
        return kept
    if kept.consistent_at is None:
        note = _MIXED
    else:
        note = _LATER.format(documents=kept.documents, at=kept.consistent_at)
    notes = tuple(dict.fromkeys((*kept.notes, note)))
    return replace(kept, consistent_at=None, notes=notes)
