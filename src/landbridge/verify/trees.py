"""Trees: a JSON value of either side as 16 bytes, whatever the order of its keys.

For       Comparing jsonb with the objects and arrays that it was made of.
Touches   Nothing.
Promises  Two values have the same bytes where jsonb takes them for one and prints their numbers
          alike. Of a key that comes twice the last counts, as jsonb has it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime, timedelta
from struct import unpack_from
from uuid import UUID

from landbridge.model.hashing import murmur3_128
from landbridge.model.kinds import Kind
from landbridge.verify import numbers
from landbridge.verify.bson import Value
from landbridge.verify.numbers import Number

SEED = b"landbridge tree."
_MASK = (1 << 128) - 1
_DAY_MS = 86_400_000
CYCLE_MS = 146_097 * _DAY_MS  # 400 years, after which the calendar repeats
_YEAR_0_MS, _YEAR_10000_MS = -62_167_219_200_000, 253_402_300_800_000
NUL_SIGN = "\u2400"


def leaf(tag: bytes, content: bytes = b"") -> bytes:
    """Return the bytes of a value that holds no others."""
    return murmur3_128(SEED, tag + content)


def text(value: bytes) -> bytes:
    """Return a string."""
    return leaf(b"s", value)


def array(members: Iterable[bytes]) -> bytes:
    """Return an array of trees."""
    return leaf(b"a", b"".join(members))


def tree_object(members: dict[bytes, bytes]) -> bytes:
    """Return an object of trees by key."""
    total = 0
    for key, tree in members.items():
        total += int.from_bytes(murmur3_128(SEED, b"k" + tree + key), "little")
    return leaf(b"o", len(members).to_bytes(4, "little") + (total & _MASK).to_bytes(16, "little"))


def number(value: Number) -> bytes:
    """Return a number."""
    return leaf(b"d", value.written())


NULL, TRUE, FALSE = leaf(b"n"), leaf(b"t"), leaf(b"f")


# -- what stands in a row -------------------------------------------------------------------


class _Digits(str):
    """A number as it is printed."""


def of_json(field: str) -> bytes:
    """Return the tree of jsonb's text."""
    return _of_parsed(
        json.loads(field, parse_int=_Digits, parse_float=_Digits, object_pairs_hook=_Members)
    )


class _Members(list[tuple[str, object]]):
    """The members of an object."""


def _of_parsed(value: object) -> bytes:
    match value:
        case None:
            return NULL
        case bool():
            return TRUE if value else FALSE
        case _Digits():
            return number(numbers.of_text(value))
        case str():
            return text(value.encode(errors="surrogatepass"))
        case _Members():
            return tree_object({key.encode(): _of_parsed(member) for key, member in value})
        case list():
            return array(_of_parsed(member) for member in value)
    raise AssertionError(value)


# -- what a document should have become -----------------------------------------------------


def escaped(raw: bytes, escapes: bool) -> bytes:
    """Return text as it is stored under the policy for NUL."""
    if not escapes:
        return raw
    one, zero = NUL_SIGN.encode() + b"1", NUL_SIGN.encode() + b"0"
    return raw.replace(NUL_SIGN.encode(), one).replace(b"\0", zero)


def of_value(value: Value, as_extended: bool, escapes: bool) -> bytes:
    """Return the tree of a BSON value, plain for people or as canonical extended JSON."""
    match value.kind:
        case Kind.NULL:
            return NULL
        case Kind.BOOL:
            return TRUE if value.raw[0] else FALSE
        case Kind.STRING:
            return text(escaped(value.text, escapes))
        case Kind.ARRAY:
            return array(of_value(one, as_extended, escapes) for _, one in value.members())
        case Kind.OBJECT:
            return of_members(value.raw, as_extended, escapes)
        case _ if as_extended:
            return _extended(value, escapes)
        case Kind.INT | Kind.LONG:
            return number(numbers.of_integer(value.integer))
        case Kind.DOUBLE if isinstance(found := numbers.shown_in_json(value.double), Number):
            return number(found)
        case Kind.DECIMAL if isinstance(found := numbers.of_decimal(value.raw), Number):
            return number(found)
        case Kind.OBJECT_ID:
            return text(value.raw.hex().encode())
        case Kind.UUID:
            return text(str(UUID(bytes=value.payload)).encode())
        case Kind.DATE if (moment := iso(value.integer)) is not None:
            return text(moment.encode())
        case _:
            return _extended(value, escapes)


