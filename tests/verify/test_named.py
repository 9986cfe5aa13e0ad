"""Aggregates of a file: the same question, answered by both sides."""

from __future__ import annotations

import datetime as dt
from typing import Any

import psycopg
import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo.database import Database
from tests.verify.conftest import Sync, Verify, groups

from landbridge.errors import UsageError

Mongo = Database[dict[str, Any]]
OID = ObjectId("65a000000000000000000000")


@pytest.fixture
def properties(mongo: Mongo, sync: Sync) -> Mongo:
    """Properties with values of many kinds, loaded."""
    day = dt.datetime(2024, 1, 1)
    rows: list[dict[str, Any]] = [
        {"city": "Porto", "price": 100, "status": "active", "rooms": 3, "agent": OID},
        {"city": "Porto", "price": Int64(200), "status": "active", "rooms": 1.5},
        {
            "city": "Porto",
            "price": Decimal128("0.50"),
            "status": "sold",
            "at": dt.datetime(2020, 1, 1),
        },
        {"city": "Zürich", "price": 7.25, "status": "active", "big": True, "at": day},
        {"city": "Zürich", "price": float("nan"), "status": None, "big": False, "at": day},
        {"city": None, "price": "on request", "status": "active"},
        {"price": None, "address": {"zip": "1000", "geo": {"x": 1}}, "tags": ["a"]},
    ]
    mongo.properties.insert_many(rows)
    mongo.others.insert_one({"n": 1})
    sync()
    return mongo


def asked(verify: Verify, text: str) -> dict[Any, tuple[Any, Any]]:
    """Return what both sides answer to one aggregate named `x`."""
    found = verify(aggregates=f"- {{name: x, collection: properties, {text}}}")
    assert not found.unequal()
    by_group = groups(found["properties"], "x")
    for one in found["properties"].aggregates:
        if one.name == "x" and not one.group:
            by_group[()] = (one.source, one.target)
    return by_group


QUESTIONS: dict[str, dict[Any, Any]] = {
    "group: [city]": {"Porto": 3, "Zürich": 2, None: 2},
    "group: [city, status]": {
        ("Porto", "active"): 2,
        ("Porto", "sold"): 1,
        ("Zürich", "active"): 1,
        ("Zürich", None): 1,
        (None, "active"): 1,
        (None, None): 1,
    },
    "match: {status: active}, group: city": {"Porto": 2, "Zürich": 1, None: 1},
    "match: {status: null}": {(): 2},
    "match: {status: {$ne: active}}": {(): 3},
    "match: {status: {$in: [active, null]}}": {(): 6},
    "match: {status: {$nin: [active, sold]}}": {(): 2},
    "match: {city: {$exists: false}}": {(): 2},
    "match: {city: {$exists: true}}": {(): 5},
    "match: {price: {$gte: 100}}": {(): 2},
    "match: {price: {$lt: 100}}": {(): 2},
    "match: {price: {$gt: 0, $lte: 100}}": {(): 3},
    "match: {price: on request}": {(): 1},
    "match: {price: {$gt: a}}": {(): 1},
    "match: {price: 0.5}": {(): 1},
    "match: {big: true}": {(): 1},
    "match: {at: {$gte: 2023-01-01}}": {(): 2},
    "match: {at: {$date: '2024-01-01T00:00:00Z'}}": {(): 2},
    "match: {agent: {$oid: 65a000000000000000000000}}": {(): 1},
    "match: {agent: 65a000000000000000000000}": {},
    "match: {big: 1}": {},
    "group: [at]": {"2024-01-01T00:00:00.000Z": 2, "2020-01-01T00:00:00.000Z": 1, None: 4},
    "group: [agent]": {str(OID): 1, None: 6},
    "group: [price], match: {city: Porto}": {100: 1, 200: 1, "0.5": 1},
    "group: [city], metric: sum price": {"Porto": "300.5", "Zürich": "7.25", None: None},
    "metric: {max: rooms}": {(): 3},
    "metric: 'min: rooms'": {(): 1.5},
    "group: [city], metric: avg price, match: {city: Porto}": {"Porto": 300.5 / 3},
    "metric: max at": {(): "2024-01-01T00:00:00.000Z"},
    "group: [address.zip], match: {address.zip: {$exists: true}}": {"1000": 1},
    "metric: sum price, match: {status: nothing}": {},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_both_sides_answer_alike(properties: Mongo, verify: Verify, question: str) -> None:
    found = asked(verify, question)
    assert {key: here for key, (here, _) in found.items()} == QUESTIONS[question]


def test_a_row_that_was_changed_shows_in_its_group(
    properties: Mongo, postgres: psycopg.Connection, verify: Verify
) -> None:
    postgres.execute("UPDATE raw.properties SET city = 'Lisbon' WHERE status = 'sold'")
    found = verify(aggregates="- {name: x, collection: properties, group: [city]}")["properties"]
    assert groups(found, "x")["Porto"] == (3, 2)
    assert groups(found, "x")["Lisbon"] == (0, 1)
    assert found.status == "different"


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("group: [address.geo.x]", "address_geo"),
        ("group: [tags]", "tags holds objects, arrays or bytes"),
        ("group: [nowhere]", "no column holds the field nowhere"),
        ("match: {nowhere: 1}", "no column holds the field nowhere"),
        ("metric: sum city", "holds no number"),
        ("metric: max price", "values of several kinds"),
    ],
)
def test_what_columns_cannot_answer_is_refused_by_name(
    properties: Mongo, verify: Verify, question: str, why: str
) -> None:
    found = verify(aggregates=f"\n- {{name: x, collection: properties, {question}}}")
    error = found["properties"].error
    assert error and error["code"] == "unsupported"
    assert why in error["message"] and "line 2" in error["message"]
    assert found["others"].status == "equal"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- {name: a", "line 1"),
        ("name: a", "not a list"),
        ("- x", "line 1"),
        ("\n- {name: a}", "line 2.*\n.*collection"),
        ("- {name: a, collection: b, grupo: [c]}", "grupo is not known"),
        ("- {name: a, collection: b, metric: median x}", "median"),
        ("- {name: a, collection: b, metric: sum}", "take one"),
        ("- {name: a, collection: b, metric: count x}", "count takes no field"),
        ("- {name: a, collection: b, match: {c: {$regex: d}}}", r"\$regex"),
        ("- {name: a, collection: b, match: {$or: []}}", "no field"),
        ("- {name: a, collection: b, match: {c: [1]}}", "is a list"),
        ("- {name: a, collection: b, match: {c: {$in: 1}}}", "not a list"),
        ("- {name: a, collection: b, match: {c: {$gt: null}}}", "needs a number"),
        ("- {name: a, collection: b}\n- {name: a, collection: b}", "line 2.*\n.*two named"),
        ("- {name: a, collection: nowhere}", "nowhere"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_with_its_line(
    properties: Mongo, verify: Verify, text: str, why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        verify(aggregates=text, aggregates_name="figures.yml")
