"""Archives that are not what they say: told before a row is written, with what to do."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import zstandard
from tests.archives.conftest import Folder, Import, counts, of, tables

from landbridge.errors import (
    ArchiveError,
    ArchiveMissingError,
    LandbridgeError,
    SourceMissingError,
    UsageError,
)
from landbridge.files import look_at, open_store

LINES = [f'{{"_id":{n}}}' for n in range(1000)]
TEXT = "\n".join(LINES).encode()


def missing(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES).unlink()
    folder.sign()


def shorter(folder: Folder) -> None:
    path = folder.put("users.jsonl", *LINES)
    folder.sign()
    path.write_bytes(path.read_bytes()[:-10])


def another_format(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.sign(format=2)


def no_manifest_at_all(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.put("manifest.json", "[]")


def not_json(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.put("manifest.json", "{")


def elsewhere(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.sign(
        files=[{"name": "../x.jsonl", "collection": "x", "documents": 1, "bytes": 1,
                "bytes_plain": 1, "sha256": ""}]
    )  # fmt: skip


def named_twice(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.put("users.jsonl", *LINES)
    folder.sign()


def unfinished(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.put("export.progress.json", "{}")


def rejected_are_missing(folder: Folder) -> None:
    folder.put("users.jsonl", *LINES)
    folder.sign()
    manifest = json.loads((folder.path / "manifest.json").read_text())
    manifest["files"][0]["rejected"] = 1
    folder.sign(files=manifest["files"])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (missing, ArchiveMissingError, "users.jsonl is not in"),
        (shorter, ArchiveError, "bytes, and manifest.json says"),
        (another_format, ArchiveError, "its format is 2"),
        (no_manifest_at_all, ArchiveError, "no object"),
        (not_json, ArchiveError, "cannot understand manifest.json"),
        (elsewhere, ArchiveError, "files elsewhere"),
        (named_twice, ArchiveError, "more than once"),
        (unfinished, ArchiveError, "not finished"),
        (rejected_are_missing, ArchiveMissingError, "users.rejected.jsonl is not in"),
    ],
)
def test_told_before_anything_is_touched(
    folder: Folder,
    load: Import,
    postgres: psycopg.Connection,
    make: Callable[[Folder], None],
    error: type[LandbridgeError],
    text: str,
) -> None:
    make(folder)
    with pytest.raises(error, match=text):
        load()
    assert tables(postgres, "landbridge") == []


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({}, "it is missing, or no file is directly in it"),
        ({"notes.txt": b"x"}, "it holds 1 other files"),
        ({"users.bson": b"x", "users.metadata.json": b"{}"}, "mongodump"),
    ],
)
def test_a_place_that_is_no_archive(
    folder: Folder, load: Import, files: dict[str, bytes], text: str
) -> None:
    for name, data in files.items():
        folder.put(name, data=data)
    with pytest.raises(ArchiveMissingError, match=text):
        load()


def test_a_file_in_place_of_a_folder(folder: Folder, load: Import) -> None:
    with pytest.raises(LandbridgeError, match="name a folder"):
        load(folder.put("users.jsonl", *LINES), schema="shop")


def test_the_schema_must_be_known(folder: Folder, load: Import) -> None:
    folder.put("users.jsonl", *LINES)
    with pytest.raises(UsageError, match="--schema is missing"):
        load()


def test_a_collection_that_is_not_there(folder: Folder, load: Import) -> None:
    folder.put("users.jsonl", *LINES)
    with pytest.raises(SourceMissingError, match="did you mean `users`"):
        load(schema="shop", select=("user",))


def test_a_missing_file_of_a_collection_that_is_not_asked_for(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    missing(folder)
    folder.put("orders.jsonl", *LINES)
    folder.sign()
    load(exclude=("users",))
    assert tables(postgres) == ["orders"]


def test_files_that_the_manifest_does_not_name(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.jsonl", *LINES)
    folder.sign()
    folder.put("orders.jsonl", *LINES)
    summary = load()
    assert tables(postgres) == ["users"]
    assert "orders.jsonl: not in manifest.json" in summary.notes[-1]


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("layout", ["tiny", "one cursor"])
def test_a_changed_file_changes_no_table(
    folder: Folder,
    load: Import,
    postgres: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    layout: str,
) -> None:
    if layout != "tiny":
        monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", 10)
    users = folder.put("users.jsonl", *LINES)
    folder.put("orders.jsonl", *LINES)
    folder.sign()
    assert load().error is None
    flipped(users)
    summary = load(full_refresh=True)
    error = of(summary, "users").error
    assert error is not None and error["code"] == "archive_broken" and "SHA-256" in error["message"]
    assert of(summary, "orders").error is None
    assert [name for name in tables(postgres) if name[0] != "_"] == ["orders", "users"]
    found = postgres.execute("SELECT count(*), min(_id), max(_id) FROM shop.users").fetchone()
    assert found == (1000, 0, 999)


def test_checksums_are_confirmed_before_a_load_that_commits_as_it_reads(folder: Folder) -> None:
    users = folder.put("users.jsonl", *LINES)
    folder.sign()
    archive = look_at(open_store(str(folder)))
    archive.confirm(archive.collections("shop"))
    flipped(users)
    with pytest.raises(ArchiveError, match="its SHA-256 is"):
        archive.confirm(archive.collections("shop"))


def test_a_count_that_is_not_so(folder: Folder, load: Import, postgres: psycopg.Connection) -> None:
    folder.put("users.jsonl", *LINES)
    folder.sign()
    manifest = json.loads((folder.path / "manifest.json").read_text())
    manifest["files"][0]["documents"] = 999
    folder.sign(files=manifest["files"])
    error = of(load(), "users").error
    assert error is not None and "1,000 lines, and the manifest says 999" in error["message"]
    assert tables(postgres) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("users.jsonl.gz", gzip.compress(TEXT)[:-20]),
        ("users.jsonl.zst", zstandard.compress(TEXT)[:-20]),
        ("users.jsonl.gz", TEXT),
        ("users.jsonl.zst", TEXT),
        ("users.json", TEXT.decode().encode("utf-16")),
        ("users.json", b"[" + TEXT.replace(b"\n", b",") + b"]"),
        ("users.json", b'{\n  "_id": 1\n}\n' * 3),
    ],
)
def test_a_file_that_is_no_lines_costs_no_other(
    folder: Folder, load: Import, postgres: psycopg.Connection, name: str, data: bytes
) -> None:
    folder.put(name, data=data)
    folder.put("orders.jsonl", *LINES)
    summary = load(schema="shop")
    error = of(summary, "users").error
    assert error is not None and error["code"] == "archive_broken" and error["fix"]
    assert counts(summary, "orders") == {"read": 1000, "inserted": 1000}
    assert tables(postgres) == ["orders"]


def test_an_empty_file_is_an_empty_table(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.jsonl")
    folder.sign()
    assert counts(load(), "users") == {}
    assert tables(postgres) == ["users"]
