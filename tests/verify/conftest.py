"""What every test here begins with: a database that is loaded, and the verification of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import landbridge
from landbridge import bridge
from landbridge.model.verification import Aggregate, StreamVerdict, Verification

SCHEMA = "raw"


@dataclass
class Found:
    """What a verification found, by collection."""

    verification: Verification

    def __getitem__(self, collection: str) -> StreamVerdict:
        return next(s for s in self.verification.streams if s.collection == collection)

    @property
    def status(self) -> str:
        """The verdict over all."""
        return self.verification.status

    def unequal(self) -> dict[str, Any]:
        """What is not equal, by collection: for the message of a test that fails."""
        return {
            one.collection: one.error or apart(one) or one.notes
            for one in self.verification.streams
            if one.status != "equal"
        }


def apart(verdict: StreamVerdict) -> set[tuple[str, str]]:
    """Return (column, metric) of each figure that differs."""
    return {(one.name, one.metric) for one in verdict.aggregates if not one.equal}


def figure(verdict: StreamVerdict, name: str, metric: str) -> Aggregate:
    """Return a column's figure."""
    members = (a for a in verdict.aggregates if (a.name, a.metric) == (name, metric))
    return next(one for one in members if not one.group)


def groups(verdict: StreamVerdict, name: str) -> dict[Any, tuple[Any, Any]]:
    """Return the figures of an aggregate's groups, by what they are grouped by."""
    found = {}
    for one in verdict.aggregates:
        if one.name == name and one.group:
            values = tuple(one.group.values())
            found[values[0] if len(values) == 1 else values] = (one.source, one.target)
    return found


Sync = Callable[..., None]
Verify = Callable[..., Found]


@pytest.fixture
def sync(mongo_uri: str, postgres_uri: str) -> Sync:
    """Load the test's database of one server into that of the other."""

    def run(**chosen: Any) -> None:
        settings = landbridge.Settings(**chosen)
        summary = landbridge.sync(mongo_uri, postgres_uri, schema=SCHEMA, settings=settings)
        assert summary.status == "ok", summary

    return run


@pytest.fixture
def verify(mongo_uri: str, postgres_uri: str) -> Verify:
    """Compare the two."""

    def run(**chosen: Any) -> Found:
        return Found(bridge.verify(mongo_uri, postgres_uri, **{"schema": SCHEMA} | chosen))

    return run
