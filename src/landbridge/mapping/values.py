"""Casts: a BSON value becomes the text that a column reads, exactly or not at all.

For       Turning documents into rows of a schema that exists.
Touches   Nothing.
Promises  What a cast takes is listed in docs/mapping.md; everything else is `Unfit` with its
          reason. Values come as `codec.pick` gives them: type byte, then bytes. The text is what
          PostgreSQL's input of the column's type reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from struct import Struct

import bson
from bson.decimal128 import Decimal128

from landbridge.codec import Refused, members, plain_json
from landbridge.mapping import moments
from landbridge.mapping.fit import INTEGER_BITS, TIMESTAMPS, number_fit, shortened, text_fit
from landbridge.mapping.ids import (
    BINARY,
    DOUBLE,
    INT,
    LONG,
    OBJECT_ID,
    STRING,
    Unfit,
    string_of,
    uuid_of,
)
from landbridge.mapping.rules import Cast, ColumnRule
from landbridge.model.kinds import KIND_OF_TYPE_BYTE
from landbridge.model.relational import RelationalColumn

UNDEFINED, BOOL, DATE, NULL, DECIMAL = 0x06, 0x08, 0x09, 0x0A, 0x13
ARRAY, OBJECT = 0x04, 0x03
NOTHING = (UNDEFINED, NULL)

_DOUBLE, _INT, _LONG = Struct("<d"), Struct("<i"), Struct("<q")
_NUMBER_TEXT = re.compile(
    r"\s*[+-]?(?:(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?\s*", re.ASCII
)
_NAN, _INFINITY = "NaN", "Infinity"
_TRUE, _FALSE = frozenset({"true", "yes"}), frozenset({"false", "no"})

Convert = Callable[[bytes], str]


def converter(rule: ColumnRule, column: RelationalColumn) -> Convert:
    """Return what turns the values of a rule into text for its column; not for `as: id`."""
    if rule.cast == "array":
        element = converter(
            replace(rule, cast=rule.of or "text"),
            replace(column, array=False, type=column.type.removesuffix("[]")),
        )
        return lambda value: _array(value, element)
    return _MAKERS[rule.cast](rule, column)


def default_text(rule: ColumnRule, column: RelationalColumn) -> str | None:
    """Return what a rule's default writes to its column.

    Raises:
        Unfit: the column can't hold it.

    """
    default = rule.default
    if default is None:
        return None
    if rule.cast in ("enum", "id") and isinstance(default, str):
        return text_fit(column)(default)  # a label, or a key, as it stands in the table
    document = bson.encode({"v": default})
    return converter(rule, column)(document[4:5] + document[7:-1])


def kind_of(value: bytes) -> str:
    """Return the name of a value's kind, for messages."""
    return KIND_OF_TYPE_BYTE[value[0]].value


def _refuse(value: bytes, wanted: str) -> Unfit:
    return Unfit(f"a value of kind {kind_of(value)} is no {wanted}")


# -- numbers --------------------------------------------------------------------------------


def number_of(value: bytes, *, text: bool) -> Decimal | str:
    """Return the number that a value is, or `NaN`, `Infinity`, `-Infinity`.

    `text`: a string that holds a number is one as well, also with commas between thousands.
    """
    kind = value[0]
    if kind == INT:
        return Decimal(_INT.unpack_from(value, 1)[0])
    if kind == LONG:
        return Decimal(_LONG.unpack_from(value, 1)[0])
    if kind == DOUBLE:
        number = _DOUBLE.unpack_from(value, 1)[0]
        if number != number:
            return _NAN
        if number in (float("inf"), float("-inf")):
            return _INFINITY if number > 0 else "-" + _INFINITY
        return Decimal(repr(number).removesuffix(".0"))
    if kind == DECIMAL:
        found = Decimal128.from_bid(value[1:]).to_decimal()
        if found.is_nan():
            return _NAN
        if found.is_infinite():
            return _INFINITY if found > 0 else "-" + _INFINITY
        return found
    if kind == STRING and text:
        written = string_of(value)
        if _NUMBER_TEXT.fullmatch(written) is None:
            raise Unfit(f"{shortened(written)} is no number")
        return Decimal(written.replace(",", "").strip())
    raise _refuse(value, "number")


def _number(rule: ColumnRule, column: RelationalColumn) -> Convert:
    fit = number_fit(column)
    special = _special(column)

    def convert(value: bytes) -> str:
        number = number_of(value, text=True)
        return special(number) if isinstance(number, str) else fit(number)

    return convert


def _special(column: RelationalColumn) -> Callable[[str], str]:
    floats = column.base in ("real", "double precision")
    numeric = column.base == "numeric"

    def written(word: str) -> str:
        if floats or (numeric and (word == _NAN or column.precision is None)):
            return word
        raise Unfit(f"{word} is nothing that {column.type} can hold")

    return written


