"""A second load with other settings than the first: each is heeded, or refused in so many words."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from tests.sync.conftest import Check, Sync
from tests.sync.reader import Mongo

CHANGES: list[dict[str, Any]] = [
    {"metadata": True},
    {"soft_delete": True},
    {"load": "upsert"},
    {"load": "append"},
    {"columns_max": 3},
    {"types": "simple"},
    {"names": "preserve"},
    {"raw": "bson"},
    {"raw": "jsonb"},
    {"arrays": "table"},
    {"nul": "escape"},
    {"nested": "extended"},
    {"ids": "bytea"},
    {"flatten_depth": 0},
    {"flatten_depth": 3},
    {"separator": "__"},
    {"contract": "quarantine"},
    {"indexes": ("v",)},
    {"ranges": True},
    {"compare": "values"},
]


@pytest.mark.parametrize("changed", CHANGES, ids=str)
def test_settings_may_change_and_change_back(
    changed: dict[str, Any],
    mongo: Mongo,
    postgres: psycopg.Connection,
    sync: Sync,
    check: Check,
) -> None:
    mongo["t"].insert_many(
        {"_id": n, "v": n, "Ob": {"x": {"y": n}, "z": None}, "tags": [n, {"a": "b"}]}
        for n in range(20)
    )
    mongo["t"].insert_one({"_id": 99, "v": 5, "s": "a\0b"})
    shown = {name: changed[name] for name in ("flatten_depth", "nested", "nul") if name in changed}
    sync()
    check("t")
    for settings, shaping in ((changed, shown), ({}, {}), (changed, shown)):
        mongo["t"].update_one({"_id": 3}, {"$inc": {"v": 1}})
        mongo["t"].delete_one({"_id": 4})
        done = sync(**settings)
        if settings == {} and (changed.get("load") == "append" or "soft_delete" in changed):
            # The table holds what the source no longer has: it goes only when asked to.
            refusal = done["t"].error
            assert refusal is not None and "--full-refresh" in refusal["fix"]
            done = sync(**settings, full_refresh=True)
        assert done.code("t") is None, (settings, done["t"].error)
        where = ["_id <> '4'"]
        if settings.get("load") == "append":
            where.append("_sdc_sequence = (SELECT max(_sdc_sequence) FROM raw.t u"
                         " WHERE u._id = t._id)")  # fmt: skip
        check("t", where=" AND ".join(where), **shaping)
        mongo["t"].insert_one({"_id": 4, "v": 4})
        done = sync(**settings)
        assert done.code("t") is None, (settings, done["t"].error)
        names = "SELECT attname::text FROM pg_attribute WHERE attrelid = 'raw.t'::regclass"
        present = {name for (name,) in postgres.execute(names)}
        if settings.get("metadata"):
            assert "_sdc_extracted_at" in present
        if settings.get("soft_delete"):
            assert "_sdc_deleted_at" in present
