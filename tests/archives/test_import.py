"""An import makes the tables that a sync of the same documents would have made."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import bson
import psycopg
import pytest
import zstandard
from bson import json_util
from pymongo.database import Database
from tests.archives.conftest import SCHEMA, Folder, Import, contents, counts, of, rows, tables
from tests.s3 import S3Server

from landbridge import bridge
from landbridge.model.settings import Settings

Mongo = Database[dict[str, Any]]
KINDS: list[dict[str, Any]] = [
    {"_id": 1, "name": "one", "at": bson.datetime_ms.DatetimeMS(1_700_000_000_123)},
    {"_id": 2, "name": None, "n": 2**40, "x": {"y": 1.5, "z": []}},
    {"_id": 3, "n": bson.Decimal128("1.500"), "d": float("nan"), "e": -0.0},
    {"_id": 4, "b": b"\0\1", "u": bson.Binary(bytes(16), 4), "o": bson.Binary(b"ab", 2)},
    {"_id": 5, "r": bson.Regex("a.b", "i"), "t": bson.Timestamp(7, 8), "k": bson.MinKey()},
    {"_id": 6, "c": bson.Code("f()", {"a": [1]}), "tags": ["a", {"b": 2}], "x": {"y": "text"}},
    {"_id": 7, "name": "nul \0 inside"},
    {"_id": 8, "query": {"$regex": "^a", "$options": "i"}, "name": "no line for this one"},
]


def fill(mongo: Mongo, documents: int = 2000) -> None:
    mongo["kinds"].insert_many(KINDS)
    mongo["many"].insert_many(
        {"_id": bson.ObjectId(), "n": n, "name": f"n{n}", "sub": {"a": n / 7}}
        for n in range(documents)
    )
    mongo.create_collection("empty")


@pytest.mark.parametrize("compress", ["none", "zstd", "gzip"])
@pytest.mark.parametrize("raw", ["off", "bson"])
def test_an_archive_becomes_what_a_sync_makes(
    mongo: Mongo,
    mongo_uri: str,
    postgres_uri: str,
    postgres: psycopg.Connection,
    tmp_path: Path,
    compress: Any,
    raw: Any,
) -> None:
    fill(mongo)
    settings = Settings(raw=raw)
    bridge.sync(mongo_uri, postgres_uri, schema="synced", settings=settings)
    exported = bridge.export(mongo_uri, str(tmp_path / "out"), compress=compress)
    summary = bridge.import_files(exported.out, postgres_uri, schema="imported", settings=settings)

    assert summary.error is None
    assert counts(summary, "kinds") == {"read": 8, "inserted": 7, "quarantined": 1}
    assert tables(postgres, "imported") == tables(postgres, "synced") == ["empty", "kinds", "many"]
    for table in tables(postgres, "synced"):
        assert contents(postgres, table, "imported") == contents(postgres, table, "synced")
    assert of(summary, "many").consistent_at == exported.cluster_time


def test_the_schema_is_that_of_the_database(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection, tmp_path: Path
) -> None:
    fill(mongo, 10)
    exported = bridge.export(mongo_uri, str(tmp_path / "out"))
    first = bridge.import_files(exported.out, postgres_uri)
    second = bridge.sync(mongo_uri, postgres_uri)
    assert tables(postgres, mongo.name) == ["empty", "kinds", "many"]
    assert counts(first, "many") == {"read": 10, "inserted": 10}
    assert counts(second, "many") == {"read": 10, "unchanged": 10}


def test_an_archive_on_s3(
    mongo: Mongo,
    mongo_uri: str,
    postgres_uri: str,
    postgres: psycopg.Connection,
    s3: S3Server,
) -> None:
    fill(mongo, 500)
    place = f"s3://{s3.bucket}/{mongo.name}/one"
    bridge.export(mongo_uri, place, compress="zstd")
    summary = bridge.import_files(place, postgres_uri, schema=SCHEMA)
    assert counts(summary, "many") == {"read": 500, "inserted": 500}


@pytest.mark.parametrize("options", [json_util.RELAXED_JSON_OPTIONS, json_util.LEGACY_JSON_OPTIONS])
def test_a_folder_of_mongoexport(
    folder: Folder, load: Import, postgres: psycopg.Connection, options: json_util.JSONOptions
) -> None:
    document = {
        "_id": bson.ObjectId("0123456789abcdef01234567"),
        "at": bson.datetime_ms.DatetimeMS(1_700_000_000_123),
        "n": 5,
        "big": bson.Int64(2**40),
        "x": 1.5,
        "b": b"ab",
    }
    line = json_util.dumps(document, json_options=options).encode()
    folder.put("a.json", data=b"\xef\xbb\xbf" + line + b"\r\n\r\n")
    folder.put("b%2Fc.jsonl.gz", data=gzip.compress(line) + gzip.compress(b"\n"))
    folder.put("d.json.zst", data=zstandard.compress(line))
    folder.put("notes.txt", "no lines")
    folder.put("a.metadata.json", "{}")
    summary = load(schema=SCHEMA)

    assert tables(postgres) == ["a", "b_c", "d"]
    for table in tables(postgres):
        (row,) = postgres.execute(
            f"SELECT _id, extract(epoch FROM at)::numeric(20, 3), n, big, x, b FROM shop.{table}"
        ).fetchall()
        assert tuple(map(str, row[:5])) == (
            "0123456789abcdef01234567", "1700000000.123", "5", str(2**40), "1.5",
        )  # fmt: skip
        assert row[5] == b"ab"
    assert "no manifest.json" in summary.notes[-1]


def test_a_second_import_changes_nothing_and_a_later_one_what_differs(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.jsonl", *(f'{{"_id":{n},"v":1}}' for n in range(100)))
    folder.sign()
    assert counts(load(), "users") == {"read": 100, "inserted": 100}
    before = postgres.execute("SELECT max(xmin::text::bigint) FROM shop.users").fetchone()
    assert counts(load(), "users") == {"read": 100, "unchanged": 100}
    assert postgres.execute("SELECT max(xmin::text::bigint) FROM shop.users").fetchone() == before

    later = Folder(folder.path.with_name("later"))
    later.put("users.jsonl", *(f'{{"_id":{n},"v":{2 if n < 30 else 1}}}' for n in range(20, 101)))
    later.sign()
    upserted = counts(load(later, load="upsert"), "users")
    assert upserted == {"read": 81, "inserted": 1, "updated": 10, "unchanged": 70}
    assert counts(load(later), "users") == {"read": 81, "unchanged": 81, "deleted": 20}


def test_what_is_selected(folder: Folder, load: Import, postgres: psycopg.Connection) -> None:
    for name in ("users", "orders", "old"):
        folder.put(f"{name}.jsonl", '{"_id":1}')
    folder.sign()
    load(select=("users", "o*"), exclude=("old",))
    assert tables(postgres) == ["orders", "users"]


def test_files_of_several_megabytes_in_any_pieces(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    lines = [f'{{"_id":{n},"text":"{"x" * (n % 997)}"}}' for n in range(40_000)]
    long = '{"_id":-1,"text":"' + "y" * (9 << 20) + '"}'
    folder.put("users.jsonl", *lines[:20_000], long, *lines[20_000:])
    folder.sign()
    assert counts(load(), "users") == {"read": 40_001, "inserted": 40_001}
    query = "SELECT count(*), sum(length(text)) FROM shop.users"
    assert postgres.execute(query).fetchone() == (
        40_001, (9 << 20) + sum(n % 997 for n in range(40_000)),
    )  # fmt: skip


def test_straight_from_mongodb_is_a_sync(
    mongo: Mongo, mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection, landbridge: Any
) -> None:
    fill(mongo, 10)
    done = landbridge("import", "--from", mongo_uri, "--to", postgres_uri, "--schema", SCHEMA)
    assert done.returncode == 0, done.stderr
    assert tables(postgres) == ["empty", "kinds", "many"]


def test_the_twin_does_the_same(
    folder: Folder, load: Import, postgres_uri: str, postgres: psycopg.Connection, landbridge: Any
) -> None:
    folder.put("users.jsonl", '{"_id":1,"a":{"$date":"2024-01-01T00:00:00Z"}}', '{"_id":', "")
    pure = {"LANDBRIDGE_PURE": "1"}
    arguments = ("import", "--input", str(folder), "--to", postgres_uri, "--schema")
    done = landbridge(*arguments, "pure", env=pure)
    assert done.returncode == 0, done.stderr
    load(schema=SCHEMA)
    assert rows(postgres, "users", "pure") == rows(postgres, "users")
