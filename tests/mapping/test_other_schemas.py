"""Proposals for schemas that are not Prisma's, and what can't be proposed."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest
from bson import Decimal128, ObjectId
from bson.dbref import DBRef
from pymongo.database import Database
from tests.docs.sources import shop

from landbridge import bridge
from landbridge.errors import MatchlessError, SchemaFileError, TargetMissingError
from landbridge.mapping.document import read_mapping
from landbridge.mapping.rules import CollectionRule, KeyRule

RENTALS = (Path(__file__).parent / "rentals.sql").read_text()
WHEN = dt.datetime(2022, 3, 3, tzinfo=dt.UTC)


@pytest.fixture
def rentals(mongo: Database[dict[str, Any]], postgres: psycopg.Connection[Any]) -> None:
    """A rental's documents, and the empty tables."""
    postgres.execute(RENTALS)
    actors = [{"_id": ObjectId(), "firstName": f"F{n}", "lastName": f"L{n}"} for n in range(20)]
    languages = [{"_id": ObjectId(), "name": name} for name in ("English", "Italian")]
    categories = [{"_id": name, "name": name} for name in ("Action", "Drama")]
    films = [
        {
            "_id": ObjectId(),
            "title": f"Film {n}",
            "releaseYear": "2006" if n % 2 else 1999,
            "language": languages[n % 2]["_id"],
            "rentalDuration": 5,
            "rentalRate": "4.99",
            "length": 90,
            "rating": ("PG-13", "pg13", "NC17", "r", "unrated")[n % 5],
            "specialFeatures": ["Trailers"],
            "actors": [actors[n % 20]["_id"], actors[(n + 1) % 20]["_id"]],
            "categories": ["Action"],
            "fulltext": "film",
        }
        for n in range(40)
    ]
    customers = [{"_id": ObjectId(), "email": f"a{n}@b.c", "active": True} for n in range(20)]
    payments = [
        {"_id": n, "customer": customers[n]["_id"], "amount": Decimal128("3.99"), "paid": WHEN}
        for n in range(20)
    ]
    for name, documents in {
        "actors": actors,
        "languages": languages,
        "categories": categories,
        "films": films,
        "customers": customers,
        "payments": payments,
        "audits": [{"what": "login", "at": WHEN}],
    }.items():
        mongo[name].insert_many(documents)


@pytest.mark.usefixtures("rentals")
def test_a_schema_written_by_hand(mongo_uri: str, postgres_uri: str) -> None:
    proposed = bridge.propose_mapping(mongo_uri, postgres_uri)
    mapping = read_mapping(proposed.text, "proposed")
    assert mapping.skip == ("audits", "payments")
    assert "its table audit has no primary key" in proposed.text
    assert "the key of its table payment has several columns: payment_id, payment_date" in (
        proposed.text
    )
    keys = {one.collection: one.key for one in mapping.collections}
    assert keys == {
        "actors": KeyRule("actor_id", "serial"),
        "categories": KeyRule("category_id", "serial"),
        "customers": KeyRule("customer_id", "uuid"),
        "films": KeyRule("film_id", "serial"),
        "languages": KeyRule("language_id", "serial"),
    }
    film = mapping.of("films")
    assert film is not None
    assert sources(film) == {
        "title": "title",
        "release_year": "releaseYear",
        "language_id": "language",
        "rental_duration": "rentalDuration",
        "rental_rate": "rentalRate",
        "length": "length",
        "rating": "rating",
        "special_features": "specialFeatures",
    }
    rules = {one.column: one for one in film.columns}
    assert rules["language_id"].cast == "id" and rules["language_id"].to == "languages"
    assert rules["special_features"].of == "text"
    assert (rules["rental_rate"].cast, rules["rental_rate"].default) == ("number", 4.99)
    assert rules["rating"].values["pg13"] == "PG-13" and rules["rating"].values["r"] == "R"
    assert "# unmapped: unrated (8)" in proposed.text
    assert film.ignore == ("fulltext",)
    children = {child.source: child for child in film.children}
    assert {name: (child.table, child.parent) for name, child in children.items()} == {
        "actors": ("film_actor", "film_id"),
        "categories": ("film_category", "film_id"),
    }
    for child in children.values():
        (rule,) = child.columns
        assert (rule.source, rule.cast, rule.to) == (".", "id", child.source)
    assert "# store_id: needs a source or a default (integer)" in proposed.text
    assert "# active: active holds bool, which integer doesn't take" in proposed.text
    assert proposed.tables_left == ()
    (problem,) = proposed.problems
    assert "store_id" in problem and f"# {problem}" in proposed.text


def sources(rule: CollectionRule) -> dict[str, str | None]:
    return {one.column: one.source for one in rule.columns}


@pytest.mark.usefixtures("rentals")
def test_numbers_as_ids_are_kept(
    mongo_uri: str, mongo: Database[dict[str, Any]], postgres_uri: str
) -> None:
    mongo["actors"].drop()
    mongo["actors"].insert_many([{"_id": n, "firstName": "F", "lastName": "L"} for n in range(9)])
    proposed = bridge.propose_mapping(mongo_uri, postgres_uri, select=["actors"])
    rule = read_mapping(proposed.text, "proposed").of("actors")
    assert rule is not None and rule.key == KeyRule("actor_id", "same")
    mongo["actors"].insert_one({"_id": 2**40})
    larger = bridge.propose_mapping(mongo_uri, postgres_uri, select=["actors"])
    assert f"# {2**40} is out of the range of integer\n    key:" in larger.text


