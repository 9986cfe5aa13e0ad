"""Numbers: every op's bytes at the edges, and digits as Python and the driver write them."""

from __future__ import annotations

import decimal
import math
import struct

import bson
import pytest
from bson import Decimal128, Int64
from hypothesis import example, given
from hypothesis import strategies as st
from tests import strategies
from tests.codec.samples import element

from landbridge.codec import numbers
from landbridge.codec.marks import Marks
from landbridge.codec.walk import Refused, element_of
from landbridge.model.batch import Problem

EXACT = decimal.Context(prec=20_000, Emin=-999_999, Emax=999_999)


def numeric_value(raw: bytes) -> decimal.Decimal:
    """Read `numeric` as PostgreSQL does."""
    count, weight, sign, scale = struct.unpack_from(">hhHH", raw)
    assert len(raw) == 8 + 2 * count
    if sign & 0x8000:
        return decimal.Decimal({0xC000: "NaN", 0xD000: "Infinity", 0xF000: "-Infinity"}[sign])
    groups = struct.unpack_from(f">{count}H", raw, 8)
    assert all(group <= 9999 for group in groups)
    assert not groups or (groups[0] and groups[-1])
    total = decimal.Decimal(0)
    for place, group in enumerate(groups):
        total = EXACT.add(total, decimal.Decimal(group).scaleb(4 * (weight - place), EXACT))
    total = total if not sign else EXACT.minus(total)
    if not total:
        return decimal.Decimal(0).scaleb(-scale, EXACT)
    return EXACT.quantize(total, decimal.Decimal(1).scaleb(-scale, EXACT))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0000 0000 0000 0000"),
        (5.0, "0001 0000 0000 0000 0005"),
        (0.1, "0001 ffff 0000 0001 03e8"),
        (-1.5, "0002 0000 4000 0001 0001 1388"),
        (1e22, "0001 0005 0000 0000 0064"),
        (1e-07, "0001 fffe 0000 0007 000a"),
        (12345.678, "0003 0001 0000 0003 0001 0929 1a7c"),
        (math.nan, "0000 0000 c000 0000"),
        (math.inf, "0000 0000 d000 0000"),
        (-math.inf, "0000 0000 f000 0000"),
        (2**31 - 1, "0003 0002 0000 0000 0015 128c 0e3f"),
        (Int64(-(2**63)), "0005 0004 4000 0000 039a 0d2c 0170 1565 16b0"),
        (Decimal128("1.10"), "0002 0000 0000 0002 0001 03e8"),
        (Decimal128("1E+3"), "0001 0000 0000 0000 03e8"),
        (Decimal128("0.00"), "0000 0000 0000 0002"),
        (Decimal128("0E-6176"), "0000 0000 0000 1820"),
        (Decimal128("0E+6111"), "0000 0000 0000 0000"),
        (Decimal128("10000"), "0001 0001 0000 0000 0001"),
    ],
)
def test_numeric_is_written_digit_by_digit(value: object, written: str) -> None:
    words = [word.rjust(4, "0") for word in written.split()]
    assert numbers.numeric(element(value), Marks()).hex(" ", 2) == " ".join(words)


@given(strategies.numbers())
@example((0x01, struct.pack("<d", 5e-324)))
@example((0x01, struct.pack("<d", -1.7976931348623157e308)))
@example((0x13, strategies.decimal128(True, 10**34 - 1, 6111)))
@example((0x13, strategies.decimal128(False, 1, -6176)))
@example((0x13, strategies.decimal128(True, 10**34, 0)))
def test_numeric_keeps_every_number(value: tuple[int, bytes]) -> None:
    it = element_of(*value)
    marks = Marks()
    read = numeric_value(numbers.numeric(it, marks))
    if it.type_byte == 0x01:
        expected = decimal.Decimal(numbers.double_text(numbers.double(it)))
        assert marks.by_value == (str(expected) in ("-0", "-0.0"))
    elif it.type_byte == 0x13:
        expected = decimal.Decimal(numbers.decimal_text(numbers.decimal(it)))
        if expected.is_finite():
            assert read.as_tuple().exponent == min(0, int(expected.as_tuple().exponent))
        assert marks.by_value == (expected.is_zero() and expected.is_signed())
    else:
        expected = decimal.Decimal(numbers.integer(it))
    assert read == expected or (read.is_nan() and expected.is_nan())


@given(strategies.decimals())
def test_a_decimal_reads_as_the_driver_writes_it(value: tuple[int, bytes]) -> None:
    read = numbers.decimal_text(numbers.decimal(element_of(*value)))
    driver = str(bson.decode(strategies.document([(b"a", value)]))["a"])
    if driver.lstrip("-s").startswith("NaN"):
        assert read == "NaN"
    elif len(driver.lstrip("-").split("E")[0].replace(".", "").lstrip("0")) > 34:
        # The driver shows coefficients that IEEE 754 declares to be zero.
        assert decimal.Decimal(read).is_zero()
    else:
        assert read == driver


@given(strategies.doubles())
def test_a_double_reads_back_from_its_text(value: tuple[int, bytes]) -> None:
    number = numbers.double(element_of(*value))
    text = numbers.double_text(number)
    assert math.isnan(number) if text == "NaN" else float(text) == number


@pytest.mark.parametrize("value", [2**53, -(2**53), 0, 7])
def test_an_integer_that_a_double_holds_is_taken(value: int) -> None:
    assert numbers.int_float8(element(Int64(value))) == struct.pack(">d", value)


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**62, 2**63 - 1, -(2**63)])
def test_an_integer_beyond_a_double_is_refused(value: int) -> None:
    with pytest.raises(Refused) as refusal:
        numbers.int_float8(element(Int64(value)))
    assert refusal.value.problem is Problem.RANGE


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_big_endian(value: int) -> None:
    assert numbers.int8(element(Int64(value))) == struct.pack(">q", value)


def test_a_double_keeps_its_sign_and_its_specials() -> None:
    for value in (-0.0, math.inf, -math.inf, 5e-324):
        assert numbers.float8(element(value)) == struct.pack(">d", value)
