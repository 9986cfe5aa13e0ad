"""What is proposed for the dirty real-estate database, against what a person ends with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pymongo.database import Database
from tests.realestate.data import fill

from landbridge import bridge
from landbridge.mapping.document import read_mapping
from landbridge.mapping.rules import ColumnRule, Mapping

FOLDER = Path(__file__).parent.parent / "realestate"
BY_HAND = read_mapping((FOLDER / "mapping.yml").read_text(), "mapping.yml")
PRISMA = FOLDER / "schema.prisma"


@pytest.fixture
def proposed(mongo_uri: str, mongo: Database[dict[str, Any]]) -> Mapping:
    fill(mongo, scale=200)
    return read_mapping(bridge.propose_mapping(mongo_uri, PRISMA).text, "proposed")


def rules_of(mapping: Mapping) -> dict[tuple[str, ...], ColumnRule]:
    """The rules of all columns by collection, array and column."""
    found: dict[tuple[str, ...], ColumnRule] = {}
    for rule in mapping.collections:
        found |= {(rule.collection, one.column): one for one in rule.columns}
        for child in rule.children:
            found |= {(rule.collection, child.source, one.column): one for one in child.columns}
    return found


def test_tables_keys_and_arrays_are_those_of_a_person(proposed: Mapping) -> None:
    assert proposed.schema == BY_HAND.schema and proposed.skip == BY_HAND.skip
    assert [one.collection for one in proposed.collections] == sorted(
        one.collection for one in BY_HAND.collections
    )
    for rule in proposed.collections:
        wanted = BY_HAND.of(rule.collection)
        assert wanted is not None
        assert (rule.table, rule.key) == (wanted.table, wanted.key)
        assert set(rule.ignore) == set(wanted.ignore)
        assert {
            (child.source, child.table, child.parent, child.key, child.ordinal)
            for child in rule.children
        } == {
            (child.source, child.table, child.parent, child.key, child.ordinal)
            for child in wanted.children
        }


def test_columns_are_those_of_a_person(proposed: Mapping) -> None:
    """All of them: the source, the cast, the reference, the default and what is required."""
    ours, theirs = rules_of(proposed), rules_of(BY_HAND)
    assert ours.keys() == theirs.keys()
    assert len(ours) == 75
    plain: dict[str, Any] = {"confidence": None, "values": {}}
    wrong = [
        place for place in ours if replace(ours[place], **plain) != replace(theirs[place], **plain)
    ]
    assert not wrong


def test_enum_values_map_to_the_labels_that_a_person_gives(
    proposed: Mapping, mongo: Database[dict[str, Any]]
) -> None:
    ours, theirs = rules_of(proposed), rules_of(BY_HAND)
    for place, rule in theirs.items():
        if rule.cast == "enum":
            values = ours[place].values
            assert {value: rule.values.get(value, value) for value in values} == values
            seen = set(mongo[place[0]].distinct(rule.source or ""))
            assert seen - {None, "superuser", "under offer", "carrier pigeon"} <= set(values)


def test_what_is_less_sure_says_why(mongo_uri: str, mongo: Database[dict[str, Any]]) -> None:
    filled = fill(mongo, scale=200)
    proposed = bridge.propose_mapping(mongo_uri, PRISMA)
    rules = rules_of(read_mapping(proposed.text, "proposed"))
    unsure = {place for place, rule in rules.items() if (rule.confidence or 0) < 0.8}
    assert unsure == {("conversations", "messages", "body"), ("properties", "areaSqm")}

    points = {one.collection: one.points for one in proposed.collections}
    faulty = filled.faulty
    assert points["sessions"] == ("no table is like it",)
    assert points["searches"] == (
        f"filters: {len(faulty['searches']['missing_filters'])} without a value,"
        " and the column needs one",
    )
    assert set(points["properties"]) == {
        f"title: {len(faulty['properties']['missing_title'])} without a value,"
        " and the column needs one",
        f"status: unmapped: under offer ({len(faulty['properties']['unknown_status'])})",
        f"price: doesn't fit: {len(faulty['properties']['price_is_words'])} like “on request”",
        f"bedrooms: doesn't fit: {len(faulty['properties']['bedrooms_is_words'])} like “three”",
        "no column for legacyRef",
    }
    missing = len(faulty["users"]["missing_email"])
    assert f"email: {missing} without a value, and the column needs one" in points["users"]
    assert proposed.problems == ()
    for lines in points.values():
        for line in lines:  # what is open stands in the file as well
            assert line.rpartition(": ")[2] in proposed.text


def test_the_catalogue_and_the_schema_file_give_the_same(
    mongo_uri: str,
    mongo: Database[dict[str, Any]],
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
) -> None:
    fill(mongo, scale=60)
    postgres.execute((FOLDER / "schema.sql").read_text())
    live = bridge.propose_mapping(mongo_uri, postgres_uri)
    file = bridge.propose_mapping(mongo_uri, PRISMA)
    assert read_mapping(live.text, "live") == read_mapping(file.text, "file")
    assert bridge.propose_mapping(mongo_uri, PRISMA).text == file.text
    # Only the file knows what Prisma's client fills by itself.
    assert live.text.count("as the application makes ids") == 2
    assert "as the application makes ids" not in file.text


def test_a_sample_says_so(mongo_uri: str, mongo: Database[dict[str, Any]]) -> None:
    fill(mongo, scale=200)
    proposed = bridge.propose_mapping(mongo_uri, PRISMA, documents=100, select=["properties"])
    (one,) = proposed.collections
    assert 30 < one.documents < 300 and one.table == "Property"
    assert f"# looked at {one.documents} of 400 documents" in proposed.text


def test_a_proposal_is_imported_as_it_is(
    mongo_uri: str,
    mongo: Database[dict[str, Any]],
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
) -> None:
    filled = fill(mongo, scale=100)
    postgres.execute((FOLDER / "schema.sql").read_text())
    text = bridge.propose_mapping(mongo_uri, postgres_uri).text
    summary = bridge.import_mapped(postgres_uri, text, source=mongo_uri)
    assert {one.collection: one.tally.quarantined for one in summary.streams} == {
        name: filled.faults(name) for name in filled.faulty
    }
    for table, rows in filled.rows.items():
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
        assert postgres.execute(count).fetchone() == (rows,), table


def test_an_archive_gives_what_its_source_gives(
    mongo_uri: str, mongo: Database[dict[str, Any]], tmp_path: Path
) -> None:
    fill(mongo, scale=100)
    folder = str(tmp_path / "archive")
    bridge.export(mongo_uri, out=folder)
    live = bridge.propose_mapping(mongo_uri, PRISMA)
    archived = bridge.propose_mapping(folder, PRISMA)
    assert archived.text == live.text and archived.collections == live.collections


def test_files_of_another_tool_are_sampled(mongo_uri: str, tmp_path: Path) -> None:
    lines = [f'{{"_id": {n}, "name": "Search {n}", "user": "u{n}"}}' for n in range(300)]
    (tmp_path / "searches.json").write_text("\n".join([*lines, "{broken"]))
    (tmp_path / "users.jsonl").write_text('{"_id": "u5", "email": "a@b.c"}\n')
    proposed = bridge.propose_mapping(str(tmp_path), PRISMA, documents=100)
    searches, users = proposed.collections
    assert (searches.documents, users.documents) == (100, 1)
    assert "# looked at 100 of 300 documents" in proposed.text
