"""Numbers: every number of either side as sign, digits, exponent and scale.

For       Holding a BSON number against a `numeric`, in a column or inside jsonb.
Touches   Nothing.
Promises  Two numbers are written alike exactly where PostgreSQL would show them alike: same
          value, same digits after the point.
"""

from __future__ import annotations

import math
from struct import unpack_from
from typing import NamedTuple

_BIAS = 6176
_COEFFICIENT_MAX = 10**34 - 1
_GROUP = 4  # decimal digits in one of PostgreSQL's
_NUMERIC_WORDS = {0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}
_NEGATIVE = 0x4000


class Number(NamedTuple):
    """`digits` × 10^`exponent`; `digits` neither begin nor end with 0, and are empty for zero."""

    negative: bool
    digits: str
    exponent: int
    scale: int  # digits after the point that are shown

    def written(self) -> bytes:
        """Return the number as bytes to compare."""
        if not self.digits:
            return b"+" + self.scale.to_bytes(2, "little") + bytes(4)
        return (
            (b"-" if self.negative else b"+")
            + self.scale.to_bytes(2, "little")
            + self.exponent.to_bytes(4, "little", signed=True)
            + self.digits.encode()
        )


def number(negative: bool, digits: str, exponent: int, scale: int | None = None) -> Number:
    """Return a number in its one form; the scale follows from the exponent where none is given."""
    if scale is None:
        scale = max(0, -exponent)
    bare = digits.lstrip("0")
    short = bare.rstrip("0")
    return Number(negative, short, exponent + len(bare) - len(short), scale)


def of_integer(value: int) -> Number:
    """Return an int or long."""
    return number(value < 0, str(abs(value)), 0)


def of_double(value: float) -> Number | str:
    """Return the number that a double's shortest text names, or `NaN`, `Infinity`, `-Infinity`."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    return number(math.copysign(1, value) < 0, whole + fraction, int(exponent or 0) - len(fraction))


def shown_in_json(value: float) -> Number | str:
    """Return a double as JSON shows it: a whole one has `.0`, unless it has an exponent."""
    found = of_double(value)
    if isinstance(found, str) or "e" in repr(value) or found.scale:
        return found
    return found._replace(scale=1)


def of_decimal(raw: bytes) -> Number | str:
    """Return a decimal128 (IEEE 754-2008, binary integer coefficient)."""
    low, high = unpack_from("<QQ", raw)
    negative = bool(high >> 63)
    if high >> 58 & 0x1F == 0x1F:
        return "NaN"
    if high >> 58 & 0x1F == 0x1E:
        return "-Infinity" if negative else "Infinity"
    if high >> 61 & 3 == 3:  # a coefficient that is too large, which means zero
        return number(negative, "0", (high >> 47 & 0x3FFF) - _BIAS)
    coefficient = (high & (1 << 49) - 1) << 64 | low
    if coefficient > _COEFFICIENT_MAX:
        coefficient = 0
    return number(negative, str(coefficient), (high >> 49 & 0x3FFF) - _BIAS)


def of_numeric(field: bytes) -> Number | str:
    """Return PostgreSQL's binary `numeric`."""
    count, weight, sign, scale = unpack_from(">HhHH", field)
    if word := _NUMERIC_WORDS.get(sign):
        return word
    groups = unpack_from(f">{count}H", field, 8)
    digits = "".join(f"{group:04}" for group in groups)
    return number(sign == _NEGATIVE, digits, (weight - count + 1) * _GROUP, scale)


def of_text(text: str) -> Number:
    """Return a number as jsonb prints it: without exponent."""
    whole, _, fraction = text.lstrip("-").partition(".")
    return number(text.startswith("-"), whole + fraction, -len(fraction), len(fraction))


def decimal_words(raw: bytes) -> str:
    """Return a decimal128 in the text form of the BSON specification."""
    found = of_decimal(raw)
    if isinstance(found, str):
        return found
    low, high = unpack_from("<QQ", raw)
    if high >> 61 & 3 == 3:
        digits, exponent = "0", (high >> 47 & 0x3FFF) - _BIAS
    else:
        coefficient = (high & (1 << 49) - 1) << 64 | low
        digits = str(coefficient if coefficient <= _COEFFICIENT_MAX else 0)
        exponent = (high >> 49 & 0x3FFF) - _BIAS
    sign = "-" if high >> 63 else ""
    scientific = exponent + len(digits) - 1
    if exponent > 0 or scientific < -6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}E{'+' if scientific >= 0 else ''}{scientific}"
    if not exponent:
        return sign + digits
    padded = digits.rjust(1 - exponent, "0")
    return f"{sign}{padded[:exponent]}.{padded[exponent:]}"


def double_words(value: float) -> str:
    """Return a double as extended JSON writes it."""
    found = of_double(value)
    return found if isinstance(found, str) else repr(value)
