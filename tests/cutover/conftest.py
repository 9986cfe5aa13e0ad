"""Sources with and without a log, and the command line in an empty folder."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.database import Database
from tests.cli.process import Run, clean_environment, command_line

from landbridge.embedded import Mongod

SECONDS_MAX = 120


@pytest.fixture(scope="session")
def standalone() -> Iterator[Mongod]:
    """A mongod that is no replica set, and asks for a password."""
    with Mongod(replica_set=False, auth=True) as server:
        yield server


@pytest.fixture
def standalone_uri(standalone: Mongod) -> Iterator[str]:
    """The URI of a fresh database on it, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield urlsplit(standalone.uri)._replace(path=f"/{name}").geturl()
    with pymongo.MongoClient[dict[str, Any]](standalone.uri) as client:
        client.drop_database(name)


@pytest.fixture(params=["replica set", "standalone"])
def either_uri(request: pytest.FixtureRequest) -> str:
    """The URI of a fresh database, on a server with a log and on one without."""
    fixture = "mongo_uri" if request.param == "replica set" else "standalone_uri"
    uri: str = request.getfixturevalue(fixture)
    return uri


@pytest.fixture
def either(either_uri: str) -> Iterator[Database[dict[str, Any]]]:
    """The database of `either_uri`, by pymongo."""
    with pymongo.MongoClient[dict[str, Any]](either_uri) as client:
        yield client.get_default_database()


@pytest.fixture
def landbridge(tmp_path: Path) -> Run:
    """Return what runs the command line in an empty folder and gives its output and exit code."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )

    return run
