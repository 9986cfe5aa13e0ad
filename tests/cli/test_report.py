"""Reports: everything that is not an ordinary row is shown, in 100 columns, without passwords."""

from __future__ import annotations

import json

import pytest

from landbridge.cli.report import (
    show_entries,
    show_entry,
    show_plan,
    show_summary,
    summary_document,
)
from landbridge.cli.text import duration, printable, size
from landbridge.model.report import PlannedColumn, QuarantineEntry, StreamPlan, SyncPlan
from landbridge.model.summary import SchemaChange, StreamSummary, Summary, Tally

LEAK = "no answer from mongodb://ana:secret@db/shop"
ERROR = {"code": "unreachable", "message": LEAK, "fix": "start it"}


def stream(collection: str, table: str, tally: Tally, **more: object) -> StreamSummary:
    values: dict[str, object] = {"database": "shop", "target_schema": "shop", **more}
    return StreamSummary(collection=collection, target_table=table, tally=tally, **values)  # type: ignore[arg-type]


MIXED = Summary(
    streams=(
        stream("orders", "orders", Tally(read=1_080_214, inserted=1_080_211, quarantined=3)),
        stream(
            "fire extinguishers",
            "fire_extinguishers",
            Tally(read=9, updated=4, unchanged=5, deleted=2, discarded=1, by_value=6),
            notes=(LEAK,),
            schema_changes=tuple(
                SchemaChange("add", f"column{n}", "text", f"field{n}", "evolve") for n in range(7)
            ),
        ),
        stream("upstreamtransportations", "upstreamtransportations", Tally(), error=ERROR),
    ),
    seconds=12.3,
)


def test_a_summary_shows_all_counts_and_what_to_do_next(capsys: pytest.CaptureFixture[str]) -> None:
    show_summary(MIXED, target_hint=" --to postgresql://ana:***@db/bi")
    told = capsys.readouterr()

    lines = told.out.splitlines()
    assert lines[0] == "shop → schema shop"
    table = lines[: lines.index("fire extinguishers: " + LEAK.replace("secret", "***"))]
    assert max(map(len, table)) <= 100
    orders, total = (
        next(line.split() for line in table if line.startswith(word))
        for word in ("orders", "total")
    )
    assert orders == ["orders", "1,080,214", "1,080,211", "0", "0", "0", "3", "0.0"]
    assert total == ["total", "1,080,223", "1,080,211", "4", "5", "2", "3", "12.3"]
    assert "→ fire_extinguishers" in lines
    assert "fire extinguishers: 1 value discarded, as --contract asks" in lines
    assert "fire extinguishers: new column column0 text for field field0" in lines
    assert "fire extinguishers: and 2 more changes of its columns, see --json" in lines
    assert any(line.startswith("6 values kept by value, not by byte") for line in lines)
    assert lines[-1] == "next: landbridge quarantine list --to postgresql://ana:***@db/bi"
    assert told.err.splitlines()[0].startswith("error: shop.upstreamtransportations: no answer")
    assert "secret" not in told.out + told.err


def test_the_json_of_a_summary_is_that_of_the_design_without_passwords() -> None:
    text = json.dumps(summary_document(MIXED))

    assert "secret" not in text and "ana:***@db" in text
    report = json.loads(text)
    assert report["status"] == "failed"
    assert {
        "stream", "table", "database", "collection", "target_schema", "target_table", "method",
        "load", "read", "inserted", "updated", "unchanged", "deleted", "quarantined", "events",
        "discarded", "by_value", "without_key", "schema_changes", "consistent_at", "seconds",
        "error",
    } <= report["streams"][0].keys()  # fmt: skip


def test_a_plan_shows_columns_and_says_that_they_come_from_a_sample(
    capsys: pytest.CaptureFixture[str],
) -> None:
    columns = (
        PlannedColumn("_id", "text", "_id"),
        PlannedColumn("address_city", "text", "address.city"),
    )
    plan = StreamPlan(
        "shop.orders", "shop.orders", "overwrite", "small", 1200, 3_400_000, 1000, False, columns,
        ("CREATE TABLE shop.orders (...)",),
    )  # fmt: skip
    show_plan(SyncPlan((plan,)))

    out = capsys.readouterr().out
    assert "about 1,200 documents, 3.2 MB; overwrite into a new table; layout small" in out
    assert "address_city  text  field address.city" in out
    assert "nothing was touched" in out and "sample" in out and "CREATE TABLE" in out


def test_entries_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    entry = QuarantineEntry(
        7, "shop.orders", "shop.orders", '"\x1b[2J"', "notes", "nul", "holds \x00", True, "r1",
        "2026-03-02T08:14:00Z", '{"_id": "\x1b[2J"}',
    )  # fmt: skip
    show_entries([entry])
    show_entry(entry)

    out = capsys.readouterr().out
    assert "\x1b" not in out and "\x00" not in out
    assert "its older row left the table" in out
    assert '{"_id": "\\x1b[2J"}' in out


def test_figures_are_written_for_people() -> None:
    assert [duration(s) for s in (0.42, 12.4, 200, 7500)] == [
        "0.4 s",
        "12 s",
        "3 min 20 s",
        "2 h 5 min",
    ]
    assert [size(n) for n in (812, 3_500_000, 1 << 40)] == ["812 B", "3.3 MB", "1.0 TB"]
    assert printable("a\tb\r\x9b") == "a\tb\\x0d\\x9b"


def test_changes_of_the_log_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    summary = Summary(
        streams=(
            stream("a", "a", Tally(read=2, updated=2), events=1200),
            stream("b", "b", Tally(read=1, inserted=1), events=34),
        )
    )
    show_summary(summary, target_hint="")
    assert "1,234 changes of the log applied (by collection in --json)" in capsys.readouterr().out
