"""A place in the log can be gone on from whatever kind of `_id` the last event was of."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Decimal128, Int64
from pymongo.database import Database

from landbridge.model.log import LogBatch
from landbridge.model.position import LogPosition
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.log import DatabaseLog
from landbridge.mongo.tokens import token_document, token_text

IDS = [5, Int64(5), 5.0, 0.5, -0.0, 1e300, float("nan"), Decimal128("5.10"), {"a": 0.5}, "5", None]


@pytest.mark.parametrize("found", IDS, ids=repr)
def test_the_place_of_an_event_can_be_gone_on_from(
    found: Any, mongo_uri: str, mongo: Database[dict[str, Any]]
) -> None:
    """Without their type bits the server refuses tokens of some numbers (50810, 50825, 50826)."""
    mongo["t"].insert_one({"_id": "first"})
    with connect(mongo_uri) as connection:
        [collection] = catalog.collections(connection)
        log = DatabaseLog(connection)
        start = log.now()
        mongo["t"].insert_one({"_id": found})
        batch = LogBatch([], "", 0)
        with log.read(start.time, [collection], ("insert",)) as batches:
            while not any(event.token > start.token for event in batch.events):
                batch = next(batches)
        for token in (batch.events[-1].token, batch.token):
            place = LogPosition(token, uuid=collection.uuid)
            assert DatabaseLog(connection).why_lost(place, collection) is None
            assert LogPosition.from_json(place.to_json()) == place


def test_a_token_and_its_text_are_the_same() -> None:
    for data, type_bits in (("82AB04", b""), ("82AB04", b"\x82\x05")):
        text = token_text(data, type_bits)
        document = token_document(text)
        assert document["_data"] == data
        assert bytes(document.get("_typeBits", b"")) == type_bits
    assert token_text("82AB04", b"\x01") < "82AC04"
