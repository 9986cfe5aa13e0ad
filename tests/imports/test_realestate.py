"""The real-estate database into its Prisma-style schema, as the runbook's evening goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pymongo.database import Database
from tests.imports.conftest import Importing, counts, of
from tests.realestate import data
from tests.realestate.data import TABLES, Filled, fill

from landbridge import bridge
from landbridge.errors import UsageError

FOLDER = Path(data.__file__).parent
MAPPING = (FOLDER / "mapping.yml").read_text()


@pytest.fixture
def filled(mongo: Database[dict[str, Any]], postgres: psycopg.Connection) -> Filled:
    postgres.execute((FOLDER / "schema.sql").read_text().encode())
    return fill(mongo, scale=120)


def contents(postgres: psycopg.Connection) -> dict[str, list[Any]]:
    """Return every row of every table of the schema."""
    names = postgres.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    ).fetchall()
    return {
        name: postgres.execute(
            sql.SQL("SELECT row_to_json(t)::text FROM {} t ORDER BY 1").format(sql.Identifier(name))
        ).fetchall()
        for (name,) in names
    }


def test_every_document_becomes_its_rows_or_is_set_aside(
    imported: Importing, filled: Filled, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    summary = imported(MAPPING, batch_size=50)
    for collection in TABLES:
        documents, faults = filled.documents[collection], filled.faults(collection)
        assert counts(summary, collection) == {
            "read": documents,
            "inserted": documents - faults,
            "quarantined": faults,
        }
    found = {name: len(rows) for name, rows in contents(postgres).items()}
    assert {name: found[name] for name in filled.rows} == dict(filled.rows)
    aside = bridge.list_quarantine(postgres_uri, limit=10_000)
    expected = {
        collection: {str(one) for ids in filled.faulty[collection].values() for one in ids}
        for collection in TABLES
    }
    for collection in TABLES:
        ids = {
            json.loads(entry.document_id).get("$oid")
            if entry.document_id.startswith("{")
            else json.loads(entry.document_id)
            for entry in aside
            if entry.stream.endswith(f".{collection}")
        }
        assert ids == expected[collection]
    assert "sessions: skipped, as the mapping says" in summary.notes


def test_the_reasons_name_column_or_constraint(imported: Importing, filled: Filled) -> None:
    users = {
        (one["column"], one["problem"]): one["documents"]
        for one in of(imported(MAPPING), "users").violations
    }
    faulty = filled.faulty["users"]
    assert users == {
        ("email", "required"): len(faulty["missing_email"]),
        ("User_email_key", "constraint"): len(faulty["duplicate_email"]),
        ("role", "value"): len(faulty["unknown_role"]),
        ("email", "value"): len(faulty["email_is_a_list"]),
    }


def test_second_run_changes_nothing(
    imported: Importing, filled: Filled, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    imported(MAPPING)
    before = contents(postgres)
    versions = postgres.execute('SELECT array_agg(xmin::text ORDER BY id) FROM "User"').fetchone()
    aside = [entry.id for entry in bridge.list_quarantine(postgres_uri, limit=10_000)]
    summary = imported(MAPPING)
    for stream in summary.streams:
        assert stream.tally.inserted == stream.tally.updated == 0
        assert stream.tally.unchanged == stream.tally.read - stream.tally.quarantined
    assert contents(postgres) == before
    assert (
        versions
        == postgres.execute('SELECT array_agg(xmin::text ORDER BY id) FROM "User"').fetchone()
    )
    assert aside == [entry.id for entry in bridge.list_quarantine(postgres_uri, limit=10_000)]
    journal = "SELECT count(*) FROM landbridge.import_journal WHERE run_id::text = %s"
    assert postgres.execute(journal, (summary.run,)).fetchone() == (0,)


def test_undone_and_imported_again(
    imported: Importing, filled: Filled, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    empty = contents(postgres)
    first = imported(MAPPING)
    loaded = contents(postgres)
    undone = bridge.undo_import(postgres_uri, first.run)
    assert undone.status == "ok" and undone.refused_count == 0
    assert undone.removed == sum(filled.rows.values())
    assert contents(postgres) == empty
    assert postgres.execute("SELECT count(*) FROM landbridge.id_map").fetchone() == (0,)
    with pytest.raises(UsageError, match="taken back already"):
        bridge.undo_import(postgres_uri, first.run)
    again = imported(MAPPING)
    assert [s.tally for s in again.streams] == [s.tally for s in first.streams]
    after = contents(postgres)
    del loaded["Lead"], after["Lead"]  # its numbers go on
    assert after == loaded


def test_rows_that_were_there_come_back_as_they_were(
    imported: Importing,
    filled: Filled,
    mongo: Database[dict[str, Any]],
    postgres: psycopg.Connection,
    postgres_uri: str,
) -> None:
    imported(MAPPING)
    before = contents(postgres)
    mongo.properties.update_many({}, {"$set": {"title": "changed"}, "$pop": {"images": 1}})
    mongo.users.update_many({}, {"$unset": {"referredBy": ""}})
    second = imported(MAPPING)
    assert of(second, "properties").tally.updated > 0
    assert of(second, "properties").rows["PropertyImage"]["deleted"] > 0
    assert contents(postgres) != before
    assert bridge.undo_import(postgres_uri, second.run).status == "ok"
    assert contents(postgres) == before


def test_clean_data_is_imported_whole(
    imported: Importing, mongo: Database[dict[str, Any]], postgres: psycopg.Connection
) -> None:
    postgres.execute((FOLDER / "schema.sql").read_text().encode())
    filled = fill(mongo, scale=60, dirty=False)
    summary = imported(MAPPING)
    assert all(stream.tally.quarantined == 0 for stream in summary.streams)
    assert sum(stream.tally.inserted for stream in summary.streams) == sum(
        filled.documents[name] for name in TABLES
    )
