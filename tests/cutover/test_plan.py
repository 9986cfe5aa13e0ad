"""The plan of a cutover: sizes and times that were measured, commands to copy, no password."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pymongo
import pytest
from pymongo.database import Database
from tests.cli.process import Run

import landbridge as library
from landbridge import bridge

Source = Database[dict[str, Any]]


@pytest.fixture
def shop(mongo: Source) -> Source:
    """Two collections, one with a name that Markdown would take for something else."""
    mongo.orders.insert_many([{"_id": number} for number in range(1234)])
    mongo["a|b"].insert_one({"_id": 1, "nul": "\0"})
    return mongo


def test_times_are_those_of_the_last_runs_and_what_was_not_measured_is_named(
    landbridge: Run, shop: Source, mongo_uri: str, postgres_uri: str
) -> None:
    ends = ("--from", mongo_uri, "--to", postgres_uri)
    before = landbridge("cutover", "plan", *ends)
    assert before.returncode == 0, before.stderr
    assert "**not measured**" in before.stdout
    assert "- sync: `landbridge sync --from " in before.stdout
    assert "| orders | 1,234 |" in before.stdout
    assert "| a\\|b | 1 |" in before.stdout

    assert library.sync(mongo_uri, postgres_uri).status == "ok"
    after = landbridge("cutover", "plan", *ends, "--json")
    plan = json.loads(after.stdout)
    parts = {part["collection"]: part for part in plan["parts"]}
    assert parts["orders"]["measured"]["sync"]["documents"] == 1234
    assert parts["a|b"]["measured"]["sync"]["quarantined"] == 1
    assert plan["works"]["sync"] > 0
    assert plan["works"]["verify"] is None
    assert plan["window_seconds"] is None
    assert plan["can_follow"] and not plan["follows"]


def test_every_section_of_the_runbook_is_there_and_no_password(
    landbridge: Run, shop: Source, mongo_uri: str, postgres_uri: str
) -> None:
    done = landbridge(
        "cutover", "plan", "--collections", "orders,a|b", "--schema", "new shop",
        env={"MONGO_URI": mongo_uri, "DATABASE_URL": postgres_uri},
    )  # fmt: skip
    for heading in ("What moves", "What stands in the way", "Go or no-go", "Timeline", "Rollback"):
        assert f"\n## {heading}\n" in done.stdout
    for moment in ("T-48h", "T-24h", "T-1h", "T: cut over", "to T+24h", "T+24h"):
        assert f"\n### {moment}" in done.stdout
    assert "--method log --follow" in done.stdout
    assert "landbridge cutover go --schema 'new shop' --collections 'orders,a|b'" in done.stdout

    password = psycopg.conninfo.conninfo_to_dict(postgres_uri)["password"]
    shown = landbridge("cutover", "plan", "--from", mongo_uri, "--to", postgres_uri)
    assert str(password) not in done.stdout + shown.stdout
    assert ":***@" in shown.stdout


def test_a_standalone_has_no_log_to_stay_warm_by(
    landbridge: Run, standalone_uri: str, postgres_uri: str, standalone: Any
) -> None:
    with pymongo.MongoClient[dict[str, Any]](standalone_uri) as client:
        client.get_default_database().orders.insert_one({})
    done = landbridge("cutover", "plan", "--from", standalone_uri, "--to", postgres_uri)
    assert done.returncode == 0, done.stderr
    assert "(standalone)" in done.stdout
    assert "--follow" not in done.stdout


def test_reports_and_archives_give_their_times(
    shop: Source, mongo_uri: str, postgres_uri: str, tmp_path: Path
) -> None:
    archive = tmp_path / "output" / "20261101T200000Z"
    archive.mkdir(parents=True)
    files = [
        {"name": "orders.jsonl", "collection": "orders", "documents": 1234, "seconds": 2.5},
        {"name": "a%7Cb.jsonl", "collection": "a|b", "documents": 1, "seconds": 0.5},
    ]
    manifest = {
        "database": shop.name,
        "files": files,
        "started_at": "2026-11-01T20:00:00+00:00",
        "finished_at": "2026-11-01T20:00:02.600000+00:00",
    }
    (archive / "manifest.json").write_text(json.dumps(manifest))
    verified = tmp_path / "verify.json"
    streams = [
        {"stream": f"{shop.name}.{name}", "source_count": 1, "quarantined": 0, "seconds": seconds}
        for name, seconds in (("orders", 3.0), ("a|b", 1.0))
    ]
    verified.write_text(json.dumps({"status": "equal", "streams": streams, "seconds": 3.5}))

    plan = bridge.plan_cutover(
        mongo_uri, postgres_uri, archives=tmp_path / "output", reports=[verified]
    )
    assert plan.seconds_of("export") == pytest.approx(2.6)
    assert plan.seconds_of("verify") == 3.5
    assert {part.collection: part.measured["verify"].seconds for part in plan.parts} == {
        "orders": 3.0,
        "a|b": 1.0,
    }


@pytest.mark.parametrize(
    "text", [None, "not JSON", "[]", "{}", '{"streams": []}', '{"dry_run": true, "files": []}']
)
def test_a_report_that_is_none_is_a_clear_error(
    landbridge: Run,
    shop: Source,
    mongo_uri: str,
    postgres_uri: str,
    tmp_path: Path,
    text: str | None,
) -> None:
    path = tmp_path / "report.json"
    if text is not None:
        path.write_text(text)
    done = landbridge(
        "cutover", "plan", "--from", mongo_uri, "--to", postgres_uri, "--report", str(path)
    )
    assert done.returncode == 2
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
