"""The canonical key agrees with mongod: on which ids are one, and on their order."""

from __future__ import annotations

import math
import random
import struct
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

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
    encode,
)
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from pymongo.database import Database
from tests import strategies
from tests.codec.samples import value_of

from landbridge.codec import canonical_key, extended_json, id_of
from landbridge.codec.walk import Refused
from landbridge.model.batch import Problem

SYMBOL_A = (0x0E, strategies.string(b"a"))
UNDEFINED = (0x06, b"")
DB_POINTER = (0x0C, strategies.string(b"shop.orders") + bytes(12))
LENIENT: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS, unicode_decode_error_handler="replace"
)
BAD_UTF8 = (0x02, strategies.string(b"a\xff"))


def key(value: Any) -> bytes:
    return canonical_key(*(value if isinstance(value, tuple) else value_of(value)))


@pytest.mark.parametrize(
    "same",
    [
        [5, Int64(5), 5.0, Decimal128("5"), Decimal128("5.00"), Decimal128("0.5E+1")],
        [0, 0.0, -0.0, Decimal128("-0"), Decimal128("0E+10"), Int64(0)],
        [math.nan, -math.nan, Decimal128("NaN"), Decimal128("-NaN"), Decimal128("sNaN")],
        [math.inf, Decimal128("Infinity")],
        [-math.inf, Decimal128("-Infinity")],
        ["a", SYMBOL_A],
        [{"a": 1}, {"a": 1.0}, {"a": Int64(1)}],
        [[1, "a"], [1.0, "a"]],
        [0.5, Decimal128("0.50")],
    ],
)
def test_what_mongodb_takes_for_one_has_one_key(same: list[Any]) -> None:
    assert len({key(value) for value in same}) == 1


def test_what_mongodb_tells_apart_has_its_own_key() -> None:
    apart = [
        "5",
        5,
        True,
        ObjectId("5" * 24),
        "5" * 24,
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        2**53,
        2**53 + 1,
        0.1,
        Decimal128("0.1"),
        Binary(b"a", 0),
        Binary(b"a", 5),
        "a",
        "a\0",
        "a\0b",
        {"a": 1},
        {"a\u2400": 1},
        [1],
        {"0": 1},
        None,
        UNDEFINED,
        {},
        [],
        "",
    ]
    assert len({key(value) for value in apart}) == len(apart)


def test_keys_sort_as_mongodb_sorts() -> None:
    ascending = [
        MinKey(),
        UNDEFINED,
        None,
        math.nan,
        -math.inf,
        Decimal128("-9.99E+6144"),
        -1.7976931348623157e308,
        Int64(-(2**63)),
        -10,
        -9.5,
        -1,
        -5e-324,
        Decimal128("-1E-6176"),
        0,
        Decimal128("1E-6176"),
        5e-324,
        Decimal128("0.1"),
        0.1,
        1,
        Decimal128("1.000000000000000000000000000000001"),
        9,
        10,
        2**53,
        2**53 + 1,
        Int64(2**63 - 1),
        2.0**63,
        1e300,
        Decimal128("9E+6144"),
        math.inf,
        "",
        "a",
        "a\0",
        "a\0a",
        "a\1",
        "aa",
        "é",
        "🚒",
        {},
        {"b": 1},
        {"a": "x"},
        [],
        [1],
        [1, 2],
        ["a"],
        Binary(b"", 0),
        Binary(b"\xff", 0),
        Binary(b"\0", 5),
        Binary(b"ab", 0),
        Binary.from_uuid(UUID(int=5)),
        ObjectId("0" * 24),
        ObjectId("f" * 24),
        False,
        True,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2030, 1, 1, tzinfo=UTC),
        Timestamp(1, 2),
        Timestamp(2, 1),
        Regex("a"),
        Regex("a", "i"),
        DB_POINTER,
        Code("a"),
        Code("a", {}),
        MaxKey(),
    ]
    keys = [key(value) for value in ascending]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


def test_a_long_key_is_a_hash() -> None:
    long, longer = key("x" * 998), key("x" * 999)
    assert len(long) == 1000
    assert len(longer) == 17
    assert longer != key("x" * 998 + "y")
    assert longer > key(MaxKey())


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ((0x02, b"\5\0\0\0abc\0"), Problem.MALFORMED),
        ((0x10, b"\1\0\0"), Problem.MALFORMED),
        ((0x10, b"\1\0\0\0\0"), Problem.MALFORMED),
        ((0x42, b""), Problem.MALFORMED),
        ((0x03, strategies.document([(b"a", (0x08, b"\2"))])), Problem.MALFORMED),
    ],
)
def test_what_is_no_value_is_refused(value: tuple[int, bytes], problem: Problem) -> None:
    with pytest.raises(Refused) as refusal:
        canonical_key(*value)
    assert refusal.value.problem is problem


