"""Where an archive lies: a place that holds files by name, opened by how it is written.

For       Everything that reads or writes an archive, and doesn't care where it is.
Touches   Nothing itself; see `local` and `s3`.
Promises  `open_store` finds out that a place can't be what it says before anything is written.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

S3_SCHEME = "s3://"


class Writing(Protocol):
    """A file under way; nobody sees it under its name before `finish`."""

    @property
    def size(self) -> int:
        """Bytes so far, those of an earlier run included."""

    def write(self, data: bytes | memoryview) -> None:
        """Append."""

    def sync(self) -> None:
        """Make what was written so far survive a crash, where the place can."""

    def finish(self) -> None:
        """Give the file its name, whole and on the disk."""


class Store(Protocol):
    """A flat place of files. Every method raises the errors of `landbridge.errors`."""

    place: str  # as a person writes it, without secrets
    resumes: bool  # whether a file under way outlives a crash

    def names(self) -> list[str]:
        """List the files that are whole, by name; a place that isn't there has none."""

    def size(self, name: str) -> int | None:
        """Return a file's bytes, None where there is none of the name."""

    def open(self, name: str) -> BinaryIO:
        """Open a file to be read from its beginning; the caller closes it.

        Raises `ArchiveMissingError` where there is none of the name.
        """

    def read(self, name: str) -> bytes | None:
        """Read a small file whole, None where there is none of the name."""

    def write(self, name: str, data: bytes) -> None:
        """Write a small file; others see the old one or the new one, whole."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""

    def create(
        self, name: str, keep_bytes: int = 0, expect_bytes: int = 0
    ) -> AbstractContextManager[Writing]:
        """Begin a file, or go on after the first `keep_bytes` of one that a crash left.

        `expect_bytes` is about how large it will be, as far as that is known.
        Where the context ends by an error, what was synced is kept if the place `resumes`.
        """

    def held(self) -> AbstractContextManager[None]:
        """Keep other writers out, where the place can.

        Raises `BusyError` where another one is at work.
        """

    def open_partial(self, name: str) -> BinaryIO | None:
        """Open what a crash left of a file under way, None where nothing is left."""


def open_store(place: str) -> Store:
    """Return the store at a local path or at `s3://bucket/prefix`."""
    if place.startswith(S3_SCHEME):
        from landbridge.files.s3 import S3Store  # takes an extra, and its time

        return S3Store(place)
    from landbridge.files.local import LocalStore

    return LocalStore(place)
