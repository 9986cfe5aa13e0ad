"""Folders to import, made by hand, and what an import made of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from tests.cli.conftest import landbridge as landbridge

from landbridge import bridge
from landbridge.model.archive import ArchiveFile, Manifest
from landbridge.model.settings import Settings
from landbridge.model.summary import StreamSummary, Summary

SCHEMA = "shop"
Import = Callable[..., Summary]


class Folder:
    """A folder under way: files of lines, and a manifest that tells the truth about them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[ArchiveFile] = []

    def __str__(self) -> str:
        return str(self.path)

    def put(self, name: str, *lines: str | bytes, data: bytes | None = None) -> Path:
        """Write a file, and let the manifest know it."""
        self.path.mkdir(exist_ok=True)
        text = b"".join((one if isinstance(one, bytes) else one.encode()) + b"\n" for one in lines)
        data = text if data is None else data
        path = self.path / name
        path.write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        collection = name.split(".")[0]
        self._files.append(ArchiveFile(name, collection, len(lines), len(data), len(text), digest))
        return path

    def sign(self, **changed: Any) -> None:
        """Write the manifest, with something in it that isn't so where that is asked for."""
        manifest = Manifest(
            "0.1.0", "mongodb://there", SCHEMA, "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z",
            None, "none", None, tuple(self._files),
        )  # fmt: skip
        stored = manifest.to_json() | changed
        (self.path / "manifest.json").write_text(json.dumps(stored))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder to be filled."""
    return Folder(tmp_path / "archive")


@pytest.fixture
def load(postgres_uri: str, folder: Folder) -> Import:
    """Import the folder into the test's database."""

    def run(place: object = folder, **chosen: Any) -> Summary:
        names = ("schema", "select", "exclude", "on_error", "jobs", "observer")
        asked: dict[str, Any] = {name: chosen.pop(name) for name in names if name in chosen}
        settings = Settings(**chosen)
        summary = bridge.import_files(str(place), postgres_uri, settings=settings, **asked)
        for stream in summary.streams:
            assert stream.tally.adds_up, stream
        return summary

    return run


def of(summary: Summary, collection: str) -> StreamSummary:
    """Return one collection's part of a summary."""
    return next(one for one in summary.streams if one.collection == collection)


def counts(summary: Summary, collection: str) -> dict[str, int]:
    """Return what became of a collection's documents, without what is zero."""
    names = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined")
    tally = of(summary, collection).tally
    return {name: count for name in names if (count := getattr(tally, name))}


def rows(connection: psycopg.Connection, table: str, schema: str = SCHEMA) -> list[Any]:
    """Return the rows of a table, in the order of their ids."""
    query = sql.SQL("SELECT * FROM {} t ORDER BY t::text").format(sql.Identifier(schema, table))
    return connection.execute(query).fetchall()


def contents(connection: psycopg.Connection, table: str, schema: str) -> list[str]:
    """Return the rows of a table as JSON, whatever the order of its columns."""
    query = sql.SQL("SELECT to_jsonb(t)::text FROM {} t ORDER BY 1")
    found = connection.execute(query.format(sql.Identifier(schema, table)))
    return [text for (text,) in found]


def tables(connection: psycopg.Connection, schema: str = SCHEMA) -> list[str]:
    """Return the names of the tables of a schema, private ones too."""
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
    return [name for (name,) in connection.execute(query, (schema,))]


def set_aside(connection: psycopg.Connection) -> list[tuple[str, str, bytes]]:
    """Return (id, problem, document) of what is in quarantine."""
    query = "SELECT document_id, problem, document FROM landbridge.quarantine ORDER BY id"
    return [(name, problem, bytes(raw)) for name, problem, raw in connection.execute(query)]
