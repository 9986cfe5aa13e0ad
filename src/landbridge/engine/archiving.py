"""Archiving: one read becomes the lines of one file, part by part.

For       `export`.
Touches   What it is handed: a read, and a file.
Promises  Reading, turning into lines and writing go on side by side; memory is a few replies and
          their lines. Every document is a line, or is handed on whole as rejected. `on_part` is
          called when everything up to a place survives a crash.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import cycle
from typing import Protocol

from landbridge.codec import id_document, id_of, line_writer
from landbridge.engine.ahead import ahead
from landbridge.model.batch import Batch
from landbridge.model.stream import Read

PART_SECONDS = 5.0  # of work that a crash may cost
LARGE_REPLY_BYTES = 6 << 20  # more than is aimed at: documents of many MB
LINES_WAITING_MAX = 1
# One is filled, one waits, one is written.
LINE_WRITERS = LINES_WAITING_MAX + 2


class PlacedRead(Read, Protocol):
    """A read that says after each batch where it could be gone on with."""

    @property
    def place(self) -> bytes | None:
        """The place after the batch last given."""


class Output(Protocol):
    """A file that is written in parts."""

    def write(self, text: bytes | memoryview) -> None:
        """Append text."""

    def end_part(self) -> None:
        """Make what was written so far survive a crash."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a read has come: the server's own words for it, and the last document's `_id`."""

    token: bytes
    last_id: bytes | None  # a BSON document `{_id: …}`


@dataclass(frozen=True, slots=True)
class _Chunk:
    text: memoryview
    documents: int  # lines
    refused: tuple[bytes, ...]
    place: Place | None


class Archiving:
    """The lines of one collection on their way into a file; counts go on from an earlier run."""

    def __init__(
        self,
        output: Output,
        *,
        reject: Callable[[bytes], None],
        on_part: Callable[[Place], None],
        on_progress: Callable[[], None],
        stopping: Callable[[], bool],
    ) -> None:
        self.documents = 0
        self.bytes_plain = 0
        self._output = output
        self._reject = reject
        self._on_part = on_part
        self._on_progress = on_progress
        self._stopping = stopping

    def write(self, read: PlacedRead) -> bool:
        """Write what is read; False where it was told to stop before the end."""
        part_began = time.monotonic()
        with ahead(_chunks(read), LINES_WAITING_MAX) as chunks:
            for chunk in chunks:
                if self._stopping():
                    return False
                self._output.write(chunk.text)
                for document in chunk.refused:
                    self._reject(document)
                self.documents += chunk.documents
                self.bytes_plain += len(chunk.text)
                self._on_progress()
                if chunk.place and time.monotonic() - part_began >= PART_SECONDS:
                    self._output.end_part()
                    self._on_part(chunk.place)
                    part_began = time.monotonic()
                del chunk
        return True


def _chunks(read: PlacedRead) -> Generator[_Chunk, None, None]:
    writers = cycle([line_writer() for _ in range(LINE_WRITERS)])
    with ahead(_placed(read)) as batches:
        for batch, token in batches:
            # A writer keeps the memory of its lines; for large ones it is let go with them.
            is_large = batch.bytes > LARGE_REPLY_BYTES
            writer = line_writer() if is_large else next(writers)
            lines = writer.write(batch.data, batch.offset)
            place = None
            if token is not None and lines.last is not None:
                place = Place(token, _id_of(batch.data, *lines.last))
            refused = tuple(batch.data[at : at + size] for at, size in lines.refused)
            del batch, writer
            yield _Chunk(lines.text, lines.documents - len(refused), refused, place)
            del lines


def _placed(read: PlacedRead) -> Generator[tuple[Batch, bytes | None], None, None]:
    for batch in read:
        yield batch, read.place


def _id_of(data: bytes, offset: int, length: int) -> bytes | None:
    found = id_of(data[offset : offset + length])
    return None if found is None else id_document(*found)
