"""A canonical key can be turned back into an id that has that key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from bson import Decimal128, Int64
from hypothesis import example, given
from tests import strategies
from tests.codec.samples import value_of

from landbridge.codec import canonical_key, id_of_key
from landbridge.codec.walk import Refused


@given(strategies.values())
@example((4, b"\r\0\0\0\x050\0\0\0\0\0\2\0"))  # an old binary among others
@example(value_of(0.1))
@example(value_of(-5e-324))
@example(value_of(2.0**1000))
@example(value_of(Int64(-(2**63))))
@example(value_of(Decimal128(Decimal("9.999999999999999999999999999999999E+6144"))))
@example(value_of(Decimal128(Decimal("1E-6176"))))
@example(value_of({"a": {"b": "x\0y", "": -1.5}, "c": None}))
def test_the_id_of_a_key_has_that_key(value: tuple[int, bytes]) -> None:
    try:
        key = canonical_key(*value)
    except Refused:
        return
    found = id_of_key(key)
    if found is None:
        assert key[:1] == b"\xfa"
    else:
        assert canonical_key(*found) == key


@pytest.mark.parametrize("value", [5, "a", True, {"a": 1.5, "b": ["x", None]}, 2**62])
def test_plain_ids_come_back_as_they_were_but_for_the_kind_of_number(value: Any) -> None:
    found = id_of_key(canonical_key(*value_of(value)))
    assert found is not None
    assert canonical_key(*found) == canonical_key(*value_of(value))
