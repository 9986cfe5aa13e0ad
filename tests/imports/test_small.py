"""Small schemas, each with one thing that is hard about it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database
from tests.imports.conftest import Importing, Rows, counts, of

from landbridge import bridge
from landbridge.errors import MappingError, UsageError

Mongo = Database[dict[str, Any]]


def mapping(collections: str, schema: str = "public") -> str:
    return f"version: 1\nschema: {schema}\ncollections:\n{collections}"


def test_numbers_are_exact_or_set_aside(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute(
        "CREATE TABLE n (id integer PRIMARY KEY, small smallint, money numeric(6,2),"
        " free numeric, double double precision, real real)"
    )
    columns = ("small", "money", "free", "double", "real")
    good: list[tuple[str, Any, Any]] = [
        ("small", "-32768", -32768),
        ("small", 12.0, 12),
        ("money", "1,250.5", Decimal("1250.5")),
        ("money", 0.1, Decimal("0.1")),
        ("money", Decimal128("9.9900"), Decimal("9.99")),
        ("free", Decimal128("1E+40"), Decimal(10) ** 40),
        ("free", "1e-30", Decimal("1e-30")),
        ("double", 2**53, float(2**53)),
        ("double", -0.0, -0.0),
        ("double", "0.1", 0.1),
        ("real", 0.5, 0.5),
        ("real", 1.1, pytest.approx(1.1)),
    ]
    bad: list[tuple[str, Any]] = [
        ("small", 32768),
        ("small", 1.5),
        ("small", float("nan")),
        ("small", "12 apples"),
        ("small", True),
        ("money", "1.005"),
        ("money", 10000),
        ("money", float("inf")),
        ("money", "1,25"),
        ("double", 2**53 + 1),
        ("double", "1e400"),
        ("double", Decimal128("0.1000000000000000055511151231257827")),
        ("real", 16777217),
        ("real", 1e39),
        ("free", "1e200000"),
        ("free", [1]),
    ]
    mongo.n.insert_many({"_id": n, column: value} for n, (column, value, _) in enumerate(good))
    mongo.n.insert_many({"_id": 100 + n, column: value} for n, (column, value) in enumerate(bad))
    rules = "".join(
        f"      {name}: {{from: {name}, as: {'integer' if name == 'small' else 'number'}}}\n"
        for name in columns
    )
    text = mapping(f"  n:\n    table: n\n    key: {{column: id, as: same}}\n    columns:\n{rules}")
    summary = imported(text)
    assert counts(summary, "n") == {
        "read": len(good) + len(bad),
        "inserted": len(good),
        "quarantined": len(bad),
    }
    for n, (column, _, expected) in enumerate(good):
        assert rows(f"SELECT {column} FROM n WHERE id = {n}") == [(expected,)], column
    assert str(rows("SELECT double FROM n WHERE double = 0")[0][0]) == "-0.0"


def test_not_a_number_where_a_column_has_it(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, a double precision, b numeric)")
    mongo.n.insert_one({"_id": 1, "a": float("nan"), "b": float("-inf")})
    text = mapping(
        "  n:\n    table: n\n    key: {column: id, as: same}\n    columns:\n"
        "      a: {from: a, as: number}\n      b: {from: b, as: number}\n"
    )
    assert counts(imported(text), "n")["inserted"] == 1
    assert rows("SELECT a::text, b::text FROM n") == [("NaN", "-Infinity")]
    assert counts(imported(text), "n")["unchanged"] == 1


def test_moments_and_days(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, at timestamptz, ms timestamp(3), day date)"
    )
    good: list[tuple[str, Any, str]] = [
        ("at", dt.datetime(2024, 2, 29, 12, 30, 1, 5000), "2024-02-29 12:30:01.005+00"),
        ("at", "2024-02-29T12:30:01.123456+02:00", "2024-02-29 10:30:01.123456+00"),
        ("at", 1709209801, "2024-02-29 12:30:01+00"),
        ("at", Int64(1709209801005), "2024-02-29 12:30:01.005+00"),
        ("at", 1709209801.5, "2024-02-29 12:30:01.5+00"),
        ("ms", "2024-02-29 12:30:01.120", "2024-02-29 12:30:01.12"),
        ("ms", "2024-02-29", "2024-02-29 00:00:00"),
        ("day", "2024-02-29", "2024-02-29"),
        ("day", dt.datetime(1950, 1, 2), "1950-01-02"),
    ]
    bad: list[tuple[str, Any]] = [
        ("at", "2024-02-30"),
        ("at", "29/02/2024"),
        ("at", "2024-02-29T12:30:01.1234567Z"),
        ("at", ""),
        ("ms", "2024-02-29 12:30:01.1234"),
        ("day", dt.datetime(2024, 2, 29, 1)),
        ("day", "yesterday"),
        ("day", {"year": 2024}),
    ]
    mongo.t.insert_many({"_id": n, column: value} for n, (column, value, _) in enumerate(good))
    mongo.t.insert_many({"_id": 100 + n, column: value} for n, (column, value) in enumerate(bad))
    text = mapping(
        "  t:\n    table: t\n    key: {column: id, as: same}\n    columns:\n"
        "      at: {from: at, as: timestamp}\n      ms: {from: ms, as: timestamp}\n"
        "      day: {from: day, as: date}\n"
    )
    assert counts(imported(text), "t") == {
        "read": len(good) + len(bad),
        "inserted": len(good),
        "quarantined": len(bad),
    }
    postgres.execute("SET TimeZone = 'UTC'")
    for n, (column, _, expected) in enumerate(good):
        assert rows(f"SELECT {column}::text FROM t WHERE id = {n}") == [(expected,)]
    assert counts(imported(text), "t")["unchanged"] == len(good)


def test_texts_arrays_json_and_bytes(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute(
        "CREATE TABLE x (id text PRIMARY KEY, short varchar(3), tags text[], numbers integer[],"
        " doc jsonb, plain json, raw bytea, yes boolean, other inet)"
    )
    nasty = 'a"b\\c\nd\te\r{}, NULL'
    mongo.x.insert_many(
        [
            {"_id": "1", "short": "ünï", "tags": [nasty, None, "", "NULL"], "numbers": [1, "2"]},
            {"_id": "2", "doc": {"a": [1, nasty], "d": dt.datetime(2024, 1, 1)}, "raw": b"\0\\x"},
            {"_id": "3", "yes": "Yes", "other": "10.0.0.1", "plain": {"b": 1, "a": 2}},
            {"_id": "4", "short": "four"},
            {"_id": "5", "tags": "not a list"},
            {"_id": "6", "numbers": [[1]]},
            {"_id": "7", "yes": 2},
            {"_id": "8", "other": "ten"},
            {"_id": nasty, "short": None},
        ]
    )
    text = mapping(
        "  x:\n    table: x\n    key: {column: id, as: same}\n    columns:\n"
        "      short: {from: short}\n      tags: {from: tags, as: array, of: text}\n"
        "      numbers: {from: numbers, as: array, of: integer}\n"
        "      doc: {from: doc, as: json}\n      plain: {from: plain, as: json}\n"
        "      raw: {from: raw, as: bytes}\n      yes: {from: yes, as: boolean}\n"
        "      other: {from: other}\n"
    )
    dry = imported(text, dry_run=True)
    summary = imported(text)
    assert counts(summary, "x") == {"read": 9, "inserted": 4, "quarantined": 5}
    assert counts(dry, "x") == counts(summary, "x")
    assert rows("SELECT short, tags, numbers FROM x WHERE id = '1'") == [
        ("ünï", [nasty, None, "", "NULL"], [1, 2])
    ]
    assert rows("SELECT doc, raw FROM x WHERE id = '2'") == [
        ({"a": [1, nasty], "d": "2024-01-01T00:00:00.000Z"}, b"\0\\x")
    ]
    assert rows("SELECT yes, host(other), plain::text FROM x WHERE id = '3'") == [
        (True, "10.0.0.1", '{"b":1,"a":2}')
    ]
    assert rows("SELECT count(*) FROM x WHERE id LIKE 'a\"b%'") == [(1,)]
    assert counts(imported(text), "x")["unchanged"] == 4


def test_names_of_every_kind(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows, postgres_uri: str
) -> None:
    postgres.execute(
        'CREATE SCHEMA "My ""Schema"""; CREATE TABLE "My ""Schema"""."order" ("select" uuid PRIMARY'
        ' KEY, "50%" integer CHECK ("50%" % 2 = 0), "a""b" text DEFAULT \'100%\' NOT NULL,'
        ' "t" text, "s" text, "k" text, "C:\\x" text); '
        'CREATE TABLE "My ""Schema"""."%s lines" ("select" uuid REFERENCES "My ""Schema"""."order",'
        ' n integer, "%(x)s" text, PRIMARY KEY ("select", n))'
    )
    mongo["order"].insert_many(
        [
            {"_id": 1, "half": 4, "t": "x", "lines": ["a", "b"]},
            {"_id": 2, "half": 5},
            {"_id": 3, "half": 6, "self": 1},
        ]
    )
    text = mapping(
        "  order:\n    table: order\n    key: {column: select, as: uuid}\n    columns:\n"
        "      50%: {from: half, as: integer}\n      'a\"b': {from: none}\n"
        "      t: {from: t}\n      s: {from: t}\n      k: {from: t}\n"
        '      "C:\\\\x": {from: t}\n'
        "    children:\n      lines:\n        table: '%s lines'\n        parent: select\n"
        "        ordinal: n\n        columns:\n          '%(x)s': {from: .}\n",
        schema='My "Schema"',
    ).replace('schema: My "Schema"', "schema: 'My \"Schema\"'")
    dry = imported(text, dry_run=True)
    summary = imported(text)
    assert counts(summary, "order") == {"read": 3, "inserted": 2, "quarantined": 1}
    assert counts(dry, "order") == counts(summary, "order")
    assert rows('SELECT "a""b" FROM "My ""Schema"""."order"') == [("100%",), ("100%",)]
    assert rows('SELECT n, "%(x)s" FROM "My ""Schema"""."%s lines" ORDER BY 1') == [
        (0, "a"),
        (1, "b"),
    ]
    mongo["order"].update_one({"_id": 1}, {"$set": {"lines": ["b"], "half": 8}})
    second = imported(text)
    assert counts(second, "order") == {"read": 3, "updated": 1, "unchanged": 1, "quarantined": 1}
    assert rows('SELECT n, "%(x)s" FROM "My ""Schema"""."%s lines"') == [(0, "b")]
    assert bridge.undo_import(postgres_uri, second.run).status == "ok"
    assert rows('SELECT count(*) FROM "My ""Schema"""."%s lines"') == [(2,)]
    assert bridge.undo_import(postgres_uri, summary.run).status == "ok"
    assert rows('SELECT count(*) FROM "My ""Schema"""."order"') == [(0,)]


