"""Every nasty collection, under several settings at once: it arrives, or says why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pymongo
import pytest
from tests.sync.cases import CASES, Case
from tests.sync.conftest import fresh_ends, load
from tests.sync.reader import Mongo, Shaping, compare

from landbridge.embedded import MongoServer, PostgresServer

# Each of them would take a second and more under every setting.
LARGE = ("documents_16mb", "late_field", "late_type", "fields_5000", "text_traps")
SETTINGS: dict[str, dict[str, Any]] = {
    "simple": {
        "types": "simple", "names": "snake", "flatten_depth": 0, "nul": "escape",
        "nested": "extended",
    },
    "bytes": {"raw": "bson", "ids": "bytea", "names": "preserve", "flatten_depth": 3},
    "tables": {"arrays": "table", "raw": "jsonb", "flatten_depth": 3, "nul": "escape"},
    "narrow": {"columns_max": 20, "metadata": True, "nested": "extended", "raw": "bson"},
    "narrow_simple": {"columns_max": 20, "types": "simple", "arrays": "table", "ids": "bytea"},
}  # fmt: skip
# What is kept as JSON by default may get a column that can't hold it.
FLATTENED_BADLY = {"repeated_keys_nested", "dates_out_of_range_nested"}


@dataclass
class Ends:
    mongo_uri: str
    postgres_uri: str
    mongo: Mongo
    postgres: psycopg.Connection


@pytest.fixture(scope="module")
def ends(mongod: MongoServer, postgresql: PostgresServer) -> Iterator[Ends]:
    """All nasty collections in one database."""
    with (
        fresh_ends(mongod.uri, postgresql) as (mongo_uri, postgres_uri),
        pymongo.MongoClient[dict[str, Any]](mongo_uri) as client,
        psycopg.connect(postgres_uri, autocommit=True) as postgres,
    ):
        mongo = client.get_default_database()
        for case in CASES:
            case.fill(mongo)
        yield Ends(mongo_uri, postgres_uri, mongo, postgres)


def problems(ends: Ends, table: str) -> Counter[str]:
    """Return why documents of a table are in quarantine."""
    rows = ends.postgres.execute(
        "SELECT q.problem FROM landbridge.quarantine q JOIN landbridge.stream s"
        " ON s.id = q.stream_id WHERE s.target_schema || '.' || s.target_table = %s",
        (table,),
    )
    return Counter(problem for (problem,) in rows)


def left_behind(ends: Ends, schema: str) -> list[str]:
    """Return private tables that a load has not taken away."""
    rows = ends.postgres.execute(
        "SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(%s)"
        " AND starts_with(relname, '_lb_') AND relkind = 'r'",
        (schema,),
    )
    return [name for (name,) in rows]


def test_every_nasty_collection_arrives_or_says_why_not(ends: Ends) -> None:
    first = load(ends.mongo_uri, ends.postgres_uri, schema="raw")
    second = load(ends.mongo_uri, ends.postgres_uri, schema="raw")
    assert len(first.summary.streams) == len(CASES)
    for case in CASES:
        stream = first[case.collection]
        assert (stream.error, second[case.collection].error) == (None, None), case.collection
        found = compare(ends.mongo, case.collection, ends.postgres, stream.table)
        assert problems(ends, stream.table) == case.quarantined, case.collection
        columns = {column.name: column.type for column in found.table.columns}
        assert case.columns.items() <= columns.items(), (case.collection, columns)
        assert ("_rest" in columns) == case.rest, case.collection
        if case.table != "":
            assert stream.target_table == (case.table or case.collection)
        quiet = {"read": found.rows + found.quarantined, "unchanged": found.rows}
        if found.quarantined:
            quiet["quarantined"] = found.quarantined
        assert second.counts(case.collection) == {k: v for k, v in quiet.items() if v}
    assert left_behind(ends, "raw") == []


@pytest.mark.parametrize("name", SETTINGS)
def test_every_nasty_collection_arrives_under_other_settings(ends: Ends, name: str) -> None:
    settings = SETTINGS[name]
    chosen = [case for case in CASES if case.collection not in LARGE]
    names = [case.collection for case in chosen]
    first = load(ends.mongo_uri, ends.postgres_uri, schema=name, exclude=LARGE, **settings)
    second = load(ends.mongo_uri, ends.postgres_uri, schema=name, exclude=LARGE, **settings)
    assert {stream.collection for stream in first.summary.streams} == set(names)
    shown = ("flatten_depth", "nested", "nul")
    shaping = Shaping(**{each: settings[each] for each in shown if each in settings})
    wrong = {}
    for case in chosen:
        try:
            _check_case(ends, case, first[case.collection], second[case.collection], shaping)
        except AssertionError as error:
            wrong[case.collection] = error
    assert not wrong, "\n".join(f"{collection}: {error}" for collection, error in wrong.items())
    assert left_behind(ends, name) == []


def _check_case(ends: Ends, case: Case, first: Any, second: Any, shaping: Shaping) -> None:
    assert (first.error, second.error) == (None, None)
    found = compare(ends.mongo, case.collection, ends.postgres, first.table, shaping)
    expected = Counter(case.quarantined)
    if shaping.nul == "escape":
        del expected["nul"]
    if case.collection not in FLATTENED_BADLY:
        assert problems(ends, first.table) == expected
    assert second.tally.read == found.rows + found.quarantined
    assert (second.tally.unchanged, second.tally.inserted) == (found.rows, 0)
    if first.target_schema.startswith("narrow"):
        assert len(found.table.columns) <= 21  # `_rest` is the last one
