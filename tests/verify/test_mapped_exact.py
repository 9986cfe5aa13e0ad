"""Through a mapping: values and rows that operators take for equal, and that are not."""

from __future__ import annotations

from typing import Any, cast

import psycopg
import pytest
from bson import Decimal128
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from tests.verify.conftest import Found

from landbridge import bridge

Mongo = Database[dict[str, Any]]
TEXT = """
version: 1
schema: public
collections:
  n:
    table: n
    key: {column: id, as: same}
    columns:
      double: {from: double, as: number}
      real: {from: real, as: number}
      free: {from: free, as: number}
    children:
      tags:
        table: tag
        parent: n
        ordinal: place
        columns:
          word: {from: ".", as: text}
"""


class Numbers:
    """Documents of numbers, imported into a table of the test's own."""

    def __init__(self, mongo_uri: str, postgres_uri: str) -> None:
        self.ends = mongo_uri, postgres_uri

    def load(self) -> dict[str, int]:
        summary = bridge.import_mapped(self.ends[1], TEXT, source=self.ends[0])
        assert summary.status == "ok", summary
        tally = summary.streams[0].tally
        return {"inserted": tally.inserted, "updated": tally.updated, "aside": tally.quarantined}

    def verify(self) -> Found:
        return Found(bridge.verify(*self.ends, mapping=TEXT, mode="full"))


@pytest.fixture
def numbers(mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection[Any]) -> Numbers:
    postgres.execute(
        "CREATE TABLE n (id text PRIMARY KEY, double double precision, real real, free numeric);"
        "CREATE TABLE tag (n text, place integer, word text, PRIMARY KEY (n, place))"
    )
    return Numbers(mongo_uri, postgres_uri)


def test_a_sign_of_zero_and_trailing_zeros_are_brought_over(
    numbers: Numbers, mongo: Mongo, postgres: psycopg.Connection[Any]
) -> None:
    mongo["n"].insert_one({"_id": "a", "double": 0.0, "real": 0.0, "free": Decimal128("1.5")})
    numbers.load()
    assert not numbers.verify().unequal()
    mongo["n"].update_one({}, {"$set": {"double": -0.0, "real": -0.0}})
    assert numbers.verify()["n"].different[0].fields == ("double", "real")
    mongo["n"].update_one({}, {"$set": {"free": Decimal128("1.50")}})
    assert numbers.load() == {"inserted": 0, "updated": 1, "aside": 0}
    row = postgres.execute("SELECT double::text, real::text, free::text FROM n").fetchone()
    assert row == ("-0", "-0", "1.50")
    assert not numbers.verify().unequal()
    assert numbers.load() == {"inserted": 0, "updated": 0, "aside": 0}


def test_numbers_beyond_all_columns_end_no_verification(numbers: Numbers, mongo: Mongo) -> None:
    mongo["n"].insert_many(
        [{"_id": "a", "real": 1e300}, {"_id": "b", "free": "1e999999999"}, {"_id": "c"}]
    )
    assert numbers.load() == {"inserted": 1, "updated": 0, "aside": 2}
    found = numbers.verify()["n"]
    assert (found.status, found.quarantined) == ("equal", 2)


def test_a_row_of_an_array_that_stands_there_twice_is_told_of(
    numbers: Numbers, mongo: Mongo, postgres: psycopg.Connection[Any]
) -> None:
    mongo["n"].insert_one({"_id": "a", "tags": ["x", "y"]})
    numbers.load()
    assert not numbers.verify().unequal()
    postgres.execute("ALTER TABLE tag DROP CONSTRAINT tag_pkey")
    postgres.execute("INSERT INTO tag SELECT * FROM tag WHERE place = 1")
    assert numbers.verify()["n"].different[0].fields == ("tags",)


def test_documents_that_have_no_name_are_counted(numbers: Numbers, mongo: Mongo) -> None:
    body = b"\x02_id\0\x03\0\0\0\xff\xfe\0\0"
    broken = RawBSONDocument((len(body) + 4).to_bytes(4, "little") + body)
    mongo["n"].insert_one({"_id": "a"})
    numbers.load()
    mongo["n"].insert_one(cast("dict[str, Any]", broken))  # as bytes: Python has no such text
    found = numbers.verify()["n"]
    assert (found.status, found.source_count, found.unnamed) == ("different", 2, 1)
    assert numbers.load()["aside"] == 1
    found = numbers.verify()["n"]
    assert (found.status, found.source_count, found.quarantined) == ("equal", 2, 1)
