"""The judgement alone, on made facts: what no test can bring a real server to in a minute."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pymongo
import pytest

from landbridge.embedded import MongoServer
from landbridge.engine.preflight import (
    bytes_to_copy,
    judge_source,
    judge_target,
    sorted_findings,
    verdict,
)
from landbridge.model.finding import (
    CollectionFacts,
    Finding,
    Oplog,
    Setting,
    SourceFacts,
    TargetFacts,
)
from landbridge.model.settings import Method
from landbridge.model.stream import Collection

HOUR = 3600.0
GB = 1 << 30
FULL = Oplog(seconds=0.0, used_bytes=GB, max_bytes=GB)


def of_size(name: str, size: int, **options: Any) -> CollectionFacts:
    return CollectionFacts(Collection("shop", name, documents=1, bytes=size, **options))


def source(**facts: Any) -> SourceFacts:
    given: dict[str, Any] = {"collections": (of_size("orders", 1 << 20),), "snapshots": True}
    return SourceFacts(database="shop", **{**given, **facts})


def target(**facts: Any) -> TargetFacts:
    return TargetFacts(**{"database": "bi", "role": "loader", "version_number": 16_00_00, **facts})


def of_source(
    facts: SourceFacts, code: str, method: Method = "full", every: float = HOUR
) -> list[Finding]:
    findings = judge_source(facts, method=method, key="_id", every_seconds=every)
    return [one for one in findings if one.code == code]


def of_target(facts: TargetFacts, code: str, load_bytes: int = 0) -> list[Finding]:
    findings = judge_target(facts, load_bytes=load_bytes, connections_needed=6)
    return [one for one in findings if one.code == code]


# -- the log ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "severity"),
    [(0.5, "error"), (0.99, "error"), (1, "warning"), (2.9, "warning"), (3, "ok"), (48, "ok")],
)
def test_the_log_must_reach_back_three_runs(hours: float, severity: str) -> None:
    facts = source(log="open", oplog=replace(FULL, seconds=hours * HOUR))
    [finding] = of_source(facts, "oplog_window", "log")
    assert finding.severity == severity
    assert ("replSetResizeOplog" in finding.fix) == (severity != "ok")


def test_the_log_must_reach_back_three_copies() -> None:
    facts = source(
        log="open",
        collections=tuple(of_size(name, 100 * GB) for name in ("a", "b")),
        oplog=replace(FULL, seconds=1.5 * HOUR),
    )
    [finding] = of_source(facts, "oplog_window", "log", every=60)
    assert finding.severity == "error" and "first copy of about 1 h 53 min" in finding.message


def test_the_size_that_mends_it_is_one_that_the_server_takes(mongod: MongoServer) -> None:
    facts = source(log="open", oplog=replace(FULL, seconds=HOUR / 2))
    [finding] = of_source(facts, "oplog_window", "log")
    assert finding.fix == "db.adminCommand({replSetResizeOplog: 1, size: 6144})"
    wanted = int(re.findall(r"size: (\d+)", finding.fix)[0])
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        before = client.local.command("collStats", "oplog.rs")["maxSize"] / (1 << 20)
        client.admin.command({"replSetResizeOplog": 1, "size": float(wanted)})
        try:
            assert client.local.command("collStats", "oplog.rs")["maxSize"] == wanted << 20
        finally:
            client.admin.command({"replSetResizeOplog": 1, "size": before})


def test_a_log_that_is_not_full_is_projected() -> None:
    growing = Oplog(seconds=HOUR, used_bytes=GB // 10, max_bytes=GB)  # to reach back 10 hours
    [good] = of_source(source(log="open", oplog=growing), "oplog_window", "log")
    assert good.severity == "ok" and "will reach back 10 h" in good.message
    [poor] = of_source(source(log="open", oplog=growing), "oplog_window", "log", every=8 * HOUR)
    assert poor.severity == "warning"
    [bad] = of_source(source(log="open", oplog=growing), "oplog_window", "log", every=24 * HOUR)
    assert bad.severity == "warning"  # a projection is no proof
    young = replace(growing, seconds=30)
    [unknown] = of_source(source(log="open", oplog=young), "oplog_window", "log")
    assert (unknown.severity, unknown.fix) == ("info", "")


def test_a_log_that_is_kept_by_time_reaches_back_that_long() -> None:
    kept = replace(FULL, seconds=60, kept_seconds=24 * HOUR)
    [finding] = of_source(source(log="open", oplog=kept), "oplog_window", "log")
    assert finding.severity == "ok" and "24 h" in finding.message


def test_the_logs_of_shards_are_not_guessed() -> None:
    [finding] = of_source(source(role="mongos", log="open"), "oplog_unknown", "log")
    assert finding.severity == "info"
    assert [one.severity for one in of_source(source(role="mongos"), "mongos")] == ["info"]
    assert [one.severity for one in of_source(source(role="secondary"), "secondary")] == ["info"]


# -- snapshots ----------------------------------------------------------------------------


def test_a_copy_that_outlasts_the_history_is_told_before() -> None:
    facts = source(collections=(of_size("small", GB), of_size("events", 9 * GB)))
    [finding] = of_source(facts, "snapshot_history")
    assert (finding.severity, finding.where) == ("warning", "shop.events")
    assert finding.fix == (
        "db.adminCommand({setParameter: 1, minSnapshotHistoryWindowInSeconds: 615})"
    )
    assert of_source(replace(facts, snapshot_seconds=615.0), "snapshot_history") == []
    assert of_source(facts, "snapshot_history", "log") == []


def test_the_history_that_mends_it_is_one_that_the_server_takes(mongod: MongoServer) -> None:
    name = "minSnapshotHistoryWindowInSeconds"
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        client.admin.command({"setParameter": 1, name: 615})
        client.admin.command({"setParameter": 1, name: 300})


def test_no_index_on_the_id_costs_the_log_most() -> None:
    facts = source(log="open", collections=(of_size("bare", 1, id_indexed=False),))
    [finding] = of_source(facts, "id_index", "log")
    assert finding.severity == "warning"
    assert finding.fix == 'db.getSiblingDB("shop").bare.createIndex({"_id": 1})'


def test_a_standalone_with_users_needs_a_key_file_to_become_a_set() -> None:
    facts = source(role="standalone", log="absent", user="ann", user_database="shop")
    [finding] = of_source(facts, "standalone", "log")
    assert "keyFile" in finding.fix
    assert of_source(facts, "log_absent", "log") == []


# -- the target ---------------------------------------------------------------------------


def test_a_small_log_of_writes_slows_a_large_load() -> None:
    facts = target(settings={"max_wal_size": Setting(float(GB))})
    [finding] = of_target(facts, "max_wal_size", 2 * GB)
    assert finding.severity == "warning"
    assert finding.fix == "ALTER SYSTEM SET max_wal_size = '8GB'; SELECT pg_reload_conf()"
    assert of_target(facts, "max_wal_size", GB // 2) == []
    enough = target(settings={"max_wal_size": Setting(2.0 * GB)})
    assert of_target(enough, "max_wal_size", 9 * GB) == []


def test_room_on_the_disk() -> None:
    facts = target(free_bytes=10 * GB)
    severities = {
        load: of_target(facts, "disk_space", load * GB)[0].severity for load in (1, 5, 6, 10, 11)
    }
    assert severities == {1: "ok", 5: "ok", 6: "warning", 10: "warning", 11: "error"}


def test_a_timeout_is_measured_by_the_load() -> None:
    facts = target(settings={"statement_timeout": Setting(1200.0, "user")})
    assert of_target(facts, "statement_timeout") == []
    assert of_target(facts, "statement_timeout", 100 * GB)[0].severity == "warning"
    assert (
        of_target(target(settings={"statement_timeout": Setting(0.0)}), "statement_timeout") == []
    )


def test_each_commit_may_wait_for_a_standby() -> None:
    settings = {
        "synchronous_commit": Setting("on"),
        "synchronous_standby_names": Setting("ANY 1 (*)"),
    }
    [finding] = of_target(target(settings=settings), "synchronous_commit")
    assert finding.severity == "info"
    settings["synchronous_commit"] = Setting("local")
    assert of_target(target(settings=settings), "synchronous_commit") == []


def test_too_old_a_server() -> None:
    [finding] = of_target(target(version="14.9", version_number=14_00_09), "version")
    assert finding.severity == "error"


def test_names_are_quoted_in_statements() -> None:
    facts = target(role='o"dd', may_make_temporary=False)
    [finding] = of_target(facts, "temporary_tables")
    assert finding.fix == 'GRANT TEMPORARY ON DATABASE "bi" TO "o""dd"'


# -- all together -------------------------------------------------------------------------


def test_what_was_loaded_is_copied_again_by_full_alone() -> None:
    facts = source(collections=(of_size("a", 1), of_size("b", 10)))
    assert bytes_to_copy(facts, "full", {"shop.a"}) == 11
    assert bytes_to_copy(facts, "log", {"shop.a"}) == 10


def test_the_worst_comes_first_and_the_verdict_last() -> None:
    info, ok, error, warning = (
        Finding(severity, "code", "source", "")  # type: ignore[arg-type]
        for severity in ("info", "ok", "error", "warning")
    )
    assert sorted_findings([info, ok, error, warning]) == [error, warning, info, ok]
    assert verdict([error, error], "log", ["source"]) == (
        "a sync by log cannot start: 2 errors to mend"
    )
    assert verdict([warning], "full", ["source", "target"]) == (
        "a sync by full can start, with 1 warning"
    )
    assert verdict([], "full", ["target"]) == (
        "for the target a sync by full can start; the source was not looked at"
    )
