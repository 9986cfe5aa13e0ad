"""Mappings: files that can't be read, tables that are not as they say, ids that become keys."""

from __future__ import annotations

import uuid
from typing import Any

import bson
import psycopg
import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database
from tests.imports.conftest import Importing

from landbridge.codec import id_of
from landbridge.errors import MappingError
from landbridge.mapping.document import read_mapping
from landbridge.mapping.ids import Keys, Unfit, canonical, references

USERS = "version: 1\ncollections:\n  users:\n    table: {table}\n    key: {key}\n    columns:\n"


def value_of(value: Any) -> bytes:
    """Return a value as type byte and bytes."""
    binary = bson.binary.UuidRepresentation.STANDARD
    options: Any = bson.CodecOptions(uuid_representation=binary)
    found = id_of(bson.encode({"_id": value}, codec_options=options))
    assert found is not None
    return bytes((found[0],)) + found[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "line 1"),
        ("- just a list", "should be a mapping with version"),
        ("version: 2\ncollections: {}", "line 1: version: it should be 1, and is 2"),
        ("version: 1", "collections: it is missing"),
        ("version: 1\ncollection: {}", "line 2: collection: unknown; there are version"),
        ("version: 1\ncollections:\n  a: 5", "line 3: collections.a: it should be a mapping"),
        ("version: 1\ncollections:\n  1: {}", "a name should be text"),
        ("version: 1\ncollections:\n  a: {}\n  a: {}", "duplicate key"),
        (USERS.format(table="t", key="id"), "it should be {column: …, as: …}"),
        (
            USERS.format(table="t", key="{column: id, as: guid}"),
            "'guid' is unknown; there are same",
        ),
        (USERS.format(table="t", key="{column: id}"), "key.as: it is missing"),
        (
            USERS.format(table="t", key="{column: id, as: uuid}") + "      a: {from: a, as: txt}",
            "line 7: collections.users.columns.a.as: 'txt' is unknown",
        ),
        (
            USERS.format(table="t", key="{column: id, as: uuid}") + "      a: {as: text}",
            "it has neither from nor default",
        ),
        (
            USERS.format(table="t", key="{column: id, as: uuid}") + "      a: {from: a, as: array}",
            "a.of: it is missing",
        ),
        (
            USERS.format(table="t", key="{column: id, as: uuid}")
            + "      a: {from: a, required: maybe}",
            "it should be true or false",
        ),
        (
            USERS.format(table="t", key="{column: id, as: uuid}") + "      a: {from: a, to: users}",
            "only as: id has to",
        ),
        ("version: 1\nskip: [users]\ncollections:\n  users: {}", "users is also among"),
    ],
)
def test_a_file_that_is_wrong_says_where(text: str, told: str) -> None:
    with pytest.raises(MappingError) as raised:
        read_mapping(text, "mapping.yml")
    assert told in raised.value.why
    assert "mapping.yml" in raised.value.what


def test_all_problems_at_once() -> None:
    text = USERS.format(table="t", key="{column: id, as: x}") + "      a: {form: a, as: y}"
    with pytest.raises(MappingError) as raised:
        read_mapping(text, "m.yml")
    assert len(raised.value.problems) == 4


def test_what_a_file_says_is_what_is_read() -> None:
    rule = read_mapping(
        USERS.format(table="User", key="{column: id, as: uuid}")
        + "      role: {from: role, as: enum, values: {2: A, true: B, 'x': C}, default: A}\n"
        + "      boss: {from: boss, as: id, dangling: null, confidence: 0.5}\n"
        + "      tags: {from: a.b, as: array, of: integer, default: [1, 2]}\n"
        + "      kind: {default: user}\n    ignore: [__v]\n",
        "m",
    ).collections[0]
    role, boss, tags, kind = rule.columns
    assert role.values == {"2": "A", "true": "B", "x": "C"} and role.default == "A"
    assert boss.dangling == "null" and boss.to == "" and boss.confidence == 0.5
    assert tags.source == "a.b" and tags.of == "integer" and tags.default == [1, 2]
    assert kind.source is None and rule.ignore == ("__v",)


TABLES = """
CREATE TYPE mood AS ENUM ('GLAD', 'SAD');
CREATE TABLE other (id uuid PRIMARY KEY, code text UNIQUE);
CREATE TABLE "User" (
    id uuid PRIMARY KEY, email text UNIQUE, age integer, mood mood, born date, raw jsonb,
    made text GENERATED ALWAYS AS (email || '!') STORED,
    number bigint GENERATED ALWAYS AS IDENTITY, needed text NOT NULL, other uuid REFERENCES other);
CREATE TABLE line (user_id uuid REFERENCES "User", n integer, UNIQUE (n), id serial PRIMARY KEY);
CREATE TABLE loose (id uuid, v text);
"""
GOOD = "      needed: {from: a}\n"


