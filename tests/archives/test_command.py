"""`landbridge import` as a person and a script use it."""

from __future__ import annotations

import json

import psycopg
import pytest
from tests.archives.conftest import Folder, tables
from tests.cli.process import Run

URI = "postgresql://localhost/none"


def test_a_report_for_people(folder: Folder, landbridge: Run, postgres_uri: str) -> None:
    folder.put("users.jsonl", '{"_id":1}', "{", '{"_id":2}')
    folder.sign()
    done = landbridge("import", "--input", str(folder), "--to", postgres_uri)
    assert done.returncode == 0, done.stderr
    figures = next(line.split() for line in done.stdout.splitlines() if line.startswith("users"))
    assert figures[:7] == ["users", "3", "2", "0", "0", "0", "1"]
    assert "next: landbridge quarantine list" in done.stdout
    listed = landbridge("quarantine", "list", "--to", postgres_uri)
    assert "line 2 of users.jsonl" in listed.stdout and "ends in the middle" in listed.stdout


def test_a_report_for_programs(folder: Folder, landbridge: Run, postgres_uri: str) -> None:
    folder.put("users.jsonl", '{"_id":1}')
    folder.sign()
    done = landbridge(
        "import", "--input", str(folder), "--json", env={"DATABASE_URL": postgres_uri}
    )
    report = json.loads(done.stdout)
    (stream,) = report["streams"]
    assert (report["status"], report["error"]) == ("ok", None)
    assert (stream["stream"], stream["table"]) == ("shop.users", "shop.users")
    assert (stream["read"], stream["inserted"], stream["quarantined"]) == (1, 1, 0)


def test_a_dry_run(
    folder: Folder, landbridge: Run, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    folder.put("users.jsonl", '{"_id":1,"name":"a"}', "{")
    arguments = ("import", "--input", str(folder), "--to", postgres_uri, "--schema", "shop")
    done = landbridge(*arguments, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert 'CREATE TABLE "shop"."users"' in done.stdout
    assert "1 would go to quarantine: line 2 of users.jsonl" in done.stdout
    assert "nothing was touched" in done.stdout
    assert tables(postgres) == []
    plan = json.loads(landbridge(*arguments, "--dry-run", "--json").stdout)
    assert plan["dry_run"] and plan["streams"][0]["documents"] == 2


def test_stop(folder: Folder, landbridge: Run, postgres_uri: str) -> None:
    folder.put("users.jsonl", '{"_id":')
    folder.sign()
    done = landbridge(
        "import", "--input", str(folder), "--to", postgres_uri, "--on-error", "stop", "--json"
    )
    report = json.loads(done.stdout)
    assert (done.returncode, report["status"]) == (1, "failed")
    assert report["error"]["code"] == "line_broken"
    assert "--on-error continue" in report["error"]["fix"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "--input is missing"),
        (("--input", "a", "--from", "mongodb://localhost/shop"), "exclude each other"),
        (("--input", "a", "--mapping", "m.yml", "--schema", "s"), "exclude each other"),
        (("--input", "a", "--mapping", "nothing.yml"), "cannot read nothing.yml"),
        (("--input", "a", "--undo", "1"), "--undo stands alone"),
        (("--input", "a", "--on-error", "perhaps"), "perhaps"),
        (("--input", "a", "--batch-size", "0"), "0"),
        (("--input", "a", "--batch-size", "9"), "--batch-size cannot be used without --mapping"),
        (("--input", "a", "--mapping", "m.yml", "--load", "upsert"), "--load cannot be used with"),
        (("--input", "a", "--mapping", "m.yml", "--nul", "escape"), "--nul cannot be used with"),
    ],
)
def test_wrong_use(landbridge: Run, arguments: tuple[str, ...], text: str) -> None:
    done = landbridge("import", "--to", URI, *arguments)
    assert done.returncode == 2
    assert text in done.stderr and "Traceback" not in done.stderr


def test_a_place_that_is_not_there(landbridge: Run) -> None:
    done = landbridge("import", "--input", "nowhere", "--to", URI)
    assert done.returncode == 1
    assert "there is no archive in nowhere" in done.stderr


def test_a_server_that_is_not_there(folder: Folder, landbridge: Run) -> None:
    folder.put("users.jsonl", '{"_id":1}')
    folder.sign()
    target = "postgresql://u:secret@127.0.0.1:1/x"
    done = landbridge("import", "--input", str(folder), "--to", target)
    assert done.returncode == 1
    assert "secret" not in done.stderr + done.stdout and "Traceback" not in done.stderr


def test_an_import_that_is_not_there_cannot_be_undone(landbridge: Run, postgres_uri: str) -> None:
    run = "5f0c7a0e-2b1d-4a59-8f5e-0d8d7f8f3c11"
    done = landbridge("import", "--undo", run, "--to", postgres_uri)
    assert done.returncode == 2
    assert f"there is no import {run}" in done.stderr
