"""Many small collections in one run: what each costs beside the DDL that it needs anyway.

For       `python -m bench many`.
Touches   A database `bench_many` on the source, schemas of that name and `bare` on the target.
Promises  The bare cost is one connection that creates, copies, keys, analyzes and commits the
          same tables with the same rows, encoded before.
"""

from __future__ import annotations

import json
import time

from psycopg import sql

from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import Servers
from bench.shapes import fill
from landbridge.codec import encoder_for
from landbridge.model.plan import Plan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.tables import TableName
from landbridge.mongo.connect import connect
from landbridge.mongo.source import CollectionSource
from landbridge.postgres import ddl
from landbridge.postgres.copy import copy_into
from landbridge.state import streams
from landbridge.state.plans import plan_from_json

DATABASE = "bench_many"
DOCUMENTS = 100
AIM = "≤ 5 ms"


def measure(servers: Servers, collections: int, repetitions: int) -> list[Figure]:
    """Measure one run over all collections."""
    database = servers.database.client[DATABASE]
    for number in range(collections):
        fill(database[f"c{number:03}"], "narrow", DOCUMENTS)
    source = servers.source.replace("/bench?", f"/{DATABASE}?")
    sync = landbridge("sync", "--from", source, "--to", servers.target, "--json")
    servers.forget(DATABASE)
    run(sync)
    plan, rows = _encoded(servers, source)
    bare, ours, whole = [], [], []
    for _ in range(repetitions):
        servers.forget(DATABASE, "bare")
        bare.append(_bare(servers, plan, rows, collections))
        servers.forget(DATABASE, "bare")
        finished = run(sync)
        ours.append(json.loads(finished.output)["seconds"])
        whole.append(finished.seconds)
    again = run(sync).seconds
    servers.forget(DATABASE, "bare")
    servers.database.client.drop_database(DATABASE)
    case = f"{collections} collections of {DOCUMENTS} documents"
    each = 1000 / collections
    over = [(a - b) * each for a, b in zip(ours, bare, strict=True)]
    over_whole = [(a - b) * each for a, b in zip(whole, bare, strict=True)]
    return [
        of_several("many", case, "bare DDL and COPY, each", [s * each for s in bare], "ms"),
        of_several("many", case, "the run, each", [s * each for s in ours], "ms"),
        of_several("many", case, "over the bare cost, each", over, "ms", AIM),
        of_several("many", case, "the same, start-up counted", over_whole, "ms"),
        Figure("many", case, "again, no change, each", again * each, "ms"),
    ]


def _encoded(servers: Servers, source: str) -> tuple[Plan, bytes]:
    known = streams.known_streams(servers.connection, DATABASE)[DATABASE, "c000"]
    assert known.plan is not None
    plan = plan_from_json(known.plan, Settings())
    encoder = encoder_for(plan)
    with (
        connect(source) as mongo,
        CollectionSource(mongo, Collection(DATABASE, "c000")).read(snapshot=True) as read,
    ):
        (batch,) = read
        encoder.encode(batch.data, batch.offset, {})
    return plan, bytes(encoder.output(0))


def _bare(servers: Servers, plan: Plan, rows: bytes, collections: int) -> float:
    connection = servers.connection
    connection.execute("CREATE SCHEMA bare")
    began = time.perf_counter()
    for number in range(collections):
        table = TableName("bare", f"c{number:03}")
        with connection.transaction():
            connection.execute(ddl.create_statement(table, plan.main, "logged"))
            with copy_into(connection, [table], plan) as sink:
                sink.write([memoryview(rows)])
            connection.execute(ddl.add_key_statement(table, ["_id"]))
            connection.execute(sql.SQL("ANALYZE {}").format(ddl.identifier(table)))
    return time.perf_counter() - began
