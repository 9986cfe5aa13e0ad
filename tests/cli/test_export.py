"""`export` on a real server, as a process: report, exit codes, JSON, what a person gets wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database
from tests.cli.process import Run

Mongo = Database[dict[str, Any]]


def fill(mongo: Mongo) -> None:
    mongo["users"].insert_many({"_id": n, "name": f"user {n}"} for n in range(1000))
    mongo["a/b"].insert_one({"_id": 1})
    mongo["launches"].insert_one({"_id": 1})


def test_the_report_the_files_and_the_log(
    landbridge: Run, mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    done = landbridge(
        "export", "--collections", "users,a/b", "--compress", "zstd", env={"MONGO_URI": mongo_uri}
    )

    assert done.returncode == 0, done.stderr
    (out,) = (tmp_path / "output").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", out.name)
    assert f"→ output/{out.name}" in done.stdout and "1,001" in done.stdout
    assert {path.name for path in out.iterdir()} == {
        "users.jsonl.zst", "a%2Fb.jsonl.zst", "manifest.json", "export.log",
    }  # fmt: skip
    log = (out / "export.log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ", line) for line in log)
    assert [line for line in log if " users: begins" in line]
    assert [line for line in log if " users: ends, 1,000 documents, " in line]
    assert "export ends: 2 files, 1,001 documents" in log[-1]


def test_the_json_report(landbridge: Run, mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    fill(mongo)
    done = landbridge("export", "--from", mongo_uri, "--out", "archive", "--json")

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    manifest = json.loads((tmp_path / "archive" / "manifest.json").read_text())
    assert (report["status"], report["out"], report["error"]) == ("ok", "archive", None)
    assert report["cluster_time"] == manifest["cluster_time"]
    found = {file["collection"]: file for file in report["files"]}
    assert {name: file["documents"] for name, file in found.items()} == {
        "users": 1000, "a/b": 1, "launches": 1,
    }  # fmt: skip
    assert {file["sha256"] for file in manifest["files"]} == {
        file["sha256"] for file in found.values()
    }

    again = landbridge("export", "--from", mongo_uri, "--out", "archive", "--json")
    assert again.returncode == 1
    assert json.loads(again.stdout)["error"]["code"] == "archive_taken"
    assert "name another --out" in again.stderr and "Traceback" not in again.stderr


def test_a_dry_run(landbridge: Run, mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    fill(mongo)
    done = landbridge("export", "--from", mongo_uri, "--select", "us*", "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "users.jsonl" in done.stdout and "1,000" in done.stdout
    assert "nothing was written" in done.stdout and "launches" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_document_that_was_left_out_is_named(
    landbridge: Run, mongo: Mongo, mongo_uri: str
) -> None:
    mongo["users"].insert_many([{"_id": 1, "a": {"$oid": "x"}}, {"_id": 2}])
    done = landbridge("export", "--from", mongo_uri, "--out", "archive")

    assert done.returncode == 1
    assert "field a.$oid: the key $oid means a type in extended JSON" in done.stdout
    assert '_id {"$numberInt":"1"}' in done.stdout
    assert "1 document could not be written as JSON" in done.stderr
    assert "users.rejected.jsonl" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--collections", "user"), 1, "did you mean `users`"),
        (("--query", "{"), 2, "--query can't be understood"),
        (("--compress", "zip"), 2, "zip"),
        (("--out", "s3://"), 2, "s3://BUCKET/PREFIX"),
        (("--out", "file/below"), 1, "cannot"),
    ],
)
def test_what_a_person_gets_wrong(
    landbridge: Run, mongo: Mongo, mongo_uri: str, tmp_path: Path,
    arguments: tuple[str, ...], code: int, text: str,
) -> None:  # fmt: skip
    fill(mongo)
    (tmp_path / "file").write_text("")
    done = landbridge("export", "--from", mongo_uri, *arguments)

    assert done.returncode == code
    assert text in done.stderr and "fix: " in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
