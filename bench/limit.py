"""The limit of this machine: reading and writing at once, with nothing in between.

For       `bench.copying`: what any client could reach, to measure landbridge by.
Touches   A collection, by reading; the tables of the schema `limit`.
Promises  The rows are landbridge's own, hash included, encoded before the clock runs. One process
          reads raw replies and drops them while two others write the rows, each taking the next
          part when it has sent one, so that neither waits for the other.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from bench.servers import DATABASE, Servers
from landbridge.codec import encoder_for
from landbridge.model.plan import Plan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.source import CollectionSource
from landbridge.postgres import ddl
from landbridge.postgres.copy import copy_into
from landbridge.state import streams
from landbridge.state.plans import plan_from_json

WRITERS = 2
SCHEMA = "limit"
_SPAWN = multiprocessing.get_context("spawn")  # none inherits connections or threads


@dataclass(frozen=True, slots=True)
class Rows:
    """A collection as encoded rows in a file, and the plan that they follow."""

    collection: str
    plan: Plan
    file: Path


@contextmanager
def encoded_rows(servers: Servers, collection: str, settings: Settings) -> Iterator[Rows]:
    """Encode a collection under the plan that its last sync ended with."""
    key = (DATABASE, collection)
    record = streams.known_streams(servers.connection, DATABASE)[key]
    assert record.plan is not None
    plan = plan_from_json(record.plan, settings)
    encoder = encoder_for(plan)
    parts = []
    with (
        connect(servers.source) as mongo,
        _source(mongo, collection).read(snapshot=True) as read,
    ):
        for batch in read:
            encoder.encode(batch.data, batch.offset, {})
            parts.append(bytes(encoder.output(0)))
    with TemporaryDirectory() as folder:
        file = Path(folder) / "rows"
        file.write_bytes(pickle.dumps(parts))
        yield Rows(collection, plan, file)


def _source(mongo: Connection, collection: str) -> CollectionSource:
    return CollectionSource(mongo, catalog.with_sizes(mongo, Collection(DATABASE, collection)))


def measure(servers: Servers, rows: Rows) -> float:
    """Return how many seconds reading and writing take when both are done at once."""
    table = TableName(SCHEMA, rows.collection)
    connection = servers.connection
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    connection.execute(ddl.create_statement(table, rows.plan.main, "logged"))
    times: SimpleQueue[tuple[float, float]] = _SPAWN.SimpleQueue()
    start = _SPAWN.Barrier(WRITERS + 1)
    taken = _SPAWN.Value("i", 0)
    writing = (servers.target, table, rows.plan, rows.file, taken, start, times)
    processes = [
        _SPAWN.Process(target=_read, args=(servers.source, rows.collection, start, times)),
        *(_SPAWN.Process(target=_write, args=writing) for _ in range(WRITERS)),
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError("a process of the limit failed")
    spans = [times.get() for _ in processes]
    return max(ended for _, ended in spans) - min(began for began, _ in spans)


def _read(source: str, collection: str, start: Barrier, times: SimpleQueue[Any]) -> None:
    with connect(source) as mongo, _source(mongo, collection).read(snapshot=True) as read:
        start.wait()
        began = time.monotonic()
        for batch in read:
            del batch
        times.put((began, time.monotonic()))


def _write(
    target: str,
    table: TableName,
    plan: Plan,
    file: Path,
    taken: Synchronized[int],
    start: Barrier,
    times: SimpleQueue[Any],
) -> None:
    parts = pickle.loads(file.read_bytes())
    with psycopg.connect(target) as connection:
        connection.execute("SELECT 1")
        start.wait()
        began = time.monotonic()
        with copy_into(connection, [table], plan) as sink:
            while True:
                with taken.get_lock():
                    number = taken.value
                    taken.value += 1
                if number >= len(parts):
                    break
                sink.write([memoryview(parts[number])])
        connection.commit()
        times.put((began, time.monotonic()))
