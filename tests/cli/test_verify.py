"""`landbridge verify` as a person and as a program see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run

Mongo = Database[dict[str, Any]]


@pytest.fixture
def loaded(mongo: Mongo, mongo_uri: str, postgres_uri: str, landbridge: Run) -> dict[str, str]:
    """Two collections that are loaded; the variables that name both ends."""
    mongo.properties.insert_many([{"city": city} for city in ("Porto", "Porto", "Graz")])
    mongo.users.insert_many([{"name": "a\0b"}, {"name": "plain"}])
    ends = {"MONGO_URI": mongo_uri, "DATABASE_URL": postgres_uri}
    done = landbridge("sync", "--schema", "raw", env=ends)
    assert done.returncode == 0, done.stderr
    return ends


def test_the_lines_of_the_counts_and_a_last_word(landbridge: Run, loaded: dict[str, str]) -> None:
    done = landbridge("verify", "--schema", "raw", "--collections", "users,properties", env=loaded)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "✅ properties → Mongo: 3 | Postgres: 3 | Δ 0"
    assert lines[1] == "✅ users → Mongo: 2 | Postgres: 1 | Δ -1 (1 in quarantine)"
    assert lines[-1].startswith("EQUAL: 2 collections")
    assert any(line.split() == ["Porto", "2", "2"] for line in lines)


def test_a_difference_exits_1_and_is_named(
    landbridge: Run, loaded: dict[str, str], postgres: psycopg.Connection, tmp_path: Path
) -> None:
    postgres.execute("UPDATE raw.properties SET city = 'Rome' WHERE city = 'Graz'")
    done = landbridge(
        "verify", "--schema", "raw", "--mode", "full", "--html", "report.html", env=loaded
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "❌ properties → Mongo: 3 | Postgres: 3 | Δ 0  1 different"
    assert lines[-1].startswith("DIFFERENT: 1 of 2 collections")
    page = (tmp_path / "report.html").read_text()
    assert "DIFFERENT" in page and "properties" in page
    report = landbridge("verify", "--schema", "raw", "--mode", "full", "--json", env=loaded)
    assert report.returncode == 1
    found = json.loads(report.stdout)
    assert found["status"] == "different"
    stream = next(one for one in found["streams"] if one["status"] == "different")
    assert stream["different"][0]["fields"] == ["city"]
    assert {"landbridge", "mongodb", "postgresql"} == set(found["versions"])
    assert not any("password" in str(value) for value in (found["source"], found["target"]))
    repaired = landbridge("verify", "--schema", "raw", "--mode", "full", "--repair", env=loaded)
    assert repaired.returncode == 0
    assert "1 document repaired" in repaired.stdout


def test_named_aggregates_are_printed(
    landbridge: Run, loaded: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "figures.yml").write_text(
        "- {name: top cities, collection: properties, match: {city: {$ne: Graz}}, group: [city]}\n"
    )
    done = landbridge("verify", "--schema", "raw", "--aggregates", "figures.yml", env=loaded)
    assert done.returncode == 0, done.stderr
    after = done.stdout.partition("top cities:")[2].splitlines()
    assert after[3].split() == ["Porto", "2", "2"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--repair",), "--mode full"),
        (("--mode", "sum"), "'sum' is not one of"),
        (("--aggregates", "none.yml"), "none.yml cannot be read"),
        (("--mapping", "none.yml"), "none.yml cannot be read"),
        (("--mode", "count", "--aggregates", "bad.yml"), "--mode aggregate"),
        (("--aggregates", "bad.yml"), "bad.yml, line 2"),
        (("--html", "no/where.html"), "no such folder"),
    ],
)
def test_wrong_use_exits_2_and_says_how(
    landbridge: Run, loaded: dict[str, str], tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.yml").write_text("# figures\n- {name: a, collection: users, metric: median}\n")
    done = landbridge("verify", "--schema", "raw", *arguments, env=loaded)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_collection_that_cannot_be_compared_does_not_stop_the_others(
    landbridge: Run, loaded: dict[str, str], postgres: psycopg.Connection
) -> None:
    postgres.execute("ALTER TABLE raw.users ALTER name TYPE varchar(20)")
    done = landbridge("verify", "--schema", "raw", env=loaded)
    assert done.returncode == 1
    assert "✅ properties" in done.stdout
    assert "❌ users → could not be compared" in done.stdout
    assert "column name" in done.stderr
