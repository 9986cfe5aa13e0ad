"""Whoever reads during an overwrite sees the old rows or the new ones, and keeps what is theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.layouts.checks import (
    LAYOUTS,
    NAME,
    Mongo,
    Postgres,
    leftovers,
    settings_for,
    sync,
)
from tests.layouts.conftest import Forced

from landbridge import bridge
from landbridge.bridge import attempts
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress
from landbridge.postgres import ddl

DOCUMENTS = 1500
OID = "SELECT 'raw.orders'::regclass::oid"


def fill(mongo: Mongo) -> None:
    mongo[NAME].insert_many(
        {"_id": n, "v": 0, "name": f"n{n}", "list": [n]} for n in range(DOCUMENTS)
    )


def rewrite(mongo: Mongo, version: int, share: float = 1.0) -> None:
    mongo[NAME].update_many({"_id": {"$lt": DOCUMENTS * share}}, {"$set": {"v": version}})


@contextmanager
def reading(uri: str) -> Iterator[list[Any]]:
    """Read the table again and again; what was seen is in the list."""
    seen: list[Any] = []
    ended = threading.Event()

    def read() -> None:
        with psycopg.connect(uri, autocommit=True) as postgres:
            while not ended.is_set():
                query = "SELECT count(*), sum(v), count(DISTINCT _id) FROM raw.orders"
                seen.append(postgres.execute(query).fetchone())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        ended.set()
        reader.join()


@pytest.mark.parametrize("share", [0.1, 1.0], ids=["merge", "swap"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_readers_see_the_old_state_or_the_new_one(
    layout: str,
    share: float,
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> None:
    forced(layout)
    fill(mongo)
    sync(mongo_uri, postgres_uri, settings_for(layout))
    first = postgres.execute(OID).fetchone()
    changed = int(DOCUMENTS * share)
    with reading(postgres_uri) as seen:
        for version in range(1, 4):
            rewrite(mongo, version, share)
            done = sync(mongo_uri, postgres_uri, settings_for(layout))
            assert done.tally.updated == changed
    swapped = postgres.execute(OID).fetchone() != first
    assert swapped == (share == 1.0 and layout != "tiny")

    states = [(DOCUMENTS, changed * version, DOCUMENTS) for version in range(4)]
    assert len(seen) > 10
    assert set(seen) <= set(states)
    assert [states.index(one) for one in seen] == sorted(states.index(one) for one in seen)


def test_a_swap_keeps_owner_and_grants(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("small")
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    roles = [f"{postgres.info.dbname}_{name}" for name in ("owner", "reader", "lender")]
    for role in roles:
        postgres.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    owner, reader, lender = map(sql.Identifier, roles)
    for statement in (
        "ALTER TABLE raw.orders OWNER TO {owner}",
        "GRANT SELECT ON raw.orders TO {reader}, PUBLIC",
        "GRANT SELECT, REFERENCES ON raw.orders TO {lender} WITH GRANT OPTION",
    ):
        postgres.execute(
            sql.SQL(statement).format(owner=owner, reader=reader, lender=lender)  # type: ignore[arg-type]
        )
    rights = (
        "SELECT pg_get_userbyid(relowner)::text, relacl::text[] FROM pg_class"
        " WHERE oid = 'raw.orders'::regclass"
    )
    try:
        before = postgres.execute(rights).fetchone()
        first = postgres.execute(OID).fetchone()
        rewrite(mongo, 1)
        sync(mongo_uri, postgres_uri)
        after = postgres.execute(rights).fetchone()
        assert postgres.execute(OID).fetchone() != first
        assert before is not None and after is not None
        assert after[0] == before[0] and sorted(after[1]) == sorted(before[1])
    finally:
        postgres.execute("DROP SCHEMA raw CASCADE")
        for role in (owner, reader, lender):
            postgres.execute(sql.SQL("DROP ROLE {}").format(role))


# What somebody has made on the table, and how it is asked whether it is still there.
THEIRS = {
    "view": ("CREATE VIEW theirs AS SELECT _id, v FROM raw.orders", "SELECT sum(v) FROM theirs"),
    "foreign key": (
        "CREATE TABLE theirs (id bigint REFERENCES raw.orders)",
        "SELECT count(*) FROM pg_constraint WHERE conrelid = 'theirs'::regclass AND contype = 'f'",
    ),
    "function": (
        "CREATE FUNCTION theirs() RETURNS numeric BEGIN ATOMIC SELECT sum(v) FROM raw.orders; END",
        "SELECT theirs()",
    ),
    "row type": (
        "CREATE FUNCTION theirs(raw.orders) RETURNS bigint LANGUAGE sql AS 'SELECT $1.v'",
        "SELECT sum(theirs(orders)) FROM raw.orders",
    ),
    "publication": (
        "CREATE PUBLICATION theirs FOR TABLE raw.orders",
        "SELECT count(*) FROM pg_publication_tables WHERE pubname = 'theirs'",
    ),
    "index": (
        "CREATE INDEX theirs ON raw.orders (name)",
        "SELECT count(*) FROM pg_index WHERE indexrelid = 'raw.theirs'::regclass",
    ),
    "unique index": (
        "CREATE UNIQUE INDEX theirs ON raw.orders (_id)",
        "SELECT count(*) FROM pg_index WHERE indexrelid = 'raw.theirs'::regclass",
    ),
    "trigger": (
        "CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
        " CREATE TRIGGER theirs AFTER INSERT ON raw.orders EXECUTE FUNCTION theirs()",
        "SELECT count(*) FROM pg_trigger WHERE tgname = 'theirs'",
    ),
    "policy": (
        "CREATE POLICY theirs ON raw.orders USING (v > 0)",
        "SELECT count(*) FROM pg_policy WHERE polname = 'theirs'",
    ),
    "row security": (
        "ALTER TABLE raw.orders ENABLE ROW LEVEL SECURITY",
        "SELECT relrowsecurity::int FROM pg_class WHERE oid = 'raw.orders'::regclass",
    ),
    "check": (
        "ALTER TABLE raw.orders ADD CONSTRAINT theirs CHECK (v >= 0)",
        "SELECT count(*) FROM pg_constraint WHERE conname = 'theirs'",
    ),
    "not null": (
        "ALTER TABLE raw.orders ALTER COLUMN v SET NOT NULL",
        "SELECT count(*) FROM pg_attribute WHERE attrelid = 'raw.orders'::regclass"
        " AND attname = 'v' AND attnotnull",
    ),
    "column": (
        "ALTER TABLE raw.orders ADD COLUMN theirs int DEFAULT 1",
        "SELECT count(theirs) FROM raw.orders",
    ),
    "comment": (
        "COMMENT ON COLUMN raw.orders.v IS 'theirs'",
        "SELECT count(*) FROM pg_description WHERE description = 'theirs'",
    ),
    "statistics": (
        "CREATE STATISTICS theirs ON _id, v FROM raw.orders",
        "SELECT count(*) FROM pg_statistic_ext WHERE stxname = 'theirs'",
    ),
    "view of a child": (
        "CREATE VIEW theirs AS SELECT * FROM raw.orders_list",
        "SELECT count(*) FROM theirs",
    ),
    "index of a child": (
        "CREATE INDEX theirs ON raw.orders_list (value)",
        "SELECT count(*) FROM pg_index WHERE indexrelid = 'raw.theirs'::regclass",
    ),
}


@pytest.mark.parametrize("kind", THEIRS)
def test_what_depends_on_a_table_is_kept_by_a_merge(
    kind: str, forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("small")
    fill(mongo)
    settings = Settings(arrays="table")
    sync(mongo_uri, postgres_uri, settings)
    make, ask = THEIRS[kind]
    postgres.execute(make)  # type: ignore[arg-type]
    before = postgres.execute(OID).fetchone()
    rewrite(mongo, 1)

    sync(mongo_uri, postgres_uri, settings)

    assert postgres.execute(OID).fetchone() == before
    assert postgres.execute("SELECT sum(v) FROM raw.orders").fetchone() == (DOCUMENTS,)
    [(answer,)] = postgres.execute(ask).fetchall()  # type: ignore[arg-type]
    assert answer in (1, DOCUMENTS)
    assert leftovers(postgres) == []


def test_a_view_made_during_the_copy_forces_the_merge(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    forced("small")
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    before = postgres.execute(OID).fetchone()
    rewrite(mongo, 1)

    def make(progress: Progress) -> None:
        if progress.phase == "indexing":
            postgres.execute("CREATE VIEW theirs AS SELECT * FROM raw.orders")

    sync(mongo_uri, postgres_uri, observer=make)
    assert postgres.execute(OID).fetchone() == before
    assert postgres.execute("SELECT sum(v) FROM theirs").fetchone() == (DOCUMENTS,)


def test_tables_of_others_with_names_like_ours_stay(
    mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    names = ("lb_diff", "lb_quarantined", "lb_keys", "lb_twice", "_lb_1_1", "_lb_1_2")
    for name in names:
        postgres.execute(
            sql.SQL("CREATE TABLE {} AS SELECT 1 AS mine").format(sql.Identifier(name))
        )
    mongo[NAME].insert_many([{"_id": 1, "v": 1}, {"_id": 2, "v": "a\0b"}])
    sync(mongo_uri, postgres_uri)
    mongo[NAME].insert_many([{"_id": "x", "v": 1}, {"_id": 3, "v": "a\0b"}])
    sync(mongo_uri, postgres_uri)
    for name in names:
        query = sql.SQL("SELECT mine FROM public.{}").format(sql.Identifier(name))
        assert postgres.execute(query).fetchall() == [(1,)]


# -- locks of others -----------------------------------------------------------------------


@contextmanager
def locking(uri: str, mode: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(uri) as postgres:
        postgres.execute(sql.SQL("LOCK TABLE raw.orders IN {} MODE").format(sql.SQL(mode)))  # type: ignore[arg-type]
        yield postgres


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ddl, "LOCK_SECONDS_MAX", 0.1)


@pytest.mark.parametrize(
    ("mode", "change"),
    [("ACCESS SHARE", "new column"), ("ACCESS SHARE", "swap"), ("ROW EXCLUSIVE", "merge"),
     ("ACCESS EXCLUSIVE", "merge")],
)  # fmt: skip
@pytest.mark.usefixtures("hasty")
def test_a_lock_of_another_session_is_waited_for_in_short_tries(
    mode: str,
    change: str,
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
) -> None:
    forced("small")
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    rewrite(mongo, 1, 1.0 if change == "swap" else 0.1)
    if change == "new column":
        mongo[NAME].update_one({"_id": 5}, {"$set": {"fresh": "yes"}})
    with locking(postgres_uri, mode) as other:
        timer = threading.Timer(0.6, other.rollback)
        # Behind the strongest lock a load can't even look at the table.
        phase = "reading" if mode == "ACCESS EXCLUSIVE" else "publishing"

        def start(progress: Progress) -> None:
            if progress.phase == phase and timer.ident is None:
                timer.start()

        sync(mongo_uri, postgres_uri, observer=start)
        timer.join()
    wanted = DOCUMENTS if change == "swap" else DOCUMENTS // 10
    assert postgres.execute("SELECT sum(v) FROM raw.orders").fetchone() == (wanted,)
    assert leftovers(postgres) == []


@pytest.mark.usefixtures("hasty")
def test_a_lock_that_is_not_given_free_is_told(
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "RETRIES_MAX", 1)
    monkeypatch.setattr(attempts, "RETRY_SECONDS", (0.1, 0.1))
    monkeypatch.setattr(ddl, "LOCK_TRIES_MAX", 2)
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    rewrite(mongo, 1)
    with locking(postgres_uri, "ROW EXCLUSIVE"):
        summary = bridge.sync(mongo_uri, postgres_uri, schema="raw")
    assert summary.error is not None and summary.error["code"] == "locked"
    assert postgres.execute("SELECT sum(v) FROM raw.orders").fetchone() == (0,)
    sync(mongo_uri, postgres_uri)
    assert leftovers(postgres) == []


@pytest.mark.usefixtures("hasty")
def test_a_long_report_does_not_stop_a_load_that_would_swap(
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ddl, "LOCK_TRIES_MAX", 2)
    forced("small")
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    first = postgres.execute(OID).fetchone()
    rewrite(mongo, 1)
    with psycopg.connect(postgres_uri) as report:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        query = "SELECT count(*), sum(v) FROM raw.orders"
        assert report.execute(query).fetchone() == (DOCUMENTS, 0)
        done = sync(mongo_uri, postgres_uri)
        assert done.tally.updated == DOCUMENTS
        assert report.execute(query).fetchone() == (DOCUMENTS, 0)
    assert postgres.execute(OID).fetchone() == first
    assert postgres.execute("SELECT sum(v) FROM raw.orders").fetchone() == (DOCUMENTS,)
    assert leftovers(postgres) == []


def test_time_under_lock_is_short_for_readers(
    forced: Forced, mongo: Mongo, postgres: Postgres, mongo_uri: str, postgres_uri: str
) -> None:
    """No reader waits for a copy, a key or a comparison: only for the exchange of names."""
    forced("small")
    fill(mongo)
    sync(mongo_uri, postgres_uri)
    rewrite(mongo, 1)

    def pause(progress: Progress) -> None:
        if progress.phase in ("indexing", "publishing"):
            began = time.monotonic()
            postgres.execute("SELECT count(*) FROM raw.orders")
            assert time.monotonic() - began < 1

    sync(mongo_uri, postgres_uri, observer=pause)
