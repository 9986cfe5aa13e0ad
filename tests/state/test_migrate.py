"""The state's schema: made once whoever comes first, brought up to date, never taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.layouts.checks import NAME, Mongo, Postgres, fill, leftovers

from landbridge import bridge
from landbridge.errors import PrivilegeError, StopError
from landbridge.state import migrate

SHAPE = """
    SELECT table_name::text, column_name::text, data_type::text, is_nullable::text,
           column_default::text
    FROM information_schema.columns WHERE table_schema = 'landbridge' ORDER BY 1, ordinal_position
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'landbridge'::regnamespace AND contype <> 'n' ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef::text FROM pg_indexes WHERE schemaname = 'landbridge' ORDER BY 1"


def shape(postgres: Postgres) -> list[Any]:
    return [row for query in (SHAPE, CONSTRAINTS, INDEXES) for row in postgres.execute(query)]


def test_a_fresh_install_equals_all_migrations_one_by_one(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.migrate(postgres)
    fresh = shape(postgres)
    assert len(fresh) > 50
    postgres.execute("DROP SCHEMA landbridge CASCADE")

    everything = migrate._migrations()
    assert [number for number, _ in everything] == list(range(1, len(everything) + 1))
    for present in range(1, len(everything) + 1):
        monkeypatch.setattr(migrate, "_migrations", lambda: everything[:present])  # noqa: B023
        migrate.migrate(postgres)
    assert shape(postgres) == fresh


def test_migrating_again_changes_nothing(postgres: Postgres) -> None:
    migrate.migrate(postgres)
    query = "SELECT number, applied_at FROM landbridge.migration"
    before = postgres.execute(query).fetchall()
    migrate.migrate(postgres)
    assert postgres.execute(query).fetchall() == before


def test_many_installing_at_once_install_once(postgres: Postgres, postgres_uri: str) -> None:
    def install(_: int) -> None:
        with psycopg.connect(postgres_uri, autocommit=True) as connection:
            migrate.migrate(connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(install, range(8)))
    row = postgres.execute("SELECT count(*) FROM landbridge.migration").fetchone()
    assert row == (len(migrate._migrations()),)


def test_a_failed_migration_leaves_nothing(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [*migrate._migrations(), (99, "CREATE TABLE landbridge.half (a int); SELECT 1/0")]
    monkeypatch.setattr(migrate, "_migrations", lambda: broken)
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate.migrate(postgres)
    assert not migrate.is_installed(postgres)


def test_a_newer_state_refuses_an_older_program(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    fill(mongo[NAME], 5)
    migrate.migrate(postgres)
    postgres.execute("INSERT INTO landbridge.migration (number) VALUES (1000)")
    with pytest.raises(StopError, match="older than the state it finds"):
        bridge.sync(mongo_uri, postgres_uri, schema="raw")
    assert postgres.execute("SELECT to_regnamespace('raw')").fetchone() == (None,)


def test_a_role_that_may_not_make_schemas_is_told_the_grant(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, role_uri: str
) -> None:
    fill(mongo[NAME], 5)
    with pytest.raises(PrivilegeError) as told:
        bridge.sync(mongo_uri, role_uri, schema="raw")
    grant = told.value.fix.removeprefix("as an administrator: ")
    assert grant.startswith("GRANT CREATE ON DATABASE ")
    assert "secret" not in str(told.value)

    postgres.execute(grant)  # type: ignore[arg-type]
    assert bridge.sync(mongo_uri, role_uri, schema="raw").status == "ok"
    assert leftovers(postgres) == []


def test_a_role_that_may_not_use_the_target_schema_is_told(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, role_uri: str
) -> None:
    fill(mongo[NAME], 5)
    postgres.execute("CREATE SCHEMA raw")
    role = sql.Identifier(f"{postgres.info.dbname}_role")
    database = sql.Identifier(postgres.info.dbname)
    postgres.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, role))

    summary = bridge.sync(mongo_uri, role_uri, schema="raw")

    assert summary.error is not None and summary.error["code"] == "no_privilege"
    assert "GRANT USAGE, CREATE ON SCHEMA raw" in summary.error["fix"]
    postgres.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA raw TO {}").format(role))
    assert bridge.sync(mongo_uri, role_uri, schema="raw").status == "ok"
