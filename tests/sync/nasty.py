"""All nasty collections in one database: filled, loaded, and compared with what must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
import pymongo
from tests.sync import page
from tests.sync.cases import CASES, Case
from tests.sync.conftest import Loaded, fresh_ends, load
from tests.sync.reader import Mongo, compare

from landbridge.embedded import MongoServer, PostgresServer


@dataclass
class Ends:
    """Both ends of a crossing, by URI and by driver."""

    mongo_uri: str
    postgres_uri: str
    mongo: Mongo
    postgres: psycopg.Connection


@contextmanager
def with_all(mongod: MongoServer, postgresql: PostgresServer) -> Iterator[Ends]:
    """Fill a database with all nasty collections."""
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


def load_all(ends: Ends) -> dict[str, str]:
    """Load everything twice, check it, and return what became of each collection, in words."""
    first = load(ends.mongo_uri, ends.postgres_uri)
    second = load(ends.mongo_uri, ends.postgres_uri)
    assert len(first.summary.streams) == len(CASES)
    assert left_behind(ends, "raw") == []
    return {case.collection: _checked(ends, case, first, second) for case in CASES}


def _checked(ends: Ends, case: Case, first: Loaded, second: Loaded) -> str:
    stream = first[case.collection]
    assert (stream.error, second[case.collection].error) == (None, None), case.collection
    found = compare(ends.mongo, case.collection, ends.postgres, stream.table)
    set_aside = problems(ends, stream.table)
    assert set_aside == case.quarantined, case.collection
    columns = {column.name: column.type for column in found.table.columns}
    assert case.columns.items() <= columns.items(), (case.collection, columns)
    assert ("_rest" in columns) == case.rest, case.collection
    assert case.table == "" or stream.target_table == (case.table or case.collection)
    quiet = {
        "read": found.rows + found.quarantined,
        "unchanged": found.rows,
        "quarantined": found.quarantined,
    }
    assert second.counts(case.collection) == {name: n for name, n in quiet.items() if n}
    return page.outcome(case, stream, found, set_aside)
