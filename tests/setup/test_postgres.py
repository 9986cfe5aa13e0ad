"""`landbridge setup postgres`: printed, written, applied; twice; beside what is there; refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from tests.cli.process import Run
from tests.setup.conftest import Server

WEIRD = "\"; drop role x; -- '$setup$ \\ % ü"  # just a name


@pytest.fixture
def names(fresh: str) -> dict[str, str]:
    """Names that no other test has."""
    return {
        "--database": f"bi_{fresh}", "--loader": f"loader_{fresh}", "--reader": f"reader_{fresh}",
    }  # fmt: skip


@pytest.fixture
def admin(postgres_server: Server) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with postgres_server.postgres() as connection:
        yield connection


def flags(names: dict[str, str]) -> list[str]:
    return [word for pair in names.items() for word in pair]


def everything(admin: psycopg.Connection[tuple[Any, ...]], server: Server, database: str) -> Any:
    """Return all that setup may make, as the catalog has it."""
    rows = [admin.execute("SELECT * FROM pg_authid ORDER BY oid").fetchall()]
    for query in (
        "SELECT datname, datdba, datacl::text FROM pg_database ORDER BY 1",
        "SELECT * FROM pg_auth_members ORDER BY 1",
        "SELECT * FROM pg_db_role_setting ORDER BY 1, 2",
    ):
        rows.append(admin.execute(query).fetchall())
    with server.postgres(urlsplit(server.uri)._replace(path=f"/{database}").geturl()) as inside:
        for query in (
            "SELECT xmin, * FROM pg_namespace ORDER BY oid",
            "SELECT xmin, * FROM pg_default_acl ORDER BY oid",
        ):
            rows.append(inside.execute(query).fetchall())
    return rows


def connect_as(
    server: Server, names: dict[str, str], who: str, password: str
) -> psycopg.Connection[tuple[Any, ...]]:
    return server.postgres(server.of(names[who], password, names["--database"]))


def test_the_guide_s_names_are_the_defaults_and_no_server_is_needed(landbridge: Run) -> None:
    env = {"TARGET_POSTGRES_PASSWORD": "secret one", "DATABASE_URL": "postgresql://nowhere/x"}
    done = landbridge("setup", "postgres", env=env)

    assert done.returncode == 0
    for line in (
        'ALTER DEFAULT PRIVILEGES FOR ROLE "loader_admin" IN SCHEMA "rawcl"'
        ' GRANT SELECT ON TABLES TO "bi_reader";',
        'CREATE SCHEMA IF NOT EXISTS "marts" AUTHORIZATION "loader_admin";',
        "\\connect -reuse-previous=on \"dbname='carbon_lens_bi'\"",
    ):
        assert line in done.stdout
    assert "secret one" not in done.stdout + done.stderr
    assert "password of loader_admin" not in done.stderr
    assert done.stderr.startswith("password of bi_reader, shown this once: ")
    shown = done.stderr.split()[-1]
    assert len(shown) == 32 and shown not in done.stdout


def test_the_file_runs_in_psql_twice_and_its_passwords_let_in(
    landbridge: Run, postgres_server: Server, names: dict[str, str], psql: Path, tmp_path: Path
) -> None:
    done = landbridge(
        "setup", "postgres", *flags(names), "--out", "setup_postgres.sql",
        env={"TARGET_POSTGRES_PASSWORD": "one"},
    )  # fmt: skip
    file = tmp_path / "setup_postgres.sql"
    assert done.returncode == 0 and str(file.name) in done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    generated = done.stderr.split()[-1]

    for _ in range(2):
        run_file(psql, postgres_server, file)

    with connect_as(postgres_server, names, "--loader", "one") as loader:
        loader.execute("CREATE TABLE made_later (a int); INSERT INTO made_later VALUES (7)")
        row = loader.execute("SELECT 'made_later'::regclass = 'rawcl.made_later'::regclass")
        assert row.fetchone() == (True,)
    with connect_as(postgres_server, names, "--reader", generated) as reader:
        assert reader.execute("SELECT a FROM made_later").fetchall() == [(7,)]


def test_names_are_names_whatever_is_in_them(
    landbridge: Run, postgres_server: Server, fresh: str, psql: Path, tmp_path: Path
) -> None:
    names = {
        "--database": f"d{fresh}{WEIRD}", "--loader": f"l{fresh}{WEIRD}",
        "--reader": f"r{fresh}{WEIRD}", "--schema": f"s{WEIRD}",
    }  # fmt: skip
    env = {"TARGET_POSTGRES_PASSWORD": "one", "BI_READER_PASSWORD": "two"}
    landbridge("setup", "postgres", *flags(names), "--out", "weird.sql", env=env)
    run_file(psql, postgres_server, tmp_path / "weird.sql")

    # What the file made is what --apply looks for.
    done = landbridge(
        "setup", "postgres", *flags(names), "--to", postgres_server.uri, "--apply", "--json",
        env=env,
    )  # fmt: skip
    document = json.loads(done.stdout)
    assert done.returncode == 0, done.stderr
    assert {step["state"] for step in document["steps"]} == {"there"}
    assert document["passwords"] == {}
    with connect_as(postgres_server, names, "--loader", "one") as loader:
        loader.execute("CREATE TABLE t (a int)")
    with connect_as(postgres_server, names, "--reader", "two") as reader:
        query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(names["--schema"], "t"))
        assert reader.execute(query).fetchall() == []


def test_applied_twice_it_changes_nothing_the_second_time(
    landbridge: Run,
    postgres_server: Server,
    admin: psycopg.Connection[tuple[Any, ...]],
    names: dict[str, str],
) -> None:
    call = ("setup", "postgres", "--to", postgres_server.uri, *flags(names), "--json")
    looked = json.loads(landbridge(*call).stdout)
    assert {step["state"] for step in looked["steps"]} == {"missing"}
    assert not looked["applied"]

    first = json.loads(landbridge(*call, "--apply").stdout)
    assert first["applied"] and set(first["passwords"]) == {names["--loader"], names["--reader"]}
    before = everything(admin, postgres_server, names["--database"])

    second = json.loads(landbridge(*call, "--apply", env={"BI_READER_PASSWORD": "other"}).stdout)
    assert {step["state"] for step in second["steps"]} == {"there"}
    assert second["passwords"] == {}
    assert (
        f"the role {names['--loader']} was there: its password is left as it is"
        in (second["notes"])
    )
    assert everything(admin, postgres_server, names["--database"]) == before
    for who, password in first["passwords"].items():
        postgres_server.postgres(postgres_server.of(who, password, names["--database"])).close()


def test_rotate_gives_roles_that_exist_new_passwords(
    landbridge: Run, postgres_server: Server, names: dict[str, str]
) -> None:
    call = ("setup", "postgres", "--to", postgres_server.uri, *flags(names), "--apply")
    landbridge(*call, env={"TARGET_POSTGRES_PASSWORD": "one"})
    done = landbridge(*call, "--rotate", "--json", env={"TARGET_POSTGRES_PASSWORD": "two"})

    connect_as(postgres_server, names, "--loader", "two").close()
    generated = json.loads(done.stdout)["passwords"]
    assert set(generated) == {names["--reader"]}
    connect_as(postgres_server, names, "--reader", generated[names["--reader"]]).close()
    with pytest.raises(psycopg.OperationalError):
        connect_as(postgres_server, names, "--loader", "one")


def test_the_reader_reads_schemas_made_later_where_that_is_asked_for(
    landbridge: Run, postgres_server: Server, names: dict[str, str]
) -> None:
    call = ("setup", "postgres", "--to", postgres_server.uri, *flags(names), "--apply")
    env = {"TARGET_POSTGRES_PASSWORD": "one", "BI_READER_PASSWORD": "two"}
    more = ("--new-schemas", "--owner", "postgres")

    def reads(schema: str) -> bool:
        with connect_as(postgres_server, names, "--loader", "one") as loader:
            loader.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
            table = sql.Identifier(schema, "t")
            loader.execute(sql.SQL("CREATE TABLE {} (a int)").format(table))
            loader.execute("CREATE TABLE IF NOT EXISTS landbridge.t (a int)")
        with connect_as(postgres_server, names, "--reader", "two") as reader:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("SELECT * FROM landbridge.t")
            try:
                reader.execute(sql.SQL("SELECT * FROM {}").format(table))
            except psycopg.errors.InsufficientPrivilege:
                return False
            return True

    landbridge(*call, env=env)
    assert not reads("before")
    assert landbridge(*call, *more, env=env).returncode == 0
    assert reads("after")


def test_what_is_there_with_more_rights_is_named_and_left(
    landbridge: Run,
    postgres_server: Server,
    admin: psycopg.Connection[tuple[Any, ...]],
    names: dict[str, str],
    fresh: str,
) -> None:
    loader, reader, database = (names[one] for one in ("--loader", "--reader", "--database"))
    named = {
        name: sql.Identifier(value)
        for name, value in {
            "loader": loader, "reader": reader, "team": f"team_{fresh}", "database": database,
        }.items()
    }  # fmt: skip
    for statement in (
        "CREATE ROLE {loader} LOGIN CREATEDB PASSWORD 'one'",
        "CREATE ROLE {team}",
        "CREATE ROLE {reader} IN ROLE {team}",
        "CREATE DATABASE {database}",
    ):
        admin.execute(sql.SQL(statement).format(**named))
    inside = postgres_server.postgres(
        urlsplit(postgres_server.uri)._replace(path=f"/{database}").geturl()
    )
    with inside:
        inside.execute("CREATE SCHEMA rawcl; CREATE TABLE rawcl.old (a int)")
        inside.execute(f"GRANT INSERT ON rawcl.old TO {reader}")
    done = landbridge(
        "setup", "postgres", "--to", postgres_server.uri, *flags(names), "--schema", "rawcl",
        "--apply", env={"TARGET_POSTGRES_PASSWORD": "two"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    for note in (
        f"the role {loader} may do more than it needs: CREATEDB; it was left so",
        f"the role {reader} may do more than it needs: member of team_{fresh}; it was left so",
        f"the role {reader} may not log in",
        f"the database {database} belongs to postgres, and still does",
        "the schema rawcl belongs to postgres, and still does",
        f"the role {reader} may also write 1 table in the schema rawcl; it was left so",
    ):
        assert f"note: {note}" in done.stdout
    assert "password of" not in done.stdout
    with connect_as(postgres_server, names, "--loader", "one") as connection:
        connection.execute("CREATE TABLE rawcl.new (a int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM rawcl.old")


def test_an_administrator_without_superuser_can_do_it(
    landbridge: Run,
    postgres_server: Server,
    admin: psycopg.Connection[tuple[Any, ...]],
    names: dict[str, str],
    fresh: str,
    psql: Path,
    tmp_path: Path,
) -> None:
    admin.execute(f"CREATE ROLE boss_{fresh} LOGIN CREATEDB CREATEROLE PASSWORD 'b'")
    uri = postgres_server.of(f"boss_{fresh}", "b", "postgres")
    env = {"TARGET_POSTGRES_PASSWORD": "one", "BI_READER_PASSWORD": "two"}
    call = ("setup", "postgres", *flags(names))
    for expected in ("made", "there"):
        done = landbridge(*call, "--to", uri, "--apply", "--json", env=env)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["steps"][-1]["state"] == expected
    landbridge(*call, "--out", "again.sql", env=env)
    run_file(psql, Server(uri), tmp_path / "again.sql")
    with connect_as(postgres_server, names, "--loader", "one") as loader:
        loader.execute("CREATE TABLE t (a int)")
    with connect_as(postgres_server, names, "--reader", "two") as reader:
        reader.execute("SELECT * FROM t")


def test_the_database_of_the_uri_is_the_one_that_is_made(
    landbridge: Run, postgres_server: Server, names: dict[str, str]
) -> None:
    database = names.pop("--database")
    uri = urlsplit(postgres_server.uri)._replace(path=f"/{database}").geturl()
    done = landbridge(
        "setup", "postgres", "--to", uri, *flags(names), "--apply",
        env={"TARGET_POSTGRES_PASSWORD": "one"},
    )  # fmt: skip
    assert f"made     database {database}" in done.stdout
    names["--database"] = database
    connect_as(postgres_server, names, "--loader", "one").close()


def test_somebody_who_is_no_administrator_is_told_so(
    landbridge: Run,
    postgres_server: Server,
    admin: psycopg.Connection[tuple[Any, ...]],
    names: dict[str, str],
    fresh: str,
) -> None:
    admin.execute(f"CREATE ROLE nobody_{fresh} LOGIN PASSWORD 'n'")
    uri = postgres_server.of(f"nobody_{fresh}", "n", "postgres")
    done = landbridge("setup", "postgres", "--to", uri, *flags(names), "--apply", "--json")

    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "no_privilege"
    assert f"nobody_{fresh} can't set up this server" in error["message"]
    assert "CREATEROLE and CREATEDB" in error["message"]
    assert "password of" not in done.stderr


def test_a_password_that_was_set_is_shown_though_the_rest_failed(
    landbridge: Run, postgres_server: Server, names: dict[str, str]
) -> None:
    done = landbridge(
        "setup", "postgres", "--to", postgres_server.uri, *flags(names), "--apply",
        "--owner", "nobody there",
    )  # fmt: skip
    assert done.returncode == 1
    assert 'role "nobody there" does not exist' in done.stderr
    assert f"password of {names['--loader']}, shown this once: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--schema", "ü" * 32), "has 64 bytes"),
        (("--loader", ""), "a name is empty"),
        (("--database", "a\nb"), "holds a line end"),
        (("--loader", "one", "--reader", "one"), "the reader would own the tables"),
        (("--apply", "--out", "new.sql", "--to", "postgresql://h/d"), "one does it"),
        (("--out", "taken.sql"), "never written over"),
        (("--out", "missing/new.sql"), "No such file or directory"),
        (("--to", "mongodb://h/d"), "this version copies"),
    ],
)
def test_wrong_use_is_told_before_anything_is_touched(
    landbridge: Run, tmp_path: Path, arguments: tuple[str, ...], why: str
) -> None:
    (tmp_path / "taken.sql").write_text("mine")
    done = landbridge("setup", "postgres", *arguments)
    assert done.returncode in (1, 2)
    assert why in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "taken.sql").read_text() == "mine"


def test_a_bad_password_is_refused_and_not_shown(landbridge: Run) -> None:
    done = landbridge("setup", "postgres", env={"BI_READER_PASSWORD": "pässword"})
    assert done.returncode == 2
    assert "pässword" not in done.stdout + done.stderr


def run_file(psql: Path, server: Server, file: Path) -> None:
    """Run a file as its head says."""
    done = subprocess.run(
        [str(psql), "-X", "-v", "ON_ERROR_STOP=1", "-d", server.uri, "-f", str(file)],
        env=os.environ | {"PGCLIENTENCODING": "LATIN1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
