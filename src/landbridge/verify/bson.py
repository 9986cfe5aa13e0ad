"""BSON, read here once more: the elements of a document, their bounds checked.

For       Deriving what a document's row should hold without the code that made the row.
Touches   Nothing.
Promises  An element that is yielded lies inside its document; else `Broken`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import unpack_from
from typing import NamedTuple

from landbridge.model.kinds import KIND_OF_TYPE_BYTE, Kind

_WIDTH = {
    Kind.DOUBLE: 8,
    Kind.UNDEFINED: 0,
    Kind.OBJECT_ID: 12,
    Kind.BOOL: 1,
    Kind.DATE: 8,
    Kind.NULL: 0,
    Kind.INT: 4,
    Kind.TIMESTAMP: 8,
    Kind.LONG: 8,
    Kind.DECIMAL: 16,
    Kind.MIN_KEY: 0,
    Kind.MAX_KEY: 0,
}
_UUID_SUBTYPE = 4
_TYPE_BYTE = {kind: byte for byte, kind in KIND_OF_TYPE_BYTE.items()} | {Kind.UUID: 0x05}


class Broken(Exception):
    """Bytes that are not BSON."""


class Value(NamedTuple):
    """One value, without its name."""

    kind: Kind
    raw: bytes

    @property
    def type_byte(self) -> int:
        """As BSON writes the kind."""
        return _TYPE_BYTE[self.kind]

    @property
    def subtype(self) -> int:
        """Of a binary; 0 for every other kind."""
        return self.raw[4] if self.kind is Kind.BINARY else 0

    @property
    def text(self) -> bytes:
        """Bytes of a string, symbol or code."""
        return self.raw[4:-1]

    @property
    def payload(self) -> bytes:
        """Bytes of a binary or UUID."""
        return self.raw[5:]

    @property
    def integer(self) -> int:
        """An int, long or date."""
        return int.from_bytes(self.raw, "little", signed=True)

    @property
    def double(self) -> float:
        """A double."""
        value: float = unpack_from("<d", self.raw)[0]
        return value

    def members(self) -> Iterator[tuple[bytes, Value]]:
        """Yield names and values of an object, or of an array, whose names mean nothing."""
        return members(self.raw)


def members(document: bytes) -> Iterator[tuple[bytes, Value]]:
    """Yield the name and the value of each element of a document."""
    if len(document) < 5 or int.from_bytes(document[:4], "little") != len(document):
        raise Broken("a length is wrong")
    at, end = 4, len(document) - 1
    while at < end:
        kind = KIND_OF_TYPE_BYTE.get(document[at])
        name_end = document.find(b"\0", at + 1, end)
        if kind is None or name_end < 0:
            raise Broken("an element has no type or no name")
        start = name_end + 1
        stop = start + _width(kind, document, start)
        if stop > end:
            raise Broken("a value passes the end")
        raw = document[start:stop]
        if kind is Kind.BINARY and raw[4] == _UUID_SUBTYPE and len(raw) == 21:
            kind = Kind.UUID
        yield document[at + 1 : name_end], Value(kind, raw)
        at = stop


def id_of(document: bytes) -> Value | None:
    """Return a document's `_id`."""
    return next((value for name, value in members(document) if name == b"_id"), None)


def document(elements: Iterable[tuple[bytes, Value]]) -> bytes:
    """Return the document of these elements."""
    parts = [bytes((_TYPE_BYTE[one.kind],)) + name + b"\0" + one.raw for name, one in elements]
    body = b"".join(parts) + b"\0"
    return (len(body) + 4).to_bytes(4, "little") + body


def array(values: Iterable[Value]) -> Value:
    """Return the array of these values."""
    return Value(
        Kind.ARRAY, document((str(place).encode(), one) for place, one in enumerate(values))
    )


def _width(kind: Kind, document: bytes, at: int) -> int:
    fixed = _WIDTH.get(kind)
    if fixed is not None:
        return fixed
    if kind is Kind.REGEX:
        pattern = document.find(b"\0", at)
        options = document.find(b"\0", pattern + 1)
        if pattern < 0 or options < 0:
            raise Broken("a regular expression has no end")
        return options + 1 - at
    if at + 4 > len(document):
        raise Broken("a length passes the end")
    size = int.from_bytes(document[at : at + 4], "little", signed=True)
    if size < 0:
        raise Broken("a length is negative")
    match kind:
        case Kind.STRING | Kind.SYMBOL | Kind.CODE:
            return 4 + size
        case Kind.BINARY:
            return 5 + size
        case Kind.DB_POINTER:
            return 4 + size + 12
        case _:  # an object, an array, a code with its scope: the length counts itself
            return size
