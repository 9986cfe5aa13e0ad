"""Casts, read here once more: what a value of a document should be in its column.

For       Holding documents against rows through a mapping.
Touches   Nothing.
Promises  Values of both sides come in one form, in which equal ones are equal. A value that its
          cast doesn't take is `Unfit`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Hashable
from datetime import datetime, timedelta
from decimal import Context, Decimal

from bson.decimal128 import Decimal128

from landbridge.mapping.rules import Cast, ColumnRule
from landbridge.model.kinds import NUMBERS, Kind
from landbridge.model.relational import RelationalColumn
from landbridge.verify import trees
from landbridge.verify.bson import Value

WHOLE_TYPES = frozenset({"smallint", "integer", "bigint", "oid"})
FLOAT_TYPES = frozenset({"real", "double precision"})
TIME_TYPES = frozenset({"timestamp without time zone", "timestamp with time zone"})
JSON_TYPES = frozenset({"json", "jsonb"})
NOTHING = (Kind.NULL, Kind.UNDEFINED)
MICRO = 1_000_000
DAY_MICRO = 86_400 * MICRO
NEGATIVE_ZERO = "-0"  # a word, for a float keeps it apart from 0, and == does not
DIGITS_MAX = 131_072  # before the point, of PostgreSQL's numeric
SECONDS_END = 10**11  # an epoch number below it is seconds, else milliseconds

Comparable = Hashable  # what both sides are turned into

_NUMBER = re.compile(
    r"\s*[+-]?(?:(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,9})?\s*", re.ASCII
)
_MOMENT = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d)?(?:[.,](\d+))?"
    r"\s*(?:([Zz])|([+-])(\d\d):?(\d\d)?)?)?\s*"
)
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_EPOCH = datetime(1970, 1, 1)
_EXACT = Context(prec=20_000)  # of PostgreSQL's numeric, and more


class Unfit(Exception):
    """A value can't become what its column wants."""


def derived(value: Value, rule: ColumnRule, column: RelationalColumn) -> Comparable:
    """Return what a column should hold of a value; not for references.

    Raises:
        Unfit: the rule does not take it.

    """
    if rule.cast != "array":
        return _one(value, rule.cast, rule, column)
    if value.kind is not Kind.ARRAY:
        raise Unfit
    cast = rule.of or "text"
    return tuple(
        None if member.kind in NOTHING else _one(member, cast, rule, column)
        for _, member in value.members()
    )


def _one(value: Value, cast: Cast, rule: ColumnRule, column: RelationalColumn) -> Comparable:
    base = column.base
    match cast:
        case "json":
            return trees.of_value(value, False, False)
        case "bytes":
            if value.kind is Kind.UUID or (value.kind is Kind.BINARY and value.subtype != 2):
                return value.payload.hex()
            if value.kind is Kind.BINARY:
                return value.payload[4:].hex()  # the old subtype repeats its length
            raise Unfit
        case "uuid":
            return uuid_of(value)
        case "enum":
            word = scalar(value)
            if rule.values and word not in rule.values:
                raise Unfit
            return rule.values.get(word, word)
        case "boolean":
            return _truth(value)
        case "timestamp":
            return micro_of(value)
        case "date":
            days, rest = divmod(micro_of(value), DAY_MICRO)
            if rest:
                raise Unfit
            return days
        case "integer" | "number":
            return fitted(number_of(value), base)
        case _:
            return from_text(scalar(value), column)


def default_of(rule: ColumnRule, column: RelationalColumn) -> Comparable:
    """Return what a document without the value gives the column."""
    default = rule.default
    if default is None:
        return None
    if isinstance(default, (list, tuple)):
        return tuple(None if one is None else from_text(_written(one), column) for one in default)
    return from_text(_written(default), column)


