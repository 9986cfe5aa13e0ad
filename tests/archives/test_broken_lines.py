"""Lines that are no documents, and ids that stand more than once: nothing is lost or made up."""

from __future__ import annotations

from typing import Any

import bson
import psycopg
import pytest
from tests.archives.conftest import Folder, Import, counts, of, rows, set_aside, tables

from landbridge import bridge
from landbridge.errors import BrokenLineError
from landbridge.files import line_chunks
from landbridge.files import source as file_source


def test_broken_lines_are_set_aside_and_the_others_loaded(
    folder: Folder, load: Import, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    broken = (b'{"_id":2,"a":', b'{"_id":3,"a":"\xff"}', b"[4]")
    folder.put("users.jsonl", '{"_id":1}', broken[0], "", broken[1], '{"_id":5}', broken[2])
    summary = load(schema="shop")

    assert counts(summary, "users") == {"read": 5, "inserted": 2, "quarantined": 3}
    assert [row[0] for row in rows(postgres, "users")] == [1, 5]
    names = ["line 2 of users.jsonl", "line 4 of users.jsonl", "line 6 of users.jsonl"]
    assert set_aside(postgres) == [
        (name, "line", line) for name, line in zip(names, broken, strict=True)
    ]
    listed = bridge.list_quarantine(postgres_uri)
    assert [entry.reason.rpartition(", at byte ")[2] for entry in listed] == ["14", "15", "1"]

    again = load(schema="shop")
    assert counts(again, "users") == {"read": 5, "unchanged": 2, "quarantined": 3}
    assert [entry.id for entry in bridge.list_quarantine(postgres_uri)] == [
        entry.id for entry in listed
    ]
    assert bridge.retry_quarantine(postgres_uri).streams == ()

    folder.put("users.jsonl", *(f'{{"_id":{n}}}' for n in range(1, 7)))
    assert counts(load(schema="shop"), "users") == {"read": 6, "inserted": 4, "unchanged": 2}
    assert set_aside(postgres) == []


def test_a_last_line_that_was_cut_off(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.jsonl", data=b'{"_id":1}\n{"_id":2')
    assert counts(load(schema="shop"), "users") == {"read": 2, "inserted": 1, "quarantined": 1}
    assert set_aside(postgres)[0][2] == b'{"_id":2'


def test_stop_writes_nothing_at_all(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("a.jsonl", '{"_id":1}')
    folder.put("b.jsonl", '{"_id":1}', "{")
    with pytest.raises(BrokenLineError, match=r"line 2 of b\.jsonl"):
        load(schema="shop", on_error="stop")
    assert tables(postgres) == []


def test_stop_at_repeated_ids(folder: Folder, load: Import, postgres: psycopg.Connection) -> None:
    folder.put("a.jsonl", '{"_id":1}', '{"_id":1}')
    summary = load(schema="shop", on_error="stop")
    assert summary.error is not None and summary.error["code"] == "line_broken"
    assert tables(postgres) == []


def test_a_document_without_an_id(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.jsonl", '{"_id":1}', '{"a":1}', '{"a":2}', '{"a":2}')
    assert counts(load(schema="shop"), "users") == {"read": 4, "inserted": 1, "quarantined": 3}
    assert [problem for _, problem, _ in set_aside(postgres)] == ["no_id"] * 3


def test_the_last_of_several_versions_counts(
    folder: Folder, load: Import, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    lines = ['{"_id":1,"v":1}', '{"_id":2,"v":1}', '{"_id":{"$numberLong":"1"},"v":2}']
    folder.put("users.json", *lines)
    folder.put("users.jsonl", '{"_id":3,"v":1}', '{"_id":1.0,"v":3}')
    summary = load(schema="shop")

    assert counts(summary, "users") == {"read": 5, "inserted": 3, "quarantined": 2}
    assert [row[1] for row in rows(postgres, "users")] == [3, 1, 1]
    aside = set_aside(postgres)
    assert [problem for _, problem, _ in aside] == ["repeated"] * 2
    assert [bson.decode(raw)["v"] for _, _, raw in aside] == [1, 2]
    assert "stand more than once" in of(summary, "users").notes[0]

    assert counts(load(schema="shop"), "users") == {"read": 5, "unchanged": 3, "quarantined": 2}
    assert counts(load(schema="shop", load="upsert"), "users")["unchanged"] == 3
    assert bridge.retry_quarantine(postgres_uri).streams == ()
    entry = bridge.list_quarantine(postgres_uri)[0].id
    bridge.retry_quarantine(postgres_uri, entries=[entry])
    assert [row[1] for row in rows(postgres, "users")] == [1, 1, 1]


@pytest.mark.parametrize("larger", [False, True])
def test_versions_that_no_row_can_hold(
    folder: Folder,
    load: Import,
    postgres: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    larger: bool,
) -> None:
    if larger:
        monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", 10)
    good, bad = '"v":1', '"v":"\\u0000"'
    folder.put(
        "users.jsonl",
        *(f'{{"_id":1,{value}}}' for value in (good, bad, good)),
        *(f'{{"_id":2,{value}}}' for value in (good, good, bad)),
        *(f'{{"_id":3,{value}}}' for value in (bad, good)),
        *(f'{{"_id":4,{value}}}' for value in (bad, bad)),
    )
    assert counts(load(schema="shop"), "users") == {"read": 10, "inserted": 2, "quarantined": 8}
    assert [row[0] for row in rows(postgres, "users")] == [1, 3]
    assert counts(load(schema="shop"), "users") == {"read": 10, "unchanged": 2, "quarantined": 8}


def test_many_repeated_ids_over_several_connections(
    folder: Folder, load: Import, postgres: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", 1000)
    monkeypatch.setattr(line_chunks, "CHUNK_BYTES", 10_000)
    folder.put("users.jsonl", *(f'{{"_id":{n % 3000},"v":{n}}}' for n in range(7000)))
    assert counts(load(schema="shop"), "users") == {
        "read": 7000, "inserted": 3000, "quarantined": 4000,
    }  # fmt: skip
    last = [max(v for v in range(key, 7000, 3000)) for key in range(3000)]
    query = "SELECT v FROM shop.users ORDER BY _id"
    assert [v for (v,) in postgres.execute(query)] == last


def test_a_line_that_is_longer_than_any_document(
    folder: Folder, load: Import, postgres: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_chunks, "CHUNK_BYTES", 100)
    monkeypatch.setattr(line_chunks, "LINE_BYTES_MAX", 3 << 20)
    monkeypatch.setattr(line_chunks, "LINE_BYTES_KEPT", 20)
    monkeypatch.setattr(file_source, "LINE_BYTES_KEPT", 20)
    long = '{"_id":2,"a":"' + "x" * (6 << 20) + '"}'
    folder.put("users.jsonl", '{"_id":1}', long, '{"_id":3}', "{", long)
    assert counts(load(schema="shop"), "users") == {"read": 5, "inserted": 2, "quarantined": 3}
    names = [(name, len(raw)) for name, _, raw in set_aside(postgres)]
    assert sorted(names) == [
        (f"line {n} of users.jsonl", size) for n, size in ((2, 20), (4, 1), (5, 20))
    ]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("wanted", [1, 10, 1000])
def test_whole_lines(monkeypatch: pytest.MonkeyPatch, size: int, wanted: int) -> None:
    monkeypatch.setattr(line_chunks, "CHUNK_BYTES", wanted)
    text = b"".join(b"x" * (n % 23) + b"\n" for n in range(200)) + b"the end"
    found = list(line_chunks.whole_lines(text[at : at + size] for at in range(0, len(text), size)))
    assert b"".join(map(_bytes, found)) == text
    assert all(_bytes(one).endswith(b"\n") for one in found[:-1])


def _bytes(one: Any) -> bytes:
    assert isinstance(one, bytes)
    return one


def test_a_dry_run_reads_all_and_writes_nothing(
    folder: Folder, postgres: psycopg.Connection, postgres_uri: str
) -> None:
    lines = [f'{{"_id":{n},"v":1}}' for n in range(3000)]
    folder.put("users.jsonl", *lines, '{"_id":3000,"late":true}', "{", '{"v":1}')
    plan = bridge.plan_import(str(folder), postgres_uri, schema="shop")
    (stream,) = plan.streams
    assert [(column.name, column.type) for column in stream.columns] == [
        ("_id", "bigint"), ("v", "bigint"), ("late", "boolean"), ("_lb_hash", "uuid"),
    ]  # fmt: skip
    assert stream.documents == 3003
    assert any(
        "2 would go to quarantine: line 3002 of users.jsonl" in note for note in stream.notes
    )
    assert tables(postgres) == [] and tables(postgres, "landbridge") == []


def test_a_file_that_holds_no_lines_at_all(
    folder: Folder, load: Import, postgres: psycopg.Connection
) -> None:
    folder.put("users.json", *["name,city"] * file_source.BROKEN_LINES_TRIED)
    summary = load(schema="shop")
    assert summary.error is not None and summary.error["code"] == "archive_broken"
    assert tables(postgres) == []
