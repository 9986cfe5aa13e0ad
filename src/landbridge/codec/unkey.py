"""From a canonical key back to an id: one that MongoDB takes for the one the key was made of.

For       Asking the source for the documents of rows that are known by their key alone.
Touches   Nothing.
Promises  `canonical_key(*id_of_key(key)) == key`. A key that was hashed gives None.
"""

from __future__ import annotations

import math
import struct
from decimal import Context, Decimal, Inexact, localcontext
from fractions import Fraction

from bson import Decimal128

from landbridge.codec.key import (
    DATE_BIAS,
    EXPONENT_BIAS,
    HASHED,
    INFINITE,
    INVERTED,
    NAN,
    NEGATIVE,
    RANK,
    ZERO,
)
from landbridge.model.kinds import KIND_OF_TYPE_BYTE, Kind

_TYPE_BYTE = {kind: byte for byte, kind in KIND_OF_TYPE_BYTE.items()}
_KIND_OF_RANK = {rank: kind for kind, rank in reversed(RANK.items())}  # the first of a bracket
_INT64_MAX = 2**63 - 1
_DIGITS_MAX = 34  # of a decimal128
_EXPONENTS = range(-6176, 6112)


def id_of_key(key: bytes) -> tuple[int, bytes] | None:
    """Return the type byte and value bytes of an id with that canonical key."""
    if key[:1] == HASHED:
        return None
    type_byte, value, _ = _value(key, 0)
    return type_byte, value


def _value(key: bytes, at: int) -> tuple[int, bytes, int]:
    """Return type byte, value bytes and the place after the value that begins at `at`."""
    return _content(key, key[at], at + 1)


def _content(key: bytes, rank: int, at: int) -> tuple[int, bytes, int]:
    kind = _KIND_OF_RANK[rank]
    if rank == RANK[Kind.INT]:
        return _number(key, at)
    type_byte = _TYPE_BYTE[kind]
    match kind:
        case Kind.STRING | Kind.CODE:
            raw, at = _text(key, at)
            return type_byte, struct.pack("<i", len(raw) + 1) + raw + b"\0", at
        case Kind.OBJECT:
            body, at = _members(key, at)
            return type_byte, body, at
        case Kind.ARRAY:
            parts: list[bytes] = []
            while key[at]:
                element, value, at = _value(key, at)
                parts.append(b"%c%d\0%b" % (element, len(parts), value))
            return type_byte, _document(parts), at + 1
        case Kind.BINARY:
            (size,) = struct.unpack_from(">I", key, at)
            subtype, start = key[at + 4], at + 5
            raw = key[start : start + size]
            return type_byte, struct.pack("<iB", len(raw), subtype) + raw, start + size
        case Kind.OBJECT_ID:
            return type_byte, key[at : at + 12], at + 12
        case Kind.BOOL:
            return type_byte, key[at : at + 1], at + 1
        case Kind.DATE:
            moment = int.from_bytes(key[at : at + 8]) - DATE_BIAS
            return type_byte, struct.pack("<q", moment), at + 8
        case Kind.TIMESTAMP:
            return type_byte, key[at : at + 8][::-1], at + 8
        case Kind.REGEX:
            end = key.index(b"\0", key.index(b"\0", at) + 1) + 1
            return type_byte, key[at:end], end
        case Kind.DB_POINTER:
            (size,) = struct.unpack_from(">I", key, at)
            end = at + 4 + size
            return type_byte, struct.pack("<i", size) + key[at + 4 : end + 12], end + 12
        case Kind.CODE_WITH_SCOPE:
            raw, at = _text(key, at)
            scope, at = _members(key, at)
            body = struct.pack("<i", len(raw) + 1) + raw + b"\0" + scope
            return type_byte, struct.pack("<i", len(body) + 4) + body, at
        case _:  # nothing beside its type
            return type_byte, b"", at


def _text(key: bytes, at: int) -> tuple[bytes, int]:
    end = at
    while key[end] or key[end + 1 : end + 2] == b"\xff":
        end += 1
    return key[at:end].replace(b"\0\xff", b"\0"), end + 1


def _members(key: bytes, at: int) -> tuple[bytes, int]:
    parts = []
    while key[at]:
        end = key.index(b"\0", at + 1)
        type_byte, value, after = _content(key, key[at], end + 1)
        parts.append(b"%c%b\0%b" % (type_byte, key[at + 1 : end], value))
        at = after
    return _document(parts), at + 1


def _document(parts: list[bytes]) -> bytes:
    body = b"".join(parts)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _number(key: bytes, at: int) -> tuple[int, bytes, int]:
    sign = key[at : at + 1]
    if sign == NAN:
        return _double(math.nan, at + 1)
    if sign == ZERO:
        return _TYPE_BYTE[Kind.LONG], bytes(8), at + 1
    negative = sign == NEGATIVE
    rest = key[at + 1 :].translate(INVERTED) if negative else key[at + 1 :]
    if rest[:2] == INFINITE:
        return _double(-math.inf if negative else math.inf, at + 3)
    end = rest.index(b"\0", 2)
    digits, after = rest[2:end].decode(), at + 2 + end
    exponent = int.from_bytes(rest[:2]) - EXPONENT_BIAS - len(digits)
    magnitude = int(digits)
    if 0 <= exponent < 19 and magnitude * 10**exponent <= _INT64_MAX:
        whole = magnitude * 10**exponent
        return (
            _TYPE_BYTE[Kind.LONG],
            struct.pack("<q", -whole if negative else whole),
            after,
        )
    if len(digits) <= _DIGITS_MAX and exponent in _EXPONENTS:
        with localcontext(Context(prec=_DIGITS_MAX, traps=[Inexact])):
            exact = Decimal((int(negative), tuple(map(int, digits)), exponent))
        return _TYPE_BYTE[Kind.DECIMAL], Decimal128(exact).bid, after
    value = float(Fraction(magnitude) * Fraction(10) ** exponent)
    return _double(-value if negative else value, after)


def _double(value: float, after: int) -> tuple[int, bytes, int]:
    return _TYPE_BYTE[Kind.DOUBLE], struct.pack("<d", value), after
