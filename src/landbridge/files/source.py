"""The files of one collection as something to read from: the file end's `Source`.

For       The engine, which is handed it.
Touches   Those files, reading only.
Promises  Every line is a document, blank, or set aside with its number and the reason. Where a
          manifest tells counts and checksum, a read that has ended was of those very bytes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterator, Sequence
from json import dumps
from types import TracebackType

from landbridge.codec import Parsed, batch_of, documents_in, parse_lines
from landbridge.errors import ArchiveError, BrokenLineError
from landbridge.files.archive import Archive, Entry
from landbridge.files.line_chunks import (
    CHUNK_BYTES,
    LINE_BYTES_KEPT,
    LINE_BYTES_MAX,
    LongLine,
    whole_lines,
)
from landbridge.files.reading import chunks
from landbridge.files.rejected import rejected_documents
from landbridge.files.versions import last_versions
from landbridge.model.archive import ArchiveFile
from landbridge.model.batch import Aside, Batch, Problem
from landbridge.model.importing import OnError
from landbridge.model.stream import Collection, IdRange

# A file whose first lines are all broken is no file of lines, whatever its name says.
BROKEN_LINES_TRIED = 100
_EMPTY_ARRAY = batch_of([])
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class FileSource:
    """The files of one collection, read one after another."""

    snapshots = False  # an `_id` may stand several times
    snapshot_seconds = 0.0

    def __init__(self, archive: Archive, collection: Collection, on_error: OnError) -> None:
        self.collection = collection
        self.identity = archive.store.place
        self._archive = archive
        self._on_error: OnError = on_error

    def read(self, *, snapshot: bool) -> FileRead:
        """Read all lines."""
        return FileRead(self._batches(), self._consistent_at)

    def read_range(self, part: IdRange) -> FileRead:
        """Read all lines: they are one range."""
        return self.read(snapshot=False)

    def read_ids(self, ids: Sequence[bytes]) -> FileRead:
        """Read the last document of each of these ids; the earlier ones are set aside."""
        return FileRead(self._last_of(ids), None)

    def split(self, bytes_each: int) -> list[IdRange]:
        """Return the one range."""
        return [IdRange(0, None, None)]

    def sample(self, documents: int, seconds: float) -> list[bytes]:
        """Return the first documents."""
        found: list[bytes] = []
        began = time.monotonic()
        with self.read(snapshot=False) as read:
            for batch in read:
                found += documents_in(batch)
                if len(found) >= documents or time.monotonic() - began > seconds:
                    break
        return found[:documents]

    @property
    def _consistent_at(self) -> str | None:
        files = self._archive.files_of(self.collection.name)
        times = {entry.expected.consistent_at if entry.expected else None for entry in files}
        return times.pop() if len(times) == 1 else None

    def _batches(self) -> Generator[Batch, None, None]:
        for entry in self._archive.files_of(self.collection.name):
            yield from self._batches_of(entry)
            if entry.expected is not None and entry.expected.rejected:
                yield from self._rejected_of(entry.expected)

    def _last_of(self, ids: Sequence[bytes]) -> Generator[Batch, None, None]:
        if self._on_error == "stop":
            raise BrokenLineError(
                f"{self.collection.stream} was not imported",
                why=f"{len(ids)} ids stand more than once in its files",
                fix="with --on-error continue the last document of each id is loaded, and the"
                " others are set aside",
            )
        yield from last_versions(self._batches, ids)

    def _batches_of(self, entry: Entry) -> Iterator[Batch]:
        digest = hashlib.sha256()
        lines = documents = 0
        begun = False
        for chunk in whole_lines(chunks(self._archive.store, entry.name, digest)):
            if isinstance(chunk, LongLine):
                lines, begun = lines + 1, True
                documents += 1
                yield _aside([self._long(entry, lines, chunk)])
                continue
            start = 0 if begun else self._opening(entry, chunk)
            done = parse_lines(chunk, start, len(chunk), entry.expected is None)
            if not begun:
                self._refuse_what_is_no_lines(entry, done)
            begun = True
            broken = [self._broken(entry, lines, chunk, done, n) for n in range(len(done.broken))]
            lines += done.lines
            documents += done.documents + len(broken)
            del chunk
            if done.documents or broken:
                yield Batch(done.array, 0, len(done.array), aside=tuple(broken))
        self._confirm(entry, digest.hexdigest(), documents)

    def _rejected_of(self, file: ArchiveFile) -> Iterator[Batch]:
        """Read the documents that have no line, as many as the manifest says."""
        documents: list[bytes] = []
        count = size = 0
        for kept in rejected_documents(self._archive.store, file.rejected_name):
            count += 1
            if kept.document is None:
                where = f"line {kept.number} of {file.rejected_name}"
                yield _aside([self._refused(where, kept.line, "it holds no document")])
                continue
            documents.append(kept.document)
            size += len(kept.document)
            if size > CHUNK_BYTES:
                yield batch_of(documents)
                documents, size = [], 0
        if documents:
            yield batch_of(documents)
        if count != file.rejected:
            raise self._archive.another(
                file.rejected_name,
                f"it has {count:,} documents, and the manifest says {file.rejected:,}",
            )

    def _opening(self, entry: Entry, chunk: bytes) -> int:
        """Return where the first line begins, once the file looks like one of lines.

        Raises:
            ArchiveError: it is something else that JSON is written as.

        """
        if chunk.startswith(_UTF16_MARKS):
            raise self._no_lines(
                entry, "it is UTF-16", "write it anew as UTF-8: iconv -f UTF-16 -t UTF-8"
            )
        start = len(_UTF8_MARK) if chunk.startswith(_UTF8_MARK) else 0
        first = chunk[start : start + 4096].lstrip()
        if first.startswith(b"["):
            raise self._no_lines(
                entry,
                "it is one JSON array, not a document a line",
                "export again without --jsonArray",
            )
        if first.split(b"\n", 1)[0].strip() == b"{":
            raise self._no_lines(
                entry,
                "its documents take several lines each",
                "export again without --pretty",
            )
        return start

    def _refuse_what_is_no_lines(self, entry: Entry, done: Parsed) -> None:
        if not done.documents and len(done.broken) >= BROKEN_LINES_TRIED:
            first = done.broken[0]
            raise self._no_lines(
                entry,
                f"none of its first {len(done.broken)} lines is a document; line {first.line + 1}:"
                f" {first.reason}",
                "leave it out with --exclude, or export it again as JSON lines",
            )

    def _no_lines(self, entry: Entry, why: str, fix: str) -> ArchiveError:
        what = f"{entry.name} in {self._archive.store.place} holds no lines of JSON"
        return ArchiveError(what, why=why, fix=fix)

    def _broken(self, entry: Entry, before: int, chunk: bytes, done: Parsed, number: int) -> Aside:
        broken = done.broken[number]
        line = chunk[broken.offset : broken.offset + broken.length]
        where = f"line {before + broken.line + 1} of {entry.name}"
        return self._refused(where, line, f"{broken.reason}, at byte {broken.column + 1}")

    def _long(self, entry: Entry, number: int, line: LongLine) -> Aside:
        reason = f"the line is longer than {LINE_BYTES_MAX >> 20} MB"
        return self._refused(f"line {number} of {entry.name}", line.beginning, reason)

    def _refused(self, where: str, line: bytes, reason: str) -> Aside:
        if self._on_error == "stop":
            raise BrokenLineError(
                f"{where} in {self._archive.store.place} is no document",
                why=reason,
                fix="mend the line, or set such lines aside with --on-error continue",
            )
        if len(line) >= LINE_BYTES_KEPT:
            line = line[:LINE_BYTES_KEPT]
            reason += f"; of the line its first {LINE_BYTES_KEPT >> 20} MB are kept here"
        text = dumps(line.decode(errors="replace"), ensure_ascii=False)
        return Aside(line, where, text, Problem.LINE, reason)

    def _confirm(self, entry: Entry, sha256: str, documents: int) -> None:
        """Hold a file that was read against the manifest.

        Raises:
            ArchiveError: it is another one.

        """
        expected = entry.expected
        if expected is None:
            return
        if sha256 != expected.sha256:
            raise self._archive.other_checksum(entry, sha256)
        if documents != expected.documents:
            why = f"it has {documents:,} lines, and the manifest says {expected.documents:,}"
            raise self._archive.another(entry.name, why)


class FileRead:
    """A read under way; a `Read`, and its context."""

    def __init__(self, batches: Generator[Batch, None, None], consistent_at: str | None) -> None:
        self._batches = batches
        self.consistent_at = consistent_at

    def __enter__(self) -> FileRead:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._batches.close()  # and the file with it

    def __iter__(self) -> Iterator[Batch]:
        return self._batches


def _aside(refused: list[Aside]) -> Batch:
    array = _EMPTY_ARRAY
    return Batch(array.data, array.offset, array.bytes, aside=tuple(refused))
