"""A collection that is dropped takes with it what the same run had set aside of it."""

from __future__ import annotations

import pytest
from tests.layouts.checks import Mongo, Postgres

from landbridge import bridge
from landbridge.model.settings import Settings

BAD = {"_id": "bad", "note": "a\0b"}


@pytest.mark.parametrize("after", [[], [{"_id": "new"}], [{"_id": "new"}, {**BAD, "n": 2}]])
@pytest.mark.parametrize("whole", [False, True], ids=["collection", "database"])
def test_an_entry_of_a_dropped_collection_ends(
    whole: bool,
    after: list[dict[str, object]],
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> None:
    settings = Settings(method="log")
    mongo["t"].insert_many([{"_id": "first"}, {"_id": "other", "note": "c\0d"}])
    assert bridge.sync(mongo_uri, postgres_uri, schema="raw", settings=settings).error is None

    mongo["t"].insert_one(dict(BAD))
    if whole:
        mongo.client.drop_database(mongo.name)
    else:
        mongo["t"].drop()
    if after:
        mongo["t"].insert_many([dict(document) for document in after])
    assert bridge.sync(mongo_uri, postgres_uri, schema="raw", settings=settings).error is None

    rows = postgres.execute("SELECT _id FROM raw.t ORDER BY _id").fetchall()
    assert rows == [("new",)] * bool(after)
    aside = [entry.document_id for entry in bridge.list_quarantine(postgres_uri)]
    assert aside == ['"bad"'] * (len(after) == 2)
