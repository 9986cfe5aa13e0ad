"""What every test here begins with: load a database, and have it compared by the reader."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
import pymongo
import pytest
from psycopg import sql
from tests.sync.reader import Comparison, Mongo, Shaping, compare

import landbridge
from landbridge.embedded import PostgresServer
from landbridge.model.summary import StreamSummary, Summary

SCHEMA = "raw"


@dataclass
class Loaded:
    """The summary of a run, by collection."""

    summary: Summary

    def __getitem__(self, collection: str) -> StreamSummary:
        return next(s for s in self.summary.streams if s.collection == collection)

    def counts(self, collection: str) -> dict[str, Any]:
        """What became of documents, without what is zero; and the error, if there is one."""
        tally = self[collection].tally
        names = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined", "discarded")
        counts: dict[str, Any] = {name: n for name in names if (n := getattr(tally, name))}
        error = self[collection].error
        return counts | {"error": error} if error else counts

    def code(self, collection: str) -> str | None:
        """The error's code, None where all went well."""
        error = self[collection].error
        return error["code"] if error else None


Sync = Callable[..., Loaded]
Check = Callable[..., Comparison]


def load(mongo_uri: str, postgres_uri: str, **chosen: Any) -> Loaded:
    """Load a database; settings and what to select come as one."""
    run = {
        name: chosen.pop(name)
        for name in ("select", "exclude", "jobs", "observer", "schema")
        if name in chosen
    }
    settings = landbridge.Settings(**chosen)
    run = {"schema": SCHEMA, "jobs": 2, **run}
    summary = landbridge.sync(mongo_uri, postgres_uri, settings=settings, **run)
    for stream in summary.streams:
        assert stream.tally.adds_up, stream
    return Loaded(summary)


@pytest.fixture
def sync(mongo_uri: str, postgres_uri: str) -> Sync:
    """Load the test's database of one server into that of the other."""

    def run(**chosen: Any) -> Loaded:
        return load(mongo_uri, postgres_uri, **chosen)

    return run


@pytest.fixture
def check(mongo: Mongo, postgres: psycopg.Connection) -> Check:
    """Compare a collection with its table, value by value."""

    def run(
        collection: str, table: str | None = None, where: LiteralString = "true", **shaping: Any
    ) -> Comparison:
        name = table or f"{SCHEMA}.{collection}"
        return compare(mongo, collection, postgres, name, Shaping(**shaping), where)

    return run


@contextmanager
def fresh_ends(mongod_uri: str, postgresql: PostgresServer) -> Iterator[tuple[str, str]]:
    """Make a database on either server, for tests that share what is in them."""
    name = f"shared_{uuid.uuid4().hex[:8]}"
    mongo_uri = urlsplit(mongod_uri)._replace(path=f"/{name}").geturl()
    postgres_uri = postgresql.create_database(name)
    try:
        yield mongo_uri, postgres_uri
    finally:
        with pymongo.MongoClient(mongod_uri) as client:
            client.drop_database(name)
        with psycopg.connect(postgresql.uri, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )
