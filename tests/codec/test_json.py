"""JSON: both forms, kind by kind, and every document read back by the driver."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import (
    Binary,
    Code,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
    json_util,
)
from bson.datetime_ms import DatetimeMS
from bson.errors import InvalidBSON
from hypothesis import given, reject
from hypothesis import strategies as st
from tests import strategies
from tests.codec.samples import element

from landbridge.codec import extended_json, id_text
from landbridge.codec.json import JsonWriter
from landbridge.codec.walk import Refused, element_of
from landbridge.model.batch import Problem
from landbridge.model.settings import Nested, Nul

OID = ObjectId("0123456789abcdef01234567")
NOON = datetime(2024, 2, 29, 12, 0, 0, 5000, tzinfo=UTC)
UUID_5 = UUID(int=5)


def text_of(value: Any, nested: Nested = "plain", nul: Nul = "quarantine") -> str:
    it = element_of(*value) if isinstance(value, tuple) else element(value)
    return JsonWriter(nested, nul).value(it)


@pytest.mark.parametrize(
    ("value", "plain", "extended"),
    [
        (5, "5", '{"$numberInt":"5"}'),
        (Int64(2**63 - 1), "9223372036854775807", '{"$numberLong":"9223372036854775807"}'),
        (5.0, "5.0", '{"$numberDouble":"5.0"}'),
        (1e22, "1e+22", '{"$numberDouble":"1e+22"}'),
        (-0.0, "-0.0", '{"$numberDouble":"-0.0"}'),
        (math.nan, '{"$numberDouble":"NaN"}', '{"$numberDouble":"NaN"}'),
        (-math.inf, '{"$numberDouble":"-Infinity"}', '{"$numberDouble":"-Infinity"}'),
        (Decimal128("1.10"), "1.10", '{"$numberDecimal":"1.10"}'),
        (Decimal128("1E+3"), "1E+3", '{"$numberDecimal":"1E+3"}'),
        (Decimal128("-NaN"), '{"$numberDecimal":"NaN"}', '{"$numberDecimal":"NaN"}'),
        (True, "true", "true"),
        (None, "null", "null"),
        ('a"\\\n\x01é/\x7f', '"a\\"\\\\\\n\\u0001é/\x7f"', '"a\\"\\\\\\n\\u0001é/\x7f"'),
        (OID, f'"{OID}"', f'{{"$oid":"{OID}"}}'),
        (NOON, '"2024-02-29T12:00:00.005Z"', '{"$date":{"$numberLong":"1709208000005"}}'),
        (
            DatetimeMS(253_402_300_800_000),
            '{"$date":{"$numberLong":"253402300800000"}}',
            '{"$date":{"$numberLong":"253402300800000"}}',
        ),
        (
            Binary.from_uuid(UUID_5),
            f'"{UUID_5}"',
            '{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAABQ==","subType":"04"}}',
        ),
        (
            Binary(b"ab", 128),
            '{"$binary":{"base64":"YWI=","subType":"80"}}',
            '{"$binary":{"base64":"YWI=","subType":"80"}}',
        ),
        (
            Binary(b"ab", 4),
            '{"$binary":{"base64":"YWI=","subType":"04"}}',
            '{"$binary":{"base64":"YWI=","subType":"04"}}',
        ),
        (
            Regex('"', "im"),
            '{"$regularExpression":{"pattern":"\\"","options":"im"}}',
            '{"$regularExpression":{"pattern":"\\"","options":"im"}}',
        ),
        (Code("x"), '{"$code":"x"}', '{"$code":"x"}'),
        (
            Code("x", {"a": 1}),
            '{"$code":"x","$scope":{"a":{"$numberInt":"1"}}}',
            '{"$code":"x","$scope":{"a":{"$numberInt":"1"}}}',
        ),
        (
            Timestamp(2**32 - 1, 7),
            '{"$timestamp":{"t":4294967295,"i":7}}',
            '{"$timestamp":{"t":4294967295,"i":7}}',
        ),
        (MinKey(), '{"$minKey":1}', '{"$minKey":1}'),
        (MaxKey(), '{"$maxKey":1}', '{"$maxKey":1}'),
        ((0x06, b""), '{"$undefined":true}', '{"$undefined":true}'),
        ((0x0E, strategies.string(b"s")), '{"$symbol":"s"}', '{"$symbol":"s"}'),
        (
            (0x0C, strategies.string(b"a.b") + OID.binary),
            f'{{"$dbPointer":{{"$ref":"a.b","$id":{{"$oid":"{OID}"}}}}}}',
            f'{{"$dbPointer":{{"$ref":"a.b","$id":{{"$oid":"{OID}"}}}}}}',
        ),
        (
            {"a": [1, {"b": 2.5}], "": {}},
            '{"a":[1,{"b":2.5}],"":{}}',
            '{"a":[{"$numberInt":"1"},{"b":{"$numberDouble":"2.5"}}],"":{}}',
        ),
    ],
)
def test_each_kind_has_its_form(value: Any, plain: str, extended: str) -> None:
    assert text_of(value) == plain
    assert text_of(value, "extended") == extended


@pytest.mark.parametrize(
    ("value", "by_value"),
    [
        ({"b": 1, "aa": 2}, False),
        ({"aa": 1, "b": 2}, True),
        ({"b": 1, "a": 2}, True),
        ({"x": [{"b": 1, "a": 2}]}, True),
        ([-0.0], True),
        (Decimal128("-0E+3"), True),
        (Decimal128("0.0"), False),
        (Code("x", {"b": 1, "a": 2}), True),
        (Code("x", {"a": -0.0}), False),
        (Regex("a", "i"), False),
        (Timestamp(1, 1), False),
    ],
)
def test_what_jsonb_keeps_by_value_only_is_marked(value: Any, by_value: bool) -> None:
    writer = JsonWriter("plain", "quarantine")
    writer.value(element(value))
    assert writer.marks.by_value is by_value


def test_repeated_keys_are_marked() -> None:
    twice = strategies.document([(b"a", (0x0A, b"")), (b"a", (0x0A, b""))])
    writer = JsonWriter("extended", "quarantine")
    assert writer.document(twice, 0, len(twice)) == '{"a":null,"a":null}'
    assert writer.marks.by_value


@pytest.mark.parametrize("value", ["a\0", {"a": ["\0"]}, Code("\0"), Code("\0", {})])
def test_nul_is_refused_or_escaped(value: Any) -> None:
    with pytest.raises(Refused) as refusal:
        text_of(value)
    assert refusal.value.problem is Problem.NUL
    assert "\u24000" in text_of(value, nul="escape")


def test_the_escape_can_be_turned_back() -> None:
    assert text_of("\0\u2400\u24000", nul="escape") == '"\u24000\u24001\u240010"'


@given(strategies.broken_texts(), st.sampled_from(("key", "string", "pattern", "code")))
def test_broken_utf8_is_refused_wherever_it_stands(raw: bytes, place: str) -> None:
    value = {
        "key": (0x03, strategies.document([(raw, (0x0A, b""))])),
        "string": (0x02, strategies.string(raw)),
        "pattern": (0x0B, raw + b"\0\0"),
        "code": (0x0F, strategies.code_with_scope(raw, strategies.document([]))),
    }[place]
    with pytest.raises(Refused) as refusal:
        text_of(value)
    assert refusal.value.problem is Problem.UTF8


@given(strategies.documents(deep=False))
def test_extended_json_is_read_back_by_the_driver(document: bytes) -> None:
    text = extended_json(document)
    options = json_util.JSONOptions(
        json_mode=json_util.JSONMode.CANONICAL,
        datetime_conversion=bson.codec_options.DatetimeConversion.DATETIME_MS,
        unicode_decode_error_handler="replace",
    )
    assert json.loads(text) is not None
    try:
        decoded = bson.decode(document, options)
    except InvalidBSON:  # the driver wants a second length inside binaries of subtype 2
        reject()
    once = json_util.dumps(decoded, json_options=options)
    assert _comparable(json.loads(text)) == _comparable(json.loads(once))


def _comparable(value: Any) -> Any:
    """Level what the driver writes differently: -NaN, sNaN, impossible decimals, old kinds."""
    match value:
        case {"$numberDecimal": str(text)}:
            digits = text.lstrip("-s").split("E")[0].replace(".", "").lstrip("0")
            return "NaN" if "NaN" in text else "big" if len(digits) > 34 else ("decimal", text)
        case {"$symbol": text}:
            return text
        case {"$undefined": True}:
            return None
        case {"$dbPointer": {"$ref": ref, "$id": of}}:
            return {"$ref": ref, "$id": of}
        case {"$regularExpression": {"pattern": pattern}}:
            return {"pattern": pattern}
        case dict():
            return {key: _comparable(member) for key, member in value.items()}
        case list():
            return [_comparable(member) for member in value]
    return value


@given(strategies.mutated(strategies.documents(deep=False)))
def test_messages_never_fail(raw: bytes) -> None:
    assert isinstance(extended_json(raw), str)
    assert isinstance(id_text(raw), str)


def test_an_id_as_text() -> None:
    assert id_text(bson.encode({"_id": OID})) == f'{{"$oid":"{OID}"}}'
    assert id_text(bson.encode({"_id": "a\0"})) == '"a\\u0000"'
    assert id_text(bson.encode({"a": 1})) == ""
