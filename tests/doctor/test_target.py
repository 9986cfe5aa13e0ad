"""The target: what this role may do, what is in the way, limits and settings.

Where a finding holds a statement, the statement is run, and the finding is gone.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from pymongo.database import Database

from landbridge.bridge import sync
from landbridge.embedded import PostgreSQL
from landbridge.model.finding import Finding
from landbridge.postgres import connect

from .looking import as_role, codes, found, in_database, look, serious

Mongo = Database[dict[str, Any]]
Postgres = psycopg.Connection[Any]

UNSAFE_IN_TESTS = {"fsync", "full_page_writes"}  # the shared server is set so


def run_fix(postgres: Postgres, finding: Finding) -> None:
    postgres.execute(finding.fix)  # type: ignore[call-overload]


def test_a_good_target_has_nothing_serious(postgres_uri: str) -> None:
    diagnosis = look(target=postgres_uri, schema="shop")
    assert serious(diagnosis) <= UNSAFE_IN_TESTS
    assert diagnosis.verdict.startswith("for the target a sync by full can start")
    assert {
        ("ok", "reachable"),
        ("info", "version"),
        ("ok", "state_schema"),
        ("ok", "target_schema"),
        ("ok", "connections"),
    } <= codes(diagnosis)


def test_each_missing_right_has_its_grant(
    postgres: Postgres, role_uri: str, role: str, mongo: Mongo, mongo_uri: str
) -> None:
    database = postgres.info.dbname
    postgres.execute(f'REVOKE TEMPORARY ON DATABASE "{database}" FROM PUBLIC')
    mongo.orders.insert_one({"_id": 1})

    before = look(mongo_uri, role_uri)
    expected = {
        "state_schema": f'GRANT CREATE ON DATABASE "{database}" TO "{role}"',
        "target_schema": f'GRANT CREATE ON DATABASE "{database}" TO "{role}"',
        "temporary_tables": f'GRANT TEMPORARY ON DATABASE "{database}" TO "{role}"',
    }
    for code, fix in expected.items():
        finding = found(before, code)
        assert (finding.severity, finding.fix) == ("error", fix)
        run_fix(postgres, finding)

    assert look(mongo_uri, role_uri).status == "ok"
    assert sync(mongo_uri, role_uri).status == "ok"


def test_schemas_that_others_made(postgres: Postgres, role_uri: str) -> None:
    postgres.execute('CREATE SCHEMA landbridge; CREATE SCHEMA "sh op"')
    postgres.execute("CREATE TABLE landbridge.run (id int)")
    for code in ("state_schema", "target_schema", "state_schema"):
        finding = found(look(target=role_uri, schema="sh op"), code)
        assert finding.severity == "error"
        run_fix(postgres, finding)
    diagnosis = look(target=role_uri, schema="sh op")
    assert {("ok", "state_schema"), ("ok", "target_schema")} <= codes(diagnosis)


def test_a_role_that_may_not_enter(postgres: Postgres, role_uri: str, role: str) -> None:
    database = postgres.info.dbname
    postgres.execute(f'REVOKE CONNECT ON DATABASE "{database}" FROM PUBLIC')
    finding = found(look(target=role_uri), "no_privilege")
    assert finding.fix == f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"'
    run_fix(postgres, finding)
    assert found(look(target=role_uri), "reachable")


def test_a_state_of_a_newer_version(
    postgres: Postgres, postgres_uri: str, mongo: Mongo, mongo_uri: str
) -> None:
    mongo.orders.insert_one({"_id": 1})
    sync(mongo_uri, postgres_uri)
    assert look(mongo_uri, postgres_uri).status == "ok"
    postgres.execute("INSERT INTO landbridge.migration (number) VALUES (9999)")
    assert found(look(mongo_uri, postgres_uri), "state_newer").severity == "error"


def test_a_table_that_landbridge_did_not_make(
    postgres: Postgres, postgres_uri: str, mongo: Mongo, mongo_uri: str
) -> None:
    for name in ("orders", "customers"):
        mongo[name].insert_one({"_id": 1})
    assert sync(mongo_uri, postgres_uri, schema="shop", select=["orders"]).status == "ok"
    postgres.execute("CREATE TABLE shop.customers (id int)")

    finding = found(look(mongo_uri, postgres_uri, schema="shop"), "table_taken")
    assert (finding.severity, finding.where) == ("error", f"{mongo.name}.customers")
    assert "--take-over" in finding.fix
    statement = finding.fix.partition(";")[0]
    postgres.execute(statement)  # type: ignore[call-overload]
    assert look(mongo_uri, postgres_uri, schema="shop").status == "ok"
    assert sync(mongo_uri, postgres_uri, schema="shop").status == "ok"
    assert look(mongo_uri, postgres_uri, schema="shop").status == "ok"


def test_a_table_of_another_owner(
    postgres: Postgres, postgres_uri: str, role: str, role_uri: str, mongo: Mongo, mongo_uri: str
) -> None:
    mongo.orders.insert_one({"_id": 1})
    sync(mongo_uri, postgres_uri, schema="shop")
    for schema in ("shop", "landbridge"):
        postgres.execute(f'GRANT ALL ON SCHEMA {schema} TO "{role}"')
        postgres.execute(f'GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO "{role}"')
    finding = found(look(mongo_uri, role_uri, schema="shop"), "table_owner")
    assert finding.severity == "warning"
    run_fix(postgres, finding)
    assert "table_owner" not in serious(look(mongo_uri, role_uri, schema="shop"))


def test_an_encoding_that_cannot_hold_every_string(postgresql: PostgreSQL) -> None:
    with psycopg.connect(postgresql.uri, autocommit=True) as admin:
        admin.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE_PROVIDER libc"
            " LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        try:
            finding = found(look(target=in_database(postgresql.uri, "latin")), "encoding")
            assert finding.severity == "error" and "LATIN1" in finding.message
            run_fix(admin, finding)
            uri = in_database(postgresql.uri, "latin_utf8")
            assert "encoding" not in serious(look(target=uri))
        finally:
            admin.execute("DROP DATABASE IF EXISTS latin")
            admin.execute("DROP DATABASE IF EXISTS latin_utf8")


@pytest.mark.parametrize("of", ["role", "database"])
def test_a_connection_limit(postgres: Postgres, role_uri: str, role: str, of: str) -> None:
    database = postgres.info.dbname
    subject = f'ROLE "{role}"' if of == "role" else f'DATABASE "{database}"'
    postgres.execute(f"ALTER {subject} CONNECTION LIMIT 3")
    finding = found(look(target=role_uri), "connections")
    assert finding.severity == "warning"
    assert (role if of == "role" else database) in finding.message
    run_fix(postgres, finding)
    assert found(look(target=role_uri), "connections").severity == "ok"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("statement_timeout", "30s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("idle_session_timeout", "5s"),
        ("transaction_timeout", "20s"),
        ("lock_timeout", "500ms"),
    ],
)
@pytest.mark.parametrize("of", ["role", "database"])
def test_timeouts_that_cut_a_load(
    postgres: Postgres, role_uri: str, role: str, name: str, value: str, of: str
) -> None:
    if name == "transaction_timeout" and postgres.info.server_version < 17_00_00:
        pytest.skip("not in this version")
    subject = f'ROLE "{role}"' if of == "role" else f'DATABASE "{postgres.info.dbname}"'
    postgres.execute(f"ALTER {subject} SET {name} = '{value}'")
    finding = found(look(target=role_uri), name)
    assert finding.severity == "warning"
    run_fix(postgres, finding)
    assert name not in serious(look(target=role_uri))


def test_a_timeout_in_the_uri(postgres_uri: str) -> None:
    finding = found(
        look(target=f"{postgres_uri}?options=-c%20statement_timeout%3D20s"), "statement_timeout"
    )
    assert "--to" in finding.fix


def test_a_role_that_is_read_only(postgres: Postgres, role_uri: str, role: str) -> None:
    postgres.execute(f'ALTER ROLE "{role}" SET default_transaction_read_only = on')
    finding = found(look(target=role_uri), "read_only")
    assert finding.severity == "error"
    run_fix(postgres, finding)
    assert "read_only" not in serious(look(target=role_uri))


def test_commits_that_may_be_lost_are_told(postgres: Postgres, role_uri: str, role: str) -> None:
    postgres.execute(f'ALTER ROLE "{role}" SET synchronous_commit = off')
    assert found(look(target=role_uri), "synchronous_commit").severity == "info"


def test_a_server_that_is_not_safe_and_then_is() -> None:
    settings = {"full_page_writes": "off", "max_connections": "5", "reserved_connections": "0"}
    with PostgreSQL(settings=settings) as server:
        diagnosis = look(target=server.uri)
        assert found(diagnosis, "full_page_writes").severity == "warning"
        assert "max_connections" in found(diagnosis, "connections").fix
        assert found(diagnosis, "disk_space").severity == "ok"  # a superuser, on this host


def test_the_room_on_the_disk_is_not_guessed(role_uri: str) -> None:
    finding = found(look(target=role_uri), "disk_space")
    assert finding.severity == "info" and "cannot be known" in finding.message


def test_a_standby_takes_no_writes() -> None:
    folder = Path(tempfile.mkdtemp(prefix="landbridge-standby-"))
    try:
        folder.chmod(0o755)  # PostgreSQL may run as another account.
        server = PostgreSQL(folder / "postgresql")
        with server:
            data = server.folder.path / "data"
            server.stop()
            (data / "standby.signal").touch()
            server.start()
            diagnosis = look(target=server.uri)
        assert found(diagnosis, "in_recovery").severity == "error"
        assert "read_only" not in serious(diagnosis)
    finally:
        shutil.rmtree(folder)


def test_an_old_server_is_refused(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "SERVER_VERSION_MIN", 99_00_00)
    finding = found(look(target=postgres_uri), "cannot_connect")
    assert finding.severity == "error" and "version" in finding.message


def test_a_wrong_password_a_missing_database_and_nobody_there(
    postgres_uri: str, role_uri: str, role: str
) -> None:
    assert found(look(target=as_role(postgres_uri, role, "wr0ng")), "authentication_failed")
    missing = found(look(target=in_database(postgres_uri, "nowhere")), "cannot_connect")
    assert "nowhere" in missing.message
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody = look(target=f"postgresql://u:s3cr3t@127.0.0.1:{port}/bi")
    assert found(nobody, "unreachable").severity == "error"
    assert nobody.verdict == "a sync by full cannot start: 1 error to mend"


@pytest.fixture(params=["session", "transaction"])
def pooler(request: pytest.FixtureRequest, role_uri: str, role: str) -> Iterator[tuple[str, str]]:
    """The kind of a pooler, and the test's database through it."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no pgbouncer (apt-get install pgbouncer)")
    parts = urlsplit(role_uri)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="landbridge-pooler-"))
    (folder / "users").write_text(f'"{role}" "{parts.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={parts.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder}/users\npool_mode = {request.param}\n"
    )
    folder.chmod(0o755)
    command = [program, str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:  # which it refuses to run as
        command[1:1] = ["-u", "nobody"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(50):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        netloc = f"{role}:{parts.password}@127.0.0.1:{port}"
        yield request.param, parts._replace(netloc=netloc).geturl()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
        shutil.rmtree(folder)


def test_a_pooler_is_seen(pooler: tuple[str, str], role_uri: str) -> None:
    kind, uri = pooler
    finding = found(look(target=uri), "pooler")
    assert (finding.severity, f"by {kind}s" in finding.message) == ("info", True)
    assert ("info", "pooler") not in codes(look(target=role_uri))
