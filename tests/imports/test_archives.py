"""Imports by a mapping from archives: the same rows as from the source, and files that are bad."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.imports.conftest import Rows, counts, of
from tests.imports.test_small import mapping

from landbridge import bridge
from landbridge.errors import ArchiveError, LandbridgeError

TEXT = mapping(
    "  people:\n    table: person\n    key: {column: id, as: uuid}\n    columns:\n"
    "      name: {from: name, required: true}\n"
)


@pytest.fixture(autouse=True)
def table(postgres: psycopg.Connection) -> None:
    postgres.execute("CREATE TABLE person (id uuid PRIMARY KEY, name text NOT NULL)")


def lines(folder: Path, *documents: Any) -> Path:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in documents)
    (folder / "people.jsonl").write_text(text)
    return folder


def test_the_same_rows_as_from_the_source(
    mongo: Database[dict[str, Any]], mongo_uri: str, postgres_uri: str, rows: Rows, tmp_path: Path
) -> None:
    mongo.people.insert_many({"name": f"n{n}"} for n in range(50))
    exported = bridge.export(mongo_uri, str(tmp_path / "out"))
    assert exported.status == "ok"
    first = bridge.import_mapped(postgres_uri, TEXT, input=str(tmp_path / "out"))
    assert counts(first, "people") == {"read": 50, "inserted": 50}
    again = bridge.import_mapped(postgres_uri, TEXT, source=mongo_uri)
    assert counts(again, "people") == {"read": 50, "unchanged": 50}


def test_lines_that_are_no_documents_and_ids_that_come_twice(
    postgres_uri: str, rows: Rows, tmp_path: Path
) -> None:
    lines(
        tmp_path,
        {"_id": 1, "name": "first"},
        {"_id": 2, "name": "b"},
        '{"_id": 3, "name": ',
        {"_id": 1, "name": "second"},
        {"_id": 1, "name": "last"},
        {"name": "no id"},
        {"_id": 4},
    )
    for dry_run in (True, False):
        summary = bridge.import_mapped(
            postgres_uri, TEXT, input=str(tmp_path), dry_run=dry_run, batch_size=2
        )
        assert counts(summary, "people") == {"read": 7, "inserted": 2, "quarantined": 5}
        problems = {v["problem"]: v["documents"] for v in of(summary, "people").violations}
        assert problems == {"line": 1, "repeated": 2, "malformed": 1, "required": 1}
    assert rows("SELECT name FROM person ORDER BY 1") == [("b",), ("last",)]
    names = {entry.document_id for entry in bridge.list_quarantine(postgres_uri)}
    assert "line 3 of people.jsonl" in names
    again = bridge.import_mapped(postgres_uri, TEXT, input=str(tmp_path))
    assert counts(again, "people") == {"read": 7, "unchanged": 2, "quarantined": 5}
    assert len(bridge.list_quarantine(postgres_uri)) == 5


def test_stop_before_the_first_row_where_a_line_is_no_document(
    postgres_uri: str, rows: Rows, tmp_path: Path
) -> None:
    lines(tmp_path, {"_id": 1, "name": "a"}, "nonsense")
    with pytest.raises(LandbridgeError, match=r"line 2 of people\.jsonl"):
        bridge.import_mapped(postgres_uri, TEXT, input=str(tmp_path), on_error="stop")
    assert rows("SELECT * FROM person") == []


def test_a_file_that_is_not_the_one_that_was_exported(
    mongo: Database[dict[str, Any]], mongo_uri: str, postgres_uri: str, rows: Rows, tmp_path: Path
) -> None:
    mongo.people.insert_many({"_id": n, "name": f"n{n}"} for n in range(5))
    bridge.export(mongo_uri, str(tmp_path / "out"))
    path = next((tmp_path / "out").glob("people.jsonl*"))
    before = path.read_bytes()
    path.write_bytes(before[:-2] + bytes((before[-2] ^ 1,)) + before[-1:])
    assert hashlib.sha256(before) != hashlib.sha256(path.read_bytes())
    with pytest.raises(ArchiveError):
        bridge.import_mapped(postgres_uri, TEXT, input=str(tmp_path / "out"))
    assert rows("SELECT * FROM person") == []


def test_collections_that_the_mapping_does_not_name(postgres_uri: str, tmp_path: Path) -> None:
    lines(tmp_path, {"_id": 1, "name": "a"})
    (tmp_path / "other.jsonl").write_text('{"_id": 1}\n')
    summary = bridge.import_mapped(postgres_uri, TEXT, input=str(tmp_path))
    assert "other: skipped, because the mapping does not name it" in summary.notes
    assert counts(summary, "people") == {"read": 1, "inserted": 1}
