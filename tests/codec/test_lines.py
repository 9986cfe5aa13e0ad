"""Lines: what is written reads back as the same document, by the driver; what isn't is named."""

from __future__ import annotations

import math
import struct
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import (
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    json_util,
)
from bson.codec_options import DatetimeConversion
from hypothesis import given
from tests import strategies
from tests.strategies import binary, code_with_scope, document, string

from landbridge.codec import batch_of, unwritable
from landbridge.codec.lines import RESERVED_KEYS, PureLineWriter

OPTIONS = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
)
OID = ObjectId("0123456789abcdef01234567")


def lines_of(*documents: bytes) -> list[str]:
    written = PureLineWriter().write(batch_of(documents).data, 0)
    assert written.documents == len(documents)
    return bytes(written.text).decode().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, '{"$numberInt":"5"}'),
        (Int64(2**63 - 1), '{"$numberLong":"9223372036854775807"}'),
        (0.1, '{"$numberDouble":"0.1"}'),
        (-0.0, '{"$numberDouble":"-0.0"}'),
        (math.inf, '{"$numberDouble":"Infinity"}'),
        (Decimal128("1.10"), '{"$numberDecimal":"1.10"}'),
        ("a\0b", '"a\\u0000b"'),
        ("␀0", '"␀0"'),
        (OID, '{"$oid":"0123456789abcdef01234567"}'),
        (datetime(2024, 1, 1, tzinfo=UTC), '{"$date":{"$numberLong":"1704067200000"}}'),
        (
            Binary.from_uuid(UUID(int=1)),
            '{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAAAQ==","subType":"04"}}',
        ),
        (Binary(b"\xff\xff", 2), '{"$binary":{"base64":"//8=","subType":"02"}}'),
        (Regex("^a", "im"), '{"$regularExpression":{"pattern":"^a","options":"im"}}'),
        (Code("f()"), '{"$code":"f()"}'),
        (Code("f()", {"a": 1}), '{"$code":"f()","$scope":{"a":{"$numberInt":"1"}}}'),
        (Timestamp(5, 6), '{"$timestamp":{"t":5,"i":6}}'),
        (MinKey(), '{"$minKey":1}'),
        (MaxKey(), '{"$maxKey":1}'),
        (None, "null"),
        ([True, {}], "[true,{}]"),
        (DBRef("c", 1), '{"$ref":"c","$id":{"$numberInt":"1"}}'),
    ],
)
def test_each_kind_is_canonical_extended_json(value: Any, text: str) -> None:
    assert lines_of(bson.encode({"a": value})) == [f'{{"a":{text}}}\n']


def test_keys_keep_their_order_and_repeat() -> None:
    one = (0x10, struct.pack("<i", 1))
    raw = document([(b"b", one), (b"a", one), (b"b", one), (b"", one)])
    number = '{"$numberInt":"1"}'
    assert lines_of(raw) == [f'{{"b":{number},"a":{number},"b":{number},"":{number}}}\n']


@given(strategies.documents(deep=False))
def test_what_is_written_reads_back_the_same(raw: bytes) -> None:
    written = PureLineWriter().write(batch_of([raw]).data, 0)
    assert bool(written.refused) == (unwritable(raw) is not None)
    if not written.refused:
        read_back = json_util.loads(bytes(written.text).decode(), json_options=OPTIONS)
        assert _told(read_back) == _told(bson.decode(raw, OPTIONS))


def _told(document: Any) -> str:
    """Say all of a document but the bits of a NaN and how a decimal is packed."""
    return json_util.dumps(document, json_options=OPTIONS)


@pytest.mark.parametrize(
    ("raw", "path", "reason"),
    [
        (document([(b"a", (0x02, string(b"\xff")))]), ("a",), "byte 0 is not UTF-8"),
        (document([(b"\xc3", (0x0A, b""))]), ("\\xc3",), "byte 0 is not UTF-8"),
        (bson.encode({"a": [1, {"b": {"$oid": "x"}}]}), ("a", "1", "b", "$oid"), "the key $oid"),
        (bson.encode({"a": {"$regex": "x", "$options": ""}}), ("a", "$regex"), "the key $regex"),
        (document([(b"a", (0x05, binary(b"\1\0\0\0", 2)))]), ("a",), "two lengths disagree"),
        (
            document([(b"a", (0x0F, code_with_scope(b"f", bson.encode({"$date": 1}))))]),
            ("a",),
            "the key $date",
        ),
        (document([(b"a", (0x08, b"\2"))]), (), "neither 0 nor 1"),
    ],
)
def test_what_json_cannot_hold_has_no_line_and_is_named(
    raw: bytes, path: tuple[str, ...], reason: str
) -> None:
    good = bson.encode({"a": 1})
    batch = batch_of([good, raw, good])
    written = PureLineWriter().write(batch.data, 0)

    assert bytes(written.text).count(b"\n") == 2
    ((offset, length),) = written.refused
    assert batch.data[offset : offset + length] == raw
    found = unwritable(raw)
    assert found is not None and found[0] == path and reason in found[1]
    assert unwritable(good) is None


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
def test_keys_that_mean_a_type_are_refused_wherever_they_stand(key: bytes) -> None:
    for raw in (
        document([(key, (0x0A, b""))]),
        document([(b"a", (0x03, document([(b"b", (0x0A, b"")), (key, (0x0A, b""))])))]),
    ):
        assert PureLineWriter().write(batch_of([raw]).data, 0).refused
    longer = document([(key + b"s", (0x0A, b"")), (key[1:], (0x0A, b""))])
    assert not PureLineWriter().write(batch_of([longer]).data, 0).refused
