"""Every nasty collection, loaded under several settings, is found equal: no false alarm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.sync.conftest import load
from tests.sync.nasty import Ends, with_all
from tests.sync.test_nasty import LARGE, SETTINGS

from landbridge.embedded import MongoServer, PostgresServer
from landbridge.model.verification import StreamVerdict
from landbridge.mongo.connect import connect
from landbridge.postgres.connect import Target
from landbridge.verify import full, hashes, kernel, reading, records
from landbridge.verify.comparing import shape_of_pair
from landbridge.verify.pairs import Pair, pairs
from landbridge.verify.shape import full_shape


@pytest.fixture(scope="module")
def ends(mongod: MongoServer, postgresql: PostgresServer) -> Iterator[Ends]:
    """All nasty collections in one database."""
    with with_all(mongod, postgresql) as both:
        yield both


def loaded(ends: Ends, schema: str, **settings: Any) -> Iterator[tuple[Any, Target, Pair]]:
    """Load all, and yield each collection with its table."""
    load(ends.mongo_uri, ends.postgres_uri, schema=schema, **settings)
    with connect(ends.mongo_uri) as mongo:
        target = Target(ends.postgres_uri, "tests", 1)
        with target.session() as session:
            found = pairs(mongo, session.connection, schema, (), settings.get("exclude", ()))
        for pair in found:
            if pair.plan is not None:
                yield mongo, target, pair
        target.close()


def problems(verdict: StreamVerdict) -> str:
    """Say what was found, where something was."""
    if verdict.status == "equal":
        return ""
    return f"{verdict.missing[:2]} {verdict.extra[:2]} {verdict.different[:3]} {verdict.error}"


@pytest.mark.parametrize("name", ["default", "simple", "tables", "narrow"])
def test_every_nasty_collection_is_found_equal(ends: Ends, name: str) -> None:
    wrong = {}
    settings = {"exclude": LARGE, **SETTINGS.get(name, {})}
    for mongo, target, pair in loaded(ends, f"v_{name}", **settings):
        for mode in (full, hashes):
            verdict = mode.compare(mongo, target, pair)
            if told := problems(verdict):
                wrong[pair.collection.name, mode.__name__] = told
    assert not wrong, "\n".join(f"{name}: {told}" for name, told in wrong.items())


@pytest.mark.parametrize("name", ["default", "tables"])
def test_the_kernel_makes_the_records_of_its_twin(ends: Ends, name: str) -> None:
    settings = {"exclude": LARGE, **SETTINGS.get(name, {})}
    wrong = []
    for mongo, target, pair in loaded(ends, f"k_{name}", **settings):
        with target.session() as session:
            shape = shape_of_pair(session.connection, pair, full_shape)
            fast, slow = kernel.reader_of(shape), kernel.Twin(shape)
            for batch in reading.documents(mongo, pair.collection, reading.WHOLE):
                one, two = fast.documents(batch, 0), slow.documents(batch, 0)
                if sorted_records(one[0]) != sorted_records(two[0]) or one[1] != two[1]:
                    wrong.append((pair.collection.name, "documents"))
            for table in range(len(shape.tables)):
                for copied in reading.rows(session.connection, shape, table, reading.WHOLE):
                    if fast.rows(table, copied) != slow.rows(table, copied):
                        wrong.append((pair.collection.name, f"rows of table {table}"))
    assert wrong == []


def sorted_records(made: bytes) -> list[tuple[bytes, int, int]]:
    """Return records in an order of their own: what is unusual comes last from the kernel."""
    return sorted(records.read(made))
