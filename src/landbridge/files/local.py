"""A store in a local folder.

For       Archives on a disk.
Touches   That folder; it is made when the first file is.
Promises  A file appears under its name when it is whole and on the disk. Until then it is called
          `NAME.part`, and what was synced of it survives a crash.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from landbridge.errors import BusyError
from landbridge.files.faults import translated

PARTIAL = ".part"


class LocalStore:
    """The files of one folder, without those below it."""

    resumes = True

    def __init__(self, place: str) -> None:
        self.place = place
        self._folder = Path(place).expanduser()

    def names(self) -> list[str]:
        """List the files that are whole, by name; a place that isn't there has none."""
        with translated(f"cannot list {self.place}"):
            if not self._folder.exists():
                return []
            return sorted(
                entry.name
                for entry in os.scandir(self._folder)
                if entry.is_file() and not entry.name.endswith(PARTIAL)
            )

    def size(self, name: str) -> int | None:
        """Return a file's bytes, None where there is none of the name."""
        with translated(f"cannot look at {self._shown(name)}"):
            path = self._folder / name
            return path.stat().st_size if path.is_file() else None

    def open(self, name: str) -> BinaryIO:
        """Open a file to be read from its beginning; the caller closes it."""
        with translated(f"cannot read {self._shown(name)}"):
            return (self._folder / name).open("rb")

    def read(self, name: str) -> bytes | None:
        """Read a small file whole, None where there is none of the name."""
        with translated(f"cannot read {self._shown(name)}"):
            path = self._folder / name
            return path.read_bytes() if path.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        """Write a small file; others see the old one or the new one, whole."""
        with self.create(name) as file:
            file.write(data)
            file.finish()

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with translated(f"cannot remove {self._shown(name)}"):
            (self._folder / name).unlink(missing_ok=True)

    @contextmanager
    def create(
        self, name: str, keep_bytes: int = 0, expect_bytes: int = 0
    ) -> Iterator[LocalWriting]:
        """Begin a file, or go on after the first `keep_bytes` of one that a crash left."""
        what = f"cannot write {self._shown(name)}"
        with translated(what):
            self._folder.mkdir(parents=True, exist_ok=True)
            writing = LocalWriting(self._folder / name, keep_bytes, what)
        try:
            yield writing
        finally:
            writing.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other writers out until the context ends, or this process does."""
        what = f"cannot write into {self.place}"
        with translated(what):
            self._folder.mkdir(parents=True, exist_ok=True)
            folder = os.open(self._folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BusyError(
                    what,
                    why="another command is writing there",
                    fix="wait for it to end, or name another --out",
                ) from error
            yield
        finally:
            os.close(folder)

    def open_partial(self, name: str) -> BinaryIO | None:
        """Open what a crash left of a file under way, None where nothing is left."""
        with translated(f"cannot read {self._shown(name + PARTIAL)}"):
            path = self._folder / (name + PARTIAL)
            return path.open("rb") if path.is_file() else None

    def _shown(self, name: str) -> str:
        return str(Path(self.place) / name)


class LocalWriting:
    """A file under way, called `NAME.part`."""

    def __init__(self, path: Path, keep_bytes: int, what: str) -> None:
        self._path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._what = what
        self._file = self._partial.open("r+b" if keep_bytes else "wb", buffering=0)
        self._file.truncate(keep_bytes)
        self._file.seek(keep_bytes)
        self.size = keep_bytes

    def write(self, data: bytes | memoryview) -> None:
        """Append."""
        with translated(self._what), memoryview(data) as rest:
            self.size += len(rest)
            at = 0
            while at < len(rest):
                at += self._file.write(rest[at:])

    def sync(self) -> None:
        """Make what was written so far survive a crash."""
        with translated(self._what):
            os.fsync(self._file.fileno())

    def finish(self) -> None:
        """Give the file its name, whole and on the disk."""
        self.sync()
        with translated(self._what):
            self.close()
            self._partial.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # else a crash may take the name away again
            finally:
                os.close(folder)

    def close(self) -> None:
        """Let go of the file; what is there of it stays."""
        self._file.close()
