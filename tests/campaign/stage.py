"""One try: fresh databases, a load, the command under test, and the proof at its end.

For       Faults, which strike on a stage; and its verdict.
Touches   Its two databases, a temporary folder, and its worker processes.
Promises  A try is fixed by its seed, but for the time that things take. `verdict` uses nothing of
          landbridge but the command itself and the names of its state tables.
"""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymongo
from psycopg import sql
from pymongo.errors import PyMongoError
from tests.layouts.checks import SMALL_PARTS, leftovers

from landbridge import bridge
from landbridge.embedded import Mongod, PostgreSQL

from . import compare
from .generator import COLLECTIONS, MARK, Generator, Kept
from .methods import Method
from .proxy import Proxy
from .replica_set import ReplicaSet
from .worker import Order, Point, Worker

SCHEMA = "raw"
FILL_DOCUMENTS = 240
CATCH_UP_SECONDS_MAX = 90
END_SECONDS_MAX = 90
POLL_SECONDS = 0.05
ENTRIES_MAX = 100_000
# A try has no 30 s to wait between two attempts of a run.
SOON = {"landbridge.bridge.syncing.RETRY_SECONDS": (0.1, 0.2, 0.5, 1.0, 2.0)}


class Failed(AssertionError):
    """A try that was not survived, in one line."""


