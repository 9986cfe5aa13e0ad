"""The evening of a team that leaves MongoDB, by the commands of its runbook, on dirty data.

The commands are those of `npm run etl:export -- …` and so on: what the guide's `package.json` says,
with the runbook's own flags behind it, run as npm does.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from pymongo.database import Database
from tests.cli.process import clean_environment
from tests.realestate import data
from tests.realestate.data import TABLES, Filled, fill

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "leaving-mongodb.md"
FILES = Path(data.__file__).parent
ETL = Path("server/scripts/etl")
SCALE = 100
SECONDS_MAX = 180

COLLECTIONS = "--collections users,properties,inquiries,leads,launches,conversations,searches"

Npm = Callable[[str, str], subprocess.CompletedProcess[str]]
Contents = dict[str, list[Any]]


@pytest.fixture
def filled(mongo: Database[dict[str, Any]], postgres: psycopg.Connection, tmp_path: Path) -> Filled:
    """The source, the empty tables, and the repository of the application."""
    (tmp_path / ETL).mkdir(parents=True)
    (tmp_path / ETL / "mapping.yml").write_bytes((FILES / "mapping.yml").read_bytes())
    postgres.execute((FILES / "schema.sql").read_bytes())
    return fill(mongo, scale=SCALE)


@pytest.fixture
def run(
    tmp_path: Path, mongo_uri: str, postgres_uri: str
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Return what runs a line of shell in the application's repository, with both variables."""
    environment = clean_environment(
        {
            "MONGO_URI": mongo_uri,
            "DATABASE_URL": f"{postgres_uri}?schema=public",  # as Prisma writes it
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
    )

    def run(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )

    return run


@pytest.fixture
def npm(run: Callable[[str], subprocess.CompletedProcess[str]]) -> Npm:
    """Return what runs a script of the guide's package.json with flags behind `--`."""
    found = re.search(r'^```json\n(\{\n  "scripts".*?)^```$', GUIDE.read_text(), re.DOTALL | re.M)
    assert found is not None, "the guide shows no package.json"
    scripts = json.loads(found[1])["scripts"]
    return lambda script, flags: run(f"{scripts[script]} {flags}")


def contents(postgres: psycopg.Connection) -> Contents:
    """Return every row of every table, with the transaction that wrote it."""
    names = postgres.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    ).fetchall()
    return {
        name: postgres.execute(
            sql.SQL("SELECT row_to_json(t)::text, xmin::text FROM {} t ORDER BY 1").format(
                sql.Identifier(name)
            )
        ).fetchall()
        for (name,) in names
    }


def exported(npm: Npm, tmp_path: Path) -> str:
    """Export by the runbook's command; return the folder, as the runbook writes it."""
    done = npm("etl:export", f"{COLLECTIONS} --batch-size 2000")
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / ETL / "output").iterdir()
    return shlex.quote(str(folder.relative_to(tmp_path)))


def imported(npm: Npm, folder: str) -> dict[str, Any]:
    """Import by the runbook's command; return its report."""
    done = npm("etl:import", f"--input {folder} --batch-size 500 --json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_dry_runs_write_nothing(
    filled: Filled, npm: Npm, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    done = npm("etl:export", f"{COLLECTIONS} --batch-size 2000 --dry-run")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / ETL / "output").exists()

    folder = exported(npm, tmp_path)
    done = npm("etl:import", f"--input {folder} --batch-size 500 --dry-run --json")
    assert done.returncode == 0, done.stdout + done.stderr
    planned = {one["collection"]: one for one in json.loads(done.stdout)["streams"]}
    for collection in TABLES:
        assert planned[collection]["quarantined"] == filled.faults(collection), collection
    assert not any(contents(postgres).values())