def _integer(rule: ColumnRule, column: RelationalColumn) -> Convert:
    fit = number_fit(column)
    bits = INTEGER_BITS.get(column.base, 0)
    plain = bits >= 32 and column.base != "oid"
    long_too = column.base == "bigint"

    def convert(value: bytes) -> str:
        kind = value[0]
        if plain and kind == INT:  # nothing to check: the commonest case
            return str(_INT.unpack_from(value, 1)[0])
        if long_too and kind == LONG:
            return str(_LONG.unpack_from(value, 1)[0])
        number = number_of(value, text=True)
        if isinstance(number, str) or number != number.to_integral_value():
            raise Unfit(f"{shortened(str(number))} is no whole number")
        return fit(number)

    return convert


# -- words ----------------------------------------------------------------------------------


def scalar_text(value: bytes) -> str:
    """Return a scalar as text: a string as it is, others as people write them."""
    kind = value[0]
    if kind == STRING:
        return string_of(value)
    if kind == OBJECT_ID:
        return value[1:].hex()
    if kind in (INT, LONG, DECIMAL, DOUBLE):
        number = number_of(value, text=False)
        return number if isinstance(number, str) else str(number)
    if kind == BOOL:
        return "true" if value[1] else "false"
    if kind == DATE:
        return _json(value).strip('"')
    found = uuid_of(value)
    if found is None:
        raise _refuse(value, "text")
    return found


def _text(rule: ColumnRule, column: RelationalColumn) -> Convert:
    fit = text_fit(column)
    return lambda value: fit(scalar_text(value))


def _enum(rule: ColumnRule, column: RelationalColumn) -> Convert:
    fit = text_fit(column)
    values = rule.values

    def convert(value: bytes) -> str:
        word = scalar_text(value)
        if not values:
            return fit(word)
        label = values.get(word)
        if label is None:
            raise Unfit(f"{shortened(word)} is none of the values that the mapping knows")
        return label

    return convert


def _boolean(rule: ColumnRule, column: RelationalColumn) -> Convert:
    def convert(value: bytes) -> str:
        if value[0] == BOOL:
            return "true" if value[1] else "false"
        if value[0] in (INT, LONG, DOUBLE, DECIMAL):
            number = number_of(value, text=False)
            if number in (0, 1):
                return "true" if number == 1 else "false"
            raise Unfit(f"{shortened(str(number))} is neither 0 nor 1")
        if value[0] == STRING:
            word = string_of(value).strip().lower()
            if word in _TRUE:
                return "true"
            if word in _FALSE:
                return "false"
            raise Unfit(f"{shortened(word)} is neither true nor false")
        raise _refuse(value, "boolean")

    return convert


# -- times ----------------------------------------------------------------------------------


def _micro(value: bytes) -> int:
    kind = value[0]
    if kind == DATE:
        return int(_LONG.unpack_from(value, 1)[0]) * 1000
    if kind == STRING:
        return moments.micro_of_text(string_of(value))
    if kind in (INT, LONG, DOUBLE, DECIMAL):
        number = number_of(value, text=False)
        if isinstance(number, str):
            raise Unfit(f"{number} is no time")
        return moments.micro_of_number(number)
    raise _refuse(value, "date")


def _timestamp(rule: ColumnRule, column: RelationalColumn) -> Convert:
    zoned = column.base != TIMESTAMPS[0]
    digits = column.precision if column.base in TIMESTAMPS else None
    return lambda value: moments.timestamp(_micro(value), digits, zoned)


def _date(rule: ColumnRule, column: RelationalColumn) -> Convert:
    return lambda value: moments.date(_micro(value))


# -- others ---------------------------------------------------------------------------------


def _uuid(rule: ColumnRule, column: RelationalColumn) -> Convert:
    def convert(value: bytes) -> str:
        found = uuid_of(value)
        if found is None:
            raise _refuse(value, "UUID")
        return found

    return convert


def _json(value: bytes) -> str:
    try:
        return plain_json(value)
    except Refused as refused:
        raise Unfit(str(refused)) from None


def _bytes(rule: ColumnRule, column: RelationalColumn) -> Convert:
    def convert(value: bytes) -> str:
        if value[0] != BINARY:
            raise _refuse(value, "binary")
        skipped = 10 if value[5] == 0x02 else 6  # the old subtype repeats its length
        return "\\x" + value[skipped:].hex()

    return convert


def _array(value: bytes, element: Convert) -> str:
    if value[0] != ARRAY:
        raise _refuse(value, "array")
    try:
        found = members(value)
    except Refused as refused:
        raise Unfit(str(refused)) from None
    parts = []
    for number, member in enumerate(found):
        if member[0] in NOTHING:
            parts.append("NULL")
            continue
        try:
            text = element(member)
        except Unfit as unfit:
            raise Unfit(f"element {number}: {unfit}") from None
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'"{escaped}"')
    return "{" + ",".join(parts) + "}"


_Maker = Callable[[ColumnRule, RelationalColumn], Convert]


def _of_json(rule: ColumnRule, column: RelationalColumn) -> Convert:
    return _json


_MAKERS: dict[Cast, _Maker] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "timestamp": _timestamp,
    "date": _date,
    "uuid": _uuid,
    "enum": _enum,
    "json": _of_json,
    "bytes": _bytes,
}


def shown(value: bytes) -> str:
    """Return a value for a message: short, in one line."""
    try:
        return shortened(scalar_text(value))
    except Unfit:
        return f"a value of kind {kind_of(value)}"
