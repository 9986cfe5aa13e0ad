"""The kinds of BSON values, and the families that share one column.

For       Naming what a value is, everywhere in the house, by the same words.
Touches   Nothing.
Promises  Every BSON element has exactly one kind; a column holds values of one family.
"""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a BSON element is (bsonspec.org 1.1); `uuid` is binary subtype 4 of 16 bytes."""

    DOUBLE = "double"
    STRING = "string"
    OBJECT = "object"
    ARRAY = "array"
    BINARY = "binary"
    UNDEFINED = "undefined"
    OBJECT_ID = "objectid"
    BOOL = "bool"
    DATE = "date"
    NULL = "null"
    REGEX = "regex"
    DB_POINTER = "dbpointer"
    CODE = "code"
    SYMBOL = "symbol"
    CODE_WITH_SCOPE = "codewithscope"
    INT = "int"
    TIMESTAMP = "timestamp"
    LONG = "long"
    DECIMAL = "decimal"
    MIN_KEY = "minkey"
    MAX_KEY = "maxkey"
    UUID = "uuid"


KIND_OF_TYPE_BYTE: dict[int, Kind] = {
    0x01: Kind.DOUBLE,
    0x02: Kind.STRING,
    0x03: Kind.OBJECT,
    0x04: Kind.ARRAY,
    0x05: Kind.BINARY,
    0x06: Kind.UNDEFINED,
    0x07: Kind.OBJECT_ID,
    0x08: Kind.BOOL,
    0x09: Kind.DATE,
    0x0A: Kind.NULL,
    0x0B: Kind.REGEX,
    0x0C: Kind.DB_POINTER,
    0x0D: Kind.CODE,
    0x0E: Kind.SYMBOL,
    0x0F: Kind.CODE_WITH_SCOPE,
    0x10: Kind.INT,
    0x11: Kind.TIMESTAMP,
    0x12: Kind.LONG,
    0x13: Kind.DECIMAL,
    0x7F: Kind.MAX_KEY,
    0xFF: Kind.MIN_KEY,
}

NUMBERS = frozenset({Kind.DOUBLE, Kind.INT, Kind.LONG, Kind.DECIMAL})
NESTED = frozenset({Kind.OBJECT, Kind.ARRAY})


def family_of(kind: Kind, subtype: int = 0) -> str:
    """Return the name of the family whose column a value of this kind goes to.

    All numbers share a family, and so do objects and arrays; a binary subtype is a family of
    its own, because `bytea` does not say which subtype it held.
    """
    if kind in NUMBERS:
        return "number"
    if kind in NESTED:
        return "json"
    if kind is Kind.BINARY and subtype:
        return f"binary_{subtype}"
    return kind.value
