"""Records: a document, or a row, as its key and 16 bytes over all that is compared of it.

For       Comparing millions of documents with their rows, in whatever order they come.
Touches   Nothing.
Promises  The records of a document and of its rows are equal where `found.differing` finds
          nothing to say of placement or content. The kernel makes the same bytes.

A record is the length of the key (4 bytes, little-endian), the key, the digest, and whether it
is a row of an array (1), whose digest is added to that of its parent.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack
from typing import NamedTuple

from landbridge.model.hashing import murmur3_128
from landbridge.verify import found as rows_found
from landbridge.verify.bson import Broken
from landbridge.verify.expected import Cell, expected
from landbridge.verify.found import Found
from landbridge.verify.shape import Shape

SEED = b"landbridge cells"
ROW_OF_ARRAY = 0xFFFF  # stands for a column: the row is there
LOST = 0xFFFE  # a value that no column takes
MASK = (1 << 128) - 1


class Joined(NamedTuple):
    """What two sets of records have in common, and what not; keys of what is not."""

    equal: int
    source_sum: int  # of the digests of those that are equal, modulo 2^128
    target_sum: int
    missing: list[bytes]
    extra: list[bytes]
    different: list[bytes]


def cell_digest(cell: Cell, written: bytes) -> int:
    """Return what a cell adds to the digest of its document."""
    return int.from_bytes(murmur3_128(SEED, pack("<HIH", *cell) + written), "little")


def of_document(shape: Shape, document: bytes) -> bytes:
    """Return the record of a document; one whose bytes are not BSON has a record of no row."""
    try:
        wanted = expected(shape, document)
    except Broken:
        return record(b"", int.from_bytes(murmur3_128(SEED, document), "little"), 0)
    total = sum(cell_digest(cell, want.written) for cell, want in wanted.cells.items())
    total += sum(cell_digest(Cell(*row, ROW_OF_ARRAY), b"") for row in wanted.rows)
    total += sum(
        cell_digest(Cell(0, 0, LOST), "\0".join(path).encode(errors="surrogateescape"))
        for path in wanted.lost
    )
    return record(wanted.key, _mixed(total) if shape.mixes else total, 0)


def of_rows(shape: Shape, table: int, copied: bytes) -> bytes:
    """Return the records of the tuples of a binary COPY."""
    made = []
    for fields in rows_found.tuples(copied):
        found = Found()
        rows_found.add_row(shape, found, table, fields)
        total = sum(cell_digest(cell, have) for cell, have in found.cells.items())
        total += sum(cell_digest(Cell(*row, ROW_OF_ARRAY), b"") for row in found.rows)
        made.append(record(found.key, _mixed(total) if shape.mixes else total, int(table > 0)))
    return b"".join(made)


def _mixed(total: int) -> int:
    """Return a digest that tells two rows of one id from two that have swapped their values."""
    return int.from_bytes(murmur3_128(SEED, (total & MASK).to_bytes(16, "little")), "little")


def record(key: bytes, total: int, of_array: int) -> bytes:
    """Return a record."""
    digest = (total & MASK).to_bytes(16, "little")
    return pack("<I", len(key)) + key + digest + bytes((of_array,))


def join(source: bytes, target: bytes) -> Joined:
    """Hold the records of documents against those of rows."""
    sides: dict[bytes, list[int]] = {}  # documents, their sum, rows, their sum
    met: set[bytes] = set()  # that have a row, be it of an array
    for records, place in ((source, 0), (target, 2)):
        for key, digest, of_array in read(records):
            side = sides.setdefault(key, [0, 0, 0, 0])
            side[place] += not of_array
            if place:
                met.add(key)
            side[place + 1] = side[place + 1] + digest & MASK
    joined = Joined(0, 0, 0, [], [], [])
    equal = source_sum = target_sum = 0
    for key, (documents, wanted, rows, have) in sides.items():
        if not documents:
            joined.extra.append(key)
        elif key not in met:
            joined.missing.append(key)
        elif documents != rows or wanted != have:
            joined.different.append(key)
        else:
            equal += documents
            source_sum += wanted
            target_sum += have
    return joined._replace(equal=equal, source_sum=source_sum & MASK, target_sum=target_sum & MASK)


def split(records: bytes, parts: int) -> list[bytes]:
    """Deal records out, those of one key to the same part."""
    dealt: list[list[bytes]] = [[] for _ in range(parts)]
    for key, digest, of_array in read(records):
        place = int.from_bytes(murmur3_128(SEED, key)[:8], "little") % parts
        dealt[place].append(record(key, digest, of_array))
    return [b"".join(part) for part in dealt]


def read(records: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield key, digest and whether it is of an array's row."""
    at = 0
    while at < len(records):
        start = at + 4
        end = start + int.from_bytes(records[at:start], "little")
        digest = int.from_bytes(records[end : end + 16], "little")
        yield records[start:end], digest, records[end + 16]
        at = end + 17
