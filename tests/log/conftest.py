"""A source that is followed, run by run, and one comparison of all its tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import sql
from tests.layouts.checks import Mongo, Postgres

from landbridge import Settings, bridge
from landbridge.model.summary import StreamSummary, Summary

SCHEMA = "raw"
Follow = Callable[..., dict[str, StreamSummary]]


@pytest.fixture
def sync(mongo_uri: str, postgres_uri: str) -> Callable[..., Summary]:
    """Run `log` once, to the present."""

    def run(select: tuple[str, ...] = (), **chosen: Any) -> Summary:
        settings = Settings(method="log", **chosen)
        return bridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, select=select, settings=settings)

    return run


@pytest.fixture
def follow(sync: Callable[..., Summary]) -> Follow:
    """Run `log` once, which must succeed; return each stream by its collection."""

    def run(**chosen: Any) -> dict[str, StreamSummary]:
        summary = sync(**chosen)
        assert summary.error is None, summary.error
        return {stream.collection: stream for stream in summary.streams}

    return run


def values(postgres: Postgres, table: str, columns: str = "v") -> list[Any]:
    """Return the values of a table in their order."""
    query = sql.SQL("SELECT {} FROM {} ORDER BY 1").format(
        sql.SQL(", ").join(map(sql.Identifier, columns.split())), sql.Identifier(SCHEMA, table)
    )
    rows = postgres.execute(query, prepare=False).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def assert_equal(mongo: Mongo, postgres: Postgres, *names: str) -> None:
    """Compare each table with its collection, by the field `v` that every document has."""
    for name in names:
        wanted = sorted(found["v"] for found in mongo[name].find())
        assert values(postgres, name) == wanted, name
