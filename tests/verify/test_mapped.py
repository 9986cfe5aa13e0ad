"""Through a mapping: documents against the rows that an import made of them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import psycopg
import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database
from tests.realestate import data
from tests.verify.conftest import Found, apart, groups

from landbridge import bridge
from landbridge.errors import LandbridgeError, MappingError, UsageError

Mongo = Database[dict[str, Any]]
FOLDER = Path(__file__).parent.parent / "realestate"
MAPPING = (FOLDER / "mapping.yml").read_text()
MODES = ("count", "aggregate", "full")


class Estate:
    """A dirty real-estate database, imported."""

    def __init__(self, mongo_uri: str, postgres_uri: str, mongo: Mongo, text: str = MAPPING):
        self.mongo_uri, self.postgres_uri, self.text = mongo_uri, postgres_uri, text
        self.filled = data.fill(mongo, scale=60)
        with psycopg.connect(postgres_uri, autocommit=True) as connection:
            connection.execute((FOLDER / "schema.sql").read_bytes())
        self.load()

    def load(self) -> None:
        """Import."""
        summary = bridge.import_mapped(self.postgres_uri, self.text, source=self.mongo_uri)
        assert summary.status == "ok", summary

    def verify(self, mode: str = "full", **chosen: Any) -> Found:
        """Compare."""
        verification = bridge.verify(
            self.mongo_uri, self.postgres_uri, mapping=self.text, mode=mode, **chosen
        )
        return Found(verification)


@pytest.fixture
def estate(mongo_uri: str, postgres_uri: str, mongo: Mongo) -> Estate:
    """A dirty real-estate database, imported."""
    return Estate(mongo_uri, postgres_uri, mongo)


def test_what_was_imported_is_equal_and_what_was_set_aside_is_known(estate: Estate) -> None:
    for mode in MODES:
        found = estate.verify(mode)
        assert not found.unequal()
        for collection in data.TABLES:
            verdict = found[collection]
            assert verdict.source_count == estate.filled.documents[collection]
            assert verdict.quarantined == estate.filled.faults(collection)
            assert verdict.delta == -verdict.quarantined


CHANGES = {
    "users.email": """UPDATE "User" SET email = email || 'x' WHERE {one}""",
    "users.role": """UPDATE "User" SET role = CASE role WHEN 'ADMIN' THEN 'BUYER'::"UserRole"
        ELSE 'ADMIN' END WHERE {one}""",
    "users.preferences": """UPDATE "User" SET preferences = '{{"a": 1}}' WHERE {one}""",
    "users.createdAt": """UPDATE "User" SET "createdAt" = "createdAt" + interval '1 ms'
        WHERE {one}""",
    "users.isActive": """UPDATE "User" SET "isActive" = NOT "isActive" WHERE {one}""",
    "properties.price": 'UPDATE "Property" SET price = price + 0.01 WHERE {one}',
    "properties.area": """UPDATE "Property" SET "areaSqm" = coalesce("areaSqm", 0) + 1
        WHERE {one}""",
    "properties.amenities": """UPDATE "Property" SET amenities = amenities || 'x'::text
        WHERE {one}""",
    "leads.tags": """UPDATE "Lead" SET tags = '{{}}' WHERE id = (SELECT id FROM "Lead"
        WHERE cardinality(tags) > 0 ORDER BY id LIMIT 1)""",
    "leads.assignedTo": """UPDATE "Lead" SET "assignedToId" = NULL WHERE id = (SELECT id FROM
        "Lead" WHERE "assignedToId" IS NOT NULL ORDER BY id LIMIT 1)""",
    "properties.agent": """UPDATE "Property" SET "agentId" = (SELECT id FROM "User"
        WHERE id <> "agentId" LIMIT 1) WHERE {one}""",
    "launches.launchDate": """UPDATE "Launch" SET "launchDate" = "launchDate" + 1 WHERE id =
        (SELECT id FROM "Launch" WHERE "launchDate" IS NOT NULL LIMIT 1)""",
    "conversations.messages": """DELETE FROM "Message" WHERE id = (SELECT id FROM "Message"
        LIMIT 1)""",
    "conversations.participants": """DELETE FROM "ConversationParticipant" WHERE ctid =
        (SELECT ctid FROM "ConversationParticipant" LIMIT 1)""",
}


@pytest.mark.parametrize("change", CHANGES)
def test_one_changed_value_is_named_with_its_document_and_field(
    estate: Estate, postgres: psycopg.Connection, change: str
) -> None:
    collection, field = change.split(".")
    table = data.TABLES[collection]
    one = f'id = (SELECT id FROM "{table}" ORDER BY id LIMIT 1)'
    done = postgres.execute(CHANGES[change].format(one=one).encode())
    assert done.rowcount == 1
    found = estate.verify()
    verdict = found[collection]
    assert len(verdict.different) == 1
    assert verdict.different[0].fields[0].startswith(field.split(".")[0])
    assert not verdict.missing and not verdict.extra
    assert {s.collection for s in found.verification.streams if s.status != "equal"} == {collection}


def test_missing_and_extra_rows_are_named(
    estate: Estate, mongo: Mongo, postgres: psycopg.Connection
) -> None:
    postgres.execute(
        "DELETE FROM saved_searches WHERE ctid IN (SELECT ctid FROM saved_searches"
        " ORDER BY id LIMIT 1)"
    )
    gone = mongo.inquiries.find_one({"message": {"$type": "string"}})
    assert gone is not None
    mongo.inquiries.delete_one({"_id": gone["_id"]})
    found = estate.verify()
    assert len(found["searches"].missing) == 1
    assert found["inquiries"].extra == (f'{{"$oid":"{gone["_id"]}"}}',)
    counts = estate.verify("count")
    assert counts["searches"].status == counts["inquiries"].status == "different"


def test_rows_that_were_there_before_are_nobodys_mistake(
    estate: Estate, postgres: psycopg.Connection
) -> None:
    postgres.execute(
        """INSERT INTO "User" (email, "firstName", "lastName", "updatedAt")
           VALUES ('older@x.org', 'O', 'Lder', now())"""
    )
    for mode in MODES:
        found = estate.verify(mode)
        assert not found.unequal()
    assert "1 row of public.User was not imported" in estate.verify("count")["users"].notes[0]


def test_a_document_that_changed_after_the_import_differs(estate: Estate, mongo: Mongo) -> None:
    inquiry = mongo.inquiries.find_one({"message": {"$type": "string"}})
    assert inquiry is not None
    mongo.inquiries.update_one({"_id": inquiry["_id"]}, {"$set": {"message": "Another one"}})
    found = estate.verify()
    assert [one.id for one in found["inquiries"].different] == [f'{{"$oid":"{inquiry["_id"]}"}}']
    assert ("message", "bytes") in apart(estate.verify("aggregate")["inquiries"])
    estate.load()
    assert estate.verify().status == "equal"


def test_figures_and_groups_are_of_values_as_the_mapping_makes_them(estate: Estate) -> None:
    named = """
