"""The saved position leads nowhere: the log rolled over, or the token is not this log's.

For       The method `log`: a gap must be told by name, and healed when that is asked for.
Touches   landbridge.stream.position, and the log of a mongod that keeps very little of it.
Promises  A run that goes on silently over a gap is a failure, whatever the table holds afterwards.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import pymongo
from bson import Binary
from psycopg.types.json import Jsonb
from pymongo.errors import OperationFailure

from landbridge.embedded import Mongod

from ..generator import Generator
from ..methods import Method
from ..servers import Servers
from ..stage import FILL_DOCUMENTS, Failed, Stage, codes_of, set_up
from .fault import Fault, behind_proxies, on_one

WRITES_SECONDS = 1.5
ROLL_SECONDS_MAX = 90
HISTORY_LOST = 286
PIECES = [{"piece": "x" * 50_000} for _ in range(10)]
LOST = "position_lost"

Position = dict[str, Any]
Spoil = Callable[[Position], Any]


def rolled_over(stage: Stage, servers: Servers) -> str:
    """Stop, let the log roll over what was not read, and go on."""
    assert isinstance(stage.mongod, Mongod)
    with stage.generator.quiet():  # else the log is gone before the first run has ended
        stage.must_run()
    time.sleep(WRITES_SECONDS)
    stage.generator.halt()
    tokens = [position["token"] for position in _positions(stage)]
    deadline = time.monotonic() + ROLL_SECONDS_MAX
    with pymongo.MongoClient[dict[str, Any]](stage.mongod.uri) as client:
        while not all(_is_gone(client, token) for token in tokens):
            if time.monotonic() > deadline:
                raise AssertionError("the log did not roll over")
            client["campaign_ballast"]["pieces"].insert_many([dict(each) for each in PIECES])
            time.sleep(0.05)
        client.drop_database("campaign_ballast")
    _must_be_refused(stage, {LOST})
    _heal(stage)
    return "the log rolled over"


def _is_gone(client: pymongo.MongoClient[dict[str, Any]], token: str) -> bool:
    data, _, type_bits = token.partition(".")
    whole = {"_data": data} | ({"_typeBits": Binary(bytes.fromhex(type_bits))} if type_bits else {})
    try:
        with client.watch(resume_after=whole) as events:
            events.try_next()
    except OperationFailure as error:
        if error.code == HISTORY_LOST:
            return True
        raise
    return False


def of_another_cluster(stage: Stage, servers: Servers) -> str:
    """Put the token of another replica set in the place of ours; it is younger than our writes.

    The server finds out with the next event: the marks of the end are written before.
    """
    stage.must_run()
    time.sleep(WRITES_SECONDS)
    stage.generator.halt()
    with pymongo.MongoClient[dict[str, Any]](servers.other_mongod().uri) as client:
        with client["other"].watch() as events:
            client["other"]["c"].insert_one({})
            event = events.next()
        token = event["_id"]["_data"]
    _spoil(stage, lambda position: position | {"token": token})
    stage.generator.stop()
    _must_be_refused(stage, {LOST})
    _heal(stage)
    return "the token of another cluster"


def another_cluster_answers(stage: Stage, servers: Servers) -> str:
    """Let another replica set answer at the same address, with other documents."""
    assert stage.mongo_proxy is not None
    stage.must_run()
    stage.generator.halt()
    other = servers.other_mongod()
    port = urlsplit(other.uri).port
    assert port is not None
    stage.mongo_uri = urlsplit(other.uri)._replace(path=f"/{stage.database}").geturl()
    with pymongo.MongoClient[dict[str, Any]](stage.mongo_uri) as client:
        client.drop_database(stage.database)
    stage.generator = Generator(stage.mongo_uri, stage.database, stage.seed + 1)
    stage.generator.fill(FILL_DOCUMENTS)
    stage.mongo_proxy.server = ("127.0.0.1", port)
    stage.mongo_proxy.cut()
    _must_be_refused(stage, {LOST})
    _heal(stage)
    return "another cluster at the same address"


SPOILED: dict[str, Spoil] = {
    "cut short": lambda position: position | {"token": position["token"][:15]},
    "not hexadecimal": lambda position: position | {"token": "zz" + position["token"][2:]},
    "empty": lambda position: position | {"token": ""},
    "another time": lambda position: position | {"token": _later(position["token"])},
    "no token": lambda position: {k: v for k, v in position.items() if k != "token"},
    "random digits": lambda position: position | {"token": "82" + "fe" * 40},
    "not an object": lambda position: "a position",
    "a digit changed at its end": lambda position: position | {"token": _flip(position["token"])},
}


def corrupt(stage: Stage, servers: Servers) -> str:
    """Change the saved position in one of several ways."""
    name = [*SPOILED][stage.seed % 1000 % len(SPOILED)]
    stage.must_run()
    time.sleep(WRITES_SECONDS)
    stage.generator.halt()
    _spoil(stage, SPOILED[name])
    _must_be_refused(stage, {LOST})
    _heal(stage)
    return f"position {name}"


def _later(token: str) -> str:
    """Return a token of a second later, when writes were made."""
    return f"{token[:2]}{int(token[2:10], 16) + 1:08X}{token[10:]}"


def _flip(token: str) -> str:
    return token[:-1] + ("0" if token[-1] != "0" else "1")


def _positions(stage: Stage) -> list[Position]:
    with stage.postgres() as postgres:
        found = postgres.execute("SELECT position FROM landbridge.stream ORDER BY id").fetchall()
    return [position for (position,) in found]


def _spoil(stage: Stage, spoil: Spoil) -> None:
    with stage.postgres() as postgres:
        found = postgres.execute("SELECT id, position FROM landbridge.stream").fetchall()
        for number, position in found:
            postgres.execute(
                "UPDATE landbridge.stream SET position = %s WHERE id = %s",
                (Jsonb(spoil(position)), number),
            )


def _must_be_refused(stage: Stage, codes: set[str]) -> None:
    """Run without leave to heal: every stream must say by name that its position is lost."""
    worker = stage.worker("--no-heal")
    code = stage.ended(worker, 60)
    report = worker.report()
    told = [each.get("error") or {"code": "none"} for each in report.get("streams", [])]
    if code != 1 or codes_of(report) != codes or any(each["code"] not in codes for each in told):
        raise Failed(
            f"it went on over a gap, or said something else: exit code {code}, "
            f"{json.dumps([each['code'] for each in told])}, {report.get('error')}"
        )


def _heal(stage: Stage) -> None:
    """From now on runs may heal."""
    if not stage.method.follows:
        stage.flags = (*stage.flags, "--heal")


def on_forgetful(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage on a mongod with the smallest log."""
    return set_up(method, seed, servers.forgetful(), servers.postgresql(), rate=60.0)


FAULTS = (
    Fault("log rolled over while stopped", 3, rolled_over, on_forgetful, only_by_log=True),
    Fault("token of another cluster", 3, of_another_cluster, on_one, only_by_log=True),
    Fault(
        "another cluster at the address", 3, another_cluster_answers, behind_proxies,
        only_by_log=True,
    ),
    Fault("position corrupt", len(SPOILED), corrupt, on_one, only_by_log=True),
)  # fmt: skip
