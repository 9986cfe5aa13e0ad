"""The canonical key: bytes that are one exactly where MongoDB takes two ids for one.

For       The identity of a row whose `_id` may be of any kind.
Touches   Nothing.
Promises  Keys are equal where mongod finds two ids equal (5, 5L, 5.0 and Decimal 5.00; all NaN;
          symbol and string), different elsewhere, and sort by bytes as mongod sorts the ids.
          A key over 1,000 bytes is replaced by its hash, which keeps identity but has no order.

A value is its type's rank, then its content. Numbers compare as decimals, digit by digit, so a
double is expanded to its exact digits. A string ends with 00, and a NUL in it is 00 FF: no rank
is FF, so that what follows the end of a string sorts below its continuation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from hashlib import blake2b
from struct import Struct

from landbridge.codec.binaries import payload
from landbridge.codec.numbers import Decimal, decimal, double, integer
from landbridge.codec.text import KEY_BYTES_MAX, raw_string
from landbridge.codec.times import milliseconds
from landbridge.codec.walk import (
    Element,
    element_of,
    elements,
    split_code_with_scope,
    string_end,
)
from landbridge.model.kinds import Kind

RANK: dict[Kind, int] = {
    Kind.MIN_KEY: 10,
    Kind.UNDEFINED: 15,
    Kind.NULL: 20,
    Kind.DOUBLE: 30,
    Kind.INT: 30,
    Kind.LONG: 30,
    Kind.DECIMAL: 30,
    Kind.STRING: 40,
    Kind.SYMBOL: 40,
    Kind.OBJECT: 50,
    Kind.ARRAY: 60,
    Kind.BINARY: 70,
    Kind.UUID: 70,
    Kind.OBJECT_ID: 80,
    Kind.BOOL: 90,
    Kind.DATE: 100,
    Kind.TIMESTAMP: 110,
    Kind.REGEX: 120,
    Kind.DB_POINTER: 130,
    Kind.CODE: 140,
    Kind.CODE_WITH_SCOPE: 150,
    Kind.MAX_KEY: 240,
}
HASHED = b"\xfa"
_HASH_BYTES = 16

NAN, NEGATIVE, ZERO, POSITIVE = b"\1", b"\2", b"\3", b"\4"
INFINITE = b"\xff\xff"
EXPONENT_BIAS = 1 << 15
INVERTED = bytes(range(255, -1, -1))

_END = b"\0"
_LENGTH = Struct(">I")
DATE_BIAS = 1 << 63


def canonical_key(type_byte: int, value: bytes) -> bytes:
    """Return the key of the `_id` whose BSON type and value bytes are given.

    Raises `walk.Refused` where the value is not BSON or nests too deep.
    """
    key = _key(element_of(type_byte, value))
    if len(key) > KEY_BYTES_MAX:
        return HASHED + blake2b(key, digest_size=_HASH_BYTES).digest()
    return key


def _key(element: Element) -> bytes:
    return bytes((RANK[element.kind],)) + _CONTENT[element.kind](element)


def _nothing(element: Element) -> bytes:
    return b""


def _text(raw: bytes) -> bytes:
    return raw.replace(b"\0", b"\0\xff") + _END


def _string(element: Element) -> bytes:
    return _text(raw_string(element))


def _number(element: Element) -> bytes:
    value = _exact(element)
    if value == "NaN":
        return NAN
    if isinstance(value, str):
        return NEGATIVE + _inverted(INFINITE) if value[0] == "-" else POSITIVE + INFINITE
    if not value.coefficient:
        return ZERO
    digits = str(value.coefficient)
    exponent = value.exponent + len(digits)
    magnitude = (exponent + EXPONENT_BIAS).to_bytes(2) + digits.rstrip("0").encode() + _END
    return NEGATIVE + _inverted(magnitude) if value.negative else POSITIVE + magnitude


def _inverted(raw: bytes) -> bytes:
    return raw.translate(INVERTED)


def _exact(element: Element) -> Decimal | str:
    if element.kind is Kind.DECIMAL:
        return decimal(element)
    if element.kind is not Kind.DOUBLE:
        whole = integer(element)
        return Decimal(whole < 0, abs(whole), 0)
    value = double(element)
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    numerator, denominator = value.as_integer_ratio()
    halvings = denominator.bit_length() - 1  # n / 2^k = n * 5^k / 10^k
    return Decimal(value < 0, abs(numerator) * 5**halvings, -halvings)


def _object(element: Element) -> bytes:
    return _members(element.data, element.start, element.end, element.level + 1)


def _members(data: bytes, start: int, end: int, level: int) -> bytes:
    """Return what orders a document: of each element its type, then name, then content."""
    parts: list[bytes] = []
    for member in elements(data, start, end, level):
        parts += (
            bytes((RANK[member.kind],)),
            member.key,
            _END,
            _CONTENT[member.kind](member),
        )
    return b"".join(parts) + _END


def _array(element: Element) -> bytes:
    return b"".join(map(_key, element.elements())) + _END


def _binary(element: Element) -> bytes:
    raw = payload(element)
    return _LENGTH.pack(len(raw)) + element.data[element.start + 4 : element.end]


def _object_id(element: Element) -> bytes:
    return element.value


def _bool(element: Element) -> bytes:
    return element.value


def _date(element: Element) -> bytes:
    return (milliseconds(element) + DATE_BIAS).to_bytes(8)


def _timestamp(element: Element) -> bytes:
    return element.value[::-1]


def _regex(element: Element) -> bytes:
    return element.value


def _db_pointer(element: Element) -> bytes:
    end = string_end(element.data, element.start, element.end)
    name = element.data[element.start + 4 : end]
    return _LENGTH.pack(len(name)) + name + element.data[end : element.end]


def _code_with_scope(element: Element) -> bytes:
    code, scope = split_code_with_scope(element.data, element.start)
    text = _text(element.data[code + 4 : scope - 1])
    return text + _members(element.data, scope, element.end, element.level + 1)


_CONTENT: dict[Kind, Callable[[Element], bytes]] = {
    Kind.MIN_KEY: _nothing,
    Kind.UNDEFINED: _nothing,
    Kind.NULL: _nothing,
    Kind.DOUBLE: _number,
    Kind.INT: _number,
    Kind.LONG: _number,
    Kind.DECIMAL: _number,
    Kind.STRING: _string,
    Kind.SYMBOL: _string,
    Kind.OBJECT: _object,
    Kind.ARRAY: _array,
    Kind.BINARY: _binary,
    Kind.UUID: _binary,
    Kind.OBJECT_ID: _object_id,
    Kind.BOOL: _bool,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
    Kind.REGEX: _regex,
    Kind.DB_POINTER: _db_pointer,
    Kind.CODE: _string,
    Kind.CODE_WITH_SCOPE: _code_with_scope,
    Kind.MAX_KEY: _nothing,
}