- {name: top cities, collection: properties, match: {status: for_sale}, group: [address.city]}
- {name: leads by source, collection: leads, group: [source], metric: sum budget}
- {name: dear, collection: properties, match: {price: {$gte: 500000}}, metric: avg price}
"""
    found = estate.verify("aggregate", aggregates=named)
    assert not found.unequal()
    cities = groups(found["properties"], "top cities")
    assert cities and all(here == there for here, there in cities.values())
    assert set(groups(found["properties"], "status")) <= {
        "FOR_SALE", "FOR_RENT", "SOLD", "OFF_MARKET",
    }  # fmt: skip
    assert "WALK_IN" in groups(found["leads"], "leads by source")


def test_a_group_tells_of_a_changed_label(estate: Estate, postgres: psycopg.Connection) -> None:
    postgres.execute(
        """UPDATE "Lead" SET source = CASE source WHEN 'PHONE' THEN 'WEBSITE'::"LeadSource"
           ELSE 'PHONE' END WHERE id = (SELECT min(id) FROM "Lead")"""
    )
    assert ("source", "count") in apart(estate.verify("aggregate")["leads"])


VALUES = """
CREATE SCHEMA odd;
CREATE TABLE odd."t x" (id bigint PRIMARY KEY, s smallint, r real, d float8, n numeric(30, 3),
    at timestamptz, day date, b bytea, u uuid, c char(5), a int[], j json, moments timestamptz[],
    dflt text NOT NULL DEFAULT 'set', other bigint);