@pytest.mark.parametrize(
    ("table", "key", "columns", "told"),
    [
        (
            "user",
            "{column: id, as: uuid}",
            GOOD,
            "there is no table user in the schema public; there is User",
        ),
        ("User", "{column: ID, as: uuid}", GOOD, "has no column ID"),
        ("User", "{column: needed, as: hex}", "", "is not unique by itself"),
        ("User", "{column: id, as: hex}", GOOD, "hex makes text, and public.User.id is uuid"),
        ("User", "{column: id, as: serial}", GOOD, "has no sequence"),
        ("loose", "{column: id, as: uuid}", "      v: {from: v}\n", "has no primary key"),
        ("User", "{column: id, as: uuid}", "", "needed can't be NULL and has no default"),
        ("User", "{column: id, as: uuid}", GOOD + "      emial: {from: a}", "no such column"),
        ("User", "{column: id, as: uuid}", GOOD + "      made: {from: a}", "made is generated"),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      number: {from: a, as: integer}",
            "ALWAYS AS",
        ),
        ("User", "{column: id, as: uuid}", GOOD + "      age: {from: a}", "integer takes no text"),
        ("User", "{column: id, as: uuid}", GOOD + "      raw: {from: a}", "jsonb takes no text"),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      mood: {from: a, as: enum, values: {x: HAPPY}}",
            "the enum mood has no label HAPPY",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      mood: {from: a, as: enum, default: glad}",
            "columns.mood.default: glad is no label",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      age: {from: a, as: integer, default: many}",
            "columns.age.default: many is no number",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      other: {from: a, as: id, to: others}",
            "the mapping has no collection others",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "      other: {from: a, as: id, to: users}",
            "the foreign key User_other_fkey leads to public.other (id), and users fills User (id)",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            "      needed: {from: a, as: id, to: users, dangling: 'null'}",
            "can't be NULL: quarantine instead",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "    children:\n      lines:\n        table: line\n        parent: user_id",
            "nothing tells the rows of public.line apart",
        ),
        (
            "User",
            "{column: id, as: uuid}",
            GOOD + "    children:\n      lines: {table: User, parent: id}",
            "User is filled by collections.users already",
        ),
    ],
)
def test_a_mapping_that_is_not_as_the_tables_are(
    imported: Importing,
    mongo: Database[dict[str, Any]],
    postgres: psycopg.Connection,
    table: str,
    key: str,
    columns: str,
    told: str,
) -> None:
    postgres.execute(TABLES)
    mongo.users.insert_one({"a": 1})
    with pytest.raises(MappingError) as raised:
        imported(USERS.format(table=table, key=key) + columns)
    assert told in raised.value.why, raised.value.why
    assert "collections.users" in raised.value.why
    assert postgres.execute("SELECT to_regnamespace('landbridge')").fetchone() == (None,)


def test_a_schema_that_is_not_there(
    imported: Importing, mongo: Database[dict[str, Any]], postgres: psycopg.Connection
) -> None:
    mongo.users.insert_one({"a": 1})
    text = USERS.format(table="t", key="{column: id, as: uuid}").replace(
        "version: 1", "version: 1\nschema: nowhere"
    )
    with pytest.raises(MappingError, match="there is no schema nowhere"):
        imported(text)


def test_keys_are_made_as_documented() -> None:
    one = ObjectId("507f1f77bcf86cd799439011")
    text = '{"$oid":"507f1f77bcf86cd799439011"}'
    space = uuid.uuid5(uuid.NAMESPACE_URL, "landbridge:shop.users")
    keys = Keys("shop", "users", "uuid")
    assert keys.key(value_of(one)) == str(uuid.uuid5(space, text))
    assert keys.child("uuid", text, "a.b", 3) == str(uuid.uuid5(space, f"{text}#a.b#3"))
    known = uuid.uuid4()
    assert keys.key(value_of(known)) == keys.key(value_of(str(known).upper())) == str(known)
    cuid = Keys("shop", "users", "cuid").key(value_of(one))
    assert cuid is not None and len(cuid) == 25 and cuid[0] == "c" and cuid.isalnum()
    assert Keys("shop", "people", "cuid").key(value_of(one)) != cuid
    assert Keys("shop", "users", "hex").key(value_of(one)) == str(one)
    assert Keys("shop", "users", "hex").key(value_of(str(one).upper())) == str(one)
    assert Keys("shop", "users", "same").key(value_of("x")) == "x"
    assert Keys("shop", "users", "serial").key(value_of("x")) is None
    with pytest.raises(Unfit):
        Keys("shop", "users", "same").key(value_of(one))
    with pytest.raises(Unfit):
        Keys("shop", "users", "hex").key(value_of(5))


def test_whole_numbers_are_one_id() -> None:
    texts = {canonical(value_of(n)) for n in (5, Int64(5), 5.0)}
    assert texts == {'{"$numberLong":"5"}'}
    assert canonical(value_of(5.5)) == '{"$numberDouble":"5.5"}'
    assert canonical(value_of(Decimal128("5"))) == '{"$numberDecimal":"5"}'
    assert canonical(value_of("5")) == '"5"'
    assert canonical(value_of({"a": 1})) == '{"a":{"$numberInt":"1"}}'


def test_text_of_hex_digits_may_mean_an_object_id() -> None:
    one = ObjectId()
    assert references(value_of(str(one))) == [value_of(one), value_of(str(one))]
    assert references(value_of(one)) == [value_of(one)]
    assert references(value_of("x" * 24)) == [value_of("x" * 24)]
