"""The cutover: GO only where everything holds, and writes are on again whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.cli.process import Run, clean_environment, command_line

import landbridge as library
from landbridge import bridge
from landbridge.bridge import CutoverRequest
from landbridge.model.cutover import Outcome, Step

Source = Database[dict[str, Any]]
PATIENCE_SECONDS = 60
QUIET = ("--quiet-for", "0.5s")
HOOKS = (
    "--on-freeze", "echo frozen >> hooks",
    "--on-unfreeze", 'echo "unfrozen $LANDBRIDGE_VERDICT" >> hooks',
)  # fmt: skip


def fill(source: Source) -> None:
    source.orders.insert_many([{"_id": number, "total": number / 4} for number in range(500)])
    source.customers.insert_many([{"_id": f"c{number}", "city": "Graz"} for number in range(20)])


@pytest.fixture
def ends(mongo: Source, mongo_uri: str, postgres_uri: str) -> tuple[str, ...]:
    """A source with two collections, and an empty target, as flags."""
    fill(mongo)
    return ("--from", mongo_uri, "--to", postgres_uri)


@pytest.fixture
def either_ends(either: Source, either_uri: str, postgres_uri: str) -> tuple[str, ...]:
    """The same, on a server with a log and on one without."""
    fill(either)
    return ("--from", either_uri, "--to", postgres_uri)


@pytest.fixture
def shop(mongo: Source, mongo_uri: str, postgres_uri: str) -> CutoverRequest:
    """A source with a log and one collection, loaded once."""
    mongo.orders.insert_many([{"_id": number, "total": number} for number in range(500)])
    assert library.sync(mongo_uri, postgres_uri, schema="shop").status == "ok"
    return CutoverRequest(source=mongo_uri, target=postgres_uri, schema="shop")


def hooks_called(folder: Path) -> list[str]:
    path = folder / "hooks"
    return path.read_text().splitlines() if path.exists() else []


def wait_for(happened: Callable[[], bool]) -> None:
    """Wait until something has happened; fail where it does not."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < ends, "it has not happened"
        time.sleep(0.05)


def go(request: CutoverRequest, tmp_path: Path, **options: Any) -> Outcome:
    """Cut over in this process, with hooks that write down that they were called."""
    chosen: dict[str, Any] = {
        "quiet_seconds": 0.2,
        "on_freeze": f"echo frozen >> {tmp_path / 'hooks'}",
        "on_unfreeze": f'echo "unfrozen $LANDBRIDGE_VERDICT" >> {tmp_path / "hooks"}',
        "folder": tmp_path / "cutover",
    }
    return bridge.cut_over(request, **chosen | options)


# -- GO -----------------------------------------------------------------------------------


def test_a_cutover_loads_compares_says_go_and_keeps_what_speaks_for_it(
    landbridge: Run, either_ends: tuple[str, ...], tmp_path: Path, postgres: psycopg.Connection
) -> None:
    done = landbridge("cutover", "go", *either_ends, "--schema", "shop", *QUIET, *HOOKS)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "GO"
    assert hooks_called(tmp_path) == ["frozen", "unfrozen GO"]
    assert postgres.execute("SELECT count(*) FROM shop.orders").fetchone() == (500,)
    (folder,) = [path for path in (tmp_path / "cutover").iterdir() if path.is_dir()]
    report = json.loads((folder / "report.json").read_text())
    assert (report["verdict"], report["status"]) == ("GO", "ok")
    steps = [step["name"] for step in report["steps"]]
    assert steps == ["look", "freeze", "quiet", "sync", "verify", "still quiet", "unfreeze"]
    assert json.loads((folder / "verification.json").read_text())["status"] == "equal"
    assert "EQUAL" in (folder / "verification.html").read_text()
    log = (folder / "cutover.log").read_text()
    assert log.splitlines()[-1].endswith(" GO")
    password = str(psycopg.conninfo.conninfo_to_dict(either_ends[3])["password"])
    for kept in folder.iterdir():
        assert password not in kept.read_text(), kept.name


def test_a_second_cutover_writes_nothing_and_the_plan_has_measured_the_first(
    landbridge: Run, ends: tuple[str, ...]
) -> None:
    for _ in range(2):
        done = landbridge("cutover", "go", *ends, *QUIET, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert [stream["inserted"] for stream in report["load"]["streams"]] == [0, 0]
    assert report["frozen_seconds"] is None
    plan = json.loads(landbridge("cutover", "plan", *ends, "--json").stdout)
    assert plan["works"]["verify"] is not None
    assert plan["window_seconds"] > 0


def test_tables_are_loaded_again_under_the_settings_they_have(
    shop: CutoverRequest, mongo: Source, tmp_path: Path
) -> None:
    library.sync(shop.source, shop.target, schema="shop", settings=library.Settings(raw="bson"))
    mongo.orders.insert_one({"_id": 1000})
    outcome = go(shop, tmp_path)
    assert outcome.verdict == "GO", outcome.reasons
    assert outcome.load is not None
    (stream,) = outcome.load.streams
    assert (stream.tally.inserted, stream.tally.unchanged) == (1, 500)


def test_tables_that_follow_the_log_need_its_last_entries_only(
    shop: CutoverRequest, mongo: Source, tmp_path: Path
) -> None:
    library.sync(shop.source, shop.target, schema="shop", settings=library.Settings(method="log"))

    def write_before_the_freeze(step: Step) -> None:
        if (step.name, step.status) == ("catch up", "ok"):
            mongo.orders.insert_one({"_id": 1000})

    outcome = go(shop, tmp_path, step_observer=write_before_the_freeze)
    assert outcome.verdict == "GO", outcome.reasons
    assert outcome.load is not None
    (stream,) = outcome.load.streams
    assert (stream.method, stream.tally.read, stream.tally.inserted) == ("log", 1, 1)


def test_a_run_that_follows_is_waited_for(
    shop: CutoverRequest, mongo: Source, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    follower = subprocess.Popen(
        command_line(
            "sync", "--from", shop.source, "--to", shop.target, "--schema", "shop", "--follow"
        ),
        env=clean_environment(),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        has_place = "SELECT count(position) FROM landbridge.stream"
        wait_for(lambda: postgres.execute(has_place).fetchone() == (1,))
        mongo.orders.insert_one({"_id": 1000})
        outcome = go(shop, tmp_path)
    finally:
        follower.terminate()
        follower.wait()
    assert outcome.verdict == "GO", outcome.reasons
    assert outcome.load is not None
    assert outcome.load.streams[0].notes == ("kept up by another run",)


# -- NO-GO --------------------------------------------------------------------------------


def test_a_freeze_that_fails_loads_nothing(
    landbridge: Run, ends: tuple[str, ...], tmp_path: Path, postgres: psycopg.Connection
) -> None:
    done = landbridge(
        "cutover", "go", *ends, *QUIET,
        "--on-freeze", "echo no such flag; exit 3", *HOOKS[2:],
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "NO-GO"
    assert "its exit code is 3; it said: no such flag" in done.stdout
    assert hooks_called(tmp_path) == ["unfrozen NO-GO"]
    assert postgres.execute("SELECT to_regnamespace('landbridge')").fetchone() == (None,)


def test_a_freeze_that_hangs_is_ended(
    landbridge: Run, ends: tuple[str, ...], tmp_path: Path
) -> None:
    done = landbridge(
        "cutover", "go", *ends, *QUIET, "--hook-limit", "1s",
        "--on-freeze", "sleep 600 & echo $! > child; wait", *HOOKS[2:],
    )  # fmt: skip
    assert done.returncode == 1
    assert "it took longer than 1 s and was ended" in done.stdout
    assert hooks_called(tmp_path) == ["unfrozen NO-GO"]
    child = int((tmp_path / "child").read_text())
    wait_for(lambda: not is_alive(child))


def test_an_unfreeze_that_fails_is_told_loudly(landbridge: Run, ends: tuple[str, ...]) -> None:
    done = landbridge("cutover", "go", *ends, *QUIET, *HOOKS[:2], "--on-unfreeze", "false")
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == ("GO, but --on-unfreeze failed: writes may still be off")
    assert "WRITES MAY STILL BE OFF" in done.stdout


def test_somebody_who_still_writes_is_named(
    either_ends: tuple[str, ...], either: Source, tmp_path: Path
) -> None:
    def write(step: Step) -> None:
        if (step.name, step.status) == ("quiet", "running"):
            writer.start()

    over = threading.Event()

    def keep_writing() -> None:
        while not over.wait(0.02):
            either.orders.update_one({"_id": 7}, {"$inc": {"total": 1}})

    writer = threading.Thread(target=keep_writing)
    try:
        outcome = go(
            CutoverRequest(source=either_ends[1], target=either_ends[3]),
            tmp_path, quiet_seconds=1.0, step_observer=write,
        )  # fmt: skip
    finally:
        over.set()
        writer.join()
    assert outcome.verdict == "NO-GO"
    assert outcome.load is None
    assert "of orders" in outcome.reasons[0] and "update" in outcome.reasons[0]
    assert hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"]


def test_what_was_changed_by_hand_in_the_target_is_a_no_go_and_stays(
    shop: CutoverRequest, tmp_path: Path, postgres: psycopg.Connection
) -> None:
    postgres.execute("UPDATE shop.orders SET total = -1 WHERE _id = 7")
    outcome = go(shop, tmp_path)
    assert outcome.verdict == "NO-GO"
    assert outcome.verification is not None
    assert [one.id for one in outcome.verification.streams[0].different] == ['{"$numberInt":"7"}']
    assert outcome.error is not None and "verification.html" in outcome.error["fix"]
    assert postgres.execute("SELECT total FROM shop.orders WHERE _id = 7").fetchone() == (-1,)
    assert hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"]


def test_a_write_between_the_freeze_and_the_verdict_is_a_no_go(
    shop: CutoverRequest, mongo: Source, tmp_path: Path
) -> None:
    def write(step: Step) -> None:
        if (step.name, step.status) == ("still quiet", "running"):
            mongo.orders.insert_one({"_id": 1000})

    outcome = go(shop, tmp_path, step_observer=write)
    assert outcome.verdict == "NO-GO"
    assert outcome.reasons[0].startswith("somebody wrote to the source during the cutover")


def test_documents_set_aside_are_a_no_go_until_the_team_allows_for_them(
    landbridge: Run, ends: tuple[str, ...], mongo: Source
) -> None:
    mongo.customers.insert_one({"_id": "c1000", "note": "\0"})
    done = landbridge("cutover", "go", *ends, *QUIET)
    assert done.returncode == 1
    assert "1 document set aside: 1 of customers; --quarantine-max allows 0" in done.stdout
    allowed = landbridge("cutover", "go", *ends, *QUIET, "--quarantine-max", "1")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr


def test_documents_that_were_set_aside_before_count_by_the_log_too(
    shop: CutoverRequest, mongo: Source, tmp_path: Path
) -> None:
    mongo.orders.insert_one({"_id": 1000, "note": "\0"})
    library.sync(shop.source, shop.target, schema="shop", settings=library.Settings(method="log"))
    outcome = go(shop, tmp_path)
    assert (outcome.verdict, len(outcome.reasons)) == ("NO-GO", 1)
    assert "1 of orders; --quarantine-max allows 0" in outcome.reasons[0]
    assert go(shop, tmp_path, quarantine_max=1).verdict == "GO"


def test_what_a_check_finds_before_is_a_no_go_without_a_freeze(
    landbridge: Run, ends: tuple[str, ...], tmp_path: Path, postgres: psycopg.Connection
) -> None:
    postgres.execute("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int)")
    done = landbridge("cutover", "go", *ends, "--schema", "shop", *QUIET, *HOOKS)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "NO-GO"
    assert "landbridge did not make it" in done.stdout
    assert hooks_called(tmp_path) == []


def test_wrong_use_is_told_and_nothing_is_frozen(
    landbridge: Run, ends: tuple[str, ...], tmp_path: Path
) -> None:
    for wrong in (
        ("--from", "mongodb://127.0.0.1", *ends[2:]),
        (*ends, "--aggregates", "none.yml"),
        (*ends, "--quiet-for", "soon"),
    ):
        done = landbridge("cutover", "go", *wrong, *HOOKS)
        assert done.returncode in (1, 2), done.stdout
        assert "Traceback" not in done.stderr
    assert hooks_called(tmp_path) == []


# -- ended in the middle ------------------------------------------------------------------


@pytest.fixture
def waiting(ends: tuple[str, ...], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A cutover that has frozen, and waits for the source to be quiet for a long time."""
    process = subprocess.Popen(
        command_line("cutover", "go", *ends, "--quiet-for", "10m", *HOOKS),
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(lambda: "quiet: begun" in log_of(tmp_path))
        yield process
    finally:
        process.kill()
        process.communicate()


def log_of(tmp_path: Path) -> str:
    return "".join(path.read_text() for path in tmp_path.glob("cutover/*/cutover.log"))


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_killed_in_the_middle_writes_are_on_again_and_a_second_go_works(
    waiting: subprocess.Popen[str], landbridge: Run, ends: tuple[str, ...], tmp_path: Path
) -> None:
    waiting.send_signal(signal.SIGKILL)
    wait_for(lambda: hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"])
    wait_for(lambda: "its guard calls --on-unfreeze" in log_of(tmp_path))

    again = landbridge("cutover", "go", *ends, *QUIET, *HOOKS)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "an earlier cutover was ended in the middle: see cutover/" in again.stdout
    assert hooks_called(tmp_path)[2:] == ["frozen", "unfrozen GO"]


def killed_at(
    tmp_path: Path, ends: tuple[str, ...], happened: Callable[[], bool], *hooks: str
) -> None:
    """Start a cutover, and kill it once something has happened."""
    process = subprocess.Popen(
        command_line("cutover", "go", *ends, *QUIET, "--hook-limit", "3s", *hooks),
        cwd=tmp_path,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(happened)
    finally:
        process.kill()
        process.wait()


def test_killed_while_it_freezes_the_guard_waits_for_the_freeze(
    ends: tuple[str, ...], tmp_path: Path
) -> None:
    killed_at(
        tmp_path, ends, (tmp_path / "begun").exists,
        "--on-freeze", "touch begun; sleep 1; echo frozen >> hooks", *HOOKS[2:],
    )  # fmt: skip
    wait_for(lambda: hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"])


def test_killed_while_it_unfreezes_after_a_go_the_guard_tells_go(
    ends: tuple[str, ...], tmp_path: Path
) -> None:
    hangs_once = "echo $LANDBRIDGE_VERDICT >> hooks; [ -e once ] || { touch once; sleep 600; }"
    killed_at(tmp_path, ends, (tmp_path / "once").exists, *HOOKS[:2], "--on-unfreeze", hangs_once)
    wait_for(lambda: hooks_called(tmp_path) == ["frozen", "GO", "GO"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_lets_writes_in_first(
    waiting: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    waiting.send_signal(number)
    out, err = waiting.communicate(timeout=PATIENCE_SECONDS)
    assert waiting.returncode == 130
    assert out.splitlines()[-1] == "NO-GO"
    assert "interrupted after: look, freeze; writes are on again" in err
    assert hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"]
    (report,) = tmp_path.glob("cutover/*/report.json")
    assert json.loads(report.read_text())["verdict"] == "NO-GO"


def test_two_cutovers_do_not_meet(
    waiting: subprocess.Popen[str], landbridge: Run, ends: tuple[str, ...], tmp_path: Path
) -> None:
    second = landbridge("cutover", "go", *ends, *QUIET, *HOOKS)
    assert second.returncode == 1
    assert "another cutover is under way" in second.stderr
    assert hooks_called(tmp_path) == ["frozen"]


def test_a_source_that_dies_after_the_freeze_is_a_no_go(
    shop: CutoverRequest, tmp_path: Path, mongo: Source, postgres: psycopg.Connection
) -> None:
    def drop(step: Step) -> None:
        if (step.name, step.status) == ("sync", "running"):
            mongo.client.drop_database(mongo.name)

    outcome = go(shop, tmp_path, step_observer=drop)
    assert outcome.verdict == "NO-GO"
    assert postgres.execute("SELECT count(*) FROM shop.orders").fetchone() == (500,)
    assert hooks_called(tmp_path) == ["frozen", "unfrozen NO-GO"]
    assert os.listdir(tmp_path / "cutover")
