"""Literals: numbers and times as extended JSON writes them, to what BSON holds.

For       `parsing`.
Touches   Nothing.
Promises  None where the text is not one, or where BSON could not hold it exactly; a double is the
          nearest one, as everywhere.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, datetime, timedelta

INT32 = range(-(1 << 31), 1 << 31)
INT64 = range(-(1 << 63), 1 << 63)
UINT32 = range(1 << 32)

_WHOLE = re.compile(rb"-?[0-9]+")
_DECIMAL = re.compile(rb"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_ISO_DATE = re.compile(
    rb"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})"
    rb"(?:\.([0-9]+))?(?:Z|([+-])([0-9]{2}):?([0-9]{2}))"
)
_SPECIAL_DOUBLES = {
    b"NaN": struct.pack("<Q", 0x7FF8 << 48),
    b"Infinity": struct.pack("<Q", 0x7FF0 << 48),
    b"-Infinity": struct.pack("<Q", 0xFFF0 << 48),
}
_SPECIAL_DECIMALS = {
    b"NaN": struct.pack("<QQ", 0, 0x7C << 56),
    b"Infinity": struct.pack("<QQ", 0, 0x78 << 56),
    b"-Infinity": struct.pack("<QQ", 0, 0xF8 << 56),
}
_DECIMAL_DIGITS_MAX = 34
_DECIMAL_EXPONENT_MIN, _DECIMAL_EXPONENT_MAX = -6176, 6111
_EXPONENT_DIGITS_MAX = 12  # more than any line has digits

_INT64_DIGITS_MAX = 19
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS_OF_400_YEARS = 146_097 * 86_400_000


def whole_of(text: bytes, allowed: range) -> int | None:
    """Return the whole number that the text is, where it is one and allowed."""
    if _WHOLE.fullmatch(text) is None:
        return None
    digits = text.lstrip(b"-").lstrip(b"0")
    if len(digits) > _INT64_DIGITS_MAX:
        return None
    number = int(digits or b"0") * (-1 if text.startswith(b"-") else 1)
    return number if number in allowed else None


def double_value(text: bytes) -> bytes | None:
    """Return the bytes of a double; what rounds to infinity, or to zero, is none."""
    if text in _SPECIAL_DOUBLES:
        return _SPECIAL_DOUBLES[text]
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    number = float(text)
    is_zero = not (found[2] + (found[3] or b"")).strip(b"0")
    if math.isinf(number) or (not number and not is_zero):
        return None
    return struct.pack("<d", number)


def decimal_value(text: bytes) -> bytes | None:
    """Return a number as decimal128, every digit and the exponent kept as they are written.

    None where the format has no room for it, or where the text is no number.
    """
    if text in _SPECIAL_DECIMALS:
        return _SPECIAL_DECIMALS[text]
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    fraction = found[3] or b""
    digits = (found[2] + fraction).lstrip(b"0")
    exponent = _exponent(found[4]) - len(fraction)
    if not digits:
        exponent = max(_DECIMAL_EXPONENT_MIN, min(exponent, _DECIMAL_EXPONENT_MAX))
    # Zeros at the end may become exponent, where there is no room for them, and the other way.
    while digits.endswith(b"0") and (
        len(digits) > _DECIMAL_DIGITS_MAX or exponent < _DECIMAL_EXPONENT_MIN
    ):
        digits, exponent = digits[:-1], exponent + 1
    while digits and exponent > _DECIMAL_EXPONENT_MAX and len(digits) < _DECIMAL_DIGITS_MAX:
        digits, exponent = digits + b"0", exponent - 1
    if len(digits) > _DECIMAL_DIGITS_MAX:
        return None
    if not _DECIMAL_EXPONENT_MIN <= exponent <= _DECIMAL_EXPONENT_MAX:
        return None
    bits = int(digits or b"0") | (exponent - _DECIMAL_EXPONENT_MIN) << 113
    return (bits | bool(found[1]) << 127).to_bytes(16, "little")


def _exponent(text: bytes | None) -> int:
    if text is None:
        return 0
    sign = -1 if text.startswith(b"-") else 1
    digits = text.lstrip(b"+-").lstrip(b"0")
    return sign * int(digits[: _EXPONENT_DIGITS_MAX + 1] or b"0")


def milliseconds_of(text: bytes) -> int | None:
    """Return an ISO 8601 time as milliseconds since 1970; None where it is none, or is finer."""
    found = _ISO_DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(found[i]) for i in range(1, 7))
    fraction = found[7] or b""
    if fraction[3:].strip(b"0"):
        return None
    # The calendar repeats every 400 years, and datetime has not all of them.
    cycles, of_cycle = divmod(year - 2000, 400)
    try:
        moment = datetime(2000 + of_cycle, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    moment_ms = (moment - _EPOCH) // _MS + cycles * _MS_OF_400_YEARS
    if found[8]:
        if int(found[9]) > 23 or int(found[10]) > 59:
            return None
        offset_ms = (int(found[9]) * 60 + int(found[10])) * 60_000
        moment_ms += offset_ms if found[8] == b"-" else -offset_ms
    return moment_ms + int(fraction[:3].ljust(3, b"0"))
