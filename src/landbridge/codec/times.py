"""Times: BSON dates, milliseconds since 1970, to PostgreSQL timestamps and ISO 8601.

For       Dates of any year, also those that Python's datetime doesn't know.
Touches   Nothing.
Promises  A timestamp is exact to the millisecond, or `Refused`; never an infinity by accident.
"""

from __future__ import annotations

from struct import Struct

from landbridge.codec.walk import Element, Refused
from landbridge.model.batch import Problem

# What PostgreSQL's timestamp holds: 4714-11-24 BC up to, not including, the year 294277.
_MS_MIN = -210_866_803_200_000
_MS_END = 9_224_318_016_000_000
_MS_OF_2000 = 946_684_800_000

# The years that ISO 8601 writes with four digits: 0000 to 9999.
_MS_OF_YEAR_0 = -62_167_219_200_000
_MS_OF_YEAR_10000 = 253_402_300_800_000

_MS_OF_DAY = 86_400_000
_DAYS_OF_CYCLE = 146_097  # 400 years
_DAYS_FROM_MARCH_0 = 719_468  # from 0000-03-01 to 1970-01-01

_LONG = Struct("<q")
_TIMESTAMP = Struct(">q")


def milliseconds(element: Element) -> int:
    """Return a date's milliseconds since 1970."""
    value: int = _LONG.unpack_from(element.data, element.start)[0]
    return value


def timestamp(element: Element) -> bytes:
    """Encode a date as microseconds since 2000, for either timestamp type."""
    ms = milliseconds(element)
    if not _MS_MIN <= ms < _MS_END:
        raise Refused(Problem.DATE, f"{ms} ms is outside PostgreSQL's range")
    return _TIMESTAMP.pack((ms - _MS_OF_2000) * 1000)


def iso(ms: int) -> str | None:
    """Return `YYYY-MM-DDTHH:MM:SS.mmmZ`, or None where the year has no four digits."""
    if not _MS_OF_YEAR_0 <= ms < _MS_OF_YEAR_10000:
        return None
    days, rest = divmod(ms, _MS_OF_DAY)
    year, month, day = _civil(days)
    seconds, fraction = divmod(rest, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z"


def _civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day in the proleptic Gregorian calendar; years begin in March."""
    cycle, day_of_cycle = divmod(days + _DAYS_FROM_MARCH_0, _DAYS_OF_CYCLE)
    year_of_cycle = (
        day_of_cycle - day_of_cycle // 1460 + day_of_cycle // 36_524 - day_of_cycle // 146_096
    ) // 365
    day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle // 4 - year_of_cycle // 100)
    month_from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_from_march + 2) // 5 + 1
    month = month_from_march + 3 if month_from_march < 10 else month_from_march - 9
    return 400 * cycle + year_of_cycle + (month <= 2), month, day
