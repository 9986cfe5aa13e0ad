"""Servers that a test may kill, and databases in them."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pymongo
import pytest
from tests.layouts.checks import Mongo, Postgres
from tests.layouts.conftest import forced

from landbridge.embedded import Mongod, PostgreSQL

__all__ = ["forced"]


@pytest.fixture(scope="session")
def mortal_postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL with fsync and all else that survives a crash."""
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def mortal_postgres_uri(mortal_postgresql: PostgreSQL) -> str:
    """The URI of a fresh database of it."""
    mortal_postgresql.start()
    return mortal_postgresql.create_database(f"test_{uuid4().hex[:12]}")


@pytest.fixture
def mortal_postgres(mortal_postgresql: PostgreSQL, mortal_postgres_uri: str) -> Iterator[Postgres]:
    """The database of `mortal_postgres_uri`; usable again after a crash by a new connection."""
    with psycopg.connect(mortal_postgres_uri, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def mortal_mongod() -> Iterator[Mongod]:
    """A replica set of one that may be killed."""
    with Mongod() as server:
        yield server


@pytest.fixture
def mortal_mongo_uri(mortal_mongod: Mongod) -> str:
    """The URI of a fresh database of it."""
    mortal_mongod.start()
    return urlsplit(mortal_mongod.uri)._replace(path=f"/test_{uuid4().hex[:12]}").geturl()


@pytest.fixture
def mortal_mongo(mortal_mongo_uri: str) -> Iterator[Mongo]:
    """The database of `mortal_mongo_uri`, by pymongo."""
    with pymongo.MongoClient(mortal_mongo_uri) as client:
        yield client.get_default_database()
