"""`landbridge run`: the pair that runs here, with the meaning of its settings."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from bson import ObjectId
from pymongo.database import Database
from tests.project.conftest import CARBON_LENS, Command, Written

Mongo = Database[dict[str, Any]]

QUERY = """
SELECT
    s.siteName,
    sc.year,
    sc.month,
    SUM(sc.calculatedEmission) as total_emissions
FROM rawcl.stationarycombustions sc
JOIN rawcl.sites s ON sc.siteId = s._id
WHERE sc.approved = 'approved'
GROUP BY s.siteName, sc.year, sc.month
ORDER BY sc.year, sc.month;
"""

SMALL = """\
version: 1
plugins:
  extractors:
    - name: tap-mongodb
      config: {flattening_enabled: true, flattening_max_depth: 1}
      select: [orders.*]
      metadata:
        orders: {replication-method: FULL_TABLE}
  loaders:
    - name: target-postgres
      config: {default_target_schema: raw, hard_delete: true}
jobs:
  - name: twice
    tasks:
      - tap-mongodb target-postgres
      - [tap-mongodb, target-postgres]
"""


def rows(postgres: psycopg.Connection, query: str) -> list[Any]:
    return postgres.execute(query.encode()).fetchall()


def test_the_project_of_the_team_runs_as_it_is(
    written: Written,
    landbridge: Command,
    carbon_lens: Mongo,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    written()
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert len(report["streams"]) == 25
    assert {one["method"] for one in report["streams"]} == {"full"}
    assert {one["load"] for one in report["streams"]} == {"overwrite"}
    assert any("every run reads the whole collection" in note for note in report["notes"])
    tables = {one["stream"].partition(".")[2]: one["table"] for one in report["streams"]}
    assert tables["fire extinguishers"] == "rawcl.fire_extinguishers"
    assert "emaillogs" not in tables
    assert rows(postgres, QUERY)
    assert rows(postgres, "SELECT max(_sdc_extracted_at) FROM rawcl.stationarycombustions")[0][0]

    sites = carbon_lens["sites"]
    kept, gone = (one["_id"] for one in sites.find().limit(2))
    sites.delete_one({"_id": gone})
    sites.update_one({"_id": kept}, {"$set": {"siteName": "Elsewhere"}})
    assert landbridge("run", "full-sync").code == 0
    found = dict(rows(postgres, "SELECT _id, siteName FROM rawcl.sites"))
    assert str(gone) not in found
    assert found[str(kept)] == "Elsewhere"


@pytest.mark.parametrize(
    ("metadata", "config", "method", "load", "left"),
    [
        ("{replication-method: FULL_TABLE}", "{hard_delete: true}", "full", "overwrite", 1),
        ("{replication-method: FULL_TABLE}", "{}", "full", "overwrite", 2),
        ("{replication-method: FULL_TABLE}", "{activate_version: false}", "full", "upsert", 2),
        ("{replication-method: FULL_TABLE}", "{load_method: append-only}", "full", "append", 3),
        (
            "{replication-method: INCREMENTAL, replication-key: at}",
            "{load_method: upsert, hard_delete: true}",
            "incremental",
            "upsert",
            1,
        ),
        (
            "{replication-method: INCREMENTAL, replication-key: at}",
            "{load_method: upsert, activate_version: false}",
            "incremental",
            "upsert",
            2,
        ),
        ("{replication-method: LOG_BASED}", "{hard_delete: true}", "log", "upsert", 1),
        ("{}", "{hard_delete: true}", "full", "overwrite", 1),
    ],
)
def test_settings_mean_what_they_mean_in_the_plugins(
    written: Written,
    landbridge: Command,
    mongo: Mongo,
    source: str,
    target: str,
    postgres: psycopg.Connection,
    metadata: str,
    config: str,
    method: str,
    load: str,
    left: int,
) -> None:
    text = SMALL.replace("{replication-method: FULL_TABLE}", metadata)
    written(text.replace("{default_target_schema: raw, hard_delete: true}", config))
    first, second = ObjectId(), ObjectId()
    mongo["orders"].insert_many(
        [{"_id": first, "at": 1, "to": {"city": "Graz"}}, {"_id": second, "at": 1}]
    )
    mongo["others"].insert_one({})
    assert landbridge("run", "tap-mongodb", "target-postgres").code == 0
    mongo["orders"].delete_one({"_id": first})
    mongo["orders"].update_one({"_id": second}, {"$set": {"at": 2}})
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    assert done.code == 0, done.err
    [stream] = json.loads(done.out)["streams"]
    assert (stream["method"], stream["load"]) == (method, load)
    # Without default_target_schema it is the extractor's load_schema.
    found = rows(postgres, "SELECT _id, at, to_city FROM tap_mongodb.orders ORDER BY at")
    assert len(found) == left
    assert found[-1][:2] == (str(second), 2)


def test_collections_may_load_in_different_ways(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    written(
        SMALL.replace("[orders.*]", "['*.*', '!logs*.*']").replace(
            "orders: {replication-method: FULL_TABLE}",
            "'orders*': {replication-method: INCREMENTAL, replication-key: at}",
        )
    )
    for name in ("orders_1", "orders_2", "sites", "logs_1"):
        mongo[name].insert_one({"at": 1})
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    streams = {one["collection"]: one["method"] for one in json.loads(done.out)["streams"]}
    assert streams == {"orders_1": "incremental", "orders_2": "incremental", "sites": "full"}


def test_a_filter_and_metadata_narrow_what_is_selected(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    text = SMALL.replace("[orders.*]", "['*.*']\n      select_filter: ['!c*', '!d']")
    written(text.replace("{replication-method: FULL_TABLE}", "{selected: false}"))
    for name in ("orders", "a", "b", "cc", "d"):
        mongo[name].insert_one({})
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    streams = [one["collection"] for one in json.loads(done.out)["streams"]]
    assert streams == ["a", "b"]


def test_the_names_that_other_variants_give_are_understood(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    name = mongo.name
    written(
        SMALL.replace("[orders.*]", f"[{name}-orders.*, {name}_sites.*]").replace(
            "orders: {", f"{name}-orders: {{replication-key: at}}\n        nothing: {{"
        )
    )
    for collection in ("orders", "sites", "others"):
        mongo[collection].insert_one({"at": 1})
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    report = json.loads(done.out)
    streams = {one["collection"]: one["method"] for one in report["streams"]}
    assert streams == {"orders": "incremental", "sites": "full"}
    told = "replication-method is for nothing, which matches no collection"
    assert any(note.endswith(told) for note in report["notes"])


def test_a_collection_that_is_gone_is_followed_to_its_end(
    written: Written,
    landbridge: Command,
    mongo: Mongo,
    source: str,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    written(SMALL.replace("FULL_TABLE", "LOG_BASED"))
    mongo["orders"].insert_one({"at": 1})
    mongo["others"].insert_one({"at": 1})
    assert landbridge("run", "tap-mongodb", "target-postgres").code == 0
    mongo["orders"].drop()
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    assert done.code == 0, done.err
    assert rows(postgres, "SELECT count(*) FROM raw.orders") == [(0,)]


def test_a_job_runs_its_tasks_one_after_another(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    written(SMALL)
    mongo["orders"].insert_one({"at": 1})
    done = landbridge("run", "twice", "--json")
    assert [one["inserted"] for one in json.loads(done.out)["streams"]] == [1, 0]


def test_after_a_failure_the_next_pair_is_not_begun(
    written: Written,
    landbridge: Command,
    mongo: Mongo,
    source: str,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    written(SMALL)
    mongo["orders"].insert_one({"at": 1})
    postgres.execute("CREATE SCHEMA raw")
    postgres.execute("CREATE TABLE raw.orders (mine int)")
    done = landbridge("run", "twice", "--json")
    report = json.loads(done.out)
    assert done.code == 1
    assert report["error"]["code"] == "table_taken"
    assert len(report["streams"]) == 1
    assert any(note.startswith("not begun") for note in report["notes"])
    assert landbridge("run", "twice", "--take-over").code == 0


def test_many_deletes_are_asked_for(
    written: Written,
    landbridge: Command,
    mongo: Mongo,
    source: str,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    written(SMALL.replace("raw,", "raw, load_method: overwrite,"))
    mongo["orders"].insert_many({"at": number} for number in range(1500))
    assert landbridge("run", "tap-mongodb", "target-postgres").code == 0
    mongo["orders"].delete_many({"at": {"$gt": 10}})
    done = landbridge("run", "tap-mongodb", "target-postgres", "--json")
    assert (done.code, json.loads(done.out)["error"]["code"]) == (1, "delete_guard")
    words = ("tap-mongodb", "target-postgres", "--max-delete-share", "100")
    assert landbridge("run", *words).code == 0
    assert rows(postgres, "SELECT count(*) FROM raw.orders") == [(11,)]


def test_a_dry_run_touches_nothing(
    written: Written,
    landbridge: Command,
    carbon_lens: Mongo,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    written()
    done = landbridge("run", "full-sync", "--dry-run")
    assert done.code == 0, done.err
    assert "25 collections; nothing was touched" in done.out
    assert rows(postgres, "SELECT to_regnamespace('rawcl')") == [(None,)]


def test_what_would_run_is_explained_without_a_server(
    written: Written, landbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    written()
    monkeypatch.setenv("TARGET_POSTGRES_PASSWORD", "s3cret")
    done = landbridge("run", "full-sync", "--explain")
    assert done.code == 0, done.err
    assert "load_method overwrite (meltano.yml:73)" in done.out
    assert "mongodb://meltano_reader:***@localhost:27017/carbonLens?authSource=admin" in done.out
    assert "s3cret" not in done.out
    report = json.loads(landbridge("run", "full-sync", "--explain", "--json").out)
    assert report["pairs"][0]["schema"] == "rawcl"


@pytest.mark.parametrize(
    ("text", "words", "code", "told"),
    [
        (CARBON_LENS, "tap-mongodb", 2, "after the extractor tap-mongodb comes no loader"),
        (CARBON_LENS, "fullsync", 2, "there is no plugin fullsync"),
        (CARBON_LENS, "full-sync", 2, "names TARGET_POSTGRES_PASSWORD"),
        (
            CARBON_LENS.replace("tap-mongodb", "tap-elexon"),
            "full-sync",
            1,
            "tap-elexon does not run yet",
        ),
        (
            SMALL.replace("  loaders:", "  mappers:\n    - name: hide\n  loaders:"),
            "tap-mongodb hide target-postgres",
            1,
            "hide does not run yet",
        ),
        (SMALL.replace("orders.*", "orders.total"), "twice", 1, "cannot select single fields"),
        (SMALL.replace("FULL_TABLE", "SOMETIMES"), "twice", 2, "meltano.yml:8 says so"),
        (SMALL.replace("raw,", "raw, load_method: merge,"), "twice", 2, "meltano.yml:11"),
        (SMALL.replace("raw,", "raw, activate_version: maybe,"), "twice", 2, "activate_version"),
        (SMALL.replace("depth: 1", "depth: deep"), "twice", 2, "flattening_max_depth"),
        (SMALL.replace("{flat", "{stream_maps: {a: {}}, flat"), "twice", 1, "stream_maps"),
        (SMALL.replace("raw,", "raw, host: h,"), "twice", 2, "database is not set"),
        (SMALL, "twice", 2, "neither mongodb_connection_string nor host is set"),
    ],
)
def test_what_cannot_run_is_told_before_anything_runs(
    written: Written, landbridge: Command, text: str, words: str, code: int, told: str
) -> None:
    if "flattening_enabled: true," in text and "neither" not in told:
        text = text.replace("flattening_enabled: true,", "host: h, flattening_enabled: true,")
    if "database is not" not in told:
        text = text.replace("hard_delete: true}", "hard_delete: true, host: h, database: d}")
    written(text)
    done = landbridge("run", *words.split(), "--explain")
    assert (done.code, told in done.err) == (code, True), done.err


def test_nothing_selected_is_an_error(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    written(SMALL.replace("[orders.*]", "[]"))
    mongo["orders"].insert_one({})
    done = landbridge("run", "tap-mongodb", "target-postgres")
    assert done.code == 1
    assert "no collection is selected" in done.err


def test_a_pattern_that_matches_nothing_is_told(
    written: Written, landbridge: Command, mongo: Mongo, source: str, target: str
) -> None:
    written(SMALL.replace("[orders.*]", "['!*.*', orders.*, ordres.*]"))
    mongo["orders"].insert_one({})
    done = landbridge("run", "tap-mongodb", "target-postgres")
    assert done.code == 0, done.err
    assert "meltano.yml:6: ordres.* matches no collection" in done.out
    assert "!*.* would leave out everything" in done.out


def test_no_project_here(landbridge: Command, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    done = landbridge("run", "a", "b", "--json")
    assert (done.code, json.loads(done.out)["error"]["code"]) == (2, "usage")


def test_the_settings_of_all_are_read_before_the_first_is_begun(
    written: Written,
    landbridge: Command,
    mongo: Mongo,
    source: str,
    target: str,
    postgres: psycopg.Connection,
) -> None:
    other = "    - {name: other, inherit_from: target-postgres, config: {load_method: x}}\n"
    written(SMALL.replace("jobs:", f"{other}jobs:"))
    mongo["orders"].insert_one({})
    words = ("tap-mongodb", "target-postgres", "tap-mongodb", "other")
    done = landbridge("run", *words)
    assert (done.code, "load_method cannot be 'x'" in done.err) == (2, True)
    assert rows(postgres, "SELECT to_regnamespace('raw')") == [(None,)]
