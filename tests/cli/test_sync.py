"""`sync` and `quarantine` on real servers, as processes: reports, exit codes, secrets."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run, clean_environment, command_line

Mongo = Database[dict[str, Any]]


@pytest.fixture
def ends(mongo_uri: str, postgres_uri: str) -> tuple[str, ...]:
    return ("--from", mongo_uri, "--to", postgres_uri, "--schema", "raw")


def fill(mongo: Mongo, documents: int = 100) -> None:
    mongo["orders"].insert_many({"_id": n, "total": n / 4} for n in range(documents))
    mongo["fire extinguishers"].insert_many({"siteName": f"s{n}"} for n in range(7))


def counts(stream: dict[str, Any]) -> tuple[int, ...]:
    names = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined")
    return tuple(stream[name] for name in names)


def test_a_second_run_reports_only_what_differs(
    landbridge: Run, mongo: Mongo, postgres: psycopg.Connection, ends: tuple[str, ...]
) -> None:
    fill(mongo)
    first = landbridge("sync", *ends)
    assert first.returncode == 0, first.stderr
    assert "→ schema raw" in first.stdout and "→ fire_extinguishers" in first.stdout

    mongo["orders"].update_one({"_id": 1}, {"$set": {"total": 9.5}})
    mongo["orders"].delete_many({"_id": {"$in": [2, 3]}})
    mongo["orders"].insert_one({"_id": 100})
    second = landbridge("sync", *ends, "--json")

    report = json.loads(second.stdout)
    assert (second.returncode, report["status"], report["error"]) == (0, "ok", None)
    streams = {stream["collection"]: stream for stream in report["streams"]}
    assert counts(streams["orders"]) == (99, 1, 1, 97, 2, 0)
    assert counts(streams["fire extinguishers"]) == (7, 0, 0, 7, 0, 0)
    assert streams["orders"]["table"] == "raw.orders"
    assert postgres.execute("select count(*), sum(total) from raw.orders").fetchone() == (
        99,
        sum(n / 4 for n in range(100) if n not in (1, 2, 3)) + 9.5,
    )


def test_collections_are_chosen_by_pattern_and_by_list(
    landbridge: Run, mongo: Mongo, ends: tuple[str, ...]
) -> None:
    for name in ("orders", "orders_old", "customers", "items"):
        mongo[name].insert_one({"a": 1})

    done = landbridge(
        "sync", *ends, "--select", "order*", "--collections", "items, nothing*",
        "--exclude", "*_old", "--json",
    )  # fmt: skip

    assert [stream["collection"] for stream in json.loads(done.stdout)["streams"]] == [
        "items",
        "orders",
    ]


def test_a_dry_run_touches_nothing(
    landbridge: Run, mongo: Mongo, postgres: psycopg.Connection, ends: tuple[str, ...]
) -> None:
    fill(mongo)
    told = landbridge("sync", *ends, "--dry-run")
    report = json.loads(landbridge("sync", *ends, "--dry-run", "--json").stdout)

    assert told.returncode == 0, told.stderr
    assert "nothing was touched" in told.stdout and "sample" in told.stdout
    assert report["dry_run"] is True
    assert {stream["table"] for stream in report["streams"]} == {
        "raw.orders",
        "raw.fire_extinguishers",
    }
    schemas = postgres.execute("select nspname from pg_namespace").fetchall()
    assert {"raw", "landbridge"}.isdisjoint(name for (name,) in schemas)


def test_what_is_set_aside_is_listed_shown_and_tried_again(
    landbridge: Run, mongo: Mongo, postgres: psycopg.Connection, ends: tuple[str, ...],
    postgres_uri: str,
) -> None:  # fmt: skip
    mongo["orders"].insert_many([{"_id": 1, "note": "a\0b"}, {"_id": 2, "note": "ok"}])
    synced = landbridge("sync", *ends)
    assert synced.returncode == 0, synced.stderr
    assert "next: landbridge quarantine list --to " in synced.stdout

    environment = {"DATABASE_URL": postgres_uri}
    listed = landbridge("quarantine", "list", env=environment)
    (entry,) = json.loads(landbridge("quarantine", "list", "--json", env=environment).stdout)[
        "entries"
    ]
    shown = landbridge("quarantine", "show", str(entry["id"]), env=environment)
    retried = landbridge("quarantine", "retry", env=environment)

    assert entry["stream"].endswith(".orders") and entry["path"] == "note"
    assert f"next: landbridge quarantine show {entry['id']}\n" in listed.stdout
    assert "a\\u0000b" in shown.stdout
    assert (retried.returncode, postgres.execute("select _id from raw.orders").fetchall()) == (
        0,
        [(2,)],
    )


def test_one_failing_collection_fails_the_run_and_not_the_others(
    landbridge: Run, mongo: Mongo, postgres: psycopg.Connection, ends: tuple[str, ...]
) -> None:
    fill(mongo)
    postgres.execute("create schema raw")
    postgres.execute("create table raw.orders (mine int)")

    done = landbridge("sync", *ends, "--json")

    report = json.loads(done.stdout)
    errors = {s["collection"]: s["error"] and s["error"]["code"] for s in report["streams"]}
    assert (done.returncode, report["status"]) == (1, "failed")
    assert errors == {"orders": "table_taken", "fire extinguishers": None}
    told = landbridge("sync", *ends)
    assert told.returncode == 1
    assert "error: " in told.stderr and "--take-over" in told.stderr
    assert "Traceback" not in told.stderr


UNREACHABLE = {
    "mongodb": ("mongodb://ana:hunter2@127.0.0.1:1/shop?serverSelectionTimeoutMS=300", None),
    "postgresql": (None, "postgresql://ana:hunter2@127.0.0.1:1/bi"),
}


@pytest.mark.parametrize(("source", "target"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_a_server_that_is_away_is_told_without_the_password(
    landbridge: Run, mongo: Mongo, mongo_uri: str, postgres_uri: str,
    source: str | None, target: str | None,
) -> None:  # fmt: skip
    mongo["orders"].insert_one({"a": 1})
    arguments = ("sync", "--from", source or mongo_uri, "--to", target or postgres_uri)

    told, debugged = landbridge(*arguments), landbridge(*arguments, "--debug", "--json")

    assert (told.returncode, told.stdout) == (1, "")
    assert len(told.stderr.splitlines()) == 3, told.stderr
    assert json.loads(debugged.stdout)["error"]["code"] == "unreachable"
    assert "hunter2" not in told.stderr + debugged.stdout + debugged.stderr


def test_a_wrong_password_is_told_without_it(
    landbridge: Run, mongo: Mongo, mongo_uri: str, postgres_uri: str
) -> None:
    mongo["orders"].insert_one({"a": 1})
    parts = urlsplit(postgres_uri)
    wrong = parts._replace(netloc=f"postgres:hunter2@{parts.hostname}:{parts.port}").geturl()

    done = landbridge("sync", "--from", mongo_uri, "--to", wrong, "--json")

    assert json.loads(done.stdout)["error"]["code"] == "authentication_failed"
    assert "hunter2" not in done.stdout + done.stderr


def test_a_source_without_a_database_lists_the_databases(
    landbridge: Run, mongo: Mongo, mongo_uri: str, postgres_uri: str
) -> None:
    mongo["orders"].insert_one({"a": 1})
    nameless = urlsplit(mongo_uri)._replace(path="/").geturl()

    done = landbridge("sync", "--from", nameless, "--to", postgres_uri)

    assert done.returncode in (1, 2)
    assert mongo.name in done.stderr


def test_ctrl_c_ends_in_one_line_and_the_same_command_finishes(
    landbridge: Run, mongo: Mongo, postgres: psycopg.Connection, ends: tuple[str, ...],
    tmp_path: Path,
) -> None:  # fmt: skip
    for number in range(30):
        mongo[f"c{number}"].insert_many({"text": "x" * 500} for _ in range(3000))
    process = subprocess.Popen(
        command_line("sync", *ends, "--jobs", "1"),
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    tables = "select count(*) from pg_tables where schemaname = 'raw'"
    while postgres.execute(tables).fetchone() == (0,):
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)

    assert process.returncode == 130, error
    assert error.strip() == "interrupted; run the same command again: it resumes"
    assert landbridge("sync", *ends).returncode == 0
    assert postgres.execute(tables).fetchone() == (30,)
