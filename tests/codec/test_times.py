"""Dates: calendars of every year, and the ends of PostgreSQL's range."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st
from tests.codec.samples import element

from landbridge.codec import times
from landbridge.codec.walk import Refused
from landbridge.model.batch import Problem

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_iso_agrees_with_python_where_python_has_the_year(ms: int) -> None:
    moment = EPOCH + timedelta(milliseconds=ms)
    expected = moment.strftime("%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"
    assert times.iso(ms) == f"{moment.year:04}-{expected}"


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
        (-62_162_121_600_000, "0000-02-29T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_167_219_200_001, None),
        (253_402_300_800_000, None),
    ],
)
def test_iso_has_four_digits_or_nothing(ms: int, text: str | None) -> None:
    assert times.iso(ms) == text


@pytest.mark.parametrize("ms", [-210_866_803_200_000, 9_224_318_015_999_999, 946_684_800_000])
def test_what_postgresql_holds_is_taken(ms: int) -> None:
    field = times.timestamp(element(DatetimeMS(ms)))
    assert int.from_bytes(field, signed=True) == (ms - 946_684_800_000) * 1000


@pytest.mark.parametrize("ms", [-210_866_803_200_001, 9_224_318_016_000_000, 2**63 - 1, -(2**63)])
def test_what_postgresql_does_not_hold_is_refused(ms: int) -> None:
    with pytest.raises(Refused) as refusal:
        times.timestamp(element(DatetimeMS(ms)))
    assert refusal.value.problem is Problem.DATE
