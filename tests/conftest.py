"""Real servers for every test: one mongod and one PostgreSQL per worker, fresh databases per test.

`LANDBRIDGE_TEST_MONGODB` and `LANDBRIDGE_TEST_POSTGRES` name others. Where neither can run, the
tests that need one fail; they don't skip.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import hypothesis
import psycopg
import pymongo
import pytest
from psycopg import sql
from pymongo.database import Database
from tests.s3 import S3Server, s3_server

from landbridge import embedded
from landbridge.embedded import MongoServer, PostgreSQL, PostgresServer
from landbridge.embedded.mongod import find_mongod
from landbridge.embedded.postgres import wheel_programs
from landbridge.errors import EmbeddedError, redact

# Tests that ask what survives a crash start servers of their own, with everything on.
FAST_SETTINGS = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
SORTING_LOCALE = "en_GB.UTF-8"

hypothesis.settings.register_profile("landbridge", deadline=None, print_blob=True)
hypothesis.settings.load_profile("landbridge")


def pytest_report_header() -> list[str]:
    """Say which servers the tests speak to."""
    postgres = _version("LANDBRIDGE_TEST_POSTGRES", lambda: wheel_programs() / "postgres")
    return [
        f"mongod: {_version('LANDBRIDGE_TEST_MONGODB', find_mongod)}",
        f"postgresql: {postgres}",
    ]


def _version(variable: str, find: Callable[[], Path]) -> str:
    if named := os.environ.get(variable):
        return f"the one at {redact(named)}"
    try:
        program = find()
    except EmbeddedError as error:
        return str(error)
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True)
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout)
    return found[0] if found else done.stderr.strip()


@pytest.fixture(scope="session")
def mongod() -> Iterator[MongoServer]:
    """A replica set of one, shared by the tests of a worker."""
    with embedded.mongodb() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL, shared by the tests of a worker."""
    with embedded.postgresql(settings=FAST_SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def s3_of_worker() -> Iterator[S3Server]:
    """An S3 server, shared by the tests of a worker."""
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_of_worker: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """An S3 server, with the variables set that lead there."""
    for name, value in s3_of_worker.environment.items():
        monkeypatch.setenv(name, value)
    return s3_of_worker


@pytest.fixture
def mongo_uri(mongod: MongoServer) -> Iterator[str]:
    """The URI of a fresh database, dropped afterwards."""
    name = _fresh_name()
    yield urlsplit(mongod.uri)._replace(path=f"/{name}").geturl()
    with pymongo.MongoClient(mongod.uri) as client:
        client.drop_database(name)


@pytest.fixture
def mongo(mongo_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """The database of `mongo_uri`, by pymongo."""
    with pymongo.MongoClient[dict[str, Any]](mongo_uri) as client:
        yield client.get_default_database()


@pytest.fixture
def postgres_uri(postgresql: PostgresServer) -> Iterator[str]:
    """The URI of a fresh database, dropped afterwards."""
    yield from _fresh_database(postgresql)


@pytest.fixture
def postgres(postgres_uri: str) -> Iterator[psycopg.Connection]:
    """The database of `postgres_uri`, by psycopg, each statement its own transaction."""
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture
def sorting_postgres_uri(sorting_postgresql: PostgresServer) -> Iterator[str]:
    """The URI of a fresh database whose locale doesn't sort text by its bytes."""
    yield from _fresh_database(sorting_postgresql)


@pytest.fixture(scope="session")
def sorting_postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL of our own in a locale that sorts as people do, made if the system lacks it."""
    folder = Path(tempfile.mkdtemp(prefix="landbridge-locale-"))
    try:
        folder.chmod(0o755)  # PostgreSQL may run as another account.
        if shutil.which("localedef") is not None:
            subprocess.run(
                ["localedef", "-i", "en_GB", "-f", "UTF-8", str(folder / SORTING_LOCALE)],
                capture_output=True,
            )
        if not (folder / SORTING_LOCALE).exists():
            pytest.skip(f"no locale source to make {SORTING_LOCALE} of (apt-get install locales)")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOCPATH", str(folder))
            server = PostgreSQL(settings=FAST_SETTINGS, locale=SORTING_LOCALE)
            server.start()
        with server:
            yield server
    finally:
        shutil.rmtree(folder)


def _fresh_database(server: PostgresServer) -> Iterator[str]:
    name = _fresh_name()
    yield server.create_database(name)
    with psycopg.connect(server.uri, autocommit=True) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def _fresh_name() -> str:
    return f"test_{uuid.uuid4().hex[:12]}"
