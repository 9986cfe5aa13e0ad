"""One change in a copy of 100,000 documents is found and named: 14 kinds of change, 20 of each."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from bson import Decimal128, Int64
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from pymongo import ReplaceOne
from pymongo.database import Database
from tests.sync.conftest import load

from landbridge.model.verification import StreamVerdict
from landbridge.mongo.connect import connect
from landbridge.postgres.connect import Target
from landbridge.verify import comparing, full, hashes
from landbridge.verify.pairs import pairs

DOCUMENTS = 100_000
EACH = 20
SEED = 20261125

Document = dict[str, Any]
Change = Callable[[Document], Document]


def document(number: int) -> Document:
    """Return a document with something of every kind that is changed below."""
    return {
        "name": f"café {number}",
        "whole": number % 1000,
        "real": number / 7 + 1,
        "zero": 0.0,
        "nan": float("nan"),
        "amount": Decimal128(f"{number}.50"),
        "when": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
        "tags": ["a", number, "c"],
        "maybe": None,
        "place": {"city": f"city {number % 50}", "zip": str(number)},
    }


def set_to(**values: Any) -> Change:
    return lambda one: {**one, **values}


def last_bit(one: Document) -> Document:
    bits = struct.unpack("<q", struct.pack("<d", one["real"]))[0] ^ 1
    return {**one, "real": struct.unpack("<d", struct.pack("<q", bits))[0]}


def payload_of_nan(one: Document) -> Document:
    return {**one, "nan": struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000001))[0]}


def absent(one: Document) -> Document:
    return {name: value for name, value in one.items() if name != "maybe"}


def other_order(one: Document) -> Document:
    name = one.pop("name")
    return {**one, "name": name}


# What only the bytes of the document tell; its columns are the same.
ONLY_RAW: dict[str, Change] = {
    "int32 to int64": lambda one: {**one, "whole": Int64(one["whole"])},
    "null against absent": absent,
    "order of fields": other_order,
}
CHANGES: dict[str, Change] = {
    "value": set_to(name="another"),
    "int32 to double": lambda one: {**one, "whole": float(one["whole"])},
    "last bit of a double": last_bit,
    "-0.0": set_to(zero=-0.0),
    "payload of NaN": payload_of_nan,
    "1 ms": lambda one: {**one, "when": one["when"] + timedelta(milliseconds=1)},
    "trailing zeros": lambda one: {**one, "amount": Decimal128(f"{one['amount']}0")},
    "order in an array": lambda one: {**one, "tags": one["tags"][::-1]},
    "normal form": lambda one: {**one, "name": one["name"].replace("é", "e\u0301")},
    **ONLY_RAW,
}
FIELD = {
    "value": "name",
    "int32 to double": "whole",
    "last bit of a double": "real",
    "-0.0": "zero",
    "payload of NaN": "nan",
    "1 ms": "when",
    "trailing zeros": "amount",
    "order in an array": "tags",
    "normal form": "name",
    "int32 to int64": "whole",
    "null against absent": "maybe",
    "order of fields": "the order of the fields",
}


def text(identity: Any) -> str:
    """Return an id as reports name it."""
    return dumps(identity, json_options=CANONICAL_JSON_OPTIONS, separators=(",", ":"))


def verdict(mode: Any, mongo_uri: str, postgres_uri: str, schema: str) -> StreamVerdict:
    """Verify the one collection."""
    with connect(mongo_uri) as mongo:
        target = Target(postgres_uri, "tests", 1)
        try:
            with target.session() as session:
                (pair,) = pairs(mongo, session.connection, schema)
            found: StreamVerdict = mode.compare(mongo, target, pair)
            return found
        finally:
            target.close()


@pytest.fixture
def exact(mongo: Database[Any]) -> Database[Any]:
    """The database, dates kept with their zone."""
    options: CodecOptions[Any] = CodecOptions(
        tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME
    )
    return mongo.with_options(codec_options=options)


def test_every_change_is_named(
    mongo_uri: str, postgres_uri: str, exact: Database[Any], postgres: psycopg.Connection
) -> None:
    exact.things.insert_many([document(number) for number in range(DOCUMENTS)], ordered=False)
    load(mongo_uri, postgres_uri, schema="plain")
    load(mongo_uri, postgres_uri, schema="raw", raw="bson")
    hashes_before: list[str | None] = []
    for schema in ("plain", "raw"):
        before = verdict(full, mongo_uri, postgres_uri, schema)
        assert before.status == "equal"
        assert before.source_count == DOCUMENTS
        assert before.source_hash == before.target_hash
        hashes_before.append(before.target_hash)

    ids = random.Random(SEED).sample(exact.things.distinct("_id"), EACH * 14)
    changed: dict[str, list[Any]] = {}
    for name, change in CHANGES.items():
        changed[name], ids = ids[:EACH], ids[EACH:]
        found = exact.things.find({"_id": {"$in": changed[name]}})
        exact.things.bulk_write([ReplaceOne({"_id": one["_id"]}, change(one)) for one in found])
    missing, extra = ids[:EACH], ids[EACH:]
    exact.things.delete_many({"_id": {"$in": extra}})
    for schema in ("plain", "raw"):
        postgres.execute(
            f"DELETE FROM {schema}.things WHERE _id = ANY(%s)", ([str(one) for one in missing],)
        )

    after = verdict(full, mongo_uri, postgres_uri, "raw")
    assert after.source_hash != after.target_hash
    assert set(after.missing) == set(map(text, missing))
    assert set(after.extra) == set(map(text, extra))
    told = {one.id: one.fields for one in after.different}
    assert after.target_hash not in hashes_before  # rows left it
    for name, those in changed.items():
        assert [told.get(text(one), ()) for one in those] == [(FIELD[name],)] * EACH, name
    assert len(told) == EACH * len(changed)

    plain = verdict(full, mongo_uri, postgres_uri, "plain")
    expected = {text(one) for name in CHANGES if name not in ONLY_RAW for one in changed[name]}
    assert {one.id for one in plain.different} == expected
    assert (len(plain.missing), len(plain.extra)) == (EACH, EACH)

    stored = verdict(hashes, mongo_uri, postgres_uri, "plain")
    assert {one.id for one in stored.different} == {
        text(one) for those in changed.values() for one in those
    }


def test_changes_in_the_table_are_named_too(
    mongo_uri: str, postgres_uri: str, exact: Database[Any], postgres: psycopg.Connection
) -> None:
    exact.things.insert_many([{"_id": number, **document(number)} for number in range(1000)])
    load(mongo_uri, postgres_uri, schema="plain", arrays="table", flatten_depth=2)
    edits = {
        1: ("name = 'other'", "name"),
        2: ("real = real + 1e-9", "real"),
        3: ("amount = amount * 1.0", "amount"),
        4: ("place_city = NULL", "place.city"),
        5: ("zero = '-0'", "zero"),
    }
    expected = {}
    for number, (edit, field) in edits.items():
        postgres.execute(f"UPDATE plain.things SET {edit} WHERE _id = {number}")
        expected[f'{{"$numberInt":"{number}"}}'] = (field,)
    postgres.execute("DELETE FROM plain.things_tags WHERE _parent_id = 20 AND _ordinal = 1")
    expected['{"$numberInt":"20"}'] = ("tags.1",)
    postgres.execute(
        "UPDATE plain.things_tags SET value = 'z' WHERE _parent_id = 21 AND _ordinal = 0"
    )
    expected['{"$numberInt":"21"}'] = ("tags.0.value",)

    found = verdict(full, mongo_uri, postgres_uri, "plain")
    assert {one.id: one.fields for one in found.different} == expected


def test_what_was_ended_is_taken_up_again(
    mongo_uri: str, postgres_uri: str, mongo: Database[Any], tmp_path: Any
) -> None:
    mongo.things.insert_many([{"n": number, "text": "x" * 200} for number in range(300_000)])
    load(mongo_uri, postgres_uri, schema="plain")
    looked = 0

    def stopping() -> bool:
        nonlocal looked
        looked += 1
        return looked > 50

    with connect(mongo_uri) as ends:
        target = Target(postgres_uri, "tests", 1)
        with target.session() as session:
            (pair,) = pairs(ends, session.connection, "plain")
        with pytest.raises(Exception, match="was ended"):
            full.compare(ends, target, pair, stopping=stopping, resume=tmp_path)
        (kept,) = tmp_path.iterdir()
        ranges = len(kept.read_text().splitlines()) - 1
        assert ranges > 0
        whole = full.compare(ends, target, pair, resume=tmp_path)
        fresh = full.compare(ends, target, pair)
        target.close()
    assert whole.status == "equal"
    assert (whole.source_count, whole.source_hash) == (300_000, fresh.source_hash)
    assert any("taken up" in note for note in whole.notes)
    assert not list(tmp_path.iterdir())


def test_a_collection_that_is_gone_leaves_extra_rows(
    mongo_uri: str, postgres_uri: str, mongo: Database[Any]
) -> None:
    mongo.things.insert_many([{"_id": number} for number in range(3)])
    mongo.others.insert_one({"_id": 1})
    load(mongo_uri, postgres_uri, schema="plain", select=("things",))
    mongo.things.drop()
    mongo.others.drop()
    mongo.things2.insert_one({})
    with connect(mongo_uri) as ends:
        target = Target(postgres_uri, "tests", 1)
        with target.session() as session:
            (pair,) = pairs(ends, session.connection, "plain", ("things",))
        found = full.compare(ends, target, pair)
        target.close()
    assert found.extra == ('{"$numberLong":"0"}', '{"$numberLong":"1"}', '{"$numberLong":"2"}')


def test_too_many_differences_are_counted(
    mongo_uri: str,
    postgres_uri: str,
    mongo: Database[Any],
    postgres: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(comparing, "NAMED_MAX", 5)
    mongo.things.insert_many([{"_id": number} for number in range(20)])
    load(mongo_uri, postgres_uri, schema="plain")
    postgres.execute("DELETE FROM plain.things WHERE _id >= 12")
    mongo.things.delete_many({"_id": {"$lt": 2}})
    found = verdict(full, mongo_uri, postgres_uri, "plain")
    assert (found.status, len(found.missing), len(found.extra), found.unnamed) == (
        "different",
        5,
        0,
        5,
    )
    assert (found.source_count, found.target_count) == (18, 12)
    assert found.notes == ("5 more documents differ: too many, or without an id, to name",)
