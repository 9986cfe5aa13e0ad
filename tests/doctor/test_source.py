"""The source: what it is, who we are to it, keys, and the log."""

from __future__ import annotations

import datetime
from typing import Any

import pymongo
import pytest
from pymongo.database import Database

from landbridge.embedded import Mongod

from .looking import as_user, codes, found, in_database, look, serious

Mongo = Database[dict[str, Any]]


def test_a_good_source_has_nothing_serious(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({"_id": 1})
    for method in ("full", "incremental", "log"):
        diagnosis = look(mongo_uri, method=method)
        assert serious(diagnosis) == set()
        assert (diagnosis.status, diagnosis.error) == ("ok", None)
        assert diagnosis.verdict == (
            f"for the source a sync by {method} can start; the target was not looked at"
        )
        assert {("ok", "reachable"), ("info", "version"), ("ok", "replica_set")} <= codes(diagnosis)
    assert ("ok", "snapshot_reads") in codes(look(mongo_uri))
    assert ("ok", "log") in codes(look(mongo_uri, method="log"))


def test_nothing_is_changed(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({"_id": 1})
    before = mongo.client.list_database_names(), mongo.list_collection_names()
    for method in ("full", "incremental", "log"):
        look(mongo_uri, method=method)
    assert (mongo.client.list_database_names(), mongo.list_collection_names()) == before


def test_a_standalone_is_an_error_for_the_log_alone(standalone_uri: str) -> None:
    for method in ("full", "incremental"):
        diagnosis = look(standalone_uri, method=method)
        assert diagnosis.status == "ok"
        assert "not one point in time" in found(diagnosis, "standalone").message
    finding = found(look(standalone_uri, method="log"), "standalone")
    assert finding.severity == "error"
    assert "replSetName: rs0" in finding.fix and finding.fix.endswith("rs.initiate()")
    assert "keyFile" not in finding.fix


def test_a_replica_set_that_was_never_initiated(uninitiated_uri: str) -> None:
    finding = found(look(uninitiated_uri), "not_initiated")
    assert (finding.severity, finding.fix) == ("error", "rs.initiate()")


@pytest.mark.parametrize("method", ["full", "incremental", "log"])
def test_the_role_read_is_enough(guarded: Mongod, method: str) -> None:
    diagnosis = look(as_user(guarded.uri, "reader", "shop"), method=method)
    assert diagnosis.status == "ok"
    assert "as reader of shop" in found(diagnosis, "reachable").message


def test_the_missing_grant_is_named_to_the_word(guarded: Mongod) -> None:
    uri = as_user(guarded.uri, "nobody", "shop")
    finding = found(look(uri), "read_privilege")
    assert (
        '{ resource: {db: "shop", collection: ""}, actions: ["listCollections", "find"] }'
    ) in finding.message
    assert finding.fix == (
        'db.getSiblingDB("shop").grantRolesToUser("nobody", [{ role: "read", db: "shop" }])'
    )
    assert "listIndexes" in found(look(uri, method="incremental"), "read_privilege").message


def test_a_role_that_lacks_something_is_told_that(guarded: Mongod) -> None:
    uri = as_user(guarded.uri, "few", "shop")
    assert look(uri).status == "ok"
    by_key = found(look(uri, method="incremental", key="updatedAt"), "read_privilege")
    assert (by_key.where, 'actions: ["listIndexes"]' in by_key.message) == ("source", True)
    log = found(look(uri, method="log"), "log_privilege")
    assert '{ resource: {db: "shop", collection: ""}, actions: ["find", "changeStream"] }' in (
        log.message
    )
    assert (log.severity, "grantRolesToUser" in log.fix) == ("error", True)


def test_a_role_for_one_collection_is_refused_the_other(guarded: Mongod) -> None:
    uri = as_user(guarded.uri, "one", "shop")
    finding = found(look(uri), "read_privilege")
    assert finding.where == "shop.customers"
    assert '{db: "shop", collection: "customers"}, actions: ["find"]' in finding.message
    assert look(uri, select=["orders"]).status == "ok"


def test_a_wrong_password_and_no_user_are_findings(guarded: Mongod) -> None:
    wrong = look(as_user(guarded.uri, "reader", "shop", password="wr0ng"))
    assert found(wrong, "authentication_failed").severity == "error"
    assert "wr0ng" not in str(wrong)
    host = guarded.uri.rpartition("@")[2].partition("/")[0]
    nameless = look(f"mongodb://{host}/shop?directConnection=true")
    assert "user" in found(nameless, "authentication_failed").fix


def test_the_log_window_is_known_to_who_may_read_local(guarded: Mongod) -> None:
    refused = found(look(as_user(guarded.uri, "reader", "shop"), method="log"), "oplog_unknown")
    assert refused.severity == "info"
    assert refused.fix == (
        'db.getSiblingDB("shop").grantRolesToUser("reader", [{ role: "read", db: "local" }])'
    )
    uri = as_user(guarded.uri, "log_reader", "shop")
    assert found(look(uri, method="log"), "oplog_window").severity in ("ok", "info")
    # Nobody's log reaches back for three times 100 years.
    assert found(look(uri, method="log", every_seconds=3.2e9), "oplog_window").severity == "info"


def test_what_is_not_there_is_a_finding(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({})
    diagnosis = look(mongo_uri, select=["order"])
    assert "orders" in found(diagnosis, "source_missing").fix
    assert ("ok", "read_privilege") not in codes(diagnosis)
    assert found(look(f"{mongo_uri}".replace("test_", "none_")), "source_missing")


def test_views_and_time_series_are_not_followed(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({})
    mongo.create_collection("times", timeseries={"timeField": "at"})
    mongo.times.insert_one({"at": datetime.datetime(2026, 1, 1)})
    mongo.create_collection("view", viewOn="orders", pipeline=[])
    assert look(mongo_uri).status == "ok"
    diagnosis = look(mongo_uri, method="log")
    for name in ("times", "view"):
        finding = found(diagnosis, "not_in_log", f"{mongo.name}.{name}")
        assert finding.severity == "error" and f"--exclude {name}" in finding.fix
    assert look(mongo_uri, method="log", exclude=["times", "view"]).status == "ok"


def test_a_view_that_cannot_be_read_is_told(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({"n": "a"})
    mongo.create_collection("view", viewOn="orders", pipeline=[{"$set": {"m": {"$abs": "$n"}}}])
    finding = found(look(mongo_uri), "unreadable")
    assert (finding.severity, finding.where) == ("error", f"{mongo.name}.view")
    assert "$abs" in finding.message


def test_a_collection_without_an_index_on_its_id(mongod: Any) -> None:
    uri = in_database(mongod.uri, "local")
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        client.local.create_collection("bare", autoIndexId=False)
        try:
            full = found(look(uri, select=["bare"]), "id_index")
            by_key = found(look(uri, select=["bare"], method="incremental"), "id_index")
            log = found(look(uri, select=["bare"], method="log"), "log_absent")
        finally:
            client.local.drop_collection("bare")
    assert [one.severity for one in (full, by_key, log)] == ["info", "warning", "error"]
    assert by_key.fix == 'db.getSiblingDB("local").bare.createIndex({"_id": 1})'


# -- the key of an incremental read -------------------------------------------------------


def key_of(mongo_uri: str, key: str = "at", code: str = "key_index") -> Any:
    return found(look(mongo_uri, method="incremental", key=key), code)


def test_a_key_without_an_index_costs_a_scan(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_many([{"at": n} for n in range(1234)])
    finding = key_of(mongo_uri)
    assert finding.severity == "warning"
    assert "each run reads all 1,234 documents" in finding.message
    assert finding.fix == f'db.getSiblingDB("{mongo.name}").orders.createIndex({{"at": 1}})'
    mongo.orders.create_index({"at": 1})
    assert key_of(mongo_uri).severity == "ok"


@pytest.mark.parametrize("order", [1, -1])
def test_a_compound_index_will_do_where_the_key_is_first(
    mongo: Mongo, mongo_uri: str, order: int
) -> None:
    mongo.orders.insert_one({"at": 1, "tags": [1, 2]})
    mongo.orders.create_index([("n", 1), ("at", 1)])
    assert key_of(mongo_uri).severity == "warning"
    mongo.orders.create_index([("at", order), ("tags", 1)])  # multikey, but not by the key
    assert key_of(mongo_uri).severity == "ok"


@pytest.mark.parametrize(
    ("keys", "options", "flaw"),
    [
        ({"at": "hashed"}, {}, "hashed"),
        ({"at": "2dsphere"}, {}, "2dsphere"),
        ({"at": 1}, {"partialFilterExpression": {"n": 1}}, "partial"),
        ({"at": 1}, {"hidden": True}, "hidden"),
        ({"at": 1}, {"collation": {"locale": "de"}}, "of another collation"),
        ({"at": "text"}, {}, ""),
        ({"$**": 1}, {}, ""),
    ],
)
def test_an_index_that_is_no_order_is_none(
    mongo: Mongo, mongo_uri: str, keys: Any, options: Any, flaw: str
) -> None:
    mongo.orders.insert_one({})
    name = mongo.orders.create_index(keys, **options)
    finding = key_of(mongo_uri)
    assert finding.severity == "warning"
    assert (f"({name} is {flaw})" if flaw else "at has no index:") in finding.message
    if flaw == "hidden":
        assert finding.fix.endswith('.orders.unhideIndex("at_1")')
        mongo.command("collMod", "orders", index={"name": "at_1", "hidden": False})
    elif name == "at_1":
        assert finding.fix.endswith('.createIndex({"at": 1}, {name: "at_1_landbridge"})')
        mongo.orders.create_index({"at": 1}, name="at_1_landbridge")
    else:
        mongo.orders.create_index({"at": 1})
    assert key_of(mongo_uri).severity == "ok"


def test_a_sparse_index_misses_documents(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({})
    mongo.orders.create_index("at", sparse=True)
    finding = key_of(mongo_uri, code="key_index_sparse")
    assert finding.severity == "warning" and "without at" in finding.message
    assert finding.fix.endswith('.createIndex({"at": 1}, {name: "at_1_landbridge"})')
    mongo.orders.create_index("at", name="at_1_landbridge")
    assert key_of(mongo_uri).severity == "ok"


def test_arrays_have_no_order(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.create_index([("meta.at", 1), ("n", 1)])
    mongo.orders.insert_one({"meta": {"at": 1}})
    assert key_of(mongo_uri, "meta.at").severity == "ok"
    mongo.orders.insert_one({"meta": [{"at": 1}, {"at": 2}]})
    finding = key_of(mongo_uri, "meta.at", "key_array")
    assert (finding.severity, finding.where) == ("error", f"{mongo.name}.orders")


def test_an_odd_name_is_written_as_the_shell_reads_it(mongo: Mongo, mongo_uri: str) -> None:
    for name in ("my-orders", "stats"):
        mongo[name].insert_one({})
    diagnosis = look(mongo_uri, method="incremental", key="meta.at")
    for name in ("my-orders", "stats"):
        fix = found(diagnosis, "key_index", f"{mongo.name}.{name}").fix
        assert fix.endswith(f'.getCollection("{name}").createIndex({{"meta.at": 1}})')


def test_the_id_finds_new_documents_only(mongo: Mongo, mongo_uri: str) -> None:
    mongo.orders.insert_one({})
    mongo.create_collection("view", viewOn="orders", pipeline=[])
    assert "updatedAt" in key_of(mongo_uri, "_id", "key_is_id").message
    finding = key_of(mongo_uri, "_id")
    assert (finding.where, finding.fix) == (f"{mongo.name}.view", "")
