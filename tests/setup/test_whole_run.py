"""All that landbridge does, as the users that `setup` makes, and nothing that it does not."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pymongo
import pytest
from pymongo.errors import OperationFailure
from tests.cli.process import Run, clean_environment, command_line
from tests.setup.conftest import Server

FOLLOW_SECONDS_MAX = 60.0
Client = pymongo.MongoClient[dict[str, Any]]


@pytest.mark.parametrize("owner", ["the loader", "postgres"])
def test_the_users_can_do_a_whole_run_and_nothing_else(
    landbridge: Run,
    postgres_server: Server,
    mongo_server: Server,
    mongo_root: Client,
    fresh: str,
    tmp_path: Path,
    owner: str,
) -> None:
    shop, bi = f"shop_{fresh}", f"bi_{fresh}"
    loader, reader, follower = f"loader_{fresh}", f"reader_{fresh}", f"cdc_{fresh}"
    passwords = {
        "TARGET_POSTGRES_PASSWORD": "load me @/:%",
        "BI_READER_PASSWORD": "read me",
        "TAP_MONGODB_PASSWORD": "täp @/:%",
        "TAP_MONGODB_CDC_PASSWORD": "after @ them",
    }
    orders = mongo_root[shop].orders
    orders.insert_many(
        {"_id": n, "updatedAt": n, "lines": [{"sku": n}], "note": "\0" if n == 3 else "a"}
        for n in range(50)
    )
    mongo_root[f"other_{fresh}"].secrets.insert_one({"_id": 1})

    def done(*arguments: str, env: dict[str, str] | None = None) -> dict[str, Any]:
        run = landbridge(*arguments, "--json", env=env)
        assert run.returncode == 0, run.stdout + run.stderr
        for secret in (*passwords.values(), "t%C3%A4p"):
            assert secret not in run.stdout + run.stderr
        document: dict[str, Any] = json.loads(run.stdout)
        return document

    done(
        "setup", "postgres", "--to", postgres_server.uri, "--database", bi, "--schema", "rawcl",
        "--loader", loader, "--reader", reader, "--apply",
        *(["--owner", owner] if owner == "postgres" else []),
        env=passwords,
    )  # fmt: skip
    done(
        "setup", "mongodb", "--from", mongo_server.uri, "--database", shop, "--reader", "tap"
        + fresh, "--change-streams", follower, "--apply", env=passwords,
    )  # fmt: skip
    as_loader = postgres_server.of(loader, passwords["TARGET_POSTGRES_PASSWORD"], bi)
    as_reader = postgres_server.of(reader, passwords["BI_READER_PASSWORD"], bi)
    as_tap = mongo_server.of(f"tap{fresh}", passwords["TAP_MONGODB_PASSWORD"], shop)
    as_cdc = mongo_server.of(follower, passwords["TAP_MONGODB_CDC_PASSWORD"], shop)
    ends = ("--from", as_tap, "--to", as_loader, "--schema", "rawcl")
    log_ends = ("--from", as_cdc, "--to", as_loader, "--schema", "rawcl")

    def seen(table: str) -> int:
        """Count what the reader sees of a table."""
        with postgres_server.postgres(as_reader) as connection:
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert row is not None
            return int(row[0])

    # full, with child tables; then with a layout that replaces the tables
    assert {
        f["code"] for f in done("doctor", *ends)["findings"] if f["severity"] == "error"
    } == set()
    done("sync", *ends, "--arrays", "table")
    assert (seen("orders"), seen("orders_lines")) == (49, 49)
    before = table_id(as_loader, "rawcl.orders")
    orders.delete_many({"_id": {"$gte": 10}})
    done("sync", *ends, "--arrays", "table", "--max-delete-share", "100")
    done("sync", *ends, "--arrays", "table", "--types", "simple", "--metadata", "--full-refresh")
    assert table_id(as_loader, "rawcl.orders") != before, "no table has taken its place"
    assert (seen("rawcl.orders"), seen("rawcl.orders_lines")) == (9, 9)

    # quarantine
    entries = done("quarantine", "list", "--to", as_loader)["entries"]
    assert len(entries) == 1
    done("quarantine", "show", str(entries[0]["id"]), "--to", as_loader)
    done("quarantine", "retry", "--to", as_loader, "--nul", "escape")

    # incremental, and verification
    mongo_root[shop].people.insert_many({"_id": n, "updatedAt": n} for n in range(9))
    done("sync", *ends, "--select", "people", "--method", "incremental", "--key", "updatedAt")
    mongo_root[shop].people.insert_one({"_id": 9, "updatedAt": 9})
    done("sync", *ends, "--select", "people", "--method", "incremental", "--key", "updatedAt")
    assert seen("people") == 10
    assert done("verify", *ends, "--select", "people")["status"] == "equal"

    # the log, followed for a while by the user for change streams
    assert done("doctor", *log_ends, "--method", "log")["status"] == "ok"
    process = subprocess.Popen(
        command_line("sync", *log_ends, "--select", "people", "--follow", "--json"),
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: seen("people") == 10 and copied(as_loader, shop))
        mongo_root[shop].people.insert_one({"_id": 10, "updatedAt": 10})
        wait_until(lambda: seen("people") == 11)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=FOLLOW_SECONDS_MAX)
    finally:
        process.kill()
    assert process.returncode == 0, out + err

    # and no more than that
    with (
        postgres_server.postgres(postgres_server.uri.rpartition("/")[0] + f"/{bi}") as admin,
        postgres_server.postgres(as_reader) as connection,
    ):
        for statement in (
            "CREATE TABLE rawcl.mine (a int)",
            "CREATE TABLE public.mine (a int)",
            "DELETE FROM rawcl.people",
            "SELECT * FROM landbridge.stream",
            "CREATE SCHEMA mine",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
        admin.execute("CREATE SCHEMA theirs; CREATE TABLE theirs.t (a int)")
    with postgres_server.postgres(as_loader) as connection:
        for statement in (
            "SELECT * FROM theirs.t",
            "CREATE TABLE theirs.mine (a int)",
            "SELECT * FROM pg_authid",
            "CREATE ROLE another",
            "CREATE DATABASE another",
            f"ALTER ROLE {reader} PASSWORD 'x'",
            "COPY (SELECT 1) TO PROGRAM 'true'",
            "ALTER SYSTEM SET work_mem = '1GB'",
            *(["CREATE SCHEMA mine"] if owner == "postgres" else []),
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
    for uri in (as_tap, as_cdc):
        with Client(uri) as client:
            with pytest.raises(OperationFailure):
                client[f"other_{fresh}"].secrets.find_one()
            with pytest.raises(OperationFailure):
                client.local["oplog.rs"].find_one()
            with pytest.raises(OperationFailure):
                client[shop].orders.insert_one({})
            with pytest.raises(OperationFailure):
                client.watch()


def table_id(uri: str, name: str) -> int:
    """Return the oid of a table."""
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT %s::regclass::oid", (name,)).fetchone()
        assert row is not None
        return int(row[0])


def copied(uri: str, database: str) -> bool:
    """Whether `people` has its place in the log."""
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT method FROM landbridge.stream WHERE collection = 'people'"
        ).fetchone()
        return row == ("log",)


def wait_until(holds: Any) -> None:
    ends = time.monotonic() + FOLLOW_SECONDS_MAX
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.1)