@dataclass(slots=True)
class Stage:
    """Everything that a fault may reach for."""

    method: Method
    seed: int
    chance: random.Random
    folder: Path
    mongod: Mongod | ReplicaSet
    postgresql: PostgreSQL
    database: str
    generator: Generator
    mongo_uri: str
    postgres_uri: str
    mongo_proxy: Proxy | None = None
    postgres_proxy: Proxy | None = None
    flags: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    codes: Counter[str] = field(default_factory=Counter)  # how runs ended
    _runs: int = 0

    # -- the command ------------------------------------------------------------------------

    def arguments(self, *more: str) -> tuple[str, ...]:
        """Return the command line."""
        source, target = self.mongo_uri, self.postgres_uri
        if self.mongo_proxy is not None:
            source = _at_port(source, self.mongo_proxy.port)
        if self.postgres_proxy is not None:
            target = _at_port(target, self.postgres_proxy.port)
        ends = ("--from", source, "--to", target, "--schema", SCHEMA)
        return ("sync", *ends, *self.method.flags, *self.flags, *more, "--json")

    def worker(self, *more: str, die_at: Point | None = None) -> Worker:
        """Start the command."""
        self._runs += 1
        folder = self.folder / str(self._runs)
        folder.mkdir()
        return Worker(Order(self.arguments(*more), folder, self.constants, die_at))

    def ended(self, worker: Worker, seconds: float = END_SECONDS_MAX) -> int:
        """Return the exit code of a worker that must end by itself, and note why it did."""
        code = worker.wait(seconds)
        if code is None:
            worker.kill()
            raise Failed(f"a run did not end within {seconds:.0f} s; it said: {_tail(worker)}")
        self.note(worker, code)
        return code

    def note(self, worker: Worker, code: int) -> None:
        """Count how a run ended; a bug is never a way to end."""
        reasons = codes_of(worker.report()) if code > 0 else set()
        if "internal" in reasons:
            raise Failed(f"a bug: {worker.report().get('error')} {_tail(worker)}")
        self.codes[", ".join(sorted(reasons)) or _ending(code)] += 1

    def run_to_the_end(self, *more: str) -> Worker:
        """Run; a worker that follows is let go on until every table is there."""
        worker = self.worker(*more)
        if self.method.follows:
            self.await_copied(worker)
            worker.send(signal.SIGTERM)
        worker.wait(END_SECONDS_MAX)
        return worker

    def must_run(self, *more: str) -> Worker:
        """Run to the end, which must be a good one."""
        worker = self.run_to_the_end(*more)
        self.expect_good(worker)
        return worker

    def end_well(self, worker: Worker) -> None:
        """Ask a worker that follows to end."""
        worker.send(signal.SIGTERM)
        self.expect_good(worker)

    def expect_good(self, worker: Worker) -> None:
        """Wait for an end, which must be a good one."""
        code = self.ended(worker)
        if code != 0:
            raise Failed(f"exit code {code}: {worker.report().get('error')} {_tail(worker)}")

    def await_copied(self, worker: Worker) -> None:
        """Return when every collection has its table, or the worker has ended."""
        deadline = time.monotonic() + CATCH_UP_SECONDS_MAX
        while worker.alive and time.monotonic() < deadline:
            if all(self.rows(kept.name) for kept in self.generator.collections):
                return
            time.sleep(POLL_SECONDS)

    # -- the proof --------------------------------------------------------------------------

    def finish(self) -> None:
        """Give the same command once more, with nobody writing; the table must be the source."""
        record = self.generator.stop()
        worker = self.worker()
        if self.method.follows:
            self._await_marks(worker)
            self.compare()  # nothing that came before the marks may be missing
            worker.send(signal.SIGTERM)
        self.expect_good(worker)
        self.compare()
        self._compare_quarantine()
        with self.postgres() as postgres:
            left = leftovers(postgres)
        if left:
            raise Failed(f"left behind: {left}")
        if record.acknowledged == 0:
            raise Failed("nothing was written at all")

    def _await_marks(self, worker: Worker) -> None:
        deadline = time.monotonic() + CATCH_UP_SECONDS_MAX
        missing = [kept.name for kept in self.generator.collections]
        while missing:
            if not worker.alive:
                code = self.ended(worker)
                raise Failed(f"it ended with {code} and should follow: {_tail(worker)}")
            if time.monotonic() > deadline:
                raise Failed(f"it did not catch up with {missing}: {_tail(worker)}")
            time.sleep(POLL_SECONDS)
            missing = [name for name in missing if not self._has_mark(name)]

    def _has_mark(self, name: str) -> bool:
        return any(row["who"] == MARK for row in self.rows(name))

    def rows(self, name: str) -> list[compare.Row]:
        """Return the rows of a table."""
        with self.postgres() as postgres:
            return compare.rows_of(postgres, SCHEMA, name)

    def compare(self) -> None:
        """Compare the record, the source and the table of each collection."""
        found: list[compare.Difference] = []
        record = self.generator.record
        with (
            pymongo.MongoClient[dict[str, Any]](self.mongo_uri, tz_aware=True) as mongo,
            self.postgres() as postgres,
        ):
            for kept in self.generator.collections:
                documents = compare.source_of(mongo, self.database, kept.name)
                found += compare.against_record(record, kept.name, documents)
                rows = compare.rows_of(postgres, SCHEMA, kept.name)
                found += compare.against_source(kept.name, documents, rows, record)
        if found:
            raise Failed(f"{len(found)} differences: {compare.told(found)}")

    def _compare_quarantine(self) -> None:
        """Compare what is set aside, as the command lists it, with what can't be a row."""
        found: list[compare.Difference] = []
        entries = bridge.list_quarantine(self.postgres_uri, limit=ENTRIES_MAX)
        with pymongo.MongoClient[dict[str, Any]](self.mongo_uri, tz_aware=True) as mongo:
            for kept in self.generator.collections:
                documents = compare.source_of(mongo, self.database, kept.name)
                stream = f"{self.database}.{kept.name}"
                ids = [entry.document_id for entry in entries if entry.stream == stream]
                # A sweep looks for what a table has and the source lacks; entries are in no table.
                stay = self.method.name == "incremental"
                found += compare.aside(kept.name, documents, ids, deleted_stay=stay)
        if found:
            raise Failed(f"{len(found)} differences in quarantine: {compare.told(found)}")

    @contextmanager
    def postgres(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection to the target, past the proxy."""
        with psycopg.connect(self.postgres_uri, autocommit=True) as connection:
            yield connection


@contextmanager
def set_up(
    method: Method,
    seed: int,
    mongod: Mongod | ReplicaSet,
    postgresql: PostgreSQL,
    *,
    proxied: bool = False,
    transactions: bool = True,
    collections: tuple[Kept, ...] = COLLECTIONS,
    rate: float = 150.0,
    variant: str = "",
    flags: tuple[str, ...] = (),
) -> Iterator[Stage]:
    """Make a stage, filled and with its writers at work, and clear it away."""
    chance = random.Random(f"{seed} stage")
    name = f"campaign_{chance.randrange(16**10):010x}"
    folder = Path(tempfile.mkdtemp(prefix="landbridge-campaign-"))
    mongo_uri = urlsplit(mongod.uri)._replace(path=f"/{name}").geturl()
    proxies: list[Proxy] = []
    drawn = chance.choice(method.variants)
    variant = variant or drawn
    generator = Generator(
        mongo_uri, name, seed, collections=collections, transactions=transactions, rate=rate
    )
    try:
        with psycopg.connect(postgresql.uri, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
        with pymongo.MongoClient(mongo_uri) as client:
            client.drop_database(name)
        postgres_uri = postgresql.create_database(name)
        if proxied:
            assert isinstance(mongod, Mongod)
            proxies = [
                Proxy(urlsplit(mongod.uri).port or 0),
                Proxy(urlsplit(postgresql.uri).port or 0, speaks_postgresql=True),
            ]
        stage = Stage(
            method=method,
            seed=seed,
            chance=random.Random(f"{seed} fault"),
            folder=folder,
            mongod=mongod,
            postgresql=postgresql,
            database=name,
            generator=generator,
            mongo_uri=mongo_uri,
            postgres_uri=postgres_uri,
            mongo_proxy=proxies[0] if proxies else None,
            postgres_proxy=proxies[1] if proxies else None,
            flags=(*flags, "--ranges") if variant == "ranges" else flags,
            constants=SOON | ({} if variant == "tiny" else SMALL_PARTS),
        )
        generator.fill(FILL_DOCUMENTS)
        with generator:
            generator.start()
            yield stage
    finally:
        for proxy in proxies:
            proxy.close()
        shutil.rmtree(folder, ignore_errors=True)
        _forget(mongod, postgresql, name)


def _forget(mongod: Mongod | ReplicaSet, postgresql: PostgreSQL, name: str) -> None:
    """Drop both databases, where the servers are up."""
    try:
        with psycopg.connect(postgresql.uri, autocommit=True, connect_timeout=5) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )
        with pymongo.MongoClient(mongod.uri, serverSelectionTimeoutMS=5_000) as client:
            client.drop_database(name)
    except (psycopg.Error, PyMongoError):
        return


def codes_of(report: Mapping[str, Any]) -> set[str]:
    """Return the codes of a report's errors, those of its streams among them."""
    errors = [report.get("error"), *(each.get("error") for each in report.get("streams", []))]
    return {error["code"] for error in errors if error} - {"streams_failed"}


def _ending(code: int) -> str:
    if code == 0:
        return "ok"
    return signal.Signals(-code).name if code < 0 else f"exit {code}"


def _tail(worker: Worker) -> str:
    return " / ".join(worker.said().strip().splitlines()[-4:])


def _at_port(uri: str, port: int) -> str:
    parts = urlsplit(uri)
    account, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{account}{at}127.0.0.1:{port}").geturl()
