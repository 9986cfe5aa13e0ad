"""A copy by ranges is of one point in time where the source keeps a log."""

from __future__ import annotations

from typing import Any

import pytest
from tests.layouts.checks import (
    NAME,
    SMALL_PARTS,
    Mongo,
    Postgres,
    assert_equal,
    change,
    document,
    fill,
    leftovers,
    settings_for,
    sync,
)

from landbridge.engine import ranges


@pytest.fixture
def changing(monkeypatch: pytest.MonkeyPatch, mongo: Mongo) -> Any:
    """Change the collection before and after its ranges are read, by the log alone to be seen."""
    for name, value in SMALL_PARTS.items():
        monkeypatch.setattr(name, value)
    copy = ranges.copy_ranges

    def copy_ranges(work: Any, *, resumed: bool) -> Any:
        change(mongo[NAME], seed=1)
        copied = copy(work, resumed=resumed)
        change(mongo[NAME], seed=3)
        mongo[NAME].insert_one({**document(90_000), "unheard": "of"})
        mongo[NAME].insert_one({**document(90_001), "note": "a\0b"})
        return copied

    monkeypatch.setattr(ranges, "copy_ranges", copy_ranges)
    return copy_ranges


@pytest.mark.parametrize("load", ["first", "later"])
def test_what_changes_while_ranges_are_read_is_read_again(
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    changing: Any,
    load: str,
) -> None:
    fill(mongo[NAME])
    if load == "later":
        sync(mongo_uri, postgres_uri)
        change(mongo[NAME], seed=7)
    stream = sync(mongo_uri, postgres_uri, settings_for("large"))
    assert_equal(mongo[NAME], postgres)
    assert leftovers(postgres) == []
    assert stream.consistent_at is not None
    assert any("were read again" in note for note in stream.notes)
    again = sync(mongo_uri, postgres_uri)
    assert (again.tally.inserted, again.tally.updated, again.tally.deleted) == (0, 0, 0)


def test_ids_of_another_kind_may_come_meanwhile(
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SMALL_PARTS.items():
        monkeypatch.setattr(name, value)
    fill(mongo[NAME], 900)
    copy = ranges.copy_ranges

    def copy_ranges(work: Any, *, resumed: bool) -> Any:
        copied = copy(work, resumed=resumed)
        mongo[NAME].insert_one({"_id": "text", "n": 1})
        mongo[NAME].delete_one({"_id": 5})
        return copied

    monkeypatch.setattr(ranges, "copy_ranges", copy_ranges)
    sync(mongo_uri, postgres_uri, settings_for("large"))
    rows = postgres.execute("SELECT count(*), count(_key) FROM raw.orders").fetchone()
    bad = sum("\0" in str(found.get("note", "")) for found in mongo[NAME].find())
    assert rows == (mongo[NAME].count_documents({}) - bad,) * 2