def of_members(document: bytes, as_extended: bool, escapes: bool) -> bytes:
    """Return the tree of a document."""
    return tree_object(
        {
            name: of_value(one, as_extended, escapes)
            for name, one in Value(Kind.OBJECT, document).members()
        }
    )


def _extended(value: Value, escapes: bool) -> bytes:
    return _of_words(extended(value, escapes))


Words = str | int | bool | dict[str, "Words"] | list["Words"] | None


def _of_words(words: Words) -> bytes:
    match words:
        case None:
            return NULL
        case bool():
            return TRUE if words else FALSE
        case int():
            return number(numbers.of_integer(words))
        case str():
            return text(words.encode(errors="surrogateescape"))
        case list():
            return array(map(_of_words, words))
    return tree_object(
        {key.encode(errors="surrogateescape"): _of_words(one) for key, one in words.items()}
    )


def words_of(value: Value, escapes: bool) -> str:
    """Return a value as the text of canonical extended JSON, without spaces."""
    return json.dumps(extended(value, escapes), ensure_ascii=False, separators=(",", ":"))


def extended(value: Value, escapes: bool = False) -> Words:
    """Return canonical extended JSON (version 2) of a value; broken text is escaped."""

    def words(raw: bytes) -> str:
        return escaped(raw, escapes).decode(errors="surrogateescape")

    match value.kind:
        case Kind.NULL:
            return None
        case Kind.BOOL:
            return bool(value.raw[0])
        case Kind.STRING:
            return words(value.text)
        case Kind.ARRAY:
            return [extended(one, escapes) for _, one in value.members()]
        case Kind.OBJECT:
            return {
                name.decode(errors="surrogateescape"): extended(one, escapes)
                for name, one in value.members()
            }
        case Kind.INT:
            return {"$numberInt": str(value.integer)}
        case Kind.LONG:
            return {"$numberLong": str(value.integer)}
        case Kind.DOUBLE:
            return {"$numberDouble": numbers.double_words(value.double)}
        case Kind.DECIMAL:
            return {"$numberDecimal": numbers.decimal_words(value.raw)}
        case Kind.OBJECT_ID:
            return {"$oid": value.raw.hex()}
        case Kind.DATE:
            return {"$date": {"$numberLong": str(value.integer)}}
        case Kind.BINARY | Kind.UUID:
            base64 = b64encode(value.payload).decode()
            return {"$binary": {"base64": base64, "subType": f"{value.raw[4]:02x}"}}
        case Kind.REGEX:
            pattern, options = value.raw[:-1].split(b"\0")
            return {"$regularExpression": {"pattern": words(pattern), "options": words(options)}}
        case Kind.TIMESTAMP:
            increment, seconds = unpack_from("<II", value.raw)
            return {"$timestamp": {"t": seconds, "i": increment}}
        case Kind.CODE:
            return {"$code": words(value.text)}
        case Kind.SYMBOL:
            return {"$symbol": words(value.text)}
        case Kind.UNDEFINED:
            return {"$undefined": True}
        case Kind.MIN_KEY:
            return {"$minKey": 1}
        case Kind.MAX_KEY:
            return {"$maxKey": 1}
        case Kind.DB_POINTER:
            size = int.from_bytes(value.raw[:4], "little")
            pointed: Words = {"$oid": value.raw[4 + size :].hex()}
            return {"$dbPointer": {"$ref": words(value.raw[4 : 3 + size]), "$id": pointed}}
        case Kind.CODE_WITH_SCOPE:
            size = int.from_bytes(value.raw[4:8], "little")
            scope = extended(Value(Kind.OBJECT, value.raw[8 + size :]), escapes)
            return {"$code": words(value.raw[8 : 7 + size]), "$scope": scope}
    raise AssertionError(value.kind)


def iso(milliseconds: int) -> str | None:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ`, or None where the year has no four digits."""
    if not _YEAR_0_MS <= milliseconds < _YEAR_10000_MS:
        return None
    # Python's calendar begins with the year 1: the year 0 is that of 400 years later.
    shift = 400 if milliseconds < _YEAR_0_MS + 366 * _DAY_MS else 0
    moment = datetime(1970, 1, 1) + timedelta(
        milliseconds=milliseconds + (CYCLE_MS if shift else 0)
    )
    return f"{moment.year - shift:04}-{moment:%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
