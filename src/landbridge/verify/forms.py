"""Forms: a value of a document, and the field of a row, in one way of writing.

For       Deciding whether a column holds what its document holds.
Touches   Nothing.
Promises  Both are written alike exactly where the column tells the value as it is in the
          document. A value that the column can't hold is written as nothing else is.
"""

from __future__ import annotations

from struct import pack
from uuid import UUID

from landbridge.model.kinds import NUMBERS, Kind
from landbridge.verify import numbers, trees
from landbridge.verify.bson import Value
from landbridge.verify.numbers import Number
from landbridge.verify.shape import Form, Mode, Shape

EXACT_IN_DOUBLE_MAX = 1 << 53
_MS_OF_2000 = 946_684_800_000
_MICROSECONDS_MAX = (1 << 63) - 1

_TAGS = {
    Form.BIGINT: b"i",
    Form.FLOAT8: b"f",
    Form.TEXT: b"t",
    Form.BOOL: b"b",
    Form.TIMESTAMP: b"d",
    Form.BYTES: b"x",
    Form.UUID: b"u",
}


def of_field(form: Form, field: bytes) -> bytes:
    """Write the field of a row, as binary COPY gives it."""
    if form is Form.NUMERIC:
        return _number(numbers.of_numeric(field))
    if form is Form.JSON:
        return b"j" + trees.of_json(field[1:].decode(errors="surrogatepass"))
    return _TAGS[form] + field


def of_value(value: Value, mode: Mode, form: Form, shape: Shape) -> bytes:
    """Write a value of a document as its column should tell it."""
    if mode in (Mode.PLAIN_JSON, Mode.EXTENDED_JSON):
        extended = mode is Mode.EXTENDED_JSON
        return b"j" + trees.of_value(value, extended, shape.escapes)
    if mode is Mode.PLAIN_TEXT:
        return b"t" + plain_text(value, shape.escapes)
    if mode is Mode.EXTENDED_TEXT:
        return b"t" + extended_text(value, shape.escapes)
    written = _simple(value, form, shape)
    return misfit(value) if written is None else written


def misfit(value: Value) -> bytes:
    """Write a value that its column can't hold."""
    return b"!" + bytes((value.type_byte,)) + value.raw


def _simple(value: Value, form: Form, shape: Shape) -> bytes | None:
    kind = value.kind
    match form:
        case Form.BIGINT if kind in (Kind.INT, Kind.LONG):
            return b"i" + pack(">q", value.integer)
        case Form.FLOAT8 if kind is Kind.DOUBLE:
            return b"f" + value.raw[::-1]
        case Form.FLOAT8 if kind in (Kind.INT, Kind.LONG):
            if abs(value.integer) <= EXACT_IN_DOUBLE_MAX:
                return b"f" + pack(">d", value.integer)
        case Form.NUMERIC if kind in NUMBERS:
            return _number(_numeric(value))
        case Form.TEXT if kind is Kind.STRING:
            return b"t" + trees.escaped(value.text, shape.escapes)
        case Form.TEXT if kind is Kind.OBJECT_ID:
            return b"t" + value.raw.hex().encode()
        case Form.BOOL if kind is Kind.BOOL:
            return b"b" + value.raw
        case Form.TIMESTAMP if kind is Kind.DATE:
            microseconds = (value.integer - _MS_OF_2000) * 1000
            if abs(microseconds) <= _MICROSECONDS_MAX:
                return b"d" + pack(">q", microseconds)
        case Form.BYTES if kind is Kind.OBJECT_ID:
            return b"x" + value.raw
        case Form.BYTES if kind in (Kind.BINARY, Kind.UUID):
            return b"x" + value.payload
        case Form.UUID if kind is Kind.UUID:
            return b"u" + value.payload
    return None


def _numeric(value: Value) -> Number | str:
    if value.kind is Kind.DOUBLE:
        return numbers.of_double(value.double)
    if value.kind is Kind.DECIMAL:
        return numbers.of_decimal(value.raw)
    return numbers.of_integer(value.integer)


def _number(value: Number | str) -> bytes:
    return b"N" + value.encode() if isinstance(value, str) else b"n" + value.written()


def plain_text(value: Value, escapes: bool) -> bytes:
    """Return the text of an id that is of the kind that came first."""
    match value.kind:
        case Kind.STRING:
            return trees.escaped(value.text, escapes)
        case Kind.OBJECT_ID:
            return value.raw.hex().encode()
        case Kind.INT | Kind.LONG:
            return str(value.integer).encode()
        case Kind.DOUBLE:
            return numbers.double_words(value.double).encode()
        case Kind.DECIMAL:
            return numbers.decimal_words(value.raw).encode()
        case Kind.BOOL:
            return b"true" if value.raw[0] else b"false"
        case Kind.DATE:
            return (trees.iso(value.integer) or str(value.integer)).encode()
        case Kind.UUID:
            return str(UUID(bytes=value.payload)).encode()
        case Kind.BINARY:
            return value.payload.hex().encode()
        case _:
            return extended_text(value, escapes)


def extended_text(value: Value, escapes: bool) -> bytes:
    """Return the canonical extended JSON of a value, as its text without spaces."""
    return trees.words_of(value, escapes).encode(errors="surrogatepass")
