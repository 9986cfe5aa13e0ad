"""Tuples: the fields of one row as a tuple of PostgreSQL's binary COPY, and the room they take.

For       The last step to the wire, and the limit that a heap page sets to a row.
Touches   Nothing.
Promises  A row whose `room` is at most `ROW_BYTES_MAX` is never refused by PostgreSQL as too
          wide; the bound supposes that every longer field is moved to TOAST.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct

from landbridge.model.plan import Column

ROW_BYTES_MAX = 8160

_HEADER_BYTES = 24
_TOASTED_BYTES = 24  # a pointer of 18 bytes, and what alignment may add
_FIXED = {  # alignment, size
    "boolean": (1, 1),
    "integer": (4, 4),
    "bigint": (8, 8),
    "double precision": (8, 8),
    "timestamp with time zone": (8, 8),
    "timestamp without time zone": (8, 8),
    "uuid": (1, 16),
}

_COLUMNS = Struct(">h")
_LENGTH = Struct(">i")
_NULL = _LENGTH.pack(-1)


def copy_tuple(fields: Sequence[bytes | None]) -> bytes:
    """Return one tuple of a binary COPY stream."""
    parts = [_COLUMNS.pack(len(fields))]
    for field in fields:
        if field is None:
            parts.append(_NULL)
        else:
            parts += (_LENGTH.pack(len(field)), field)
    return b"".join(parts)


def room(columns: Sequence[Column], fields: Sequence[bytes | None]) -> int:
    """Return a bound of the bytes that a row takes on its page, everything long in TOAST."""
    total = _aligned(_HEADER_BYTES + (len(columns) + 7) // 8, 8)
    for column, field in zip(columns, fields, strict=True):
        if field is None:
            continue
        fixed = _FIXED.get(column.type)
        if fixed is None:
            total += min(_varying(column.type, field), _TOASTED_BYTES)
        else:
            alignment, size = fixed
            total = _aligned(total, alignment) + size
    return total


def _varying(column_type: str, field: bytes) -> int:
    if column_type == "jsonb":
        return _TOASTED_BYTES  # its size on disk isn't that of its text
    if column_type.startswith("numeric"):
        return 5 + 2 * int.from_bytes(field[:2])
    return len(field) + 1


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment
