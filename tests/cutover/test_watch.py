"""The day after: rounds that tell what they find, and go on."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run, clean_environment, command_line

import landbridge as library
from landbridge import bridge
from landbridge.bridge import CutoverRequest
from landbridge.model.cutover import Round

Source = Database[dict[str, Any]]
PATIENCE_SECONDS = 60


@pytest.fixture
def shop(mongo: Source, mongo_uri: str, postgres_uri: str) -> CutoverRequest:
    """A source with one collection, and its table."""
    mongo.orders.insert_many([{"_id": number, "total": number} for number in range(300)])
    assert library.sync(mongo_uri, postgres_uri, schema="shop").status == "ok"
    return CutoverRequest(source=mongo_uri, target=postgres_uri, schema="shop")


def ends_of(shop: CutoverRequest) -> tuple[str, ...]:
    return ("--from", shop.source, "--to", shop.target, "--schema", "shop")


def test_each_round_is_told_and_all_equal_is_0(landbridge: Run, shop: CutoverRequest) -> None:
    done = landbridge("cutover", "watch", *ends_of(shop), "--for", "1s", "--every", "0.5s")
    assert done.returncode == 0, done.stderr
    *rounds, last = done.stdout.splitlines()
    assert len(rounds) == 3
    assert all(": EQUAL: 300 documents equal" in line for line in rounds)
    assert last == "EQUAL in 3 rounds"


def test_a_difference_ends_nothing_and_is_1_at_the_end(
    landbridge: Run, shop: CutoverRequest, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    postgres.execute("DELETE FROM shop.orders WHERE _id = 7")
    done = landbridge(
        "cutover", "watch", *ends_of(shop), "--for", "0.6s", "--every", "0.5s", "--json"
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert (report["status"], report["rounds"], len(report["not_equal"])) == ("different", 2, 2)
    assert "round 1: DIFFERENT: orders: 1 missing" in done.stderr
    (log,) = tmp_path.glob("cutover/*/watch.log")
    assert "round 2: different: orders: 1 missing" in log.read_text()


def test_who_still_writes_to_the_source_is_named_round_by_round(
    shop: CutoverRequest, mongo: Source, tmp_path: Path
) -> None:
    rounds: list[Round] = []

    def write_after(found: Round) -> None:
        rounds.append(found)
        for _ in range(found.number):
            mongo.orders.update_one({"_id": 7}, {"$inc": {"total": 0}, "$currentDate": {"t": True}})
            time.sleep(0.002)  # the next date is another one

    bridge.watch_cutover(
        shop, for_seconds=1.0, every_seconds=0.5, mode="count", folder=tmp_path,
        round_observer=write_after,
    )  # fmt: skip
    seen = [[(one.operation, one.count) for one in found.writes] for found in rounds]
    assert seen == [[], [("update", 1)], [("update", 2)]]


def test_a_server_that_is_away_is_a_round_that_failed(
    shop: CutoverRequest, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    statuses: list[str] = []

    def rename(found: Round) -> None:
        statuses.append(found.verification.status)
        if found.number == 1:
            postgres.execute("ALTER SCHEMA shop RENAME TO away")
        elif found.number == 2:
            postgres.execute("ALTER SCHEMA away RENAME TO shop")

    found = bridge.watch_cutover(
        shop, for_seconds=1.0, every_seconds=0.5, mode="count", folder=tmp_path,
        round_observer=rename,
    )  # fmt: skip
    assert statuses[0] == statuses[2] == "equal"
    assert statuses[1] != "equal"
    assert found.status != "equal"


def test_sigterm_ends_it_after_the_round(shop: CutoverRequest, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command_line("cutover", "watch", *ends_of(shop), "--for", "24h", "--every", "30m"),
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
    assert "round 1: EQUAL" in first
    assert out.splitlines()[-1] == "EQUAL in 1 round"
    (report,) = tmp_path.glob("cutover/*/report.json")
    assert json.loads(report.read_text())["rounds"] == 1


def test_another_thread_ends_it(shop: CutoverRequest, tmp_path: Path) -> None:
    ending = Event()
    found = bridge.watch_cutover(
        shop, for_seconds=600, every_seconds=300, mode="count", folder=tmp_path,
        round_observer=lambda _: ending.set(), ending=ending,
    )  # fmt: skip
    assert (found.rounds, found.ended_early) == (1, True)


def test_wrong_spans_are_wrong_use(landbridge: Run, shop: CutoverRequest) -> None:
    done = landbridge("cutover", "watch", *ends_of(shop), "--for", "1h", "--every", "0s")
    assert done.returncode == 2
    assert "a watch needs a time" in done.stderr
