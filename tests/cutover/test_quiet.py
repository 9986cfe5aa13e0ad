"""Whether a source is at rest: every kind of write is seen, and nothing else."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest
from pymongo.database import Database
from tests.cli.process import Run

from landbridge import bridge
from landbridge.embedded import Mongod
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.quiet import watch

SECRET = "s3cr3t"

Source = Database[dict[str, Any]]
Seen = dict[tuple[str, str], int]


def seen_while(uri: str, work: Callable[[], object], *names: str) -> Seen:
    """Do the work under watch; return how many writes were seen, by collection and operation."""
    with connect(uri) as mongo:
        chosen = [one for one in catalog.collections(mongo) if not names or one.name in names]
        watched = watch(mongo, chosen)
        work()
        watched.look(0.0, Event())
        return {(one.collection, one.operation): one.count for one in watched.writes}


@pytest.fixture
def shop(either: Source) -> Source:
    """Orders, customers and measurements."""
    either.orders.insert_many([{"_id": number, "state": "open"} for number in range(100)])
    either.customers.insert_one({"_id": "a"})
    either.create_collection("measurements", timeseries={"timeField": "at"})
    either.measurements.insert_one({"at": datetime.now(UTC)})
    return either


def read_and_index(shop: Source) -> None:
    """Do what writes nothing."""
    list(shop.orders.find())
    list(shop.orders.aggregate([{"$group": {"_id": "$state"}}]))
    shop.orders.create_index("state")
    shop.orders.update_one({"_id": 3}, {"$set": {"state": "open"}})  # as it is
    shop.orders.delete_one({"_id": "none"})
    shop.others.insert_one({})


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        (lambda s: s.orders.insert_one({"_id": 1000}), {("orders", "insert"): 1}),
        (lambda s: s.orders.insert_one({"_id": -1}), {("orders", "insert"): 1}),
        (lambda s: s.orders.delete_one({"_id": 7}), {("orders", "delete"): 1}),
        (
            lambda s: s.orders.update_many({"_id": {"$lt": 3}}, {"$set": {"state": "paid"}}),
            {("orders", "update"): 3},
        ),
        (
            lambda s: (s.orders.delete_one({"_id": 7}), s.orders.insert_one({"_id": 7})),
            {("orders", "delete"): 1, ("orders", "insert"): 1},
        ),
        (lambda s: s.customers.drop(), {("customers", "drop"): 1}),
        (lambda s: s.measurements.insert_one({"at": datetime.now(UTC)}),
         {("measurements", "insert"): 1}),
        (read_and_index, {}),
    ],
    ids=["insert", "insert before", "delete", "update", "replaced", "drop", "time series", "none"],
)  # fmt: skip
def test_every_write_is_seen_and_nothing_else(
    shop: Source, either_uri: str, work: Callable[[Source], object], expected: Seen
) -> None:
    assert seen_while(either_uri, lambda: work(shop), "orders", "customers", "measurements") == (
        expected
    )


def test_writes_elsewhere_do_not_count(shop: Source, either_uri: str) -> None:
    assert seen_while(either_uri, lambda: shop.orders.insert_one({}), "customers") == {}


def test_a_write_is_named_with_its_collection_operation_id_and_time(
    shop: Source, either_uri: str
) -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    ended = Event()

    def write() -> None:
        while not ended.wait(0.05):
            shop.orders.insert_one({"_id": 5000 + shop.orders.estimated_document_count()})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = bridge.check_quiet(either_uri, select=["orders", "customers"], quiet_seconds=2)
    finally:
        ended.set()
        writer.join()

    assert found.status == "busy"
    (only,) = found.writes
    assert (only.collection, only.operation) == ("orders", "insert")
    assert only.count >= 2
    assert begun <= datetime.fromisoformat(only.first_at) <= datetime.fromisoformat(only.last_at)
    assert '"$numberInt":"5' in only.example


def test_without_counters_the_notes_say_what_is_not_seen(
    standalone: Mongod, standalone_uri: str
) -> None:
    name = urlsplit(standalone_uri).path[1:]
    with pymongo.MongoClient[dict[str, Any]](standalone.uri) as client:
        database = client[name]
        database.orders.insert_many([{"_id": n, "updatedAt": n} for n in range(10)])
        database.orders.create_index("updatedAt")
        database.command(
            "createRole",
            "reads",
            privileges=[
                {
                    "resource": {"db": name, "collection": ""},
                    "actions": ["find", "listCollections", "listIndexes"],
                }
            ],
            roles=[],
        )
        database.command("createUser", "reader", pwd=SECRET, roles=["reads"])
        port = urlsplit(standalone.uri).port
        uri = f"mongodb://reader:{SECRET}@127.0.0.1:{port}/{name}"
        with connect(uri) as mongo:
            watched = watch(mongo, catalog.collections(mongo))
            assert watched.means == "counts"
            assert any("largest _id, its largest updatedAt" in note for note in watched.notes)
            for work, expected in (
                (lambda: database.orders.insert_one({"_id": 1000}), [("insert", 1)]),
                (lambda: database.orders.update_one({"_id": 1}, {"$set": {"updatedAt": 99}}),
                 [("insert", 1), ("write", 1)]),
            ):  # fmt: skip
                work()
                watched.look(0.0, Event())
                assert [(one.operation, one.count) for one in watched.writes] == expected


def test_a_view_is_named_as_what_is_not_watched(shop: Source, either_uri: str) -> None:
    shop.create_collection("paid", viewOn="orders", pipeline=[])
    found = bridge.check_quiet(either_uri, quiet_seconds=0)
    assert found.status == "quiet"
    assert any(note.startswith("paid is a view") for note in found.notes)


def test_the_command_says_quiet_and_exits_0(landbridge: Run, shop: Source, either_uri: str) -> None:
    done = landbridge("cutover", "check", "--from", either_uri, "--quiet-for", "1s")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("quiet: no write to 3 collections of ")


def test_the_command_names_the_writer_and_exits_1(
    landbridge: Run, shop: Source, either_uri: str
) -> None:
    ended = Event()

    def write() -> None:
        while not ended.wait(0.05):
            shop.orders.update_one({"_id": 1}, {"$inc": {"count": 1}})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        done = landbridge(
            "cutover", "check", "--from", either_uri, "--collections", "orders,customers",
            "--quiet-for", "2s",
        )  # fmt: skip
        machine = landbridge(
            "cutover", "check", "--from", either_uri, "--quiet-for", "1s", "--json"
        )
    finally:
        ended.set()
        writer.join()

    assert (done.returncode, machine.returncode) == (1, 1), done.stderr
    head, _, row, *_, verdict = done.stdout.splitlines()
    assert head.split()[:3] == ["collection", "operation", "writes"]
    assert row.split()[:2] == ["orders", "update"]
    assert verdict.startswith("NOT QUIET: ")
    report = json.loads(machine.stdout)
    assert report["status"] == "busy"
    assert report["writes"][0]["collection"] == "orders"


def test_a_negative_time_and_an_unknown_collection_are_errors(
    landbridge: Run, shop: Source, either_uri: str
) -> None:
    wrong = landbridge("cutover", "check", "--from", either_uri, "--quiet-for", "soon")
    assert wrong.returncode == 2
    unknown = landbridge("cutover", "check", "--from", either_uri, "--select", "order")
    assert unknown.returncode == 1
    assert "did you mean `orders`?" in unknown.stderr
