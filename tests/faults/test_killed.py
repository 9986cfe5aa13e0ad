"""kill -9 of the sync at any moment, then the same command: the table equals its source."""

from __future__ import annotations

import os
import random
import time

import pytest
from tests.layouts.checks import (
    LAYOUTS,
    NAME,
    Mongo,
    Postgres,
    assert_equal,
    change,
    constants_for,
    fill,
    leftovers,
    settings_for,
)

from landbridge.model.settings import Settings

from .child import Child, Order, run

SEED = int(os.environ.get("LANDBRIDGE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
POINTS = int(os.environ.get("LANDBRIDGE_TEST_KILLS", "3"))  # of each kind, layout and load
SHARES = {"later": 0.06, "swap": 0.3}  # of the rows that change


class Crossing:
    """A collection and a sync of it that is killed again and again."""

    def __init__(
        self, layout: str, load: str, source: Mongo, target: Postgres, uris: tuple[str, str]
    ):
        self.collection, self.postgres, self.load = source[NAME], target, load
        self.chance = random.Random(f"{SEED} {layout} {load}")
        print(f"LANDBRIDGE_TEST_SEED={SEED}")
        self.settings, self.constants = settings_for(layout), constants_for(layout)
        self.source, self.target = uris
        fill(self.collection)
        if load != "first":
            self.finish()

    def order(self, **death: object) -> Order:
        return Order(self.source, self.target, self.settings, self.constants, **death)  # type: ignore[arg-type]

    def prepare(self) -> None:
        """Let there be something to do."""
        if self.load == "first":
            self.postgres.execute("DROP SCHEMA IF EXISTS raw, landbridge CASCADE")
        else:
            change(self.collection, self.chance.randrange(10**6), SHARES[self.load])

    def finish(self) -> int:
        """Run to the end; return the number of exchanges with PostgreSQL."""
        summary, exchanges = run(self.order())
        assert summary is not None and summary.error is None, summary
        assert_equal(self.collection, self.postgres)
        assert leftovers(self.postgres) == []
        return exchanges


@pytest.fixture(
    params=[
        (layout, load)
        for layout in LAYOUTS
        for load in ("first", "later", "swap")
        if (layout, load) != ("tiny", "swap")
    ],
    ids="-".join,
)
def crossing(
    request: pytest.FixtureRequest,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> Crossing:
    layout, load = request.param
    return Crossing(layout, load, mongo, postgres, (mongo_uri, postgres_uri))


def test_killed_between_any_two_words_to_postgresql(crossing: Crossing) -> None:
    crossing.prepare()
    exchanges = crossing.finish()
    for _ in range(POINTS):
        point = crossing.chance.randint(1, exchanges)
        answered = crossing.chance.random() < 0.5
        print(f"killed at exchange {point} of {exchanges}, answered: {answered}")
        crossing.prepare()
        run(crossing.order(die_at_exchange=point, answered=answered))
        if crossing.chance.random() < 0.3:
            again = crossing.chance.randint(1, exchanges)
            print(f"and the next run at exchange {again}")
            run(crossing.order(die_at_exchange=again))
        crossing.finish()


def test_killed_at_any_time(crossing: Crossing) -> None:
    crossing.prepare()
    began = time.monotonic()
    crossing.finish()
    usual = time.monotonic() - began
    for _ in range(max(1, POINTS // 4)):
        crossing.prepare()
        moment = crossing.chance.random() * usual
        print(f"killed after {moment:.3f} s of {usual:.3f} s")
        child = Child(crossing.order())
        time.sleep(moment)
        child.kill()
        crossing.finish()


@pytest.mark.parametrize("phase", ["indexing", "publishing"])
def test_killed_twice_before_a_load_by_ranges_is_published(
    phase: str, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """What is copied stays: only gaps are read again, and here there are none."""
    crossing = Crossing("large", "first", mongo, postgres, (mongo_uri, postgres_uri))
    for _ in range(2):
        run(crossing.order(die_at_phase=phase))
        done = postgres.execute("SELECT bool_and(done), count(*) FROM landbridge.chunk").fetchone()
        assert done is not None and done[0] and done[1] > 3
    [private] = postgres.execute(
        "SELECT oid FROM pg_class WHERE starts_with(relname, '_lb_') AND relkind = 'r'"
    ).fetchall()
    crossing.finish()
    assert postgres.execute("SELECT 'raw.orders'::regclass::oid").fetchone() == private


def test_a_killed_load_by_ranges_resumes_without_being_told_to(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """Without `--ranges` the load is small again, but what was committed is not thrown away."""
    crossing = Crossing("large", "first", mongo, postgres, (mongo_uri, postgres_uri))
    run(crossing.order(die_at_phase="indexing"))
    crossing.settings = Settings()
    crossing.finish()
    layout = postgres.execute("SELECT layout FROM landbridge.run_stream").fetchall()
    assert layout == [("large",)]


def test_documents_that_change_between_crash_and_resumption_do_no_harm(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """Ranges are fuzzy until the log is replayed; the next run is exact."""
    crossing = Crossing("large", "first", mongo, postgres, (mongo_uri, postgres_uri))
    run(crossing.order(die_at_phase="indexing"))
    change(crossing.collection, seed=5)
    summary, _ = run(crossing.order())
    assert summary is not None and summary.error is None
    crossing.finish()
