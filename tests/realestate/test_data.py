"""The made data is what it says: the same each time, with the faults that it names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from pymongo.database import Database
from tests.realestate.data import FAULTS, fill

SCHEMA = Path(__file__).with_name("schema.sql").read_text()


def test_same_call_gives_the_same_documents(mongo: Database[dict[str, Any]]) -> None:
    filled = fill(mongo, scale=120)
    before = {name: list(mongo[name].find().sort("_id", 1)) for name in filled.documents}
    for name in filled.documents:
        mongo[name].drop()
    assert fill(mongo, scale=120) == filled
    for name, documents in before.items():
        assert list(mongo[name].find().sort("_id", 1)) == documents
        assert len(documents) == filled.documents[name]


def test_every_fault_occurs(mongo: Database[dict[str, Any]]) -> None:
    filled = fill(mongo, scale=240)
    for collection, faults in FAULTS.items():
        assert set(filled.faulty[collection]) == set(faults)
    assert mongo.users.count_documents({"email": {"$exists": False}}) == len(
        filled.faulty["users"]["missing_email"]
    )
    assert all(filled.handled[collection] for collection in FAULTS)


def test_clean_data_has_no_faults(mongo: Database[dict[str, Any]]) -> None:
    filled = fill(mongo, scale=60, dirty=False)
    assert not any(filled.faulty.values()) and not any(filled.handled.values())
    assert filled.rows["User"] == filled.documents["users"] == 60


def test_schema_is_valid(postgres: psycopg.Connection[Any]) -> None:
    postgres.execute(SCHEMA)
    found = postgres.execute(
        "SELECT count(*) FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace"
    ).fetchone()
    assert found == (15,)
