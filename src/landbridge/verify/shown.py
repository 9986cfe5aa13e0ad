"""Shown: values of both servers in one written form, so that equal ones look equal.

For       The aggregates and their groups.
Touches   Nothing.
Promises  Different values are written differently; a long text is cut and bears a hash of itself.
"""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from bson import Decimal128, ObjectId
from bson.datetime_ms import DatetimeMS

TEXT_SHOWN_MAX = 120  # characters
INTEGER_EXACT_MAX = 1 << 53  # of a number in JSON, as most programs read it
_MS_OF_YEAR_1, _MS_OF_YEAR_10000 = -62_135_596_800_000, 253_402_300_800_000


def shown(value: Any) -> Any:
    """Return what JSON shows of a value: exact numbers as text where a double won't do."""
    match value:
        case None | bool():
            return value
        case str():
            return _text(value)
        case int():
            return int(value) if abs(value) <= INTEGER_EXACT_MAX else _decimal(Decimal(value))
        case float():
            return _float(value)
        case Decimal():
            return _decimal(value)
        case Decimal128():
            return _decimal(value.to_decimal())
        case ObjectId():
            return str(value)
        case DatetimeMS():
            return time_text(int(value))
        case UUID():
            return str(value)
        case bytes():
            return uuid_text(value) if len(value) == 16 else value.hex()
        case _:
            return _text(str(value))


def time_text(ms: int | Decimal) -> str:
    """Return a time as ISO 8601, or its milliseconds where the year has no four digits."""
    if ms != int(ms) or not _MS_OF_YEAR_1 <= ms < _MS_OF_YEAR_10000:
        return f"{ms.normalize():f} ms" if isinstance(ms, Decimal) else f"{ms} ms"
    seconds, rest = divmod(int(ms), 1000)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{rest:03}Z"


def uuid_text(value: bytes) -> str:
    """Return sixteen bytes as a UUID is written."""
    return str(UUID(bytes=bytes(value)))


def exact(value: Any) -> Fraction | float | None:
    """Return a number as it is; NaN and the infinities stay floats, nothing stays nothing."""
    if value is None:
        return None
    if isinstance(value, Decimal128):
        value = value.to_decimal()
    if isinstance(value, float):
        # The decimal that the double is written as: what a numeric column holds of it.
        return Fraction(repr(value)) if math.isfinite(value) else value
    if isinstance(value, Decimal):
        return Fraction(value) if value.is_finite() else float(value)
    return Fraction(value)


def _text(value: str) -> str:
    if len(value) <= TEXT_SHOWN_MAX:
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{value[:TEXT_SHOWN_MAX]}… ({len(value):,} characters, {digest})"


def _float(value: float) -> Any:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == int(value) and abs(value) <= INTEGER_EXACT_MAX:
        return int(value)
    return value


def _decimal(value: Decimal) -> Any:
    if not value.is_finite():
        return _float(float(value))
    if value == value.to_integral_value() and abs(value) <= INTEGER_EXACT_MAX:
        return int(value)
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    while len(digits) > 1 and digits[-1] == 0:
        digits, exponent = digits[:-1], exponent + 1
    return _text(str(Decimal((sign, digits, exponent))))


def fraction(value: Fraction) -> Any:
    """Return a sum: exactly, where it has a last digit."""
    twos, fives, rest = 0, 0, value.denominator
    while rest % 2 == 0:
        twos, rest = twos + 1, rest // 2
    while rest % 5 == 0:
        fives, rest = fives + 1, rest // 5
    if rest != 1:
        return _float(float(value))
    digits = max(twos, fives)
    whole = Decimal(abs(int(value * 10**digits))).as_tuple().digits
    return _decimal(Decimal((int(value < 0), whole, -digits)))
