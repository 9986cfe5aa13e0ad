"""Reading one file of an archive: its text in pieces, its checksum on the way.

For       `import` and `verify` of what an archive holds.
Touches   That file.
Promises  Memory does not grow with the file. Whatever is wrong with it is an `ArchiveError` that
          names it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol, cast

from landbridge.errors import ArchiveError
from landbridge.files.compression import BrokenCompressionError, compression_of, plain
from landbridge.files.faults import translated
from landbridge.files.store import Store

_PIECE_BYTES = 1 << 20


class Digest(Protocol):
    """A checksum under way, as `hashlib` makes them."""

    def update(self, data: bytes, /) -> None:
        """Take bytes in."""


class _Tee:
    def __init__(self, file: BinaryIO, digest: Digest) -> None:
        self._file, self._digest = file, digest

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data


def chunks(store: Store, name: str, digest: Digest | None = None) -> Iterator[bytes]:
    """Yield the text of a file in pieces of some MB at most, decompressed as its name says.

    `digest` takes in the file's bytes as they lie there; once the last piece was taken, it is that
    of the whole file.
    """
    what = f"cannot read {name} in {store.place}"
    file = store.open(name)
    with translated(what), file:
        source: Any = file if digest is None else _Tee(file, digest)
        try:
            yield from plain(cast("BinaryIO", source), compression_of(name))
        except BrokenCompressionError as error:
            raise ArchiveError(what, why=str(error), fix="copy or export the file again") from error


def checksum(store: Store, name: str) -> str:
    """Return the SHA-256 of a file as it lies there, hex."""
    digest = hashlib.sha256()
    with translated(f"cannot read {name} in {store.place}"), store.open(name) as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
