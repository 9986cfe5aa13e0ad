"""How a table's shape follows its documents: widening, variants, contracts, and chosen columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from bson import Decimal128, Int64, ObjectId
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo


def columns(postgres: psycopg.Connection, table: str) -> dict[str, str]:
    rows = postgres.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (table,),
    )
    return {name: kind for name, kind in rows if name != "_lb_hash"}


STEPS: dict[str, tuple[list[Any], list[Any], str, str]] = {
    # first values, later values, the column's type at first and then
    "ints_then_double": ([1, 2], [0.5], "bigint", "double precision"),
    "big_ints_then_double": ([2**53 + 1], [0.5], "bigint", "numeric"),
    "ints_then_decimal": ([1], [Decimal128("0.1")], "bigint", "numeric"),
    "doubles_then_big_int": ([0.1, 1e300], [Int64(2**53 + 1)], "double precision", "numeric"),
    "doubles_then_decimal": (
        [0.1, 5e-324, 1.7976931348623157e308, float("nan"), float("-inf"), 123456.7890123456],
        [Decimal128("0.1")],
        "double precision",
        "numeric",
    ),
    "ints_then_double_then_decimal": ([1], [0.25, Decimal128("1E-30")], "bigint", "numeric"),
}


@pytest.mark.parametrize("depended", [False, True], ids=["free", "under a view"])
def test_a_number_of_another_kind_widens_or_stands_beside(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check, depended: bool
) -> None:
    for name, (first, _, _, _) in STEPS.items():
        mongo[name].insert_many({"_id": n, "v": v} for n, v in enumerate(first))
    sync()
    for name, (_, later, narrow, _) in STEPS.items():
        assert columns(postgres, f"raw.{name}")["v"] == narrow
        if depended:
            postgres.execute(f"CREATE VIEW raw.see_{name} AS SELECT v FROM raw.{name}")  # type: ignore[call-overload]
        mongo[name].insert_many({"_id": 100 + n, "v": v} for n, v in enumerate(later))

    done = sync()

    for name, (first, later, narrow, wide) in STEPS.items():
        assert done.counts(name) == {
            "read": len(first) + len(later), "inserted": len(later), "unchanged": len(first),
        }, name  # fmt: skip
        check(name)
        present = columns(postgres, f"raw.{name}")
        if depended:
            assert present["v"] == narrow
            assert len(present) > 2
            seen = postgres.execute(f"SELECT count(v) FROM raw.see_{name}")  # type: ignore[call-overload]
            assert seen.fetchone() == (len(first),), name
        else:
            assert present == {"_id": "bigint", "v": wide}
    again = sync()
    for name, (first, later, _, _) in STEPS.items():
        count = len(first) + len(later)
        assert again.counts(name) == {"read": count, "unchanged": count}


def test_a_table_over_the_rewrite_limit_is_not_rewritten(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n} for n in range(5))
    sync(rewrite_limit_bytes=0)
    mongo["t"].insert_one({"_id": 9, "v": 0.5})
    done = sync(rewrite_limit_bytes=0)
    assert columns(postgres, "raw.t") == {
        "_id": "bigint", "v": "bigint", "v__double": "double precision",
    }  # fmt: skip
    assert [change.change for change in done["t"].schema_changes] == ["variant"]
    check("t")


def test_a_first_load_widens_as_it_must_and_keeps_every_digit(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    # Far apart, so that they come in batches of their own.
    mongo["t"].insert_many({"_id": n, "v": n, "w": n / 7} for n in range(1300))
    mongo["t"].insert_many({"_id": 1300 + n, "v": n + 0.1, "w": n / 3} for n in range(1300))
    mongo["t"].insert_many({"_id": 2600 + n, "v": Decimal128(f"{n}.000000000000000000001"),
                            "w": 2**60 + n, "late": "x"} for n in range(1300))  # fmt: skip
    assert sync().counts("t") == {"read": 3900, "inserted": 3900}
    assert columns(postgres, "raw.t") == {
        "_id": "bigint", "v": "numeric", "w": "numeric", "late": "text",
    }  # fmt: skip
    check("t")


def test_values_of_other_kinds_get_columns_of_their_own_and_views_answer_on(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n, "v": n, "o": {"x": n}} for n in range(3))
    sync()
    postgres.execute("CREATE MATERIALIZED VIEW raw.m AS SELECT v, o_x FROM raw.t")
    mongo["t"].insert_many(
        [{"v": "text", "o": "no object"}, {"v": [1], "o": {}}, {"v": {"x": 1}, "o": {"y": 1}},
         {"v": True, "o": None}, {"v": ObjectId()}, {"v": datetime(2026, 1, 1, tzinfo=UTC)}]
    )  # fmt: skip
    assert sync().counts("t") == {"read": 9, "inserted": 6, "unchanged": 3}
    check("t")
    postgres.execute("REFRESH MATERIALIZED VIEW raw.m")
    assert postgres.execute("SELECT sum(v), sum(o_x) FROM raw.m").fetchone() == (3, 3)


NEWCOMERS: list[dict[str, Any]] = [
    {"_id": 10, "n": "text"},
    {"_id": 11, "n": 1, "new": 1},
    {"_id": 12, "n": 1, "o": {"x": 1, "z": {"deep": [1]}}},
    {"_id": 13, "n": 13, "o": {"x": "other"}},
]


def begin(mongo: Mongo, sync: Sync, contract: str) -> None:
    mongo["t"].insert_many({"_id": n, "n": n, "o": {"x": n}} for n in range(5))
    mongo["neighbour"].insert_one({"_id": 1})
    assert sync(contract=contract).counts("t") == {"read": 5, "inserted": 5}
    mongo["t"].insert_one({"_id": 5, "n": 5, "o": {"x": None}})
    mongo["t"].insert_many(NEWCOMERS)
    mongo["neighbour"].insert_one({"_id": 2})


def test_evolve_lets_the_table_grow(mongo: Mongo, sync: Sync, check: Check) -> None:
    begin(mongo, sync, "evolve")
    assert sync(contract="evolve").counts("t") == {"read": 10, "inserted": 5, "unchanged": 5}
    check("t")


def test_freeze_stops_the_stream_with_the_table_as_it_was(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    begin(mongo, sync, "freeze")
    done = sync(contract="freeze")
    assert done.code("t") == "contract_broken"
    assert "n holds a value of kind string" in (done["t"].error or {})["message"]
    assert done.counts("neighbour") == {"read": 2, "inserted": 1, "unchanged": 1}
    assert postgres.execute("SELECT count(*) FROM raw.t").fetchone() == (5,)
    assert columns(postgres, "raw.t") == {"_id": "bigint", "n": "bigint", "o_x": "bigint"}
    mongo["t"].delete_many({"_id": {"$gte": 10}})
    assert sync(contract="freeze").counts("t") == {"read": 6, "inserted": 1, "unchanged": 5}
    check("t")


def test_quarantine_keeps_what_does_not_fit_out_of_the_table(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    begin(mongo, sync, "quarantine")
    mongo["t"].update_one({"_id": 1}, {"$set": {"n": "now text"}})
    done = sync(contract="quarantine")
    assert done.counts("t") == {"read": 10, "inserted": 1, "unchanged": 4, "quarantined": 5}
    assert columns(postgres, "raw.t") == {"_id": "bigint", "n": "bigint", "o_x": "bigint"}
    check("t")
    rows = postgres.execute("SELECT path, problem, replaced FROM landbridge.quarantine ORDER BY 1")
    assert rows.fetchall() == [
        ("n", "contract", False), ("n", "contract", True), ("new", "contract", False),
        ("o.x", "contract", False), ("o.z", "contract", False),
    ]  # fmt: skip
    mongo["t"].update_one({"_id": 1}, {"$set": {"n": 1}})
    done = sync(contract="quarantine")
    assert done.counts("t") == {"read": 10, "inserted": 1, "unchanged": 5, "quarantined": 4}
    check("t")
    done = sync(contract="evolve")
    assert (done["t"].tally.read, done["t"].tally.quarantined) == (10, 0)
    check("t")


def test_discard_counts_what_it_leaves_out(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    begin(mongo, sync, "discard")
    for _ in range(2):
        done = sync(contract="discard")
        assert done.counts("t")["discarded"] == 4
        assert done.counts("t")["read"] == 10
    assert columns(postgres, "raw.t") == {"_id": "bigint", "n": "bigint", "o_x": "bigint"}
    rows = postgres.execute("SELECT _id, n, o_x FROM raw.t WHERE _id > 4 ORDER BY 1").fetchall()
    assert rows == [(5, 5, None), (10, None, None), (11, 1, None), (12, 1, 1), (13, 13, None)]
    done = sync(contract="evolve")
    assert done.counts("t").get("discarded") is None
    check("t")


def test_metadata_says_when_and_never_makes_a_row_differ(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many({"_id": n} for n in range(4))
    sync(metadata=True)
    query = (
        "SELECT _id, _sdc_extracted_at, _sdc_received_at, _sdc_batched_at, _sdc_deleted_at,"
        " _sdc_sequence, _sdc_table_version FROM raw.t ORDER BY 1"
    )
    first = postgres.execute(query).fetchall()
    for row in first:
        assert all(abs((datetime.now(UTC) - row[i]).total_seconds()) < 60 for i in (1, 2, 3))
        assert row[4] is None and row[5] > 1_700_000_000_000 and row[6] is not None
    assert sync(metadata=True).counts("t") == {"read": 4, "unchanged": 4}
    assert postgres.execute(query).fetchall() == first
    mongo["t"].update_one({"_id": 2}, {"$set": {"x": 1}})
    assert sync(metadata=True).counts("t") == {"read": 4, "updated": 1, "unchanged": 3}
    later = postgres.execute(query).fetchall()
    assert [a == b for a, b in zip(first, later, strict=True)] == [True, True, False, True]
    assert later[2][5] > first[2][5]
    check("t")


def test_simple_types_are_those_of_the_document(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_one(
        {"_id": ObjectId(), "name": "x", "count": 5, "share": 0.5, "when": datetime(2026, 1, 1),
         "ref": ObjectId(), "tags": [], "inside": {"deep": {}}, "never": None, "yes": True}
    )  # fmt: skip
    mongo["numbered"].insert_many({"_id": n} for n in (1, 2))
    sync(types="simple")
    assert columns(postgres, "raw.t") == {
        "_id": "character varying(24)", "name": "text", "count": "numeric", "share": "numeric",
        "when": "timestamp without time zone", "ref": "character varying(24)", "tags": "jsonb",
        "inside_deep": "jsonb", "never": "text", "yes": "boolean", "_source_document": "jsonb",
        "_imported_at": "timestamp without time zone",
    }  # fmt: skip
    assert columns(postgres, "raw.numbered")["_id"] == "text"
    indexes = postgres.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 't'").fetchall()
    assert any("(_imported_at)" in each for (each,) in indexes)
    check("t")
    mongo["t"].insert_one({"_id": ObjectId(), "never": 5, "name": 7})
    mongo["numbered"].insert_one({"_id": "a text"})
    assert sync(types="simple").counts("t") == {"read": 2, "inserted": 1, "unchanged": 1}
    check("t")
    check("numbered")


def test_fields_past_the_last_column_stay_together(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check
) -> None:
    mongo["t"].insert_many(
        {"_id": n, **{f"f{k}": k for k in range(n * 3)}, "o": {f"k{n}": n}} for n in range(12)
    )
    sync(columns_max=20)
    assert len(columns(postgres, "raw.t")) <= 20
    check("t")
    mongo["t"].insert_one({"_id": 99, "new": {"x": [1]}, "f0": "other", "f30": {"a": None}})
    mongo["t"].update_one({"_id": 11}, {"$set": {"f32": "changed"}})
    assert sync(columns_max=20).counts("t") == {
        "read": 13, "inserted": 1, "updated": 1, "unchanged": 11,
    }  # fmt: skip
    check("t")


def test_by_value_is_counted_and_bytes_are_not(mongo: Mongo, sync: Sync, check: Check) -> None:
    mongo["t"].insert_many([{"v": [-0.0]}, {"v": None}, {"v": {"x": {"bb": 1, "a": 2}}}])
    assert sync()["t"].tally.by_value == 3
    assert sync(raw="bson")["t"].tally.by_value == 0
    check("t")
