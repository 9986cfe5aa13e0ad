"""All collections of an archive are as of one time, while others write."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from tests.export.archives import Mongo, documents_in, manifest_of

from landbridge import bridge

ACCOUNTS = 400
START = 1_000


@pytest.mark.parametrize("jobs", [1, 2])
def test_money_that_moves_between_collections_is_never_lost(
    mongo: Mongo, mongo_uri: str, tmp_path: Path, jobs: int
) -> None:
    for name in ("left", "right"):
        mongo[name].insert_many({"_id": n, "money": START} for n in range(ACCOUNTS))
    over, moved = threading.Event(), threading.Event()

    def move() -> None:
        with mongo.client.start_session() as session:
            number = 0
            while not over.is_set():
                number = (number + 7) % ACCOUNTS
                with session.start_transaction():
                    for name, change in (("left", -1), ("right", 1)):
                        by_id = {"_id": number}
                        mongo[name].update_one(by_id, {"$inc": {"money": change}}, session=session)
                moved.set()

    writer = threading.Thread(target=move)
    writer.start()
    try:
        assert moved.wait(30)
        for run in range(3):
            out = tmp_path / str(run)
            assert bridge.export(mongo_uri, str(out), batch_size=20, jobs=jobs).error is None
    finally:
        over.set()
        writer.join()

    for run in range(3):
        place = str(tmp_path / str(run))
        money = [
            one["money"]
            for name in ("left", "right")
            for one in documents_in(place, f"{name}.jsonl")
        ]
        assert (len(money), sum(money)) == (2 * ACCOUNTS, 2 * ACCOUNTS * START)
        manifest = manifest_of(place)
        assert {file.consistent_at for file in manifest.files} == {manifest.cluster_time}
