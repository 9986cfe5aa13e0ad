"""Compression of archives, told by a file's name: none, zstd or gzip.

For       Reading files that others made too, and writing ours in pieces that stand alone.
Touches   Nothing.
Promises  Several frames or members, one after another, read as one text. A file that ends in the
          middle of one is an error, never a shorter text.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import zstandard

from landbridge.model.archive import Compression

EXTENSIONS: dict[Compression, str] = {"none": "", "zstd": ".zst", "gzip": ".gz"}
ZSTD_LEVEL = 3
GZIP_LEVEL = 4  # within some percent of the usual 6, in half its time
GZIP_WINDOW = 31  # zlib's way to say: with gzip's header and trailer

_PLAIN_BYTES = 1 << 20
_PACKED_BYTES = 16 << 10  # little, because what comes out of it may be a thousand times as much


class BrokenCompressionError(ValueError):
    """What should be compressed is not, or is cut off."""


def compression_of(name: str) -> Compression:
    """Return how a file of that name is compressed."""
    for compression, extension in EXTENSIONS.items():
        if extension and name.endswith(extension):
            return compression
    return "none"


def plain(file: BinaryIO, compression: Compression) -> Iterator[bytes]:
    """Yield the text of a file in pieces.

    Raises:
        BrokenCompressionError: it isn't what its name says, or it is cut off.

    """
    if compression == "none":
        while piece := file.read(_PLAIN_BYTES):
            yield piece
    elif compression == "zstd":
        yield from _unzstd(file)
    else:
        yield from _gunzip(file)


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame = decompressor.decompressobj()
    begun = False
    while piece := file.read(_PACKED_BYTES):
        while piece:
            begun = True
            try:
                text = frame.decompress(piece)
            except zstandard.ZstdError as error:
                raise BrokenCompressionError(f"it is not zstd: {error}") from error
            if text:
                yield text
            piece = b""
            if frame.eof:
                piece = frame.unused_data
                frame, begun = decompressor.decompressobj(), False
    if begun:
        raise BrokenCompressionError("it ends in the middle of a zstd frame")


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    member = zlib.decompressobj(GZIP_WINDOW)
    begun = False
    while piece := file.read(_PACKED_BYTES):
        while piece:
            begun = True
            try:
                text = member.decompress(piece, _PLAIN_BYTES)
            except zlib.error as error:
                raise BrokenCompressionError(f"it is not gzip: {error}") from error
            if text:
                yield text
            piece = member.unconsumed_tail
            if member.eof:
                piece = member.unused_data
                member, begun = zlib.decompressobj(GZIP_WINDOW), False
    if begun:
        raise BrokenCompressionError("it ends in the middle of a gzip member")
