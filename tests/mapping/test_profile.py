"""What is said of documents, and which of their values are ids."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from bson.dbref import DBRef

from landbridge.mapping.known_ids import KnownIds, shares
from landbridge.mapping.profile import (
    CANDIDATES_MAX,
    FIELDS_MAX,
    VALUES_MAX,
    CollectionProfile,
    Profiler,
    format_of,
)


def profile(*documents: dict[str, Any]) -> CollectionProfile:
    profiler = Profiler("things")
    for document in documents:
        profiler.add(document)
    return profiler.result(len(documents))


def test_counts_of_a_path() -> None:
    seen = profile(
        {"a": 1},
        {"a": Int64(5)},
        {"a": 2.5},
        {"a": Decimal128("7")},
        {"a": "1,000"},
        {"a": "2021-01-01"},
        {"a": None},
        {"a": dt.datetime(2021, 1, 1)},
        {"a": float("nan")},
        {},
    )
    one = seen.field("a")
    assert one is not None
    assert one.kinds == {
        "int": 1,
        "long": 1,
        "double": 2,
        "decimal": 1,
        "string": 2,
        "null": 1,
        "date": 1,
    }
    assert one.formats == {"grouped": 1, "day": 1}
    assert (one.absent, one.nulls, one.present) == (1, 1, 8)
    assert (one.low, one.high) == (1, 7)
    assert one.marks["fraction"] == 2
    assert one.decimals == {1: 1, 0: 1}
    assert seen.whole


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (0.125, 3),
        (1.5e-7, 8),
        ("1,000.25", 2),
        ("2.50", 1),
        (Decimal128("1.0050"), 3),
        ("1.5e3", 0),
    ],
)
def test_digits_after_the_point(value: Any, digits: int) -> None:
    one = profile({"n": value}).field("n")
    assert one is not None and one.decimals == {digits: 1}


def test_objects_and_arrays() -> None:
    seen = profile(
        {"o": {"x": 1, "y": {"z": "a"}}, "l": [{"p": 1}, {"p": 2, "q": None}]},
        {"o": "text", "l": []},
        {"l": [3]},
    )
    paths = {one.path: one.absent for one in seen.root.walk()}
    assert paths == {"o": 1, "o.x": 2, "o.y": 2, "o.y.z": 2, "l": 0}
    array = seen.field("l")
    assert array is not None and array.element is not None
    assert array.kinds == {"array": 3} and array.element.kinds == {"object": 2, "int": 1}
    assert {one.path: one.absent for one in array.element.walk()} == {"p": 1, "q": 2}


def test_references_that_name_their_collection() -> None:
    one = ObjectId()
    seen = profile({"author": DBRef("users", one)})
    assert dict(seen.candidates())["author.$id"] == (one,)


def test_memory_is_bounded() -> None:
    profiler = Profiler("things")
    for number in range(1000):
        profiler.add({"s": f"value {number}", "n": number, f"key {number}": 1, "d": nested(30)})
    seen = profiler.result(1000)
    assert seen.truncated and len(seen.root.fields) == FIELDS_MAX
    text = seen.field("s")
    assert text is not None and text.values is None and len(text.candidates) == CANDIDATES_MAX
    assert max(one.path.count(".") for one in seen.root.walk()) < 10


def test_few_values_are_known() -> None:
    one = profile(*({"s": f"v{number % VALUES_MAX}"} for number in range(1000))).field("s")
    assert one is not None and one.values is not None
    assert len(one.values) == VALUES_MAX and set(one.values.values()) == {5}


def nested(levels: int) -> Any:
    return {"d": nested(levels - 1)} if levels else 1


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("5f" * 12, "hex24"),
        ("123", "integer"),
        ("-1.5e3", "number"),
        ("1,250,000", "grouped"),
        ("1,25,000", "text"),
        ("2021-02-03", "day"),
        ("2021-02-03T04:05:06.789Z", "moment"),
        ("2021-02-03 04:05:06+02", "moment"),
        ("last Tuesday", "text"),
        ("6f2c1d5e-8a4b-4c3d-9e0f-1a2b3c4d5e6f", "uuid"),
        ("Yes", "boolean"),
        ("a@b.example", "email"),
        ("https://example.com/x", "url"),
        ("", "text"),
    ],
)
def test_formats(text: str, form: str) -> None:
    assert format_of(text) == form


def test_ids_are_known_in_all_their_spellings() -> None:
    known, one, name = KnownIds(10), ObjectId(), uuid.uuid4()
    for value in (one, 5, "legacy-1", Binary.from_uuid(name)):
        known.add(value)
    for value in (one, str(one), Int64(5), "legacy-1", name, str(name).upper()):
        assert value in known
    for value in (ObjectId(), 6, "legacy-2", uuid.uuid4(), True, None, 2.5):
        assert value not in known
    assert shares([one, ObjectId()], {"a": known, "b": KnownIds(1)}) == {"a": 0.5}
    assert shares([], {"a": known}) == {}


def test_unknown_ids_are_rarely_taken_for_known() -> None:
    known = KnownIds(10_000)
    for number in range(10_000):
        known.add(number)
    assert all(number in known for number in range(10_000))
    assert sum(number in known for number in range(10_000, 30_000)) < 600