"""
VALUES_MAPPING = """
version: 1
schema: odd
collections:
  things:
    table: t x
    key: {column: id, as: same}
    columns:
      s: {from: s, as: integer}
      r: {from: r, as: number}
      d: {from: d, as: number}
      n: {from: n, as: number}
      at: {from: t, as: timestamp}
      day: {from: day, as: date}
      b: {from: b, as: bytes}
      u: {from: u, as: uuid}
      c: {from: c, as: text}
      a: {from: a, as: array, of: integer}
      j: {from: j, as: json}
      moments: {from: moments, as: array, of: timestamp}
      dflt: {from: dflt, as: text}
      other: {from: other, as: id, to: things, dangling: "null"}
"""


def test_odd_types_and_values_are_equal_where_the_import_made_them_so(
    mongo_uri: str, postgres_uri: str, mongo: Mongo, postgres: psycopg.Connection
) -> None:
    postgres.execute(VALUES.encode())
    moment = dt.datetime(1969, 12, 31, 23, 59, 59, 999000)
    mongo.things.insert_many(
        [
            {"_id": 1, "s": "1,234", "r": 0.5, "d": float("nan"), "n": Decimal128("1E+3")},
            {"_id": Int64(2), "d": 1e308, "n": "12.500", "t": 1700000000},
            {"_id": 3.0, "t": "2024-02-29T12:00:00.123456+02:00", "day": "2024-02-29", "c": "ab"},
            {"_id": 4, "t": moment, "day": dt.datetime(1900, 1, 1), "b": b"\\x00", "a": [1, None]},
            {"_id": 5, "j": {"o": ObjectId(), "d": moment, "n": [1.0, Int64(2**60)]}, "other": 4},
            {
                "_id": 6,
                "moments": [moment, 1700000000],
                "other": 77,
                "u": "00000000-0000-0000-0000-00000000000A",
            },
        ]
    )
    bridge.import_mapped(postgres_uri, VALUES_MAPPING, source=mongo_uri)
    for mode in MODES:
        found = Found(bridge.verify(mongo_uri, postgres_uri, mapping=VALUES_MAPPING, mode=mode))
        assert not found.unequal()
        assert found["things"].quarantined == 0
    postgres.execute('UPDATE odd."t x" SET moments = moments[2:2] WHERE id = 6')
    found = Found(bridge.verify(mongo_uri, postgres_uri, mapping=VALUES_MAPPING, mode="full"))
    assert [one.fields for one in found["things"].different] == [("moments",)]


def test_a_mapping_that_is_not_as_the_tables_are_is_refused(
    estate: Estate, mongo_uri: str, postgres_uri: str
) -> None:
    wrong = MAPPING.replace("table: Lead", "table: Leed")
    with pytest.raises(MappingError, match="Leed"):
        bridge.verify(mongo_uri, postgres_uri, mapping=wrong)
    for chosen in ({"mode": "hash"}, {"mode": "full", "repair": True}):
        with pytest.raises(UsageError):
            bridge.verify(mongo_uri, postgres_uri, mapping=MAPPING, **chosen)


def test_without_an_import_there_is_nothing_to_compare(
    mongo_uri: str, postgres_uri: str, mongo: Mongo, postgres: psycopg.Connection
) -> None:
    mongo.users.insert_one({"email": "a"})
    postgres.execute((FOLDER / "schema.sql").read_bytes())
    with pytest.raises(LandbridgeError, match="nothing was imported"):
        bridge.verify(mongo_uri, postgres_uri, mapping=MAPPING)
