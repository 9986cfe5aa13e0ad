"""The servers that a demo or a test talks to: ours, or those that the environment names.

For       `servers`, which starts both at once, and its two halves.
Touches   `LANDBRIDGE_TEST_MONGODB`, `LANDBRIDGE_TEST_POSTGRES`, and what the two classes touch.
Promises  A named server is never started, stopped or killed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from landbridge.embedded.mongod import Mongod
from landbridge.embedded.postgres import PostgreSQL, create_database


class MongoServer(Protocol):
    """A MongoDB to talk to."""

    @property
    def uri(self) -> str:
        """Its address, without a database."""


class PostgresServer(Protocol):
    """A PostgreSQL to talk to."""

    @property
    def uri(self) -> str:
        """Its address, with the database to connect to first."""

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URI."""


@dataclass(frozen=True, slots=True)
class NamedServer:
    """A server that somebody else runs."""

    uri: str

    def __enter__(self) -> NamedServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave it as it is."""

    def create_database(self, name: str) -> str:
        """Make an empty database (PostgreSQL) and return its URI."""
        return create_database(self.uri, name)


def mongodb(
    path: Path | None = None, replica_set: bool = True
) -> AbstractContextManager[MongoServer]:
    """The MongoDB that the environment names, or one of our own."""
    named = os.environ.get("LANDBRIDGE_TEST_MONGODB")
    return NamedServer(named) if named else Mongod(path, replica_set=replica_set)


def postgresql(
    path: Path | None = None, settings: Mapping[str, str] | None = None
) -> AbstractContextManager[PostgresServer]:
    """The PostgreSQL that the environment names, or one of our own."""
    named = os.environ.get("LANDBRIDGE_TEST_POSTGRES")
    return NamedServer(named) if named else PostgreSQL(path, settings)


@contextmanager
def servers(
    path: Path | None = None, replica_set: bool = True, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[MongoServer, PostgresServer]]:
    """Both servers, started at the same time; `path` keeps their data in two folders there."""
    with ExitStack() as stack:
        with ThreadPoolExecutor(max_workers=2) as pool:
            mongo = pool.submit(
                stack.enter_context, mongodb(path / "mongod" if path else None, replica_set)
            )
            postgres = pool.submit(
                stack.enter_context, postgresql(path / "postgresql" if path else None, settings)
            )
        # Where one failed, the stack stops the other.
        yield mongo.result(), postgres.result()