def test_numbered_keys_and_references_to_them(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute(
        "CREATE TABLE owner (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);"
        "CREATE TABLE pet (id serial PRIMARY KEY, name text,"
        " owner_id bigint NOT NULL REFERENCES owner);"
        "CREATE TABLE toy (pet_id integer REFERENCES pet, place integer, name text,"
        " PRIMARY KEY (pet_id, place));"
        "INSERT INTO owner (name) VALUES ('was here')"
    )
    owners = [ObjectId() for _ in range(5)]
    mongo.owners.insert_many({"_id": one, "name": str(n)} for n, one in enumerate(owners))
    mongo.pets.insert_many(
        [
            {"_id": 1, "name": "a", "owner": owners[0], "toys": [{"name": "ball"}]},
            {"_id": 2, "name": "b", "owner": str(owners[1])},
            {"_id": 3, "name": "c", "owner": ObjectId()},
        ]
    )
    text = mapping(
        "  pets:\n    table: pet\n    key: {column: id, as: serial}\n    columns:\n"
        "      name: {from: name}\n      owner_id: {from: owner, as: id, to: owners}\n"
        "    children:\n      toys:\n        table: toy\n        parent: pet_id\n"
        "        ordinal: place\n        columns:\n          name: {from: name}\n"
        "  owners:\n    table: owner\n    key: {column: id, as: serial}\n    columns:\n"
        "      name: {from: name}\n"
    )
    dry = imported(text, dry_run=True)
    summary = imported(text)
    assert [stream.collection for stream in summary.streams] == ["owners", "pets"]
    assert counts(summary, "owners") == {"read": 5, "inserted": 5}
    assert counts(summary, "pets") == {"read": 3, "inserted": 2, "quarantined": 1}
    assert counts(dry, "pets") == counts(summary, "pets")
    assert rows(
        "SELECT p.name, o.name, t.name FROM pet p JOIN owner o ON o.id = p.owner_id"
        " LEFT JOIN toy t ON t.pet_id = p.id ORDER BY 1"
    ) == [("a", "0", "ball"), ("b", "1", None)]
    again = imported(text)
    assert counts(again, "pets") == {"read": 3, "unchanged": 2, "quarantined": 1}
    assert counts(imported(text, dry_run=True), "pets") == counts(again, "pets")
    assert rows("SELECT count(*) FROM owner") == [(6,)]


def test_sequences_end_past_imported_ids(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE n (id serial PRIMARY KEY, v text)")
    mongo.n.insert_many({"_id": n, "v": "x"} for n in (3, 41, 7))
    text = mapping(
        "  n:\n    table: n\n    key: {column: id, as: same}\n    columns:\n      v: {from: v}\n"
    )
    imported(text)
    postgres.execute("INSERT INTO n (v) VALUES ('by the application')")
    assert rows("SELECT id FROM n WHERE v <> 'x'") == [(42,)]


TREE = (
    "  nodes:\n    table: node\n    key: {column: id, as: same}\n    columns:\n"
    "      parent: {from: parent, as: id, to: nodes}\n"
)


def test_references_to_oneself_and_the_fall_of_those_who_hang_on(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows, postgres_uri: str
) -> None:
    postgres.execute("CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node)")
    mongo.nodes.insert_many(
        [
            {"_id": 1, "parent": 2},  # comes later
            {"_id": 2, "parent": 2},  # itself
            {"_id": 3, "parent": 4},
            {"_id": 4, "parent": 5},
            {"_id": 5, "parent": 999},  # nobody: 5, 4 and 3 fall
            {"_id": 6, "parent": 1},
        ]
    )
    text = mapping(TREE)
    dry = imported(text, dry_run=True, batch_size=1)
    summary = imported(text, batch_size=1)
    assert counts(summary, "nodes") == {"read": 6, "inserted": 3, "quarantined": 3}
    assert counts(dry, "nodes") == counts(summary, "nodes")
    assert of(summary, "nodes").rows["node"]["inserted"] == 3
    assert rows("SELECT id, parent FROM node ORDER BY 1") == [(1, 2), (2, 2), (6, 1)]
    ids = {entry.document_id for entry in bridge.list_quarantine(postgres_uri)}
    assert ids == {f'{{"$numberInt":"{n}"}}' for n in (3, 4, 5)}
    assert counts(imported(text), "nodes") == {"read": 6, "unchanged": 3, "quarantined": 3}
    mongo.nodes.insert_one({"_id": 999})
    assert counts(imported(text), "nodes") == {"read": 7, "inserted": 4, "unchanged": 3}
    assert bridge.list_quarantine(postgres_uri) == []


def test_references_to_oneself_that_may_be_null(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node)")
    mongo.nodes.insert_many([{"_id": 1, "parent": 2}, {"_id": 2, "parent": 999}])
    summary = imported(mapping(TREE), dangling="null")
    assert counts(summary, "nodes") == {"read": 2, "inserted": 2}
    assert any("node.parent: 1 reference" in note for note in of(summary, "nodes").notes)
    assert rows("SELECT id, parent FROM node ORDER BY 1") == [(1, 2), (2, None)]
    mongo.nodes.update_one({"_id": 1}, {"$set": {"parent": 1}})
    assert counts(imported(mapping(TREE), dangling="null"), "nodes") == {
        "read": 2,
        "updated": 1,
        "unchanged": 1,
    }


CYCLE = (
    "  people:\n    table: person\n    key: {column: id, as: same}\n    columns:\n"
    "      home: {from: home, as: id, to: houses}\n"
    "  houses:\n    table: house\n    key: {column: id, as: same}\n    columns:\n"
    "      owner: {from: owner, as: id, to: people}\n"
)


@pytest.mark.parametrize("deferrable", [False, True])
def test_two_that_need_each_other(
    imported: Importing,
    mongo: Mongo,
    postgres: psycopg.Connection,
    rows: Rows,
    postgres_uri: str,
    deferrable: bool,
) -> None:
    null, defer = ("NOT NULL", "DEFERRABLE") if deferrable else ("", "")
    postgres.execute(
        f"CREATE TABLE person (id integer PRIMARY KEY, home integer {null});"
        f"CREATE TABLE house (id integer PRIMARY KEY, owner integer NOT NULL REFERENCES person"
        f" {defer});"
        f"ALTER TABLE person ADD FOREIGN KEY (home) REFERENCES house {defer}"
    )
    mongo.people.insert_many({"_id": n, "home": n + 10 if n < 4 else 99} for n in range(5))
    mongo.houses.insert_many({"_id": n + 10, "owner": (n + 1) % 5} for n in range(5))
    # Person 4 has no home; house 13, whose owner it is, falls with it, and so person 3, and so on.
    summary = imported(mapping(CYCLE), batch_size=2)
    assert counts(summary, "people") == {"read": 5, "quarantined": 5}
    assert counts(summary, "houses") == {"read": 5, "quarantined": 5}
    assert rows("SELECT count(*) FROM person") == rows("SELECT count(*) FROM house") == [(0,)]
    mongo.people.update_one({"_id": 4}, {"$set": {"home": 14}})
    again = imported(mapping(CYCLE), batch_size=2)
    assert counts(again, "people") == {"read": 5, "inserted": 5}
    assert counts(again, "houses") == {"read": 5, "inserted": 5}
    assert counts(imported(mapping(CYCLE)), "people") == {"read": 5, "unchanged": 5}
    assert rows("SELECT id, home FROM person ORDER BY 1") == [(n, n + 10) for n in range(5)]
    assert bridge.undo_import(postgres_uri, again.run).status == "ok"
    assert rows("SELECT count(*) FROM person") == rows("SELECT count(*) FROM house") == [(0,)]


def test_two_that_need_each_other_and_cannot(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection
) -> None:
    postgres.execute(
        "CREATE TABLE person (id integer PRIMARY KEY, home integer NOT NULL);"
        "CREATE TABLE house (id integer PRIMARY KEY, owner integer NOT NULL REFERENCES person);"
        "ALTER TABLE person ADD FOREIGN KEY (home) REFERENCES house"
    )
    mongo.people.insert_one({})
    with pytest.raises(MappingError, match="need each other's rows first"):
        imported(mapping(CYCLE))


def test_triggers_fire_and_are_told_of(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows, postgres_uri: str
) -> None:
    postgres.execute(
        "CREATE TABLE node (id integer PRIMARY KEY, parent integer REFERENCES node,"
        " touched integer NOT NULL DEFAULT 0);"
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN IF new.id = 13 THEN RAISE EXCEPTION ''unlucky''; END IF;"
        " new.touched := new.touched + 1; RETURN new; END';"
        "CREATE TRIGGER touching BEFORE INSERT OR UPDATE ON node"
        " FOR EACH ROW EXECUTE FUNCTION touch()"
    )
    mongo.nodes.insert_many([{"_id": 1, "parent": 2}, {"_id": 2}, {"_id": 13}])
    summary = imported(mapping(TREE))
    assert "public.node has triggers, which fire for every row: touching" in summary.notes
    assert counts(summary, "nodes") == {"read": 3, "inserted": 2, "quarantined": 1}
    assert "unlucky" in bridge.list_quarantine(postgres_uri)[0].reason
    assert rows("SELECT id, touched FROM node ORDER BY 1") == [(1, 2), (2, 1)]
    assert bridge.undo_import(postgres_uri, summary.run).status == "ok"
    assert rows("SELECT count(*) FROM node") == [(0,)]


def test_constraints_of_several_columns(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    postgres.execute(
        "CREATE TABLE seat (id uuid PRIMARY KEY, r text, n integer,"
        ' CONSTRAINT "one each" UNIQUE (r, n), CONSTRAINT low CHECK (n < 100))'
    )
    mongo.seats.insert_many({"_id": n, "row": "A", "n": n} for n in range(20))
    mongo.seats.insert_many([{"_id": 50, "row": "A", "n": 3}, {"_id": 51, "row": "B", "n": 100}])
    text = mapping(
        "  seats:\n    table: seat\n    key: {column: id, as: uuid}\n    columns:\n"
        "      r: {from: row}\n      n: {from: n, as: integer}\n"
    )
    dry = imported(text, dry_run=True)
    summary = imported(text)
    assert counts(summary, "seats") == {"read": 22, "inserted": 20, "quarantined": 2}
    for one in (dry, summary):
        found = {v["column"]: v["documents"] for v in of(one, "seats").violations}
        assert found == {"one each": 1, "low": 1}
    reasons = sorted(entry.reason for entry in bridge.list_quarantine(postgres_uri))
    assert "one each" in reasons[0] + reasons[1] and "low" in reasons[0] + reasons[1]


def test_stop_at_the_first(imported: Importing, mongo: Mongo, postgres: psycopg.Connection) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, v integer)")
    mongo.n.insert_many({"_id": n, "v": n} for n in range(10))
    mongo.n.update_one({"_id": 5}, {"$set": {"v": "five"}})
    text = mapping(
        "  n:\n    table: n\n    key: {column: id, as: same}\n    columns:\n"
        "      v: {from: v, as: integer}\n"
    )
    summary = imported(text, on_error="stop", batch_size=2)
    assert summary.status == "failed" and summary.error is not None
    assert summary.error["code"] == "violation" and "five" in summary.error["message"]
    assert summary.streams[0].tally.adds_up
    dry = imported(text, on_error="stop", dry_run=True)
    assert dry.status == "failed" and dry.error and dry.error["code"] == "violation"


def test_what_changed_since_is_refused_and_the_rest_taken_back(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, rows: Rows, postgres_uri: str
) -> None:
    postgres.execute(
        "CREATE TABLE n (id integer PRIMARY KEY, v text);"
        "CREATE TABLE own (n_id integer REFERENCES n ON DELETE CASCADE);"
        "CREATE TABLE mine (n_id integer REFERENCES n)"
    )
    mongo.n.insert_many({"_id": n, "v": "x"} for n in range(10))
    text = mapping(
        "  n:\n    table: n\n    key: {column: id, as: same}\n    columns:\n      v: {from: v}\n"
    )
    run = imported(text).run
    postgres.execute("UPDATE n SET v = 'mine now' WHERE id = 3")
    postgres.execute("DELETE FROM n WHERE id = 4")
    postgres.execute("INSERT INTO own VALUES (5); INSERT INTO mine VALUES (6)")
    undone = bridge.undo_import(postgres_uri, run)
    assert undone.status == "failed" and undone.error and undone.error["code"] == "undo_refused"
    assert (undone.removed, undone.refused_count) == (6, 4)
    reasons = {one.key: one.reason for one in undone.refused}
    assert "changed since" in reasons['{"id" : 3}'] and "deleted since" in reasons['{"id" : 4}']
    assert "own" in reasons['{"id" : 5}'] and "mine_n_id_fkey" in reasons['{"id" : 6}']
    assert rows("SELECT id FROM n ORDER BY 1") == [(3,), (5,), (6,)]
    postgres.execute("DELETE FROM own; DELETE FROM mine")
    assert bridge.undo_import(postgres_uri, run).removed == 2
    with pytest.raises(UsageError, match="there is no import"):
        bridge.undo_import(postgres_uri, "nothing")


def test_a_sync_leaves_imported_tables_alone(
    imported: Importing,
    mongo: Mongo,
    mongo_uri: str,
    postgres: psycopg.Connection,
    postgres_uri: str,
) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, v text)")
    mongo.n.insert_one({"_id": 1, "v": "x"})
    text = mapping(
        "  n:\n    table: n\n    key: {column: id, as: same}\n    columns:\n      v: {from: v}\n"
    )
    imported(text)
    summary = bridge.sync(mongo_uri, postgres_uri, schema="public")
    assert summary.error is not None and summary.error["code"] == "table_taken"
    assert bridge.sync(mongo_uri, postgres_uri, schema="other").status == "ok"
    assert counts(imported(text), "n") == {"read": 1, "unchanged": 1}
