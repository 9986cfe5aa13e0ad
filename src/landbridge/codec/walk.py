"""Walking BSON: from the bytes of a document to its elements, every length checked.

For       Looking at untrusted bytes one element at a time, without decoding what isn't asked for.
Touches   Nothing.
Promises  An element that is yielded lies whole inside its document; anything else is `Refused`.
          What stands inside a value is not looked at until it is entered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from landbridge.errors import CodecError
from landbridge.model.batch import Problem
from landbridge.model.kinds import KIND_OF_TYPE_BYTE, Kind

LEVELS_MAX = 200  # of nesting; the document itself is level 1
DOCUMENT_BYTES_MIN = 5

_INT32 = Struct("<i")
_INT32_BYTES = 4
_OBJECT_ID_BYTES = 12
_UUID_SUBTYPE = 4
_UUID_BYTES = 16
_OBJECT_TYPE = 0x03
_BINARY_TYPE = 0x05


class Refused(Exception):
    """A value can't be taken; `problem` says why."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(detail or problem.value)
        self.problem = problem
        self.detail = detail


class Element(NamedTuple):
    """One element of a document or an array; its value is `data[start:end]`."""

    kind: Kind
    type_byte: int
    key: bytes
    data: bytes
    start: int
    end: int
    level: int  # of the document or array that holds it

    @property
    def subtype(self) -> int:
        """Subtype of a `Kind.BINARY`, 0 for every other kind."""
        return self.data[self.start + _INT32_BYTES] if self.kind is Kind.BINARY else 0

    @property
    def value(self) -> bytes:
        """The value's bytes."""
        return self.data[self.start : self.end]

    def elements(self) -> Iterator[Element]:
        """Enter an object or array."""
        return elements(self.data, self.start, self.end, self.level + 1)


def malformed(detail: str) -> Refused:
    """Return the refusal of bytes that are not BSON."""
    return Refused(Problem.MALFORMED, detail)


def elements(data: bytes, start: int, end: int, level: int) -> Iterator[Element]:
    """Yield the elements of the document or array `data[start:end]`, which is at `level`."""
    if level > LEVELS_MAX:
        raise Refused(Problem.DEPTH, f"deeper than {LEVELS_MAX} levels")
    if document_end(data, start, end) != end:
        raise malformed("the document's length is not that of its place")
    limit = end - 1  # the terminator's place
    position = start + _INT32_BYTES
    while position < limit:
        type_byte = data[position]
        kind = KIND_OF_TYPE_BYTE.get(type_byte)
        if kind is None:
            raise malformed(f"type 0x{type_byte:02x} is unknown")
        key_end = _cstring_end(data, position + 1, limit)
        value = key_end + 1
        value_end = _value_end(type_byte, data, value, limit)
        if kind is Kind.BINARY and _is_uuid(data, value, value_end):
            kind = Kind.UUID
        yield Element(kind, type_byte, data[position + 1 : key_end], data, value, value_end, level)
        position = value_end


def element_of(type_byte: int, value: bytes) -> Element:
    """Return a value that stands alone as an element of a document, e.g. an `_id`."""
    kind = KIND_OF_TYPE_BYTE.get(type_byte)
    if kind is None:
        raise malformed(f"type 0x{type_byte:02x} is unknown")
    if _value_end(type_byte, value, 0, len(value)) != len(value):
        raise malformed("bytes follow the value")
    if kind is Kind.BINARY and _is_uuid(value, 0, len(value)):
        kind = Kind.UUID
    return Element(kind, type_byte, b"", value, 0, len(value), 1)


def documents(data: bytes, offset: int) -> list[tuple[int, int]]:
    """Return (start, end) of each document in the BSON array at `data[offset:]`.

    Raises `CodecError` where the array, its keys or a document's length are out of shape; what
    is inside the documents is not looked at.
    """
    try:
        if offset < 0:
            raise malformed("it begins before the data")
        end = document_end(data, offset, len(data))
        limit = end - 1
        position = offset + _INT32_BYTES
        found = []
        while position < limit:
            if data[position] != _OBJECT_TYPE:
                raise malformed(f"element of type 0x{data[position]:02x} among documents")
            start = _cstring_end(data, position + 1, limit) + 1
            position = _sized_end(data, start, limit)
            found.append((start, position))
        return found
    except Refused as refusal:
        raise CodecError(
            "a batch of documents is not BSON",
            why=f"{refusal} at or after byte {offset}",
            fix="read the batch again; if it comes back the same, the server's reply is broken",
        ) from refusal


