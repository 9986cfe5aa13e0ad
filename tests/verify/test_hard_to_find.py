"""Differences that are hard to look at again: ids that no column takes, none at all, rows twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from bson import Binary, Decimal128, Int64, ObjectId, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.json_util import CANONICAL_JSON_OPTIONS, dumps
from psycopg import sql
from pymongo.database import Database
from tests.verify.conftest import SCHEMA, Sync, Verify

from landbridge.verify import comparing, ranges
from landbridge.verify.progress import Compared, Progress
from landbridge.verify.reading import WHOLE

Mongo = Database[dict[str, Any]]
MODES = ("hash", "full")
LATE: list[Any] = ["text", 7, {"a": 1}, None, True, Timestamp(1, 2), DatetimeMS(2**62)]


def words(value: Any) -> str:
    return dumps(value, json_options=CANONICAL_JSON_OPTIONS, separators=(",", ":"))


@pytest.mark.parametrize("contract", ["evolve", "discard"])
def test_documents_whose_ids_are_of_a_kind_that_was_never_loaded_are_missing(
    mongo: Mongo, sync: Sync, verify: Verify, contract: str
) -> None:
    mongo["people"].insert_many([{"_id": ObjectId(), "n": n} for n in range(20)])
    sync(contract=contract)
    mongo["people"].insert_many([{"_id": one} for one in LATE])
    for mode in MODES:
        found = verify(mode=mode)["people"]
        assert set(found.missing) == set(map(words, LATE)), mode
        assert (found.source_count, found.target_count) == (20 + len(LATE), 20)


def test_missing_rows_are_named_whatever_their_ids_are(
    mongo: Mongo, postgres: psycopg.Connection[Any], sync: Sync, verify: Verify
) -> None:
    ids = ["text", 7, Int64(2**40), 2.5, {"a": 1}, None, True, Timestamp(1, 2), datetime.now(UTC)]
    ids += [Binary.from_uuid(UUID(int=7)), Binary(b"x", 128), Decimal128("1.50")]
    mongo["people"].insert_many([{"_id": one} for one in [*ids, ObjectId()]])
    sync()
    postgres.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(SCHEMA, "people")))
    for mode in MODES:
        found = verify(mode=mode)["people"]
        assert {one[:10] for one in map(words, ids)} <= {one[:10] for one in found.missing}
        assert len(found.missing) == found.source_count == len(ids) + 1, mode


def test_what_has_no_ids_is_not_called_equal(mongo: Mongo, sync: Sync, verify: Verify) -> None:
    mongo["people"].insert_many([{"n": n} for n in range(20)])
    mongo.create_collection("seen", viewOn="people", pipeline=[{"$project": {"_id": 0}}])
    sync()
    for mode in MODES:
        verdict = verify(mode=mode)["seen"]
        assert verdict.error is not None
        assert "its documents have no _id" in verdict.error["message"]


def test_values_that_rows_of_one_id_have_swapped_are_told_of(
    mongo: Mongo, postgres: psycopg.Connection[Any], sync: Sync, verify: Verify
) -> None:
    mongo["people"].insert_one({"_id": 1, "pairs": [{"a": 1, "b": 2}, {"a": 3, "b": 4}]})
    pipeline = [
        {"$unwind": "$pairs"},
        {"$replaceWith": {"_id": 1, "a": "$pairs.a", "b": "$pairs.b"}},
    ]
    mongo.create_collection("seen", viewOn="people", pipeline=pipeline)
    sync()
    assert verify(mode="full")["seen"].status == "equal"
    postgres.execute(
        sql.SQL("UPDATE {} SET b = CASE b WHEN 2 THEN 4 ELSE 2 END").format(
            sql.Identifier(SCHEMA, "seen")
        )
    )
    assert verify(mode="full")["seen"].status == "different"


def test_a_row_without_an_id_is_told_of(
    mongo: Mongo, postgres: psycopg.Connection[Any], sync: Sync, verify: Verify
) -> None:
    mongo["people"].insert_many([{"_id": n} for n in range(20)])
    sync()
    for statement in (
        "ALTER TABLE {} DROP CONSTRAINT people_pkey",
        "ALTER TABLE {} ALTER _id DROP NOT NULL",
        "UPDATE {} SET _id = NULL WHERE _id = 3",
    ):
        postgres.execute(sql.SQL(statement).format(sql.Identifier(SCHEMA, "people")))
    found = verify(mode="full")["people"]
    assert found.missing == ('{"$numberInt":"3"}',)
    assert found.unnamed == 1


def test_rows_that_stand_there_twice_are_told_of(
    mongo: Mongo, postgres: psycopg.Connection[Any], sync: Sync, verify: Verify
) -> None:
    mongo["people"].insert_many([{"_id": n, "tags": [{"a": 1}, {"a": 2}]} for n in range(20)])
    sync(arrays="table")
    for table, column, value in (("people", "_id", 3), ("people_tags", "_parent_id", 4)):
        named = sql.Identifier(SCHEMA, table)
        copied = sql.SQL("SELECT * FROM {} WHERE {} = %s").format(named, sql.Identifier(column))
        postgres.execute(sql.SQL("CREATE TEMP TABLE copied AS {}").format(copied), (value,))
        (key,) = postgres.execute(
            "SELECT conname::text FROM pg_constraint"
            " WHERE contype = 'p' AND conrelid = %s::regclass",
            (f"{SCHEMA}.{table}",),
        ).fetchone() or ("",)
        drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {} CASCADE")
        postgres.execute(drop.format(named, sql.Identifier(key)))
        postgres.execute(sql.SQL("INSERT INTO {} SELECT * FROM copied LIMIT 1").format(named))
        postgres.execute("DROP TABLE copied")
    found = verify(mode="full")["people"]
    assert found.extra == ('{"$numberInt":"3"}',)
    assert [one.id for one in found.different] == ['{"$numberInt":"4"}']


def test_rows_of_arrays_and_of_views_are_compared_in_pieces(
    mongo: Mongo, sync: Sync, verify: Verify, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo["people"].insert_many([{"_id": n, "tags": [n, n + 1, n + 2]} for n in range(50)])
    mongo.create_collection("seen", viewOn="people", pipeline=[])
    sync(arrays="table")
    monkeypatch.setattr(ranges, "ROWS_EACH", 20)
    monkeypatch.setattr(comparing, "PART_BYTES", 1000)
    pieces: list[int] = []
    joined = comparing.kernel.join

    def join(source: bytes, target: bytes) -> comparing.Joined:
        pieces.append(len(target))
        return joined(source, target)

    monkeypatch.setattr(comparing.kernel, "join", join)
    for collection in ("people", "seen"):
        pieces.clear()
        assert verify(mode="full", select=[collection])[collection].status == "equal"
        assert len(pieces) > 3
        assert max(pieces) < sum(pieces) / 2


@pytest.mark.parametrize(("hours", "kept"), [(23, 1), (25, 0)])
def test_what_was_compared_long_ago_is_compared_again(
    tmp_path: Path, hours: int, kept: int
) -> None:
    begun = datetime.now(UTC) - timedelta(hours=hours)
    progress = Progress(tmp_path, "shop.people", "same")
    progress.begin([WHOLE], begun.isoformat(timespec="seconds"))
    progress.add(Compared(0, 5, 5, "0", "0", ()))
    assert len(Progress(tmp_path, "shop.people", "same").done) == kept