def _written(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


# -- what stands in a row -------------------------------------------------------------------


def from_text(text: str, column: RelationalColumn) -> Comparable:
    """Return a scalar that PostgreSQL printed, or that a rule writes, in the form of its type."""
    base = column.base
    if base in JSON_TYPES:
        return trees.of_json(text)
    if base == "boolean":
        return _WORDS.get(text.lower(), text)
    if base in WHOLE_TYPES or base in FLOAT_TYPES or base == "numeric":
        return fitted(_number_in(text), base)
    if base == "uuid":
        return text.lower()
    if base == "character":
        return text.rstrip(" ")
    if base in TIME_TYPES:
        return _micro_of_text(text) if "-" in text[1:] else _micro_printed(text)
    if base == "date":
        return _micro_of_text(text) // DAY_MICRO if "-" in text[1:] else _whole(text)
    return text


def _whole(text: str) -> Comparable:
    return int(text) if text.lstrip("-").isdigit() else text


def _micro_printed(text: str) -> Comparable:
    """Return microseconds since 1970 that PostgreSQL printed as a number; infinity stays a word."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        return text
    return int(number) if number.is_finite() and number == int(number) else text


def fitted(number: Decimal | str, base: str) -> Comparable:
    """Return a number as a column of that type compares it; NaN and infinities are words."""
    if isinstance(number, str):
        return number
    if base in FLOAT_TYPES:
        if not number and number.is_signed():
            return NEGATIVE_ZERO
        return _real(float(number)) if base == "real" else float(number)
    if number.adjusted() > DIGITS_MAX:
        raise Unfit  # and would fill the memory
    return int(number) if number == number.to_integral_value() else number.normalize(_EXACT)


def _real(number: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        raise Unfit from None


# -- what a document holds ------------------------------------------------------------------


def number_of(value: Value) -> Decimal | str:
    """Return the number that a value is, one in a string as well."""
    match value.kind:
        case Kind.INT | Kind.LONG:
            return Decimal(value.integer)
        case Kind.DOUBLE:
            return _number_in(repr(value.double))
        case Kind.DECIMAL:
            return _number_in(str(Decimal128.from_bid(value.raw).to_decimal()))
        case Kind.STRING:
            text = text_of(value)
            if _NUMBER.fullmatch(text) is None:
                raise Unfit
            return Decimal(text.replace(",", "").strip())
    raise Unfit


def _number_in(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise Unfit from None
    if number.is_finite():
        return number
    return "NaN" if number.is_nan() else "Infinity" if number > 0 else "-Infinity"


def text_of(value: Value) -> str:
    """Return the text of a string."""
    try:
        return value.text.decode()
    except UnicodeDecodeError:
        raise Unfit from None


def uuid_of(value: Value) -> str:
    """Return the UUID that a value is, as binary or as text."""
    if value.kind is Kind.UUID:
        digits = value.payload.hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if value.kind is Kind.STRING and _UUID.fullmatch(text_of(value)):
        return text_of(value).lower()
    raise Unfit


def scalar(value: Value) -> str:
    """Return a scalar as people write it."""
    match value.kind:
        case Kind.STRING:
            return text_of(value)
        case Kind.OBJECT_ID:
            return value.raw.hex()
        case Kind.BOOL:
            return "true" if value.raw[0] else "false"
        case Kind.DOUBLE:
            number = _number_in(repr(value.double).removesuffix(".0"))
            return str(number)
        case Kind.DATE:
            moment = trees.iso(value.integer)
            return moment or trees.words_of(value, False)
        case kind if kind in NUMBERS:
            return str(number_of(value))
    return uuid_of(value)


def _truth(value: Value) -> bool:
    if value.kind is Kind.BOOL:
        return bool(value.raw[0])
    if value.kind is Kind.STRING:
        word = text_of(value).strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        raise Unfit
    number = number_of(value)
    if number not in (0, 1):
        raise Unfit
    return number == 1


def micro_of(value: Value) -> int:
    """Return the microseconds since 1970 of a date, of ISO 8601 text, or of an epoch number."""
    if value.kind is Kind.DATE:
        return value.integer * 1000
    if value.kind is Kind.STRING:
        return _micro_of_text(text_of(value))
    number = number_of(value)
    if isinstance(number, str):
        raise Unfit
    micro = _EXACT.multiply(number, Decimal(MICRO if abs(number) < SECONDS_END else 1000))
    if micro != micro.to_integral_value():
        raise Unfit
    return int(micro)


def _micro_of_text(text: str) -> int:
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise Unfit
    day, minutes, seconds, fraction, _, sign, hours, rest = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day} {minutes or '00:00'}{seconds or ':00'}")
    except ValueError:
        raise Unfit from None
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6:
        raise Unfit
    micro = (moment - _EPOCH) // timedelta(microseconds=1) + int(digits.ljust(6, "0"))
    offset = (int(hours or 0) * 60 + int(rest or 0)) * 60 * MICRO
    return micro + offset if sign == "-" else micro - offset


def elements_of(value: Value | None) -> list[Value] | None:
    """Return the elements of an array; none of nothing, None of what is no array."""
    if value is None or value.kind in NOTHING:
        return []
    return [one for _, one in value.members()] if value.kind is Kind.ARRAY else None
