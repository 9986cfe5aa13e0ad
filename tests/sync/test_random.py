"""Random documents, changed at random: after each load the table is the collection."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.codec_options import CodecOptions, DatetimeConversion
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo, read_table

ROUNDS = 4
KEYS = ("a", "b", "A", "a_b", "a.b", "", "value", "c")
NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2**31 - 1, Int64(5), Int64(2**53), Int64(2**53 + 1), Int64(-(2**63)), 0.0, -0.0, 0.1,
    1e16, 5e-324, -1.7976931348623157e308, float("nan"), float("inf"), Decimal128("1.50"),
    Decimal128("1E+40"), Decimal128("NaN"), Decimal128("-0"), Decimal128("1E-6176"),
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None, True, False, "", "x", "ü␀", "a\0b", "y" * 300, DatetimeMS(0), DatetimeMS(2**62),
    DatetimeMS(-62_167_219_200_001), DatetimeMS(-210_866_803_200_000), ObjectId("a" * 24), b"",
    Binary(b"x", 5), Binary(bytes(16), 4), Binary(b"short", 4), Regex("a", "i"), Code("f()"),
    Code("g", {"s": 1}), Timestamp(1, 2), MinKey(), MaxKey(),
)  # fmt: skip


class Maker:
    """Makes values of all kinds, of few at a time, so that most fit what came before."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds = [*self.random.sample(NUMBERS, 3), *self.random.sample(OTHERS, 3)]

    def settings(self) -> dict[str, Any]:
        pick = self.random.choice
        return {
            "types": pick(("precise", "precise", "simple")),
            "names": pick(("lower", "snake", "preserve")),
            "flatten_depth": pick((0, 1, 1, 2, 4)),
            "arrays": pick(("jsonb", "table")),
            "nested": pick(("plain", "extended")),
            "nul": pick(("quarantine", "escape")),
            "ids": pick(("text", "bytea")),
            "raw": pick(("off", "bson", "jsonb")),
            "columns_max": pick((1000, 1000, 12)),
            "rewrite_limit_bytes": pick((1 << 30, 0)),
            "ranges": pick((False, False, True)),
            "metadata": pick((False, True)),
            "soft_delete": pick((False, False, True)),
            "compare": pick((None, "values")),
        }

    def learn(self) -> None:
        """Let one more kind of values come up."""
        self.kinds.append(self.random.choice((*NUMBERS, *OTHERS)))

    def value(self, level: int = 0) -> Any:
        dice = self.random.random()
        if dice < 0.15 and level < 4:
            return self.members(level + 1)
        if dice < 0.3 and level < 4:
            return [self.value(level + 1) for _ in range(self.random.randrange(4))]
        return self.random.choice(self.kinds)

    def members(self, level: int = 0) -> dict[str, Any]:
        names = self.random.sample(KEYS, self.random.randrange(5))
        return {name: self.value(level) for name in names}

    def id(self) -> Any:
        if self.random.random() < 0.9:
            return self.random.randrange(200)
        found = self.value(3)
        return [found] and {"list": 1} if isinstance(found, list | Regex) else found


def change(mongo: Mongo, maker: Maker) -> None:
    """Insert, replace and delete some documents; ids that MongoDB takes for equal replace."""
    maker.learn()
    # Or the driver stumbles over an id that it is told.
    options = CodecOptions[dict[str, Any]](datetime_conversion=DatetimeConversion.DATETIME_AUTO)
    collection = mongo.get_collection("t", codec_options=options)
    for _ in range(maker.random.randrange(40)):
        replacement = {"_id": maker.id(), **maker.members()}
        by_id = {"_id": {"$eq": replacement["_id"]}}
        if maker.random.random() < 0.2:
            collection.delete_one(by_id)
        else:
            collection.replace_one(by_id, replacement, upsert=True)


def count(mongo: Mongo) -> int:
    return int(mongo["t"].count_documents({}))


def cross(seed: int, mongo: Mongo, postgres: psycopg.Connection, sync: Sync, check: Check) -> None:
    maker = Maker(seed)
    settings = maker.settings()
    shown = {name: settings[name] for name in ("flatten_depth", "nested", "nul")}
    if settings["soft_delete"]:
        shown["where"] = "_sdc_deleted_at IS NULL"
    mongo["t"].insert_one({"_id": 1})
    for number in range(ROUNDS):
        change(mongo, maker)
        where = f"seed {seed}, round {number}, {settings}"
        done = sync(**settings)
        assert done.code("t") is None, f"{where}: {done['t'].error}"
        try:
            found = check("t", **shown)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}") from error
        assert done["t"].tally.read == count(mongo), where
        quiet = sync(**settings)["t"].tally
        assert (quiet.read, quiet.unchanged) == (count(mongo), found.rows), where
        assert quiet.inserted == quiet.updated == quiet.deleted == 0, where
        if not settings["soft_delete"]:
            _no_child_is_an_orphan(postgres, where)


def _no_child_is_an_orphan(postgres: psycopg.Connection, where: str) -> None:
    table = read_table(postgres, "raw.t")
    keys = {row.get("_key") or row["_id"] for row in table.rows}
    for child in table.children.values():
        assert {row["_parent_id"] for row in child.rows} <= keys, where


@pytest.mark.parametrize("seed", range(10))
def test_random_documents_cross_again_and_again(
    seed: int,
    mongo: Mongo,
    postgres: psycopg.Connection,
    sync: Sync,
    check: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if seed % 3 == 0:  # as a collection is loaded that isn't tiny
        monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", 0)
    cross(seed, mongo, postgres, sync, check)
