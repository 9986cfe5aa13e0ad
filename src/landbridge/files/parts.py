"""A file in parts: each a frame or member of its own, so that a crash costs the last one only.

For       Files of an archive under way.
Touches   One file of a store.
Promises  After `end_part` what was written survives a crash, where the store can, and can be gone
          on from. The checksum is that of the whole file, whatever was written by an earlier run.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import zstandard

from landbridge.errors import ArchiveError
from landbridge.files.compression import GZIP_LEVEL, GZIP_WINDOW, ZSTD_LEVEL
from landbridge.files.faults import translated
from landbridge.files.store import Store, Writing
from landbridge.model.archive import Compression

_HASHED_BYTES = 1 << 20


class PartsFile:
    """A file that is written part by part; `parts_file` opens one."""

    def __init__(self, file: Writing, compression: Compression, digest: hashlib._Hash) -> None:
        self._file = file
        self._digest = digest
        self._compression = compression
        self._packer = _packer(compression)
        self._open = False  # a part has begun

    @property
    def size(self) -> int:
        """Bytes of the file so far."""
        return self._file.size

    @property
    def sha256(self) -> str:
        """The checksum of the file so far, hex."""
        return self._digest.hexdigest()

    def write(self, text: bytes | memoryview) -> None:
        """Append text."""
        self._open = True
        if self._packer is None:
            self._put(text)
        elif packed := self._packer.compress(text):
            self._put(packed)

    def end_part(self) -> None:
        """Make what was written so far stand by itself and survive a crash."""
        if self._open and self._packer is not None:
            self._put(self._packer.flush())
            self._packer = _packer(self._compression)
        self._open = False
        self._file.sync()

    def finish(self) -> None:
        """End the last part, and give the file its name."""
        if self._packer is not None and (self._open or not self.size):
            self._put(self._packer.flush())  # an empty file is an empty frame
        self._file.finish()

    def _put(self, data: bytes | memoryview) -> None:
        self._digest.update(data)
        self._file.write(data)


@contextmanager
def parts_file(
    store: Store, name: str, compression: Compression, *, keep_bytes: int, expect_bytes: int
) -> Iterator[PartsFile]:
    """Open a file to be written, after the first `keep_bytes` of what an earlier run left.

    Raises:
        ArchiveError: less than that is left.

    """
    digest = hashlib.sha256()
    if keep_bytes:
        _take_in(store, name, keep_bytes, digest)
    with store.create(name, keep_bytes, expect_bytes) as file:
        yield PartsFile(file, compression, digest)


def _take_in(store: Store, name: str, count: int, digest: hashlib._Hash) -> None:
    what = f"cannot go on with {name} in {store.place}"
    left = count
    file = store.open_partial(name)
    if file is not None:
        with translated(what), file:
            while left and (data := file.read(min(left, _HASHED_BYTES))):
                digest.update(data)
                left -= len(data)
    if left:
        raise ArchiveError(
            what,
            why=f"{count - left:,} of the {count:,} bytes written before are left of it",
            fix="export into another folder",
        )


def _packer(compression: Compression) -> _Zstd | _Gzip | None:
    if compression == "zstd":
        return _Zstd()
    return _Gzip() if compression == "gzip" else None


class _Zstd:
    def __init__(self) -> None:
        self._packer = zstandard.ZstdCompressor(ZSTD_LEVEL, write_checksum=True).compressobj()

    def compress(self, text: bytes | memoryview) -> bytes:
        return self._packer.compress(text)

    def flush(self) -> bytes:
        return self._packer.flush()


class _Gzip:
    def __init__(self) -> None:
        self._packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, GZIP_WINDOW)

    def compress(self, text: bytes | memoryview) -> bytes:
        return self._packer.compress(text)

    def flush(self) -> bytes:
        return self._packer.flush()
