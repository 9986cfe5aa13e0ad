"""What a second load does to a table that people read: changes, deletes, versions, other hands."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from bson import Binary
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo, Unequal


def documents(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"_id": n, "n": n, **fields} for n in range(count)]


def one(postgres: psycopg.Connection, query: str) -> Any:
    row = postgres.execute(query).fetchone()  # type: ignore[call-overload]
    return row[0] if row is not None and len(row) == 1 else row


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"raw": "bson", "metadata": True},
        {"types": "simple", "arrays": "table"},
        {"flatten_depth": 0, "compare": "values"},
        {"ranges": True},
    ],
    ids=str,
)
def test_only_what_differs_is_written(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check, settings: dict[str, Any]
) -> None:
    mongo["t"].insert_many(documents(50, o={"x": [1, {"y": 2}]}, tags=["a", "b"]))
    mongo["neighbour"].insert_many(documents(3))
    shaping = {k: v for k, v in settings.items() if k == "flatten_depth"}
    assert sync(**settings).counts("t") == {"read": 50, "inserted": 50}
    check("t", **shaping)
    versions = "SELECT _id::text, xmin::text, ctid::text FROM raw.t ORDER BY _id"
    before = {row[0]: row for row in postgres.execute(versions)}

    assert sync(**settings).counts("t") == {"read": 50, "unchanged": 50}
    assert {row[0]: row for row in postgres.execute(versions)} == before

    mongo["t"].update_one({"_id": 1}, {"$set": {"o.x": [2]}})
    mongo["t"].update_one({"_id": 2}, {"$unset": {"tags": ""}})
    mongo["t"].update_one({"_id": 3}, {"$set": {"n": None, "new": {"deep": 1}}})
    mongo["t"].update_one({"_id": 4}, {"$push": {"tags": "c"}})
    mongo["t"].delete_many({"_id": {"$in": [10, 11]}})
    mongo["t"].insert_one({"_id": 100, "tags": []})

    done = sync(**settings)

    assert done.counts("t") == {
        "read": 49, "inserted": 1, "updated": 4, "unchanged": 44, "deleted": 2,
    }  # fmt: skip
    assert done.counts("neighbour") == {"read": 3, "unchanged": 3}
    check("t", **shaping)
    check("neighbour", **shaping)
    after = {row[0]: row for row in postgres.execute(versions)}
    assert {key for key in after if after[key] != before.get(key)} == {"1", "2", "3", "4", "100"}


def test_upsert_leaves_what_is_gone_from_the_source(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(10, tags=[1, 2]))
    sync(load="upsert", arrays="table")
    mongo["t"].delete_many({"_id": {"$lt": 3}})
    mongo["t"].update_one({"_id": 5}, {"$set": {"n": 50, "tags": [3]}})

    done = sync(load="upsert", arrays="table")

    assert done.counts("t") == {"read": 7, "updated": 1, "unchanged": 6}
    assert one(postgres, "SELECT count(*) FROM raw.t") == 10
    assert one(postgres, "SELECT count(*) FROM raw.t_tags") == 19
    check("t", where="_id >= 3")


def test_append_keeps_every_version_of_what_changed(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    newest = "_sdc_sequence = (SELECT max(_sdc_sequence) FROM raw.t u WHERE u._id = t._id)"
    mongo["t"].insert_many(documents(10))
    assert sync(load="append").counts("t") == {"read": 10, "inserted": 10}
    assert sync(load="append").counts("t") == {"read": 10, "unchanged": 10}
    for value in (50, 51):
        mongo["t"].update_one({"_id": 5}, {"$set": {"n": value}})
        counts = sync(load="append").counts("t")
        assert counts == {"read": 10, "updated": 1, "unchanged": 9}
    mongo["t"].update_one({"_id": 5}, {"$set": {"n": 5}})
    mongo["t"].delete_one({"_id": 9})
    assert sync(load="append").counts("t") == {"read": 9, "updated": 1, "unchanged": 8}

    versions = postgres.execute("SELECT n FROM raw.t WHERE _id = 5 ORDER BY _sdc_sequence")
    assert versions.fetchall() == [(5,), (50,), (51,), (5,)]
    check("t", where=newest + " AND _id <> 9")


def test_soft_delete_marks_and_a_return_unmarks(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(5, tags=["x"]))
    sync(soft_delete=True)
    mongo["t"].delete_many({"_id": {"$in": [1, 2]}})
    done = sync(soft_delete=True)
    assert done.counts("t") == {"read": 3, "unchanged": 3, "deleted": 2}
    marked = postgres.execute("SELECT _id, n FROM raw.t WHERE _sdc_deleted_at IS NOT NULL")
    assert sorted(marked.fetchall()) == [(1, 1), (2, 2)]
    check("t", where="_sdc_deleted_at IS NULL")
    assert sync(soft_delete=True).counts("t") == {"read": 3, "unchanged": 3}

    mongo["t"].insert_one({"_id": 1, "n": 1, "tags": ["x"]})
    assert sync(soft_delete=True).counts("t") == {"read": 4, "updated": 1, "unchanged": 3}
    check("t", where="_sdc_deleted_at IS NULL")


def test_a_run_that_would_delete_too_much_deletes_nothing(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(5000))
    mongo["neighbour"].insert_many(documents(2000))
    sync()
    mongo["t"].delete_many({"_id": {"$lt": 1500}})
    mongo["t"].update_one({"_id": 4000}, {"$set": {"n": -1}})
    mongo["t"].insert_one({"_id": 9000})
    mongo["neighbour"].delete_many({"_id": {"$lt": 1000}})  # a half, but not more than 1,000

    done = sync()

    assert (done.code("t"), done.code("neighbour")) == ("delete_guard", None)
    assert done.summary.status == "failed"
    assert done.counts("t") == {
        "read": 3501, "inserted": 1, "updated": 1, "unchanged": 3499, "error": done["t"].error,
    }  # fmt: skip
    assert done.counts("neighbour") == {"read": 1000, "unchanged": 1000, "deleted": 1000}
    check("t", where="_id >= 1500")
    check("neighbour")
    again = sync(max_delete_share_percent=100.0)
    assert again.counts("t") == {"read": 3501, "unchanged": 3501, "deleted": 1500}
    check("t")


def test_a_bad_version_takes_its_row_away_and_a_good_one_ends_the_entry(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(4, tags=["x"]))
    sync(arrays="table")
    mongo["t"].update_one({"_id": 1}, {"$set": {"s": "a\0b"}})
    mongo["t"].insert_one({"_id": 9, "s": "\0"})

    bad = sync(arrays="table")

    assert bad.counts("t") == {"read": 5, "unchanged": 3, "quarantined": 2}
    check("t")
    entries = "SELECT document_id, problem, replaced FROM landbridge.quarantine ORDER BY id"
    assert sorted(postgres.execute(entries).fetchall()) == [
        ('{"$numberInt":"1"}', "nul", True),
        ('{"$numberInt":"9"}', "nul", False),
    ]
    assert sync(arrays="table").counts("t") == {"read": 5, "unchanged": 3, "quarantined": 2}
    assert one(postgres, "SELECT count(*) FILTER (WHERE replaced) FROM landbridge.quarantine") == 1

    mongo["t"].update_many({}, {"$set": {"s": "good"}})
    assert sync(arrays="table").counts("t") == {"read": 5, "inserted": 2, "updated": 3}
    assert one(postgres, "SELECT count(*) FROM landbridge.quarantine") == 0
    check("t")


def test_upsert_takes_the_row_of_a_bad_version_away_too(
    mongo: Mongo, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(4))
    sync(load="upsert")
    mongo["t"].update_one({"_id": 1}, {"$set": {"s": "a\0b"}})
    assert sync(load="upsert").counts("t") == {"read": 4, "unchanged": 3, "quarantined": 1}
    check("t")


def test_a_table_that_landbridge_did_not_make_is_left_alone_unless_taken_over(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(3))
    mongo["v"].insert_many(documents(3))
    mongo["neighbour"].insert_many(documents(2))
    postgres.execute("CREATE SCHEMA raw")
    postgres.execute("CREATE TABLE raw.t (precious text)")
    postgres.execute("INSERT INTO raw.t VALUES ('do not touch')")
    postgres.execute("CREATE VIEW raw.v AS SELECT 1 AS one")

    done = sync()
    assert (done.code("t"), done.code("v")) == ("table_taken", "table_taken")
    assert done.counts("neighbour") == {"read": 2, "inserted": 2}
    assert one(postgres, "SELECT precious FROM raw.t") == "do not touch"

    taken = sync(take_over=True)
    assert (taken.code("t"), taken.code("v")) == (None, "table_taken")
    assert one(postgres, "SELECT one FROM raw.v") == 1
    check("t")
    assert sync().counts("t") == {"read": 3, "unchanged": 3}


def test_a_changed_column_is_refused_until_the_table_is_loaded_anew(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(3, s="x"))
    mongo["gone"].insert_many(documents(3, s="x"))
    sync()
    postgres.execute("ALTER TABLE raw.t ALTER n TYPE integer, ADD COLUMN mine text")
    postgres.execute("ALTER TABLE raw.gone DROP COLUMN s")
    done = sync()
    assert (done.code("t"), done.code("gone")) == ("table_changed", "table_changed")
    postgres.execute("ALTER TABLE raw.t ALTER n TYPE bigint")
    assert sync().code("t") is None
    assert one(postgres, "SELECT count(*) FROM raw.t WHERE mine IS NULL") == 3
    assert sync(full_refresh=True).summary.status == "ok"
    check("t")
    check("gone")


def test_a_column_that_somebody_added_survives_and_keeps_its_values(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync
) -> None:
    mongo["t"].insert_many(documents(10))
    sync()
    postgres.execute("ALTER TABLE raw.t ADD COLUMN mine text DEFAULT 'kept'")
    mongo["t"].update_many({"_id": {"$gt": 2}}, {"$set": {"mine": 1, "n": -1}})
    done = sync()
    assert done.counts("t") == {"read": 10, "updated": 7, "unchanged": 3}
    assert one(postgres, "SELECT count(*) FROM raw.t WHERE mine = 'kept'") == 10


def test_rows_changed_by_hand_are_mended_when_values_are_compared(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(10, s="x", d=1.5))
    sync()
    postgres.execute("UPDATE raw.t SET s = 'forged' WHERE _id = 3")
    postgres.execute("DELETE FROM raw.t WHERE _id = 4")
    postgres.execute("INSERT INTO raw.t (_id, s) VALUES (77, 'invented')")
    assert sync().counts("t") == {"read": 10, "inserted": 1, "unchanged": 9, "deleted": 1}
    with pytest.raises(Unequal):
        check("t")
    assert sync(compare="values").counts("t") == {"read": 10, "updated": 1, "unchanged": 9}
    check("t")


def test_a_collection_that_was_empty_fills_and_empties_again(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo.create_collection("t")
    mongo["bad"].insert_one({"_id": "\0"})
    for settings in ({}, {"load": "upsert", "schema": "u"}, {"load": "append", "schema": "a"}):
        table = f"{settings.get('schema', 'raw')}.t"
        mongo["t"].delete_many({})
        assert sync(**settings).counts("t") == {}
        assert sync(**settings).counts("t") == {}
        mongo["t"].insert_many([{"s": "x"}, {"s": "y"}])
        done = sync(**settings)
        assert done.counts("t") == {"read": 2, "inserted": 2}
        assert done.counts("bad") == {"read": 1, "quarantined": 1}
        check("t", table)
        assert sync(**settings).counts("t") == {"read": 2, "unchanged": 2}
    keys = postgres.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE contype = 'p'"
        " AND conrelid::regclass::text LIKE '%.t' ORDER BY 1"
    )
    assert keys.fetchall() == [("raw.t",), ("u.t",)]
    mongo["t"].delete_many({})
    assert sync().counts("t") == {"deleted": 2}
    check("t")


def test_views_grants_and_foreign_keys_survive_every_load(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(40))
    sync()
    postgres.execute("CREATE VIEW raw.seen AS SELECT _id, n FROM raw.t WHERE n > 5")
    postgres.execute("CREATE TABLE raw.mine (t bigint REFERENCES raw.t, note text)")
    postgres.execute("INSERT INTO raw.mine VALUES (7, 'mine')")
    role = f"reader_{id(mongo)}"
    postgres.execute(f"CREATE ROLE {role}")  # type: ignore[call-overload]
    postgres.execute(f"GRANT SELECT ON raw.t TO {role}")  # type: ignore[call-overload]
    try:
        mongo["t"].update_many({"_id": {"$ne": 7}}, {"$inc": {"n": 1000}})
        assert sync().counts("t") == {"read": 40, "updated": 39, "unchanged": 1}
        check("t")
        assert one(postgres, "SELECT count(*) FROM raw.seen") == 40
        granted = f"SELECT has_table_privilege('{role}', 'raw.t', 'SELECT')"
        assert one(postgres, granted)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            postgres.execute("INSERT INTO raw.mine VALUES (4711)")
        # Settings that need a table of another shape cannot have it while these depend on it.
        assert sync(types="simple").code("t") == "failed"
        check("t")
        mongo["t"].delete_one({"_id": 7})
        broken = sync()
        assert broken.code("t") is not None
        assert one(postgres, "SELECT count(*) FROM raw.t") == 40
    finally:
        postgres.execute(f"DROP OWNED BY {role}")  # type: ignore[call-overload]
        postgres.execute(f"DROP ROLE {role}")  # type: ignore[call-overload]


def test_other_settings_give_the_table_another_shape(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(documents(5, o={"x": 1}, tags=["a"], u=Binary(b"x", 4)))
    sync(arrays="table")
    check("t")
    assert sync(flatten_depth=0).counts("t") == {"read": 5, "inserted": 5}
    check("t", flatten_depth=0)
    assert one(postgres, "SELECT to_regclass('raw.t_tags')") is None
