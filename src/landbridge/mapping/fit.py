"""What a column takes: numbers, text and times held against its type, before the server sees them.

For       Values on their way into a schema that exists, where nothing may be cut or rounded.
Touches   Nothing.
Promises  A value that PostgreSQL would round, cut, pad or refuse for its type is `Unfit`, with the
          type in the reason. Types that are not known here are left to the server.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal

from landbridge.mapping.ids import UUID_TEXT, Unfit
from landbridge.model.relational import RelationalColumn

INTEGER_BITS = {"smallint": 16, "integer": 32, "bigint": 64, "oid": 33}
FLOATS = ("real", "double precision")
TIMESTAMPS = ("timestamp without time zone", "timestamp with time zone")
JSON = ("json", "jsonb")
TEXTS = ("text", "character varying", "character", "citext", "name")

_FLOAT = struct.Struct("<f")
_REAL_DIGITS = 6  # that a real always keeps
_NUMERIC_DIGITS_MAX = 131_072  # before the point
_NUMERIC_SCALE_MAX = 16_383

Fit = Callable[[str], str]


def number_fit(column: RelationalColumn) -> Callable[[Decimal], str]:
    """Return what writes a finite number for a column, exactly or not at all."""
    base = column.base
    if base in INTEGER_BITS:
        bits = INTEGER_BITS[base]
        low, high = -(1 << bits - 1), 1 << bits - 1
        if base == "oid":
            low = 0

        def integer(number: Decimal) -> str:
            if not low <= number < high:
                raise Unfit(f"{shortened(str(number))} is outside the range of {base}")
            if number != number.to_integral_value():
                raise Unfit(f"{shortened(str(number))} is no whole number")
            return str(int(number))

        return integer
    if base in FLOATS:
        return _real if base == "real" else _double
    if base == "numeric":
        precision, scale = column.precision, column.scale or 0

        def numeric(number: Decimal) -> str:
            if precision is not None:
                _check_numeric(number, precision, scale, column.type)
            elif number and not (
                -_NUMERIC_SCALE_MAX <= number.adjusted() < _NUMERIC_DIGITS_MAX
                and -_exponent(number) <= _NUMERIC_SCALE_MAX
            ):
                raise Unfit(f"{shortened(str(number))} is outside the range of numeric")
            return str(number)

        return numeric
    text = text_fit(column)
    return lambda number: text(plain_number(number))


def plain_number(number: Decimal) -> str:
    """Return a number as people write it, without an exponent where that stays short."""
    return f"{number:f}" if -20 < number.adjusted() < 40 else str(number)


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # finite numbers only
    return exponent


def _check_numeric(number: Decimal, precision: int, scale: int, written: str) -> None:
    if not number:
        return
    exponent = _exponent(number)
    if exponent < -scale:
        # What follows the last place must be zeros, or it would be rounded away.
        digits = number.as_tuple().digits
        lost = digits[len(digits) - (-scale - exponent) :] if -scale - exponent else ()
        if any(lost) or len(digits) < -scale - exponent:
            raise Unfit(f"{shortened(str(number))} has more decimal places than {written} keeps")
    if number.adjusted() >= precision - scale:
        raise Unfit(f"{shortened(str(number))} is too large for {written}")


def _double(number: Decimal) -> str:
    nearest = float(number)
    if nearest != nearest or nearest in (float("inf"), float("-inf")):
        raise Unfit(f"{shortened(str(number))} is outside the range of double precision")
    if Decimal(nearest) != number and Decimal(repr(nearest)) != number:
        raise Unfit(f"{shortened(str(number))} has more digits than double precision keeps")
    return repr(nearest) if number or not number.is_signed() else "-0"


def _real(number: Decimal) -> str:
    text = _double(number)
    value = float(text)
    try:
        nearest = _FLOAT.unpack(_FLOAT.pack(value))[0]
    except OverflowError:
        raise Unfit(f"{shortened(text)} is outside the range of real") from None
    if nearest != value and (
        len(number.normalize().as_tuple().digits) > _REAL_DIGITS
        or Decimal(f"{nearest:.{_REAL_DIGITS}g}") != number
    ):
        raise Unfit(f"{shortened(text)} has more digits than real keeps")
    return text


def text_fit(column: RelationalColumn) -> Fit:
    """Return what passes text on to a column that takes it, and refuses what it can't hold."""
    length, base, written = column.length, column.base, column.type
    if column.enum is not None:
        labels, name = frozenset(column.enum.labels), column.enum.name

        def label(text: str) -> str:
            if text not in labels:
                raise Unfit(f"{shortened(text)} is no label of the enum {name}")
            return text

        return label
    if base == "uuid":

        def uuid(text: str) -> str:
            if UUID_TEXT.fullmatch(text) is None:
                raise Unfit(f"{shortened(text)} is no UUID")
            return text.lower()

        return uuid

    def text(value: str) -> str:
        if "\0" in value:
            raise Unfit(f"it holds NUL, at character {value.index(chr(0))}, which text can't")
        if length is not None and len(value) > length:
            raise Unfit(f"{len(value)} characters are too many for {written}")
        return value

    return text


def shortened(text: str) -> str:
    """Return a value for a message: its beginning, in one line."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:57] + "…"
