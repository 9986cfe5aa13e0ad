"""Figures of every column: equal where the rows are, and other where one value is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from bson import Binary, Decimal128, Int64
from pymongo.database import Database
from tests.sync.nasty import Ends, with_all
from tests.verify.conftest import SCHEMA, Found, Sync, Verify, apart, figure, groups

import landbridge
from landbridge import bridge
from landbridge.embedded import MongoServer, PostgresServer

Mongo = Database[dict[str, Any]]


@pytest.fixture(scope="module")
def nasty(mongod: MongoServer, postgresql: PostgresServer) -> Iterator[Ends]:
    """All nasty collections."""
    with with_all(mongod, postgresql) as ends:
        yield ends


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"types": "simple"},
        {"arrays": "table", "ids": "bytea"},
        {"nul": "escape", "flatten_depth": 3, "nested": "extended"},
        {"columns_max": 20},
    ],
    ids=lambda settings: "_".join(settings) or "default",
)
def test_no_figure_of_nasty_values_gives_a_false_alarm(
    nasty: Ends, settings: dict[str, Any]
) -> None:
    schema = "with_" + "_".join(settings)
    landbridge.sync(
        nasty.mongo_uri,
        nasty.postgres_uri,
        schema=schema,
        settings=landbridge.Settings(**settings),
    )
    found = Found(bridge.verify(nasty.mongo_uri, nasty.postgres_uri, schema=schema))
    assert not found.unequal()


VALUES: dict[str, tuple[list[Any], str, set[str]]] = {
    # values; what is done to one row's `v`; the metrics that must tell
    "integer": ([1, 2, Int64(2**62)], "v + 1 WHERE v = 2", {"sum"}),
    "double": ([0.1, 0.2, 1e300], "1e299 WHERE v = 1e300", {"max", "sum"}),
    "decimal": ([Decimal128("1.10"), Decimal128("2E+30")], "v + 1 WHERE v > 9", {"max", "sum"}),
    "string": (["a", "b", "ü"], "'bb' WHERE v = 'b'", {"bytes"}),
    "bool": ([True, False, True], "false WHERE v", {"true"}),
    "date": ([dt.datetime(1969, 5, 1), dt.datetime(2024, 2, 29)], "v + interval '1 ms'", {"max"}),
    "binary": ([b"abc", b""], "'\\x' WHERE v = 'abc'", {"bytes"}),
    "uuid": ([Binary(bytes(16), 4)], "gen_random_uuid()", {"max", "min"}),
    "array": ([[1, 2], [3]], "'[]' WHERE v = '[3]'", {"elements"}),
    "null": ([1, 2, 3], "NULL WHERE v = 1", {"count", "nulls", "min", "sum"}),
}


@pytest.mark.parametrize("kind", VALUES)
def test_one_other_value_shows_in_the_figures(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify, kind: str
) -> None:
    values, change, told_by = VALUES[kind]
    mongo.things.insert_many([{"v": value} for value in values])
    sync()
    assert not verify().unequal()
    postgres.execute(f"UPDATE {SCHEMA}.things SET v = {change}".encode())
    found = verify()
    assert found.status == "different"
    assert told_by <= {metric for name, metric in apart(found["things"]) if name == "v"}


def test_values_of_several_kinds_are_compared_with_the_columns_that_hold_them(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many(
        [{"v": 1}, {"v": "one"}, {"v": {"a": 1}}, {"v": [1]}, {"v": None}, {}, {"v": 2.5}]
    )
    sync()
    found = verify()["things"]
    assert found.status == "equal"
    assert figure(found, "v", "count").source == 2
    assert figure(found, "v__string", "count").source == 1
    assert figure(found, "v", "nulls").target == 5


def test_integers_that_found_a_place_of_their_own_later_are_counted_with_the_others(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"v": 1.5}, {"v": 7}])
    sync()
    postgres.execute("CREATE VIEW raw.seen AS SELECT v FROM raw.things")  # no other type now
    mongo.things.insert_one({"v": Int64(2**60 + 1)})
    sync()
    found = verify()
    assert not found.unequal()
    assert figure(found["things"], "v", "sum").source == "1152921504606846985.5"


def test_sums_of_doubles_may_differ_by_their_order_and_no_more(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"v": 0.1 * n} for n in range(5000)] + [{"v": 1e16}, {"v": -1e16}])
    sync()
    assert not verify().unequal()
    postgres.execute("UPDATE raw.things SET v = v + 1000000 WHERE v = 0.1")
    assert ("v", "sum") in apart(verify()["things"])


def test_sums_past_what_the_source_adds_up_exactly_are_no_false_alarm(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"v": Int64(2**62 + n)} for n in range(5)])
    mongo.exact.insert_many([{"v": Decimal128(text)} for text in ("1E+40", "1", "-1E+40")])
    mongo.large.insert_many([{"v": 1.7e308}, {"v": 1.6e308}, {"v": 2.5}])
    sync()
    assert not verify().unequal()
    postgres.execute("UPDATE raw.things SET v = v / 2 WHERE v = 4611686018427387904")
    assert ("v", "sum") in apart(verify()["things"])


def test_nan_and_infinities_are_told_and_not_added(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    nan, infinity = float("nan"), float("inf")
    mongo.things.insert_many([{"v": value} for value in (nan, infinity, -infinity, 1.5)])
    mongo.exact.insert_many([{"v": Decimal128(text)} for text in ("NaN", "Infinity", "1.5")])
    sync()
    found = verify()
    assert not found.unequal()
    assert figure(found["things"], "v", "nan").target == 1
    assert figure(found["things"], "v", "max").target == "Infinity"
    assert figure(found["things"], "v", "sum").target == "1.5"


def test_columns_of_few_values_are_grouped(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    cities = ["Berlin"] * 3 + ["Zürich"] * 2 + ["Rome"]
    mongo.properties.insert_many([{"address": {"city": city}, "n": 1} for city in cities])
    sync()
    found = verify()["properties"]
    assert groups(found, "address_city") == {"Berlin": (3, 3), "Zürich": (2, 2), "Rome": (1, 1)}
    assert not groups(found, "n")
    postgres.execute("UPDATE raw.properties SET address_city = 'Rom' WHERE address_city = 'Rome'")
    found = verify()["properties"]
    assert groups(found, "address_city")["Rome"] == (1, 0)
    assert groups(found, "address_city")["Rom"] == (0, 1)
    assert found.status == "different"


def test_the_figures_of_what_lies_in_rest_are_not_judged(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{f"f{i}": "x" * n for i in range(900)} for n in (1, 12)])
    sync()
    found = verify()["things"]
    assert found.status == "equal"
    assert any("_rest" in note for note in found.notes)


def test_a_column_that_was_dropped_or_retyped_is_named(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_one({"v": 1, "w": 2})
    mongo.others.insert_one({"v": 1})
    sync()
    postgres.execute("ALTER TABLE raw.things DROP COLUMN w")
    found = verify()
    assert found.status == "failed"
    assert found["things"].error and found["things"].error["code"] == "table_changed"
    assert "w" in found["things"].error["message"]
    assert found["others"].status == "equal"


def test_more_values_than_a_sample_has_are_estimated(
    mongo: Mongo, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"v": n, "w": n % 300} for n in range(25_000)])
    sync()
    found = verify()["things"]
    assert found.status == "equal"
    many, few = figure(found, "v", "distinct"), figure(found, "w", "distinct")
    assert not many.judged and 20_000 <= many.source <= 25_000
    assert few.judged and (few.source, few.target) == (300, 300)
