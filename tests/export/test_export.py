"""An export holds what the driver reads: every kind, name, compression; and says what it holds."""

from __future__ import annotations

import base64
import json
import math
import uuid
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bson
import pytest
from bson import (
    SON,
    Binary,
    Code,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from tests.export.archives import (
    Mongo,
    documents_in,
    documents_of,
    lines_in,
    lines_of,
    manifest_of,
)
from tests.s3 import S3Server
from tests.strategies import document, string

from landbridge import bridge
from landbridge.errors import (
    ArchiveError,
    ArchiveTakenError,
    SourceMissingError,
    StopError,
    UsageError,
)
from landbridge.files import archive_names
from landbridge.model.archive import Compression, ExportSummary

EVERY_KIND = {
    "double": 0.1,
    "minus zero": -0.0,
    "infinity": -math.inf,
    "string": 'a"\\\n\0é🚒',
    "object": {"b": 1, "a": {"$ref": 1}},
    "array": [1, [2, {}], []],
    "binary": Binary(b"\0\1\2", 5),
    "old binary": Binary(b"\1\2", 2),
    "uuid": Binary.from_uuid(uuid.UUID(int=7)),
    "oid": ObjectId("0123456789abcdef01234567"),
    "bool": True,
    "date": datetime(2024, 2, 29, 12, 30, 1, 5000, tzinfo=UTC),
    "far date": DatetimeMS(2**62),
    "null": None,
    "regex": Regex("^a/", "im"),
    "dbref": DBRef("c", ObjectId("0123456789abcdef01234567"), "d"),
    "code": Code("f()"),
    "scoped": Code("f()", SON([("a", Int64(1))])),
    "int": -5,
    "long": Int64(2**53 + 1),
    "timestamp": Timestamp(5, 6),
    "decimal": Decimal128("1.10"),
    "min": MinKey(),
    "max": MaxKey(),
}


def exported(source: str, out: Path | str, **options: Any) -> ExportSummary:
    summary = bridge.export(source, str(out), **options)
    assert summary.error is None, summary
    return summary


def test_every_kind_is_what_the_driver_reads(mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    mongo["kinds"].insert_many({"_id": name, "v": value} for name, value in EVERY_KIND.items())
    mongo["kinds"].insert_one({"_id": "all", **EVERY_KIND})
    exported(mongo_uri, tmp_path)

    told = [bson.encode(one) for one in documents_in(str(tmp_path), "kinds.jsonl")]
    assert told == [bson.encode(one) for one in documents_of(mongo, "kinds")]
    assert Counter(lines_in(str(tmp_path), "kinds.jsonl")) == lines_of(mongo, "kinds")


@pytest.mark.parametrize("compress", ["none", "zstd", "gzip"])
@pytest.mark.parametrize("batch_size", [None, 7])
def test_many_collections_in_every_compression(
    mongo: Mongo, mongo_uri: str, tmp_path: Path, compress: Compression, batch_size: int | None
) -> None:
    sizes = {"users": 3000, "orders": 700, "one": 1}
    for name, count in sizes.items():
        mongo[name].insert_many({"n": n, "name": f"{name} {n}"} for n in range(count))
    mongo.create_collection("none")

    summary = exported(mongo_uri, tmp_path, compress=compress, batch_size=batch_size)

    manifest = manifest_of(str(tmp_path))
    assert {file.collection: file.documents for file in manifest.files} == sizes | {"none": 0}
    for file in manifest.files:
        assert Counter(lines_in(str(tmp_path), file.name)) == lines_of(mongo, file.collection)
        assert file.consistent_at == manifest.cluster_time is not None
    assert manifest.compression == compress
    assert [one.file for one in summary.files] == list(manifest.files)


def test_an_archive_on_s3(mongo: Mongo, mongo_uri: str, s3: S3Server) -> None:
    mongo["users"].insert_many({"n": n, "text": f"{n:04}" * 2000} for n in range(3000))  # 24 MB
    mongo["a/b"].insert_one({"n": 1})
    place = f"s3://{s3.bucket}/{uuid.uuid4().hex}/shop"

    exported(mongo_uri, place)

    manifest = manifest_of(place)
    assert [file.name for file in manifest.files] == ["a%2Fb.jsonl", "users.jsonl"]
    assert Counter(lines_in(place, "users.jsonl")) == lines_of(mongo, "users")
    names = {"manifest.json", "export.log", "users.jsonl", "a%2Fb.jsonl"}
    prefix = place.removeprefix(f"s3://{s3.bucket}/")
    assert {key.removeprefix(prefix + "/") for key in s3.keys(prefix)} == names
    assert s3.uploads() == 0
    with pytest.raises(ArchiveTakenError, match="finished archive"):
        bridge.export(mongo_uri, place)


def test_names_that_no_disk_should_see(mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    names = ['"; drop table x; --', "a/b", "a\\b", "käufer", "a..b", "Users", "users", "x.rejected"]
    for name in names:
        mongo.command({"insert": name, "documents": [{"_id": name}]})

    exported(mongo_uri, tmp_path / "archive")

    assert [path.name for path in tmp_path.iterdir()] == ["archive"]
    files = archive_names(names, "none")
    assert {
        file.collection: file.name for file in manifest_of(str(tmp_path / "archive")).files
    } == (files)
    for name, file in files.items():
        assert documents_in(str(tmp_path / "archive"), file) == [{"_id": name}]


def test_views_time_series_capped_clustered_and_collated_collections(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    mongo["plain"].insert_many({"n": n} for n in range(50))
    mongo.create_collection("view", viewOn="plain", pipeline=[{"$match": {"n": {"$lt": 9}}}])
    mongo.create_collection("series", timeseries={"timeField": "at"})
    mongo["series"].insert_many({"at": datetime.now(UTC), "n": n} for n in range(50))
    mongo.create_collection("capped", capped=True, size=100_000)
    mongo["capped"].insert_many({"n": n} for n in range(50))
    mongo.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    mongo["clustered"].insert_many({"_id": n} for n in range(50))
    mongo.create_collection("collated", collation={"locale": "en"})
    mongo["collated"].insert_many({"_id": f"{n}"} for n in range(50))

    exported(mongo_uri, tmp_path)

    manifest = manifest_of(str(tmp_path))
    for file in manifest.files:
        assert Counter(lines_in(str(tmp_path), file.name)) == lines_of(mongo, file.collection)
        no_snapshot = file.collection == "capped"
        assert (file.consistent_at is None) == no_snapshot
        assert bool(file.notes) == no_snapshot


def test_a_query_picks_documents_and_is_in_the_manifest(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    day = datetime(2024, 1, 1, tzinfo=UTC)
    mongo["a"].insert_many([{"_id": 1, "at": day}, {"_id": 2, "at": datetime.now(UTC)}])
    mongo["b"].insert_one({"_id": 3})

    exported(mongo_uri, tmp_path, query='{"at": {"$lte": {"$date": "2024-01-01T00:00:00Z"}}}')

    manifest = manifest_of(str(tmp_path))
    assert {file.collection: file.documents for file in manifest.files} == {"a": 1, "b": 0}
    assert manifest.query == '{"at": {"$lte": {"$date": {"$numberLong": "1704067200000"}}}}'


@pytest.mark.parametrize("query", ["{", "[1]", '{"$oid": "x"}', '"a"', "{'a': 1}"])
def test_a_query_that_is_none_is_refused(mongo_uri: str, tmp_path: Path, query: str) -> None:
    with pytest.raises(UsageError, match="--query"):
        bridge.export(mongo_uri, str(tmp_path / "out"), query=query)
    assert not (tmp_path / "out").exists()


def test_a_query_that_the_server_refuses_leaves_nothing(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    mongo["a"].insert_one({"_id": 1})
    with pytest.raises(StopError, match=r"\$nonsense"):
        bridge.export(mongo_uri, str(tmp_path), query='{"a": {"$nonsense": 1}}')
    assert list(tmp_path.iterdir()) == []


def test_what_json_cannot_hold_is_kept_beside(mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    number = (0x10, b"\1\0\0\0")
    broken = document([(b"_id", number), (b"a", (0x02, string(b"x\xff")))])
    reserved = bson.encode({"_id": 2, "a": [{"$date": 5}]})
    mongo.get_collection("a").insert_many(
        [RawBSONDocument(broken), RawBSONDocument(reserved), {"_id": 3}]
    )

    summary = bridge.export(mongo_uri, str(tmp_path))

    assert summary.error is not None and summary.error["code"] == "documents_rejected"
    assert documents_in(str(tmp_path), "a.jsonl") == [{"_id": 3}]
    (file,) = manifest_of(str(tmp_path)).files
    assert (file.documents, file.rejected) == (1, 2)
    entries = [json.loads(line) for line in (tmp_path / "a.rejected.jsonl").open()]
    assert [(e["document_id"], e["path"]) for e in entries] == [
        ('{"$numberInt":"1"}', "a"),
        ('{"$numberInt":"2"}', "a.0.$date"),
    ]
    assert [base64.b64decode(e["bson"]) for e in entries] == [broken, reserved]
    assert [one.path for one in summary.files[0].rejected] == ["a", "a.0.$date"]


def test_a_dry_run_writes_nothing_and_names_the_files(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    mongo["a/b"].insert_many({"n": n} for n in range(30))
    out = tmp_path / "out"
    plan = bridge.export(mongo_uri, str(out), compress="gzip", dry_run=True)
    some = bridge.export(mongo_uri, str(out), query='{"n": {"$lt": 5}}', dry_run=True)

    assert plan.dry_run and not out.exists()
    ((file, size),) = [(one.file, one.source_bytes) for one in plan.files]
    assert (file.name, file.documents) == ("a%2Fb.jsonl.gz", 30)
    assert size and size >= 30 * 20
    assert [one.file.documents for one in some.files] == [5]


def test_a_place_that_is_taken_is_left_alone(mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    mongo["a"].insert_one({"_id": 1})
    exported(mongo_uri, tmp_path / "archive")
    with pytest.raises(ArchiveTakenError, match="a finished archive is there"):
        bridge.export(mongo_uri, str(tmp_path / "archive"))

    others = tmp_path / "others"
    others.mkdir()
    (others / "a.jsonl").write_text("{}\n")
    with pytest.raises(ArchiveTakenError, match=r"a\.jsonl is there already"):
        bridge.export(mongo_uri, str(others))
    assert (others / "a.jsonl").read_text() == "{}\n"

    (others / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(ArchiveError, match="its format is 99"):
        bridge.export(mongo_uri, str(others))


def test_a_collection_that_is_not_there_is_told(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    mongo["users"].insert_one({"_id": 1})
    with pytest.raises(SourceMissingError, match="user"):
        bridge.export(mongo_uri, str(tmp_path / "out"), select=["user"])
    assert not (tmp_path / "out").exists()
