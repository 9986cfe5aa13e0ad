"""`landbridge doctor` as a person runs it: the table, the JSON, the exit codes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run, clean_environment, command_line

TO = ("--to", "postgresql://127.0.0.1:1/bi")
KEYS = {"severity", "code", "where", "message", "fix"}


@pytest.fixture
def shop(mongo: Database[dict[str, Any]]) -> str:
    """The name of a database with two collections."""
    mongo.orders.insert_many([{"_id": n, "updatedAt": n} for n in range(1234)])
    mongo.customers.insert_one({"_id": 1})
    return mongo.name


def test_the_table_has_the_worst_first_and_ends_with_the_verdict(
    landbridge: Run, shop: str, mongo_uri: str, postgres_uri: str, postgres: psycopg.Connection
) -> None:
    postgres.execute(f"CREATE SCHEMA {shop}; CREATE TABLE {shop}.orders (id int)")
    done = landbridge(
        "doctor", "--from", mongo_uri, "--to", postgres_uri,
        "--method", "incremental", "--key", "updatedAt",
    )  # fmt: skip
    head, _, *rows, _, verdict = done.stdout.splitlines()

    assert done.returncode == 1 and done.stderr == ""
    assert head.split() == ["severity", "where", "what", "fix"]
    order = [row.split()[0] for row in rows]
    assert order == sorted(order, key=["error", "warning", "info", "ok"].index)
    assert f"{shop}.orders exists, and landbridge did not make it" in rows[0]
    assert f'db.getSiblingDB("{shop}").orders.createIndex({{"updatedAt": 1}})' in done.stdout
    assert "each run reads all 1,234 documents" in done.stdout
    assert verdict == "a sync by incremental cannot start: 1 error to mend"
    assert "\x1b" not in done.stdout


def test_a_terminal_gets_each_command_in_one_piece(shop: str, mongo_uri: str) -> None:
    reader, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    process = subprocess.Popen(
        command_line(
            "doctor", "--from", mongo_uri, "--method", "incremental", "--key", "updatedAt"
        ),
        stdout=terminal,
        env=clean_environment({"TERM": "xterm-256color"}),
    )
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
        while part := os.read(reader, 1 << 16):
            shown += part
    os.close(reader)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in shown.decode().splitlines()]

    assert process.wait(60) == 0
    assert max(map(len, lines[: lines.index("")])) <= 80
    assert f'  db.getSiblingDB("{shop}").orders.createIndex({{"updatedAt": 1}})' in lines
    assert lines[-1].startswith("for the source a sync by incremental can start, with 2 warnings")


def test_the_json_holds_every_finding(
    landbridge: Run, shop: str, mongo_uri: str, postgres_uri: str
) -> None:
    done = landbridge("doctor", "--from", mongo_uri, "--to", postgres_uri, "--json")
    report = json.loads(done.stdout)

    assert done.returncode == 0
    assert set(report) == {"status", "findings", "seconds", "error"}
    assert (report["status"], report["error"]) == ("ok", None)
    assert all(set(finding) == KEYS for finding in report["findings"])
    assert {"ok", "info"} <= {finding["severity"] for finding in report["findings"]}


def test_an_error_is_in_the_json_too(landbridge: Run, mongo_uri: str) -> None:
    done = landbridge("doctor", "--from", mongo_uri, "--to", "postgresql://u:s3cr3t@127.0.0.1:1/bi",
                      "--json")  # fmt: skip
    report = json.loads(done.stdout)

    assert (done.returncode, report["status"]) == (1, "failed")
    assert report["error"]["code"] == "preflight_failed"
    assert {"source_missing", "unreachable"} <= {one["code"] for one in report["findings"]}
    assert "s3cr3t" not in done.stdout + done.stderr and "Traceback" not in done.stderr


def test_one_end_is_enough(
    landbridge: Run, shop: str, mongo_uri: str, postgres_uri: str, tmp_path: Path
) -> None:
    source = landbridge("doctor", env={"MONGO_URI": mongo_uri})
    (tmp_path / ".env").write_text(f"DATABASE_URL={postgres_uri}\n")
    target = landbridge("doctor")

    assert (source.returncode, target.returncode) == (0, 0)
    assert source.stdout.endswith("the target was not looked at\n")
    assert target.stdout.endswith("the source was not looked at\n")


@pytest.mark.parametrize("every", ["90s", "30m", "1H", "1d"])
def test_spans_of_time_are_read(landbridge: Run, shop: str, mongo_uri: str, every: str) -> None:
    done = landbridge("doctor", "--from", mongo_uri, "--method", "log", "--every", every)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (*TO, "--every", "soon"),
        (*TO, "--every", "0h"),
        (*TO, "--every", "-1h"),
        (*TO, "--every", "5"),
        (*TO, "--method", "partial"),
        (*TO, "--key", ""),
        ("--from", "mysql://u:s3cr3t@h/d"),
        ("--from", "mongodb://u:s3cr3t@h:x/d"),
        ("--to", "bi"),
    ],
    ids=" ".join,
)
def test_wrong_use_exits_2(landbridge: Run, arguments: tuple[str, ...]) -> None:
    done = landbridge("doctor", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    what, why, fix = done.stderr.splitlines()
    assert what.startswith("error: ") and why.startswith("  why: ") and fix.startswith("  fix: ")
    assert "s3cr3t" not in done.stderr
