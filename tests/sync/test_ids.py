"""Identity: ids of several kinds at first, later, and one that changes its type in place."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo

OTHER_KINDS: list[Any] = [
    "5", 1.5, None, {"a": 1}, {"b": 1, "a": 2}, ObjectId("a" * 24), Binary(b"x", 5), True,
    DatetimeMS(5), Decimal128("1E+40"), Binary(bytes(16), 4), "z" * 3000, float("nan"),
]  # fmt: skip
FIRST_KINDS: dict[str, list[Any]] = {
    "integer": [1, 2, Int64(2**60), -7],
    "string": ["a", "", "ü", "5x"],
    "objectid": [ObjectId(f"{n:024x}") for n in range(4)],
    "date": [DatetimeMS(n) for n in (0, -1, 253_402_300_800_000, 10**12)],
    "uuid": [Binary(bytes([n]) * 16, 4) for n in range(1, 5)],
    "binary": [b"a", b"", b"\xff\x00", b"abc"],
}


def key_of(postgres: psycopg.Connection, table: str) -> list[str]:
    rows = postgres.execute(
        "SELECT a.attname::text FROM pg_constraint k JOIN pg_attribute a"
        " ON a.attrelid = k.conrelid AND a.attnum = ANY(k.conkey)"
        " WHERE k.contype = 'p' AND k.conrelid = to_regclass(%s)",
        (table,),
    )
    return [name for (name,) in rows]


@pytest.mark.parametrize("settings", [{}, {"types": "simple"}, {"ids": "bytea"}], ids=str)
def test_other_kinds_of_ids_may_come_later_whatever_kind_was_first(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check, settings: dict[str, Any]
) -> None:
    for kind, first in FIRST_KINDS.items():
        mongo[kind].insert_many({"_id": each, "tags": [1, 2]} for each in first)
    settings = {**settings, "arrays": "table"}
    sync(**settings)
    for kind in FIRST_KINDS:
        assert key_of(postgres, f"raw.{kind}") == ["_id"]
        check(kind)
    later: dict[str, list[Any]] = {}
    for kind in FIRST_KINDS:
        present = {repr(each) for each in FIRST_KINDS[kind]}
        later[kind] = [each for each in OTHER_KINDS if repr(each) not in present]
        mongo[kind].insert_many({"_id": each, "tags": [3]} for each in later[kind])
        mongo[kind].update_one({"_id": FIRST_KINDS[kind][0]}, {"$set": {"tags": [9, 9, 9]}})

    done = sync(**settings)

    for kind in FIRST_KINDS:
        assert done.counts(kind) == {
            "read": 4 + len(later[kind]), "inserted": len(later[kind]), "updated": 1,
            "unchanged": 3,
        }, kind  # fmt: skip
        assert key_of(postgres, f"raw.{kind}") == ["_key"]
        check(kind)
    again = sync(**settings)
    for kind in FIRST_KINDS:
        count = 4 + len(later[kind])
        assert again.counts(kind) == {"read": count, "unchanged": count}, kind


def test_ids_of_several_kinds_are_one_table_from_the_first_load_on(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": each, "tags": ["x"]} for each in [*OTHER_KINDS, 5, "a"])
    sync(arrays="table")
    check("t")
    assert key_of(postgres, "raw.t") == ["_key"]
    mongo["t"].delete_one({"_id": "5"})
    mongo["t"].update_one({"_id": 5}, {"$set": {"tags": []}})
    assert sync(arrays="table").counts("t") == {
        "read": 14, "updated": 1, "unchanged": 13, "deleted": 1,
    }  # fmt: skip
    check("t")


def test_views_and_foreign_keys_survive_when_the_key_moves(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "n": n} for n in range(3))
    sync()
    postgres.execute("CREATE VIEW raw.seen AS SELECT _id + 1 AS next FROM raw.t")
    postgres.execute("CREATE TABLE raw.mine (t bigint REFERENCES raw.t ON DELETE RESTRICT)")
    postgres.execute("INSERT INTO raw.mine VALUES (2)")
    mongo["t"].insert_many([{"_id": "text"}, {"_id": None}, {"_id": {"x": 1}}])

    done = sync()

    assert done.counts("t") == {"read": 6, "inserted": 3, "unchanged": 3}
    check("t")
    assert key_of(postgres, "raw.t") == ["_key"]
    seen = postgres.execute("SELECT next FROM raw.seen WHERE next IS NOT NULL ORDER BY 1")
    assert seen.fetchall() == [(1,), (2,), (3,)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        postgres.execute("INSERT INTO raw.mine VALUES (4711)")
    mongo["t"].update_one({"_id": 2}, {"$set": {"n": 20}})
    assert sync().counts("t") == {"read": 6, "updated": 1, "unchanged": 5}
    check("t")


@pytest.mark.parametrize("ranges", [False, True], ids=["snapshot", "ranges"])
def test_an_id_that_becomes_a_double_is_still_the_same_row(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check, ranges: bool
) -> None:
    mongo["t"].insert_many({"_id": n, "n": n} for n in range(6))
    sync(ranges=ranges)
    mongo["t"].replace_one({"_id": 5}, {"_id": 5.0, "n": 55})
    mongo["t"].replace_one({"_id": 4}, {"_id": Decimal128("4.00"), "n": 4})

    done = sync(ranges=ranges)

    assert done.counts("t") == {"read": 6, "updated": 2, "unchanged": 4}
    check("t")
    assert sync(ranges=ranges).counts("t") == {"read": 6, "unchanged": 6}
    mongo["t"].replace_one({"_id": 5}, {"_id": Int64(5), "n": 555})
    assert sync(ranges=ranges).counts("t") == {"read": 6, "updated": 1, "unchanged": 5}
    check("t")


def test_a_long_string_id_may_come_later(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many([{"_id": "a"}, {"_id": "b" * 1000}])
    sync()
    mongo["t"].insert_one({"_id": "c" * 1001})
    assert sync().counts("t") == {"read": 3, "inserted": 1, "unchanged": 2}
    check("t")


def test_escaped_ids_stay_apart(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": each} for each in ("a\0b", "a␀0b", "a␀b", "a␀1b", "plain"))
    sync(nul="escape")
    check("t", nul="escape")
    mongo["t"].insert_one({"_id": 5})
    assert sync(nul="escape").counts("t") == {"read": 6, "inserted": 1, "unchanged": 5}
    check("t", nul="escape")


def test_ids_of_another_kind_have_a_place_in_a_table_that_is_full(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "a": n, "b": n, "c": n, "d": n} for n in range(3))
    sync(columns_max=4)
    check("t")
    mongo["t"].insert_many({"_id": each, "a": 1, "e": 1} for each in ("text", {"x": 1}, None))
    assert sync(columns_max=4).counts("t") == {"read": 6, "inserted": 3, "unchanged": 3}
    assert key_of(postgres, "raw.t") == ["_key"]
    check("t")