@given(strategies.nests(strategies.st.integers(190, 210)))
def test_an_id_nests_to_200_levels_with_its_document(value: tuple[int, bytes]) -> None:
    levels = value[1].count(b"a\0") + 1
    if levels <= 199:
        assert canonical_key(*value)
    else:
        with pytest.raises(Refused):
            canonical_key(*value)


@given(strategies.values())
def test_every_value_has_a_key(value: tuple[int, bytes]) -> None:
    assert 0 < len(canonical_key(*value)) <= 1000


@pytest.mark.parametrize("seed", [1, 2])
def test_random_ids_agree_with_mongod(mongo: Database[dict[str, Any]], seed: int) -> None:
    chosen = random.Random(seed)
    documents = [strategies.document([(b"_id", _random_id(chosen, 0))]) for _ in range(2000)]
    insert = {
        "insert": "ids",
        "documents": [RawBSONDocument(raw) for raw in documents],
        "ordered": False,
    }
    reply = mongo.command(insert, codec_options=LENIENT)
    refused = {error["index"]: error["code"] for error in reply["writeErrors"]}
    sent = [_key_of(raw) for raw in documents]
    stored: set[bytes] = set()
    for index, made in enumerate(sent):
        if index in refused:
            assert refused[index] == 11000, refused[index]
            assert made in stored, extended_json(documents[index])
        else:
            assert made not in stored, extended_json(documents[index])
            stored.add(made)
    options = CodecOptions(document_class=RawBSONDocument)
    found = mongo.get_collection("ids", codec_options=options).find({}, {"_id": 1}).sort("_id", 1)
    in_order = [_key_of(it.raw) for it in found]
    assert in_order == sorted(stored)


def _key_of(document: bytes) -> bytes:
    found = id_of(document)
    assert found is not None
    return canonical_key(*found)


def _random_id(chosen: random.Random, level: int) -> tuple[int, bytes]:
    """Return an id of any kind that mongod takes, from ranges so small that ids meet."""
    small = chosen.choice([0, 1, -1, 2, 5, 10, 100, 2**31 - 1, 255, -7])
    special = chosen.choice(["NaN", "-NaN", "Infinity", "0.1", "-0", "5.0"])
    fraction = chosen.choice([0.0, -0.0, 0.1, 0.5, 5e-324, 1e22, math.nan, math.inf, -math.inf])
    text = "".join(chosen.choices("aAé\0\x01🚒", k=chosen.randrange(4)))
    plain = [
        lambda: value_of(small),
        lambda: value_of(Int64(chosen.choice([small, 2**53 + small, -(2**63), 2**63 - 1]))),
        lambda: value_of(chosen.choice([float(small), fraction, -fraction, 2.0**53])),
        lambda: value_of(Decimal128(f"{chosen.choice(['', '-'])}{small * small}E{small % 7}")),
        lambda: value_of(Decimal128(special)),
        lambda: (chosen.choice([0x02, 0x0E]), strategies.string(text.encode())),
        lambda: BAD_UTF8,
        lambda: value_of(None),
        lambda: value_of(bool(small & 1)),
        lambda: value_of(ObjectId(struct.pack(">iq", 0, abs(small)))),
        lambda: (0x09, struct.pack("<q", chosen.choice([small, -(2**63), 2**63 - 1]))),
        lambda: (0x11, struct.pack("<ii", small, chosen.choice([1, 2, -1]))),
        lambda: value_of(Binary(text.encode(), chosen.choice([0, 2, 5, 128]))),
        lambda: value_of(Binary.from_uuid(UUID(int=abs(small)))),
        lambda: value_of(Code(text)),
        lambda: value_of(MinKey()),
        lambda: value_of(MaxKey()),
    ]
    nested = [
        lambda: (0x03, strategies.document(_random_members(chosen, level))),
        lambda: value_of(Code(text, {"a": small})),
    ]
    inside = [
        lambda: (
            0x04,
            strategies.array(_random_id(chosen, level + 1) for _ in range(chosen.randrange(3))),
        ),
        lambda: value_of(Regex(text.replace("\0", ""), chosen.choice(["", "i"]))),
        lambda: value_of(DBRef("c", small)),
        lambda: UNDEFINED,
        lambda: (0x0C, strategies.string(text.encode()) + struct.pack(">iq", 0, abs(small))),
    ]
    makers = plain + (nested if level < 3 else []) + (inside if 0 < level < 3 else [])
    return chosen.choice(makers)()


def _random_members(chosen: random.Random, level: int) -> list[tuple[bytes, tuple[int, bytes]]]:
    names = chosen.sample([b"a", b"b", b"ab", b"", "é".encode()], k=chosen.randrange(3))
    return [(name, _random_id(chosen, level + 1)) for name in names]


def test_id_of_finds_the_id_wherever_it_stands() -> None:
    assert id_of(encode({"a": 1, "_id": 7})) == (0x10, b"\7\0\0\0")
    assert id_of(encode({"a": 1})) is None
    assert id_of(b"\5\0\0\0") is None
