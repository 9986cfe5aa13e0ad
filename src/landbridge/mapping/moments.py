"""Moments and days: dates, ISO 8601 text and epoch numbers, as PostgreSQL reads them.

For       Columns of the casts `timestamp` and `date`.
Touches   Nothing.
Promises  A moment is kept to its last digit or refused; text without an offset is UTC. Numbers
          below 10^11 are seconds since 1970, others milliseconds.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Context, Decimal

from landbridge.mapping.fit import shortened
from landbridge.mapping.ids import Unfit

SECONDS_END = 10**11  # 5138 as seconds, 1973 as milliseconds
MICRO = 1_000_000
DAY_MICRO = 86_400 * MICRO

_ISO = re.compile(
    r"\s*(\d{4})-(\d\d)-(\d\d)"
    r"(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?)?\s*"
)
_EXACT = Context(prec=60)  # a decimal128 has 34 digits
_EPOCH = dt.datetime(1970, 1, 1)
_CYCLE_MICRO = 146_097 * DAY_MICRO  # 400 years
_FIRST_MICRO = -62_135_596_800 * MICRO  # 0001-01-01
_END_MICRO = 253_402_300_800 * MICRO  # 10000-01-01
_PG_FIRST_MICRO = -210_866_803_200 * MICRO  # 4714-11-24 BC
_PG_END_MICRO = 9_224_318_016_000 * MICRO  # 294277-01-01


def micro_of_text(text: str) -> int:
    """Return the microseconds since 1970 that ISO 8601 text means."""
    match = _ISO.fullmatch(text)
    if match is None:
        raise Unfit(f"{shortened(text)} is no ISO 8601 date or time")
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    digits = (fraction or "").rstrip("0")
    if len(digits) > 6:
        raise Unfit(f"{shortened(text)} is finer than a microsecond")
    try:
        moment = dt.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
        )
    except ValueError as error:
        raise Unfit(f"{shortened(text)} is no date or time: {error}") from None
    micro = (moment - _EPOCH) // dt.timedelta(microseconds=1) + int(digits.ljust(6, "0"))
    if offset and offset not in "Zz":
        minutes = int(offset[1:3]) * 60 + int(offset[3:].lstrip(":") or 0)
        if int(offset[3:].lstrip(":") or 0) > 59 or minutes > 18 * 60:
            raise Unfit(f"{shortened(text)} has an impossible offset")
        micro -= (-minutes if offset[0] == "-" else minutes) * 60 * MICRO
    return micro


def micro_of_number(number: Decimal) -> int:
    """Return the microseconds since 1970 that an epoch number means."""
    micro = _EXACT.multiply(number, Decimal(MICRO if abs(number) < SECONDS_END else 1000))
    if micro != micro.to_integral_value():
        raise Unfit(f"{number} is finer than a microsecond")
    return int(micro)


def timestamp(micro: int, digits: int | None, zoned: bool) -> str:
    """Write a moment for a timestamp with so many digits of fraction (None: six)."""
    if digits is not None and micro % 10 ** (6 - digits):
        raise Unfit(f"{_written(micro)} is finer than timestamp({digits}) keeps")
    text = _written(micro)
    if not zoned:
        return text
    return text.replace(" BC", "+00 BC") if text[-1] == "C" else text + "+00"


def date(micro: int) -> str:
    """Write a day; a moment within a day is none."""
    if micro % DAY_MICRO:
        raise Unfit(f"{_written(micro)} has a time of day, which a date would lose")
    text = _written(micro)
    return text.replace(" 00:00:00", "")


def _written(micro: int) -> str:
    if _FIRST_MICRO <= micro < _END_MICRO:
        return (_EPOCH + dt.timedelta(microseconds=micro)).isoformat(" ")
    if not _PG_FIRST_MICRO <= micro < _PG_END_MICRO:
        raise Unfit(f"{micro // 1000} ms since 1970 is outside PostgreSQL's range")
    # Years repeat every 400: the text is made within Python's years, the year put right after.
    cycles = (micro - _FIRST_MICRO) // _CYCLE_MICRO
    moved = _EPOCH + dt.timedelta(microseconds=micro - cycles * _CYCLE_MICRO)
    year = moved.year + 400 * cycles
    rest = moved.isoformat(" ")[4:]
    return f"{year:04}{rest}" if year > 0 else f"{1 - year:04}{rest} BC"
