"""What the tests of imports share: small schemas, and a call with less to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.rows import tuple_row

from landbridge import bridge
from landbridge.model.summary import StreamSummary, Summary

Importing = Callable[..., Summary]
Rows = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def imported(mongo_uri: str, postgres_uri: str) -> Importing:
    """Import from the test's MongoDB into its PostgreSQL, by a mapping."""

    def call(mapping: str, **options: Any) -> Summary:
        return bridge.import_mapped(postgres_uri, mapping, source=mongo_uri, **options)

    return call


@pytest.fixture
def rows(postgres: psycopg.Connection) -> Rows:
    """Return the rows of a query."""

    def call(query: str) -> list[tuple[Any, ...]]:
        return postgres.cursor(row_factory=tuple_row).execute(query).fetchall()

    return call


def counts(summary: Summary, collection: str) -> dict[str, int]:
    """Return what became of a collection's documents, without the zeros."""
    stream = of(summary, collection)
    names = ("read", "inserted", "updated", "unchanged", "quarantined")
    return {name: found for name in names if (found := getattr(stream.tally, name))}


def of(summary: Summary, collection: str) -> StreamSummary:
    """Return what a run did to one collection."""
    assert summary.error is None, summary.error
    return next(stream for stream in summary.streams if stream.collection == collection)
