"""`landbridge mapping propose` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run
from tests.realestate.data import fill

from landbridge.mapping.document import read_mapping

FOLDER = Path(__file__).parent.parent / "realestate"
PRISMA = str(FOLDER / "schema.prisma")


@pytest.fixture
def estate(mongo: Database[dict[str, Any]]) -> None:
    fill(mongo, scale=40)


@pytest.mark.usefixtures("estate")
def test_the_mapping_and_its_summary(landbridge: Run, mongo_uri: str) -> None:
    done = landbridge("mapping", "propose", "--to", PRISMA, env={"MONGO_URI": mongo_uri})
    assert done.returncode == 0, done.stderr
    mapping = read_mapping(done.stdout, "stdout")
    assert len(mapping.collections) == 7 and mapping.skip == ("sessions",)
    assert "properties     Property" in done.stderr and "26 of 26" in done.stderr
    assert "sessions: no table is like it" in done.stderr
    assert "properties: no column for legacyRef" in done.stderr


@pytest.mark.usefixtures("estate")
def test_json_and_a_file_that_is_not_written_over(
    landbridge: Run,
    mongo_uri: str,
    postgres_uri: str,
    postgres: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    postgres.execute((FOLDER / "schema.sql").read_text())
    joint = "&" if "?" in postgres_uri else "?"
    env = {"MONGO_URI": mongo_uri, "DATABASE_URL": f"{postgres_uri}{joint}schema=public"}
    command = ("mapping", "propose", "--collections", "users,searches", "--out", "m.yml", "--json")
    done = landbridge(*command, env=env)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["status"] == "ok" and report["out"] == "m.yml" and report["problems"] == []
    assert (tmp_path / "m.yml").read_text("utf-8") == report["mapping"]
    assert [one["table"] for one in report["collections"]] == ["saved_searches", "User"]

    (tmp_path / "m.yml").write_text("edited")
    again = landbridge(*command, env=env)
    assert again.returncode == 2 and json.loads(again.stdout)["error"]["code"] == "usage"
    assert (tmp_path / "m.yml").read_text() == "edited"


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--to", "nix.prisma"], 1, "No such file"),
        (["--to", "."], 1, "without a .prisma file"),
        (["--to", PRISMA, "--schema", "other"], 0, ""),
        (["--to", PRISMA, "--collections", "nix"], 1, "collection nix does not exist"),
        (["--to", PRISMA, "--out", "no/where.yml"], 2, "cannot write no/where.yml"),
        (["--to", PRISMA, "--from", "nowhere"], 1, "nowhere"),
        (["--to", PRISMA, "--from", "postgresql://h/d"], 1, "PostgreSQL"),
        (["--to", "mongodb://h/d"], 1, "MongoDB"),
        ([], 2, "--to is missing"),
    ],
)
@pytest.mark.usefixtures("estate")
def test_mistakes(
    landbridge: Run, mongo_uri: str, arguments: list[str], code: int, says: str
) -> None:
    done = landbridge("mapping", "propose", *arguments, env={"MONGO_URI": mongo_uri})
    assert done.returncode == code, done.stderr
    assert says in done.stderr and "Traceback" not in done.stderr
