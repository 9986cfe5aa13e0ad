"""No false alarm while documents are written and a run follows them."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from pymongo.database import Database

import landbridge
from landbridge.mongo.connect import connect
from landbridge.postgres.connect import Target
from landbridge.verify import full, hashes, second_look
from landbridge.verify.pairs import pairs

DOCUMENTS = 20_000


def write(database: Database[Any], ending: threading.Event) -> None:
    """Insert, update and delete until told to end; some documents over and over."""
    chance = random.Random(7)
    while not ending.is_set():
        some = [chance.randrange(DOCUMENTS) for _ in range(20)]
        for number in [*some, 1, 2, 3]:
            database.things.update_one({"_id": number}, {"$inc": {"n": 1}}, upsert=True)
        database.things.delete_one({"_id": chance.randrange(DOCUMENTS)})
        database.things.insert_one({"n": chance.random()})
        ending.wait(0.02)


def test_a_table_that_is_followed_is_found_equal(
    mongo_uri: str, postgres_uri: str, mongo: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(second_look, "PATIENCE_SECONDS", 4.0)  # three are never at rest
    mongo.things.insert_many([{"_id": number, "n": 0} for number in range(DOCUMENTS)])
    ending, resting = threading.Event(), threading.Event()
    summaries: list[Any] = []
    settings = landbridge.Settings(method="log")

    def follow() -> None:
        summaries.append(
            landbridge.sync(
                mongo_uri,
                postgres_uri,
                schema="kept",
                settings=settings,
                follow=True,
                ending=ending,
            )
        )

    landbridge.sync(mongo_uri, postgres_uri, schema="kept", settings=settings)
    follower = threading.Thread(target=follow)
    writer = threading.Thread(target=write, args=(mongo, resting))
    follower.start()
    writer.start()
    try:
        with connect(mongo_uri) as ends:
            target = Target(postgres_uri, "tests", 1)
            with target.session() as session:
                (pair,) = pairs(ends, session.connection, "kept")
            found = [mode.compare(ends, target, pair) for mode in (full, hashes)]
            resting.set()  # of the last, nothing stays without a judgement
            writer.join()
            found.append(full.compare(ends, target, pair))
            target.close()
    finally:
        resting.set()
        ending.set()
        writer.join()
        follower.join()
    assert [(one.status, one.missing, one.extra, one.different) for one in found] == [
        ("equal", (), (), ())
    ] * 3
    assert sum(one.rechecked for one in found) > 0
    assert found[-1].restless == ()
    assert summaries[0].error is None
