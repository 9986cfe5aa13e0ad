"""Every layout brings the same table, accounts for every document, and leaves nothing behind."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId
from psycopg import sql

from landbridge import bridge
from landbridge.bridge import run as bridge_run
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress

from .checks import (
    LAYOUTS,
    NAME,
    Mongo,
    Postgres,
    assert_equal,
    change,
    counts,
    fill,
    layout_of_last_run,
    leftovers,
    settings_for,
    sync,
)
from .conftest import Forced
from .repeating import RepeatingSource

DOCUMENTS = 2500
BAD = 9


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_follows_its_collection_exactly(
    layout: str, forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced(layout)
    settings = settings_for(layout)
    fill(mongo[NAME], DOCUMENTS)

    first = sync(mongo_uri, postgres_uri, settings)
    assert layout_of_last_run(postgres) == layout
    assert counts(first.tally) == (DOCUMENTS, DOCUMENTS - BAD, 0, 0, 0, BAD)
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []

    change(mongo[NAME], seed=1)
    later = sync(mongo_uri, postgres_uri, settings)
    assert 0 < later.tally.updated + later.tally.inserted < DOCUMENTS / 5
    assert later.tally.deleted > 0
    assert_equal(mongo[NAME], postgres)

    change(mongo[NAME], seed=2, share=0.3)
    much = sync(mongo_uri, postgres_uri, settings)
    assert much.tally.updated + much.tally.inserted > DOCUMENTS / 5
    assert_equal(mongo[NAME], postgres)

    same = sync(mongo_uri, postgres_uri, settings)
    assert same.tally.read == same.tally.unchanged + same.tally.quarantined
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []
    for one in (first, later, much, same):
        assert (one.consistent_at is None) == (layout == "large")
        assert any("not one point in time" in note for note in one.notes) == (layout == "large")


@pytest.mark.parametrize("layout", ["tiny", "large"])
def test_a_standalone_says_that_it_has_no_point_in_time(
    layout: str,
    forced: Forced,
    standalone_mongo: Mongo,
    standalone_uri: str,
    postgres: Postgres,
    postgres_uri: str,
) -> None:
    forced(layout)
    fill(standalone_mongo[NAME], DOCUMENTS)
    for seed in range(2):
        done = sync(standalone_uri, postgres_uri)
        assert done.consistent_at is None
        assert any("not one point in time" in note for note in done.notes)
        assert layout_of_last_run(postgres) == layout
        assert_equal(standalone_mongo[NAME], postgres)
        change(standalone_mongo[NAME], seed)
    assert leftovers(postgres) == []


@pytest.mark.parametrize("kind", ["replica set", "standalone"])
def test_beyond_16_megabytes_the_server_decides(
    kind: str, request: pytest.FixtureRequest, postgres: Postgres, postgres_uri: str
) -> None:
    uri, mongo = (
        ("mongo_uri", "mongo") if kind == "replica set" else ("standalone_uri", "standalone_mongo")
    )
    source: Mongo = request.getfixturevalue(mongo)
    source[NAME].insert_many({"_id": n, "text": "x" * 17_000} for n in range(1000))

    done = sync(request.getfixturevalue(uri), postgres_uri)

    assert layout_of_last_run(postgres) == ("small" if kind == "replica set" else "large")
    assert counts(done.tally) == (1000, 1000, 0, 0, 0, 0)
    held = postgres.execute("SELECT count(*), sum(length(text)), sum(_id) FROM raw.orders")
    assert held.fetchone() == (1000, 17_000_000, 499_500)


def test_the_ledger_speaks_for_the_private_table(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("large")
    fill(mongo[NAME], DOCUMENTS)
    seen: list[Any] = []

    def look(progress: Progress) -> None:
        if progress.phase == "indexing":
            seen.extend(
                postgres.execute(
                    "SELECT count(*), sum(documents), sum(rows), sum(quarantined), bool_and(done)"
                    " FROM landbridge.chunk"
                )
            )
            [table] = postgres.execute(
                "SELECT relname FROM pg_class WHERE starts_with(relname, '_lb_')"
                " AND relpersistence = 'p'"
            )
            seen.extend(postgres.execute(f"SELECT count(*) FROM raw.{table[0]}"))

    sync(mongo_uri, postgres_uri, settings_for("large"), observer=look)

    (chunks, documents, rows, aside, done), (held,) = seen
    assert chunks > 3 and done
    assert (documents, rows, aside, held) == (DOCUMENTS, DOCUMENTS - BAD, BAD, DOCUMENTS - BAD)


def test_a_private_table_that_lost_a_row_is_refused_and_then_loaded_again(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("large")
    fill(mongo[NAME], DOCUMENTS)

    def steal(progress: Progress) -> None:
        if progress.phase == "indexing":
            [(table,)] = postgres.execute(
                "SELECT relname FROM pg_class WHERE starts_with(relname, '_lb_') AND relkind = 'r'"
            )
            postgres.execute(f"DELETE FROM raw.{table} WHERE _id = 7")

    summary = bridge.sync(
        mongo_uri, postgres_uri, schema="raw", settings=settings_for("large"), observer=steal
    )
    assert summary.error is not None and summary.error["code"] == "count_mismatch"
    assert postgres.execute("SELECT to_regclass('raw.orders')").fetchone() == (None,)

    sync(mongo_uri, postgres_uri, settings_for("large"))
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []


@pytest.mark.parametrize("layout", ["small", "large"])
def test_many_new_fields_over_two_connections_do_not_deadlock(
    layout: str, forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced(layout)
    mongo[NAME].insert_many(
        {"_id": n, "n": n, "nested": {}, f"field{n // 12}": n if n % 2 else f"text {n}"}
        for n in range(2400)
    )

    done = sync(mongo_uri, postgres_uri, settings_for(layout))

    assert counts(done.tally) == (2400, 2400, 0, 0, 0, 0)
    columns = postgres.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'orders'"
        " AND column_name LIKE 'field%'"
    ).fetchall()
    assert len(columns) == 400  # one for the numbers of each field, one for its texts
    values = sql.SQL(" + ").join(
        sql.SQL("count({})").format(sql.Identifier(name)) for (name,) in columns
    )
    query = sql.SQL("SELECT {} FROM raw.orders").format(values)
    assert postgres.execute(query).fetchone() == (2400,)


@pytest.mark.parametrize("kind", ["view", "collated", "timeseries", "capped", "clustered"])
def test_special_collections_beyond_tiny(
    kind: str, forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("small")
    documents = [{"_id": f"k{n:05}", "n": n, "text": "x" * 50} for n in range(1500)]
    options: dict[str, dict[str, Any]] = {
        "view": {"viewOn": "behind", "pipeline": [{"$set": {"seen": True}}]},
        "collated": {"collation": {"locale": "en", "strength": 2}},
        "timeseries": {"timeseries": {"timeField": "at"}},
        "capped": {"capped": True, "size": 1 << 20},
        "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    }
    mongo.create_collection(NAME, **options[kind])
    if kind == "timeseries":
        at = ObjectId().generation_time
        documents = [{**one, "at": at} for one in documents]
    (mongo["behind"] if kind == "view" else mongo[NAME]).insert_many(documents)

    for _ in range(2):
        done = sync(mongo_uri, postgres_uri, select=[NAME])
        expected = "small" if kind in ("capped", "clustered") else "one cursor"
        assert layout_of_last_run(postgres) in (expected, "large" if kind == "capped" else expected)
        assert done.tally.read == 1500
        held = postgres.execute("SELECT count(*), sum(n), count(DISTINCT _id) FROM raw.orders")
        assert held.fetchone() == (1500, 1124250, 1500)
        assert leftovers(postgres) == []


MIXED_IDS: list[Any] = [
    5, Int64(6), 7.5, Decimal128("8.25"), "5", "é", "z", "Z", "a b", "ab", "\u0130", "😀", "",
    ObjectId("64b000000000000000000001"), "64b000000000000000000001", {"a": 1}, {"a": 1, "b": 2},
    {"b": 2, "a": 1}, None, True, False, Binary(b"\x01", 0), Binary(b"\x01" * 16, 4), MinKey(),
    MaxKey(), -0.0, float("inf"), "x" * 1200, "y" * 1200, 2**53 + 1, float(2**53),
]  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_ids_of_all_kinds_where_text_does_not_sort_by_byte(
    layout: str,
    forced: Forced,
    mongo: Mongo,
    mongo_uri: str,
    sorting_postgres_uri: str,
) -> None:
    forced(layout)
    settings = settings_for(layout, arrays="table")
    collection = mongo[NAME]
    texts = [f"{letter}{n}" for n in range(150) for letter in ("a", "B", "é", "Z", "-", " ")]
    collection.insert_many({"_id": text, "n": n, "list": [n, n]} for n, text in enumerate(texts))
    with psycopg.connect(sorting_postgres_uri, autocommit=True) as postgres:
        assert postgres.execute("SELECT 'a' < 'B'").fetchone() == (True,)
        sync(mongo_uri, sorting_postgres_uri, settings)
        # Strings alone: `_id` is the key, and sorts as mongod does.
        held = [row[0] for row in postgres.execute("SELECT _id FROM raw.orders ORDER BY _id")]
        assert held == [found["_id"] for found in collection.find({}, {"_id": 1}).sort("_id")]
        assert held == sorted(texts)

        collection.delete_many({"_id": {"$in": texts[:40]}})
        collection.update_many({"_id": {"$in": texts[40:80]}}, {"$set": {"list": [7]}})
        _assert_lists(sync(mongo_uri, sorting_postgres_uri, settings), collection, postgres)

        # Then of every kind: `_key` takes over, and sorts as mongod does.
        collection.insert_many({"_id": one, "n": -n, "list": []} for n, one in enumerate(MIXED_IDS))
        _assert_lists(sync(mongo_uri, sorting_postgres_uri, settings), collection, postgres)
        short = [row for row in _in_order(collection) if len(str(row[0])) < 1000]
        keyed = postgres.execute(
            "SELECT n FROM raw.orders WHERE length(coalesce(_id::text, '')) < 1000 ORDER BY _key"
        )
        assert [row[0] for row in keyed] == [n for _, n in short]
        same = sync(mongo_uri, sorting_postgres_uri, settings)
        assert same.tally.unchanged == len(texts) - 40 + len(MIXED_IDS)
        assert leftovers(postgres) == []


def _in_order(collection: Any) -> list[tuple[Any, int]]:
    return [(found["_id"], found["n"]) for found in collection.find({}, {"n": 1}).sort("_id")]


def _assert_lists(done: Any, collection: Any, postgres: Postgres) -> None:
    assert done.error is None
    documents = list(collection.find())
    row = postgres.execute("SELECT count(*), sum(n) FROM raw.orders").fetchone()
    assert row == (len(documents), sum(one["n"] for one in documents))
    elements = [value for one in documents for value in one["list"]]
    row = postgres.execute("SELECT count(*), sum(value) FROM raw.orders_list").fetchone()
    assert row == (len(elements), sum(elements))


@pytest.mark.parametrize("arrays", ["jsonb", "table"])
@pytest.mark.parametrize("layout", ["tiny", "large"])
def test_documents_that_came_twice_are_read_again_and_counted_once(
    layout: str,
    arrays: str,
    forced: Forced,
    monkeypatch: pytest.MonkeyPatch,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> None:
    forced(layout)
    monkeypatch.setattr(bridge_run, "CollectionSource", RepeatingSource)
    mongo[NAME].insert_many({"_id": n, "n": n, "list": [n]} for n in range(1200))
    mongo[NAME].insert_many({"_id": n, "text": "\0"} for n in (-1, -2))
    mongo[NAME].update_many({"_id": {"$in": [3, 4]}}, {"$set": {"text": "\0"}})
    settings = settings_for(layout, arrays=arrays)

    first = sync(mongo_uri, postgres_uri, settings)
    mongo[NAME].update_many({"_id": {"$lt": 50}}, {"$set": {"n": 0}})
    later = sync(mongo_uri, postgres_uri, settings)

    assert any("came twice and were read again" in note for note in first.notes)
    assert counts(first.tally) == (1202, 1198, 0, 0, 0, 4)
    assert counts(later.tally) == (1202, 0, 47, 1151, 0, 4)
    held = postgres.execute("SELECT count(*), count(DISTINCT _id), sum(n) FROM raw.orders")
    assert held.fetchone() == (1198, 1198, sum(range(50, 1200)))
    if arrays == "table":
        row = postgres.execute("SELECT count(*), sum(value) FROM raw.orders_list").fetchone()
        assert row == (1198, sum(range(1200)) - 7)
    assert leftovers(postgres) == []


@pytest.mark.parametrize("jobs", [1, 3])
def test_two_hundred_collections_in_one_run(
    jobs: int, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    many = 200 if jobs == 3 else 30
    for number in range(many):
        mongo[f"c{number}"].insert_many({"_id": n, "n": n * number} for n in range(100))

    summary = bridge.sync(mongo_uri, postgres_uri, schema="raw", jobs=jobs)

    assert summary.status == "ok"
    assert [stream.tally.inserted for stream in summary.streams] == [100] * many
    for number in range(0, many, 17):
        row = postgres.execute(f"SELECT count(*), sum(n) FROM raw.c{number}").fetchone()  # type: ignore[arg-type]
        assert row == (100, 4950 * number)
    assert leftovers(postgres) == []


def test_settings_that_shape_rows_are_not_mixed_in_a_load_that_resumes(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """A stopped load by ranges is gone on with under the same settings only."""
    forced("large")
    fill(mongo[NAME], DOCUMENTS)

    def stop(progress: Progress) -> None:
        if progress.documents > DOCUMENTS / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bridge.sync(
            mongo_uri, postgres_uri, schema="raw", settings=settings_for("large"), observer=stop
        )
    done = postgres.execute("SELECT count(*) FROM landbridge.chunk WHERE done").fetchone()
    assert done is not None and done[0] > 0

    sync(mongo_uri, postgres_uri, Settings(nul="escape", contract="freeze", raw="jsonb"))
    row = postgres.execute(
        "SELECT count(*), count(_source_document), count(note) FROM raw.orders"
    ).fetchone()
    assert row == (DOCUMENTS, DOCUMENTS, BAD)
    assert leftovers(postgres) == []