def test_exported_imported_twice_verified_undone_and_imported_again(
    filled: Filled, npm: Npm, run: Any, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    empty = contents(postgres)
    folder = exported(npm, tmp_path)
    assert len(list((tmp_path / ETL / "output").glob("*/*.jsonl"))) == 7
    (log,) = (tmp_path / ETL / "output").glob("*/export.log")
    assert "users: ends" in log.read_text()

    first = imported(npm, folder)
    rows = contents(postgres)
    assert {name: len(rows[name]) for name in filled.rows} == dict(filled.rows)
    for stream in first["streams"]:
        assert stream["quarantined"] == filled.faults(stream["collection"]), stream["collection"]

    second = imported(npm, folder)
    assert contents(postgres) == rows  # not one row was written
    for stream in second["streams"]:
        assert stream["inserted"] == stream["updated"] == stream["deleted"] == 0

    verified = npm("etl:verify", COLLECTIONS)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    properties = filled.documents["properties"]
    assert f"✅ properties → Mongo: {properties:,} | Postgres: " in verified.stdout
    full = npm("etl:verify", f"{COLLECTIONS} --mode full --json")
    assert full.returncode == 0, full.stdout + full.stderr

    undone = run(f"landbridge import --undo {first['run']}")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert contents(postgres) == empty
    different = npm("etl:verify", f"{COLLECTIONS} --mode count")
    assert different.returncode == 1
    assert "❌ users → " in different.stdout

    imported(npm, folder)
    again = npm("etl:verify", f"{COLLECTIONS} --mode full")
    assert again.returncode == 0, again.stdout + again.stderr


def test_the_whole_evening_in_one_command(
    filled: Filled, run: Any, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    aside = sum(filled.faults(collection) for collection in TABLES)
    evening = (
        f"landbridge cutover go --mapping {ETL}/mapping.yml {COLLECTIONS} --quiet-for 0.5s "
        "--on-freeze 'echo off >> flag' --on-unfreeze 'echo $LANDBRIDGE_VERDICT >> flag'"
    )
    refused = run(evening)
    assert refused.returncode == 1, refused.stderr
    assert f"{aside} documents set aside" in refused.stdout
    assert refused.stdout.splitlines()[-1] == "NO-GO"
    assert len(contents(postgres)["User"]) == filled.rows["User"]  # they stay

    done = run(f"{evening} --quarantine-max {aside} --json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    steps = [step["name"] for step in report["steps"]]
    assert steps == [
        "look", "freeze", "quiet", "export", "import", "verify", "still quiet", "unfreeze",
    ]  # fmt: skip
    assert (tmp_path / report["archive"] / "manifest.json").exists()
    assert (tmp_path / "flag").read_text().split() == ["off", "NO-GO", "off", "GO"]

    direct = run(f"{evening} --quarantine-max {aside} --direct --json")
    assert direct.returncode == 0, direct.stdout + direct.stderr
    assert json.loads(direct.stdout)["archive"] is None

    plan = run(f"landbridge cutover plan --mapping {ETL}/mapping.yml {COLLECTIONS} --json")
    works = json.loads(plan.stdout)["works"]
    assert list(works) == ["export", "import", "verify"]
    assert None not in works.values()

    watch = run(f"landbridge cutover watch --mapping {ETL}/mapping.yml {COLLECTIONS} --for 0s")
    assert watch.returncode == 0, watch.stdout + watch.stderr


def test_a_row_changed_by_hand_is_a_no_go_that_names_it(
    filled: Filled, run: Any, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    evening = (
        f"landbridge cutover go --mapping {ETL}/mapping.yml {COLLECTIONS} --quiet-for 0.2s "
        "--quarantine-max 1000 --json"
    )
    postgres.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN NEW.title := NEW.title || '!'; RETURN NEW; END$$"
    )
    postgres.execute(
        'CREATE TRIGGER spoil BEFORE INSERT ON "Property" FOR EACH ROW'
        " WHEN (position('7' in NEW.id) > 0) EXECUTE FUNCTION spoil()"
    )
    done = run(evening)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["verdict"] == "NO-GO"
    found = {one["stream"].partition(".")[2]: one for one in report["verification"]["streams"]}
    spoilt = postgres.execute(
        """SELECT count(*) FROM "Property" WHERE position('7' in id) > 0"""
    ).fetchone()
    assert spoilt is not None and spoilt[0] > 0
    assert len(found["properties"]["different"]) == spoilt[0]


def test_an_unusable_mapping_freezes_nothing(filled: Filled, run: Any, tmp_path: Path) -> None:
    path = tmp_path / ETL / "mapping.yml"
    path.write_text(path.read_text().replace("passwordHash: {", "password_hash: {"))
    done = run(f"landbridge cutover go --mapping {path} --on-freeze 'touch frozen'")
    assert done.returncode == 1
    assert "password_hash" in done.stdout
    assert done.stdout.splitlines()[-1] == "NO-GO"
    assert not (tmp_path / "frozen").exists()
