"""Numbers: BSON int, long, double and decimal to PostgreSQL's binary numbers and to text.

For       Each pair of a number's kind and a column's type that can hold it exactly.
Touches   Nothing.
Promises  A number is never rounded or clipped; one that a column can't hold is `Refused`.
          Where a zero loses its sign, that is marked.
"""

from __future__ import annotations

import math
from struct import Struct
from typing import NamedTuple

from landbridge.codec.marks import Marks
from landbridge.codec.walk import Element, Refused
from landbridge.model.batch import Problem
from landbridge.model.kinds import Kind

_LE_INT = Struct("<i")
_LE_LONG = Struct("<q")
_LE_DOUBLE = Struct("<d")
_LE_HALVES = Struct("<QQ")
_INT8 = Struct(">q")
_FLOAT8 = Struct(">d")
_NUMERIC_HEADER = Struct(">hhHH")

_FLOAT8_EXACT_MAX = 1 << 53

_NUMERIC_NEGATIVE = 0x4000
_NUMERIC_SPECIAL = {
    "NaN": _NUMERIC_HEADER.pack(0, 0, 0xC000, 0),
    "Infinity": _NUMERIC_HEADER.pack(0, 0, 0xD000, 0),
    "-Infinity": _NUMERIC_HEADER.pack(0, 0, 0xF000, 0),
}

_DECIMAL_SIGN = 1 << 63
_DECIMAL_EXPONENT_BIAS = 6176
_DECIMAL_COEFFICIENT_MAX = 10**34 - 1


class Decimal(NamedTuple):
    """A finite decimal number: `coefficient` times ten to the `exponent`, and its sign."""

    negative: bool
    coefficient: int
    exponent: int


def integer(element: Element) -> int:
    """Return the value of an int or long."""
    form = _LE_INT if element.kind is Kind.INT else _LE_LONG
    value: int = form.unpack_from(element.data, element.start)[0]
    return value


def double(element: Element) -> float:
    """Return the value of a double."""
    value: float = _LE_DOUBLE.unpack_from(element.data, element.start)[0]
    return value


def decimal(element: Element) -> Decimal | str:
    """Return the value of a decimal128, or `NaN`, `Infinity`, `-Infinity`.

    Coefficients that the format can write but does not allow are zero, as IEEE 754 asks.
    """
    low, high = _LE_HALVES.unpack_from(element.data, element.start)
    negative = bool(high & _DECIMAL_SIGN)
    combination = high >> 58 & 0x1F
    if combination == 0x1F:
        return "NaN"
    if combination == 0x1E:
        return "-Infinity" if negative else "Infinity"
    if combination >> 3 == 3:
        return Decimal(negative, 0, (high >> 47 & 0x3FFF) - _DECIMAL_EXPONENT_BIAS)
    coefficient = (high & (1 << 49) - 1) << 64 | low
    if coefficient > _DECIMAL_COEFFICIENT_MAX:
        coefficient = 0
    return Decimal(negative, coefficient, (high >> 49 & 0x3FFF) - _DECIMAL_EXPONENT_BIAS)


def double_text(value: float) -> str:
    """Return the shortest digits that read back as `value`; `NaN`, `Infinity`, `-Infinity`."""
    if math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def decimal_text(value: Decimal | str) -> str:
    """Return a decimal in the form that the BSON specification gives it, e.g. `1.10`, `1E+3`."""
    if isinstance(value, str):
        return value
    sign = "-" if value.negative else ""
    digits = str(value.coefficient)
    exponent = value.exponent
    adjusted = exponent + len(digits) - 1
    if exponent > 0 or adjusted < -6:
        point = "." if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{point}{digits[1:]}E{adjusted:+d}"
    if exponent == 0:
        return sign + digits
    whole = digits[:exponent] or "0"
    return f"{sign}{whole}.{digits[exponent:].rjust(-exponent, '0')}"


def float8(element: Element) -> bytes:
    """Encode a double as it is."""
    return _FLOAT8.pack(double(element))


def int8(element: Element) -> bytes:
    """Encode an int or long."""
    return _INT8.pack(integer(element))


def int_float8(element: Element) -> bytes:
    """Encode an int or long as a double that holds it exactly."""
    value = integer(element)
    if abs(value) > _FLOAT8_EXACT_MAX:
        raise Refused(Problem.RANGE, f"{value} is beyond 2^53")
    return _FLOAT8.pack(value)


def numeric(element: Element, marks: Marks) -> bytes:
    """Encode any number as `numeric`; a zero loses its sign."""
    value: Decimal | str
    if element.kind is Kind.DOUBLE:
        value = _shortest(double(element))
    elif element.kind is Kind.DECIMAL:
        value = decimal(element)
    else:
        whole = integer(element)
        value = Decimal(whole < 0, abs(whole), 0)
    if isinstance(value, str):
        return _NUMERIC_SPECIAL[value]
    if value.negative and not value.coefficient:
        marks.by_value = True
    return _numeric(value)


def _shortest(value: float) -> Decimal | str:
    """Return the decimal that `repr` writes; what follows the point counts, less a `.0`."""
    text = double_text(value)
    if not math.isfinite(value):
        return text
    mantissa, _, exponent = text.lstrip("-").partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0")
    return Decimal(
        math.copysign(1, value) < 0, int(whole + fraction), int(exponent or 0) - len(fraction)
    )


def _numeric(value: Decimal) -> bytes:
    """Pack a finite number: digits in groups of four, aligned to the decimal point."""
    scale = max(0, -value.exponent)
    if not value.coefficient:
        return _NUMERIC_HEADER.pack(0, 0, 0, scale)
    zeros = value.exponent % 4
    digits = str(value.coefficient) + "0" * zeros
    digits = digits.zfill(-(-len(digits) // 4) * 4)
    groups = [int(digits[i : i + 4]) for i in range(0, len(digits), 4)]
    weight = (value.exponent - zeros) // 4 + len(groups) - 1
    while not groups[-1]:
        groups.pop()
    sign = _NUMERIC_NEGATIVE if value.negative else 0
    header = _NUMERIC_HEADER.pack(len(groups), weight, sign, scale)
    return header + b"".join(group.to_bytes(2) for group in groups)
