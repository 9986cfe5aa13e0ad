"""What must stay: rows that nobody asked to delete, loads that were begun, right counts."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from tests.sync.conftest import Sync
from tests.sync.reader import Mongo

from landbridge.bridge import list_quarantine, retry_quarantine


def count(postgres: psycopg.Connection, table: str) -> int:
    query = sql.SQL("SELECT count(*) FROM raw.{}").format(sql.Identifier(table))
    row = postgres.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_an_upsert_of_a_view_deletes_nothing(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(50))
    mongo.create_collection("view", viewOn="t", pipeline=[])
    sync(select=["view"])
    mongo["t"].delete_many({"_id": {"$lt": 10}})
    mongo["t"].insert_one({"_id": 100, "v": 1})

    done = sync(select=["view"], load="upsert")

    assert done.counts("view") == {"read": 41, "inserted": 1, "unchanged": 40}
    assert count(postgres, "view") == 51


def test_a_retry_on_a_view_keeps_the_other_rows(
    mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, sync: Sync
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(50))
    mongo["t"].insert_one({"_id": 99, "s": "a\0b"})
    mongo.create_collection("view", viewOn="t", pipeline=[])
    sync(select=["view"])

    retry_quarantine(postgres_uri, nul="escape")

    assert count(postgres, "view") == 51
    assert list_quarantine(postgres_uri) == []


def test_a_retry_leaves_an_unfinished_load_alone_and_the_profile_as_it_is(
    mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, sync: Sync
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(50))
    mongo["t"].insert_one({"_id": 99, "v": 1, "s": "a\0b"})
    sync()
    postgres.execute("UPDATE landbridge.stream SET loading = '{}'")

    refused = retry_quarantine(postgres_uri, nul="escape")

    assert refused.error is not None and "not finished" in refused.error["message"]
    postgres.execute("UPDATE landbridge.stream SET loading = NULL")
    assert retry_quarantine(postgres_uri, nul="escape").error is None
    kinds = postgres.execute(
        "SELECT kinds FROM landbridge.column_map WHERE path = '{v}'"
    ).fetchone()
    assert kinds == ({"int": 50},)


@pytest.mark.parametrize("tiny_bytes", [16 << 20, 0], ids=["tiny", "small"])
@pytest.mark.parametrize("ranges", [False, True], ids=["cursor", "ranges"])
def test_the_row_count_of_monitoring_is_right_at_once(
    tiny_bytes: int,
    ranges: bool,
    mongo: Mongo,
    postgres: psycopg.Connection,
    sync: Sync,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", tiny_bytes)
    shown = "SELECT n_live_tup FROM pg_stat_user_tables WHERE relname = 't'"
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(5000))
    sync(ranges=ranges)
    assert postgres.execute(shown).fetchone() == (5000,)

    mongo["t"].insert_many({"_id": n} for n in range(10_000, 10_025))
    mongo["t"].delete_many({"_id": {"$lt": 10}})
    mongo["t"].update_many({"_id": {"$lt": 50}}, {"$inc": {"v": 1}})
    sync(ranges=ranges)

    assert postgres.execute(shown).fetchone() == (5015,)