def int32(data: bytes, start: int, limit: int) -> int:
    """Read a length; it must lie before `limit`."""
    if start + _INT32_BYTES > limit:
        raise malformed("a length passes the end")
    value: int = _INT32.unpack_from(data, start)[0]
    return value


def document_end(data: bytes, start: int, limit: int) -> int:
    """Return where the document at `start` ends, its length and last byte checked."""
    end = _sized_end(data, start, limit)
    if data[end - 1] != 0:
        raise malformed("a document does not end with zero")
    return end


def string_end(data: bytes, start: int, limit: int) -> int:
    """Return where the length-prefixed string at `start` ends, after its NUL."""
    length = int32(data, start, limit)
    end = start + _INT32_BYTES + length
    if length < 1 or end > limit or data[end - 1] != 0:
        raise malformed("a string's length is wrong")
    return end


def split_code_with_scope(data: bytes, start: int) -> tuple[int, int]:
    """Return where the code (a string) and the scope (a document) of a checked value begin."""
    code = start + _INT32_BYTES
    return code, code + _INT32_BYTES + int(_INT32.unpack_from(data, code)[0])


def _sized_end(data: bytes, start: int, limit: int) -> int:
    length = int32(data, start, limit)
    end = start + length
    if length < DOCUMENT_BYTES_MIN or end > limit:
        raise malformed("a document's length is wrong")
    return end


def _cstring_end(data: bytes, start: int, limit: int) -> int:
    """Return the place of the NUL that ends the cstring at `start`."""
    end = data.find(b"\0", start, limit)
    if end < 0:
        raise malformed("a key or cstring has no end")
    return end


def _binary_end(data: bytes, start: int, limit: int) -> int:
    length = int32(data, start, limit)
    end = start + _INT32_BYTES + 1 + length
    if length < 0 or end > limit:
        raise malformed("a binary's length is wrong")
    return end


def _regex_end(data: bytes, start: int, limit: int) -> int:
    return _cstring_end(data, _cstring_end(data, start, limit) + 1, limit) + 1


def _db_pointer_end(data: bytes, start: int, limit: int) -> int:
    return string_end(data, start, limit) + _OBJECT_ID_BYTES


def _code_with_scope_end(data: bytes, start: int, limit: int) -> int:
    end = start + int32(data, start, limit)
    if end > limit:
        raise malformed("a code's length is wrong")
    scope = string_end(data, start + _INT32_BYTES, end)
    if document_end(data, scope, end) != end:
        raise malformed("a code and its scope do not fill its length")
    return end


_FIXED_BYTES: dict[int, int] = {
    0x01: 8,
    0x06: 0,
    0x07: _OBJECT_ID_BYTES,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}

_END_OF: dict[int, Callable[[bytes, int, int], int]] = {
    0x02: string_end,
    0x03: document_end,
    0x04: document_end,
    0x05: _binary_end,
    0x0B: _regex_end,
    0x0C: _db_pointer_end,
    0x0D: string_end,
    0x0E: string_end,
    0x0F: _code_with_scope_end,
}


def _value_end(type_byte: int, data: bytes, start: int, limit: int) -> int:
    size = _FIXED_BYTES.get(type_byte)
    end = _END_OF[type_byte](data, start, limit) if size is None else start + size
    if end > limit:
        raise malformed("a value passes the end of its document")
    if type_byte == 0x08 and data[start] > 1:
        raise malformed("a bool is neither 0 nor 1")
    return end


def _is_uuid(data: bytes, start: int, end: int) -> bool:
    payload = start + _INT32_BYTES + 1
    return data[payload - 1] == _UUID_SUBTYPE and end - payload == _UUID_BYTES
