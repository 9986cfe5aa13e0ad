"""A folder with the project of a BI team: 25 collections, their `meltano.yml` as it is.

Its servers are those of the tests, which variables name; the file stays untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from pymongo.database import Database

from landbridge.cli import main
from landbridge.config.project import read_project
from landbridge.embedded import carbon
from landbridge.model.project import Project

CARBON_LENS = Path(__file__).with_name("carbon-lens.yml").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str


Command = Callable[..., Done]
Written = Callable[..., Path]
Read = Callable[..., Project]


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MELTANO_ENVIRONMENT", "TARGET_POSTGRES_PASSWORD", "MONGO_URI", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Written:
    """Write a project file into the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str = CARBON_LENS, name: str = "meltano.yml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def read(written: Written) -> Read:
    """Read a project from the text of its file."""

    def from_text(text: str = CARBON_LENS, environment: str | None = None) -> Project:
        return read_project(written(text), environment)

    return from_text


@pytest.fixture
def landbridge(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command as it is typed."""

    def run(*words: str) -> Done:
        code = main(list(words))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def source(mongo_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The MongoDB of the test is that of tap-mongodb."""
    monkeypatch.setenv("TAP_MONGODB_MONGODB_CONNECTION_STRING", mongo_uri)
    monkeypatch.setenv("TAP_MONGODB_DATABASE", urlsplit(mongo_uri).path.strip("/"))
    return mongo_uri


@pytest.fixture
def target(postgres_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The PostgreSQL of the test is that of target-postgres."""
    parts = urlsplit(postgres_uri)
    for name, value in {
        "HOST": parts.hostname,
        "PORT": str(parts.port),
        "USER": parts.username,
        "PASSWORD": unquote(parts.password or ""),
        "DATABASE": parts.path.strip("/"),
    }.items():
        monkeypatch.setenv(f"TARGET_POSTGRES_{name}", value or "")
    return postgres_uri


@pytest.fixture
def carbon_lens(mongo: Database[dict[str, Any]], source: str) -> Database[dict[str, Any]]:
    """The application's 25 collections, and one that nobody selects."""
    for name, documents in carbon.collections(scale=0.02):
        mongo[name].insert_many(documents)
    mongo["emaillogs"].insert_one({"to": "someone"})
    return mongo
