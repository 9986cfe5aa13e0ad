"""Without the compiled kernel the same command gives the same rows, slower, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import psycopg
from bson import Binary, Decimal128, Int64, MinKey, ObjectId, Regex, Timestamp
from pymongo.database import Database

VALUES: tuple[Any, ...] = (
    *(1, 1.5, -0.0, float("nan"), "text", "a\0b", True, None, [], {}, [1, "two", {"three": 3}]),
    *(Int64(2**60), Decimal128("1.10"), ObjectId(), datetime(2024, 2, 29, tzinfo=UTC)),
    *(Binary(b"bytes"), Regex("^a", 2), Timestamp(1, 2), MinKey(), {"b": 1, "a": 2}),
)


def sync(source: str, target: str, schema: str, pure: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "landbridge", "sync", "--schema", schema, "--json"]
    done = subprocess.run(
        command,
        env={
            **os.environ,
            "LANDBRIDGE_PURE": pure,
            "MONGO_URI": source,
            "DATABASE_URL": target,
        },
        capture_output=True,
        text=True,
        check=True,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_pure_python_makes_the_same_table(
    mongo: Database[Any],
    mongo_uri: str,
    postgres: psycopg.Connection[Any],
    postgres_uri: str,
) -> None:
    mongo["mixed"].insert_many(
        {"_id": number, "value": value, "in": {"it": value, "list": [value, number]}}
        for number, value in enumerate(VALUES)
    )

    pure = sync(mongo_uri, postgres_uri, "pure", "1")
    fast = sync(mongo_uri, postgres_uri, "fast", "0")

    assert "slower" in " ".join(pure["notes"])
    assert "slower" not in " ".join(fast["notes"])
    counts = ("read", "inserted", "quarantined", "by_value")
    assert [pure["streams"][0][c] for c in counts] == [fast["streams"][0][c] for c in counts]
    different = postgres.execute(
        "(TABLE pure.mixed EXCEPT TABLE fast.mixed)"
        " UNION (TABLE fast.mixed EXCEPT TABLE pure.mixed)"
    ).fetchall()
    assert different == []
