"""BSON, read by the tests' own few lines: so that a bug of the codec can't hide itself.

Only what `bson` does not tell apart is the reason for not using it: symbols, undefined, int32 and
int64, repeated keys. Decimals are `bson`'s.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from bson.decimal128 import Decimal128

_KINDS = {
    0x01: "double",
    0x02: "string",
    0x03: "object",
    0x04: "array",
    0x05: "binary",
    0x06: "undefined",
    0x07: "objectid",
    0x08: "bool",
    0x09: "date",
    0x0A: "null",
    0x0B: "regex",
    0x0C: "dbpointer",
    0x0D: "code",
    0x0E: "symbol",
    0x0F: "codewithscope",
    0x10: "int",
    0x11: "timestamp",
    0x12: "long",
    0x13: "decimal",
    0x7F: "maxkey",
    0xFF: "minkey",
}


class Value(NamedTuple):
    """A value: objects and arrays hold pairs of a key and a value, dates their milliseconds."""

    kind: str
    data: Any
    subtype: int = 0

    @property
    def family(self) -> str:
        """The word that the column map has for columns of such values."""
        if self.kind in ("double", "int", "long", "decimal"):
            return "number"
        if self.kind in ("object", "array"):
            return "json"
        if self.kind == "binary" and self.subtype == 4 and len(self.data) == 16:
            return "uuid"
        if self.kind == "binary" and self.subtype:
            return f"binary_{self.subtype}"
        return self.kind


Members = list[tuple[str, Value]]


def members(document: bytes) -> Members:
    """Return the members of a document or an array, in order; repeated keys come repeatedly."""
    return list(_members(document))


def _members(document: bytes) -> Iterator[tuple[str, Value]]:
    at = 4
    while document[at]:
        type_byte, end = document[at], document.index(0, at + 1)
        key = document[at + 1 : end].decode()
        value, at = _value(type_byte, document, end + 1)
        yield key, value


def _value(type_byte: int, data: bytes, at: int) -> tuple[Value, int]:
    kind = _KINDS[type_byte]
    match kind:
        case "double":
            return Value(kind, struct.unpack_from("<d", data, at)[0]), at + 8
        case "string" | "symbol" | "code":
            text, at = _string(data, at)
            return Value(kind, text), at
        case "object" | "array":
            end = at + _int(data, at)
            return Value(kind, members(data[at:end])), end
        case "binary":
            size, subtype = _int(data, at), data[at + 4]
            return Value(kind, data[at + 5 : at + 5 + size], subtype), at + 5 + size
        case "objectid":
            return Value(kind, data[at : at + 12].hex()), at + 12
        case "bool":
            return Value(kind, bool(data[at])), at + 1
        case "date" | "long":
            return Value(kind, struct.unpack_from("<q", data, at)[0]), at + 8
        case "int":
            return Value(kind, _int(data, at)), at + 4
        case "timestamp":
            increment, seconds = struct.unpack_from("<II", data, at)
            return Value(kind, (seconds, increment)), at + 8
        case "decimal":
            return Value(kind, Decimal128.from_bid(data[at : at + 16])), at + 16
        case "regex":
            middle = data.index(0, at)
            end = data.index(0, middle + 1)
            parts = data[at:middle].decode(), data[middle + 1 : end].decode()
            return Value(kind, parts), end + 1
        case "dbpointer":
            text, at = _string(data, at)
            return Value(kind, (text, data[at : at + 12].hex())), at + 12
        case "codewithscope":
            end = at + _int(data, at)
            text, scope = _string(data, at + 4)
            return Value(kind, (text, members(data[scope:end]))), end
    return Value(kind, None), at


def _int(data: bytes, at: int) -> int:
    number: int = struct.unpack_from("<i", data, at)[0]
    return number


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = at + 4 + _int(data, at)
    return data[at + 4 : end - 1].decode(), end
