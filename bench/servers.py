"""The servers of a benchmark, and how they are brought back to a known state between runs.

For       Every benchmark: one mongod, one PostgreSQL, nothing else on them.
Touches   Those two servers.
Promises  PostgreSQL keeps fsync and synchronous commit on: what is fast here is safe.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from pymongo import MongoClient
from pymongo.database import Database

from landbridge.embedded import Mongod, PostgreSQL

CACHE_GB = 2
POSTGRES_SETTINGS = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "wal_level": "replica",
    "autovacuum": "off",
    "jit": "off",
}
DATABASE = "bench"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both servers are, and a connection to each."""

    source: str  # with the database
    target: str
    database: Database[Any]
    connection: psycopg.Connection[Any]

    def value(self, query: str, *parameters: object) -> Any:
        """Return the only value of a query."""
        row = self.connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def forget(self, *schemas: str) -> None:
        """Drop what was loaded and what landbridge remembers, and start from a checkpoint."""
        for schema in (*schemas, DATABASE, "landbridge"):
            self.connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema))
            )
        self.connection.execute("CHECKPOINT")


@contextmanager
def started() -> Iterator[Servers]:
    """Start both servers; their data is thrown away at the end."""
    with (
        Mongod(cache_gb=CACHE_GB) as mongod,
        PostgreSQL(settings=POSTGRES_SETTINGS) as postgres,
        MongoClient[dict[str, Any]](mongod.uri) as client,
        psycopg.connect(postgres.uri, autocommit=True) as connection,
    ):
        source = mongod.uri.replace("/?", f"/{DATABASE}?")
        yield Servers(source, postgres.uri, client[DATABASE], connection)
