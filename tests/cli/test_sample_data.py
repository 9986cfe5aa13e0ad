"""The demo's data: the same every time, and as varied as what applications write."""

from __future__ import annotations

from collections import Counter
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from landbridge.embedded import carbon, cities

KEY_FIELDS = {
    "_id", "companyId", "siteId", "userId", "year", "month", "calculatedEmission", "approved",
    "createdAt", "updatedAt",
}  # fmt: skip


@pytest.fixture(scope="module")
def small() -> dict[str, list[dict[str, Any]]]:
    return dict(carbon.collections(scale=0.05))


def test_the_same_seed_gives_the_same_documents(small: dict[str, list[dict[str, Any]]]) -> None:
    again = dict(carbon.collections(scale=0.05))
    assert [bson.encode(d) for name in small for d in small[name]] == [
        bson.encode(d) for name in again for d in again[name]
    ]
    assert small != dict(carbon.collections(seed=1, scale=0.05))


def test_there_are_25_collections_and_their_references_hold(
    small: dict[str, list[dict[str, Any]]],
) -> None:
    assert len(small) == 25
    known = {name: {d["_id"] for d in small[name]} for name in ("companies", "sites", "users")}
    for name, documents in small.items():
        assert len({d["_id"] for d in documents}) == len(documents)
        if name in known:
            continue
        for document in documents:
            assert document.keys() >= KEY_FIELDS
            assert document["companyId"] in known["companies"]
            assert document["siteId"] in known["sites"]
            assert document["userId"] in known["users"]


def test_documents_are_as_uneven_as_real_ones(small: dict[str, list[dict[str, Any]]]) -> None:
    records = small["stationarycombustions"]
    seen = Counter(key for record in records for key in record)
    assert 30 <= len(seen) <= 36
    assert 0 < seen["notes"] < len(records)
    kinds = {type(value) for record in records for value in record.values()}
    assert {str, int, float, dict, list, ObjectId, bool} <= kinds
    assert isinstance(records[0]["cost"]["amount"], Decimal128)
    assert {type(r["calculatedEmission"]) for r in records} <= {int, float}


def test_the_open_data_is_whole_and_names_its_source() -> None:
    content = dict(cities.collections())
    countries = {country["_id"] for country in content["countries"]}
    assert len(countries) > 240 and len(content["cities"]) > 25_000
    assert {city["countrycode"] for city in content["cities"]} <= countries
    assert "GeoNames" in cities.ATTRIBUTION and "CC BY 4.0" in cities.ATTRIBUTION
