"""Servers of our own that ask for passwords: roles and users belong to a whole server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import pymongo
import pytest
from tests.cli.conftest import landbridge
from tests.conftest import FAST_SETTINGS

from landbridge.embedded import Mongod, PostgreSQL
from landbridge.embedded.postgres import wheel_programs

__all__ = ["landbridge"]


@dataclass(frozen=True, slots=True)
class Server:
    """The address of a server, for its administrator and for anybody else."""

    uri: str

    def of(self, user: str, password: str, database: str) -> str:
        """Return the URI of somebody."""
        parts = urlsplit(self.uri)
        place = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.hostname}:{parts.port}"
        return parts._replace(netloc=place, path="/" + quote(database, safe="")).geturl()

    def postgres(self, uri: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
        """Connect to PostgreSQL, as the administrator where no URI is given."""
        return psycopg.connect(uri or self.uri, autocommit=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL with SCRAM, and us its superuser."""
    with PostgreSQL(settings=FAST_SETTINGS) as server:
        yield Server(server.uri)


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[Server]:
    """A replica set of one with authentication, and us its root."""
    with Mongod(auth=True) as server:
        yield Server(server.uri)


@pytest.fixture(scope="session")
def psql() -> Path:
    """The program."""
    return wheel_programs() / "psql"


@pytest.fixture
def fresh() -> str:
    """What makes the names of a test its own."""
    return uuid.uuid4().hex[:8]


@pytest.fixture
def mongo_root(mongo_server: Server) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    """A client that may do everything."""
    with pymongo.MongoClient[dict[str, Any]](mongo_server.uri) as client:
        yield client
