"""What only looks, and what tries again: the plan of a sync, and the quarantine."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from bson import encode
from tests.sync.cases import COMPARED
from tests.sync.conftest import SCHEMA, Check, Sync
from tests.sync.reader import Mongo, quarantined

from landbridge import Settings, plan_sync
from landbridge.bridge import list_quarantine, retry_quarantine, show_quarantine
from landbridge.errors import UsageError

EVERYTHING = (
    "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relpages, c.relfilenode::bigint"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
)


def everything(postgres: psycopg.Connection) -> tuple[Any, ...]:
    schemas = postgres.execute("SELECT nspname::text FROM pg_namespace").fetchall()
    return sorted(schemas), sorted(postgres.execute(EVERYTHING).fetchall())


def test_a_plan_touches_nothing_before_and_after_the_first_load(
    mongo: Mongo, postgres: psycopg.Connection, mongo_uri: str, postgres_uri: str, sync: Sync
) -> None:
    small = [case for case in COMPARED if case.collection not in ("late_field", "text_traps")]
    for case in small:
        case.fill(mongo)
    before = everything(postgres)
    plans = [
        plan_sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=Settings(**settings))
        for settings in ({}, {"types": "simple", "arrays": "table"}, {"names": "preserve"})
    ]
    assert everything(postgres) == before
    assert len(plans[0].streams) == len(small)

    sync()
    loaded = everything(postgres)
    for stream in plans[0].streams:
        if stream.sampled < 1000:  # then the sample was everything
            schema, _, name = stream.table.partition(".")
            rows = postgres.execute(
                "SELECT column_name::text FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s",
                (schema, name),
            ).fetchall()
            planned = {column.name for column in stream.columns}
            assert {column for (column,) in rows} == planned, stream.stream
    again = plan_sync(mongo_uri, postgres_uri, schema=SCHEMA)
    assert everything(postgres) == loaded
    assert all(stream.exists and not stream.ddl for stream in again.streams)


def test_what_is_in_quarantine_can_be_listed_shown_and_tried_again(
    mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(3))
    mongo["u"].insert_many([{"_id": 1, "v": "a\0b"}, {"_id": 2, "v": "fine"}])
    sync(contract="quarantine")
    mongo["t"].insert_many([{"_id": 8, "v": "text"}, {"_id": 9, "w": 1}])
    assert sync(contract="quarantine")["t"].tally.quarantined == 2

    entries = list_quarantine(postgres_uri)
    assert sorted((e.stream.partition(".")[2], e.path, e.problem) for e in entries) == [
        ("t", "v", "contract"), ("t", "w", "contract"), ("u", "v", "nul"),
    ]  # fmt: skip
    shown = show_quarantine(postgres_uri, entries[0].id)
    assert shown.document is not None and shown.bson is not None
    with pytest.raises(UsageError):
        show_quarantine(postgres_uri, 4711)

    # Nothing has changed, so nothing fits yet.
    tried = retry_quarantine(postgres_uri)
    assert tried.status == "ok"
    for stream in tried.streams:
        assert stream.tally.adds_up and stream.tally.read == stream.tally.quarantined
    assert [e.id for e in list_quarantine(postgres_uri)] == [e.id for e in entries]
    check("t")
    check("u")

    # Good documents in quarantine, as an earlier version may have left them.
    mongo["t"].delete_many({"_id": {"$gte": 8}})
    mongo["t"].insert_one({"_id": 8, "v": 80})
    postgres.execute(
        "UPDATE landbridge.quarantine SET document = %s WHERE path = 'v' AND problem = 'contract'",
        (encode({"_id": 8, "v": 80}),),
    )
    tried = retry_quarantine(postgres_uri, stream="t")
    (stream,) = tried.streams
    assert (stream.tally.read, stream.tally.inserted, stream.tally.quarantined) == (2, 1, 1)
    assert {e.path for e in list_quarantine(postgres_uri, stream="t")} == {"w"}
    assert postgres.execute("SELECT v FROM raw.t WHERE _id = 8").fetchone() == (80,)
    assert sync(contract="quarantine").counts("t") == {"read": 4, "unchanged": 4}
    assert not quarantined(postgres, "raw.t")
    check("t")
    check("u")