def test_a_column_that_only_one_reference_can_fill(
    mongo_uri: str,
    mongo: Database[dict[str, Any]],
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
) -> None:
    postgres.execute("CREATE TABLE author (id text PRIMARY KEY, name text)")
    postgres.execute(
        "CREATE TABLE post (id char(24) PRIMARY KEY, written_by text REFERENCES author, topic text)"
    )
    authors = [ObjectId() for _ in range(9)]
    mongo["authors"].insert_many([{"_id": one, "name": "A"} for one in authors])
    mongo["posts"].insert_many(
        [{"owner": DBRef("authors", str(one)), "topic": "t"} for one in authors]
    )
    proposed = bridge.propose_mapping(mongo_uri, postgres_uri)
    mapping = read_mapping(proposed.text, "proposed")
    post, author = mapping.of("posts"), mapping.of("authors")
    assert post is not None and author is not None
    assert post.key == KeyRule("id", "hex") and author.key == KeyRule("id", "hex")
    rule = next(one for one in post.columns if one.column == "written_by")
    assert (rule.source, rule.cast, rule.to, rule.dangling) == (
        "owner.$id",
        "id",
        "authors",
        "null",
    )
    assert rule.confidence == 0.6
    bridge.import_mapped(postgres_uri, proposed.text, source=mongo_uri)
    assert postgres.execute("SELECT count(written_by) FROM post").fetchone() == (9,)


def test_what_the_page_shows(
    mongo_uri: str,
    mongo: Database[dict[str, Any]],
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "mapping.md").read_text("utf-8")
    blocks: dict[str, str] = {}
    for language, text in re.findall(r"```(sql|yaml)\n(.*?)```", page, re.DOTALL):
        blocks.setdefault(language, text)  # the first of each is the example
    for name, documents in shop():
        mongo[name].insert_many(documents)
    postgres.execute(blocks["sql"])
    assert blocks["yaml"] in bridge.propose_mapping(mongo_uri, postgres_uri).text


def test_nothing_in_common(
    mongo_uri: str,
    mongo: Database[dict[str, Any]],
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
) -> None:
    mongo["things"].insert_one({"a": 1})
    with pytest.raises(TargetMissingError) as nothing:
        bridge.propose_mapping(mongo_uri, postgres_uri)
    assert nothing.value.what == "schema public has no tables"
    with pytest.raises(TargetMissingError) as nowhere:
        bridge.propose_mapping(mongo_uri, postgres_uri, schema="nix")
    assert nowhere.value.what == "schema nix does not exist"
    postgres.execute("CREATE TABLE other (id int PRIMARY KEY)")
    with pytest.raises(MatchlessError) as other:
        bridge.propose_mapping(mongo_uri, postgres_uri)
    assert "things: no table is like it (tables: other)" in other.value.why
    postgres.execute("CREATE TABLE thing (a int)")
    with pytest.raises(MatchlessError) as keyless:
        bridge.propose_mapping(mongo_uri, postgres_uri)
    assert "things: its table thing has no primary key" in keyless.value.why


def test_a_schema_file_that_is_none(mongo_uri: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaFileError) as missing:
        bridge.propose_mapping(mongo_uri, tmp_path / "schema.prisma")
    assert "No such file" in missing.value.why
    binary = tmp_path / "x.prisma"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SchemaFileError, match="UTF-8"):
        bridge.propose_mapping(mongo_uri, binary)


def test_films_are_imported_past_triggers_and_generated_columns(
    rentals: None, mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection[Any]
) -> None:
    proposed = bridge.propose_mapping(
        mongo_uri, postgres_uri, select=["films", "actors", "languages", "categories"]
    )
    assert proposed.problems == ()
    for changed in (True, False):
        summary = bridge.import_mapped(postgres_uri, proposed.text, source=mongo_uri)
        films = next(one.tally for one in summary.streams if one.collection == "films")
        assert films.quarantined == 8  # unrated
        assert (films.inserted == 32) == changed and films.updated == 0
    found = postgres.execute(
        "SELECT count(*), count(fulltext), count(initial), min(release_year),"
        " (SELECT count(*) FROM film_actor), (SELECT count(*) FROM film_category) FROM film"
    ).fetchone()
    assert found == (32, 32, 32, 1999, 64, 32)


def test_a_reference_to_what_is_left_out(
    mongo_uri: str, mongo: Database[dict[str, Any]], postgres_uri: str
) -> None:
    with psycopg.connect(postgres_uri, autocommit=True) as postgres:
        postgres.execute(RENTALS)
    mongo["films"].insert_one(
        {"title": "F", "language": ObjectId(), "length": "long", "rentalRate": 4.995}
    )
    proposed = bridge.propose_mapping(mongo_uri, postgres_uri)
    assert (
        "# language_id: needs a source or a default"
        " (integer; refers to language, which no collection fills)" in proposed.text
    )
    assert "# length: length holds string, which smallint doesn't take" in proposed.text
    assert "# 1 with more than 2 decimals, and nothing is rounded" in proposed.text
