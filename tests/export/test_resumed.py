"""kill -9 of an export at any step, then the same command: nothing is lost, nothing is twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.export.archives import Mongo, lines_in, lines_of, manifest_of

from landbridge import bridge
from landbridge.engine import archiving
from landbridge.errors import ArchiveError, ArchiveTakenError, BusyError
from landbridge.files import open_store
from landbridge.files.progress import PROGRESS_NAME
from landbridge.model.archive import Compression

SEED = int(os.environ.get("LANDBRIDGE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
KILLS = int(os.environ.get("LANDBRIDGE_TEST_KILLS", "2"))
COUNTS = {"a": 120, "b": 0, "c": 130}
MIDDLE: list[int] = []  # a step in the middle of c, once it is found


def fill(mongo: Mongo) -> None:
    """Fill some collections; some documents can't be written as JSON."""
    for name, count in COUNTS.items():
        mongo.create_collection(name)
        if count:
            mongo[name].insert_many({"_id": n, "text": f"{name} {n}"} for n in range(count))


def run_child(source: str, out: Path, compress: str, step: int) -> subprocess.CompletedProcess[str]:
    """Export in a process of its own, which dies at that step; 0: never."""
    command = [sys.executable, "-m", "tests.export.child", source, str(out), compress, str(step)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def assert_whole(mongo: Mongo, out: Path, compress: Compression) -> None:
    """Check that an archive holds every document once, and tells the truth."""
    manifest = manifest_of(str(out))
    assert {file.collection for file in manifest.files} == set(COUNTS)
    for file in manifest.files:
        assert Counter(lines_in(str(out), file.name)) == lines_of(mongo, file.collection)
    assert manifest.compression == compress
    assert not list(out.glob("*.part"))


@pytest.mark.parametrize("compress", ["none", "zstd", "gzip"])
def test_an_export_killed_anywhere_is_gone_on_with(
    mongo: Mongo, mongo_uri: str, tmp_path: Path, compress: Compression
) -> None:
    fill(mongo)
    chance = random.Random(f"{SEED} {compress}")
    print(f"LANDBRIDGE_TEST_SEED={SEED}")
    done = run_child(mongo_uri, tmp_path / "whole", compress, 0)
    assert done.returncode == 0, done.stderr
    for number in range(KILLS):
        out = tmp_path / str(number)
        for step in chance.sample(range(1, int(done.stdout) + 1), 2):
            killed = run_child(mongo_uri, out, compress, step)
            assert killed.returncode in (0, -signal.SIGKILL), killed.stderr
            if killed.returncode == 0:
                break
        else:
            last = bridge.export(mongo_uri, str(out), compress=compress)
            assert last.error is None, last
        assert_whole(mongo, out, compress)


def test_finished_files_are_kept_and_unfinished_ones_go_on_at_their_place(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    progress = killed_in_the_middle_of_c(mongo_uri, tmp_path)
    written = [progress["safe"][name]["file"]["documents"] for name in ("a", "b", "c")]
    assert written[:2] == [120, 0] and 0 < written[2] < 130
    first = (tmp_path / "a.jsonl").stat().st_mtime_ns

    summary = bridge.export(mongo_uri, str(tmp_path))

    assert summary.error is None
    assert [one.kept for one in summary.files] == [True, True, False]
    assert (tmp_path / "a.jsonl").stat().st_mtime_ns == first
    assert_whole(mongo, tmp_path, "none")
    manifest = manifest_of(str(tmp_path))
    assert manifest.started_at == progress["started_at"]
    assert {file.consistent_at for file in manifest.files} == {progress["cluster_time"]}
    log = (tmp_path / "export.log").read_text()
    assert log.count("c: goes on") == 1 and "export of" in log and "goes on" in log


def test_a_file_that_goes_on_at_the_same_time_does_not_see_later_writes(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    killed_in_the_middle_of_c(mongo_uri, tmp_path)
    expected = lines_of(mongo, "c")
    mongo["c"].update_many({}, {"$set": {"text": "changed"}})
    mongo["c"].insert_one({"_id": 1000})

    assert bridge.export(mongo_uri, str(tmp_path)).error is None

    assert Counter(lines_in(str(tmp_path), "c.jsonl")) == expected


def test_what_goes_on_after_the_history_ended_is_not_of_one_moment_and_says_so(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    progress = killed_in_the_middle_of_c(mongo_uri, tmp_path)
    path = tmp_path / PROGRESS_NAME
    path.write_text(path.read_text().replace(progress["cluster_time"], "1:1"))
    mongo["c"].insert_one({"_id": 1000, "text": "later"})

    assert bridge.export(mongo_uri, str(tmp_path)).error is None

    assert_whole(mongo, tmp_path, "none")
    files = {file.collection: file for file in manifest_of(str(tmp_path)).files}
    assert files["a"].consistent_at == "1:1"
    assert files["c"].consistent_at is None
    assert any("as of 1:1" in note for note in files["c"].notes)


def test_a_place_in_the_storage_of_another_member_is_not_trusted(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    for change in ("member", "uuid", "last_id"):
        out = tmp_path / change
        progress = killed_in_the_middle_of_c(mongo_uri, out)
        safe = progress["safe"]["c"]
        # The place that follows another document would leave out those between.
        other = "0e000000105f69640005000000" + "00"
        safe[change] = other if change == "last_id" else "elsewhere"
        (out / PROGRESS_NAME).write_text(json.dumps(progress))
        assert bridge.export(mongo_uri, str(out)).error is None
        assert_whole(mongo, out, "none")
        assert manifest_of(str(out)).files[2].documents == 130


def test_another_export_does_not_go_on_with_it(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    killed_in_the_middle_of_c(mongo_uri, tmp_path)
    other: list[dict[str, Any]] = [
        {"compress": "zstd"}, {"query": '{"a": 1}'}, {"select": ["a"]},
    ]  # fmt: skip
    for options in other:
        with pytest.raises(ArchiveTakenError, match="asked for something else"):
            bridge.export(mongo_uri, str(tmp_path), **options)


def test_a_file_that_lost_bytes_is_told(mongo: Mongo, mongo_uri: str, tmp_path: Path) -> None:
    fill(mongo)
    killed_in_the_middle_of_c(mongo_uri, tmp_path)
    with (tmp_path / "c.jsonl.part").open("r+b") as file:
        file.truncate(10)
    summary = bridge.export(mongo_uri, str(tmp_path))
    assert summary.error is not None and "10 of the" in summary.error["message"]

    (tmp_path / PROGRESS_NAME).write_text("{")
    with pytest.raises(ArchiveError, match="can't be understood"):
        bridge.export(mongo_uri, str(tmp_path))


def test_two_exports_into_one_folder_do_not_meet(
    mongo: Mongo, mongo_uri: str, tmp_path: Path
) -> None:
    fill(mongo)
    store = open_store(str(tmp_path))
    with store.held(), pytest.raises(BusyError, match="another command is writing there"):
        bridge.export(mongo_uri, str(tmp_path))
    assert bridge.export(mongo_uri, str(tmp_path)).error is None


def test_rejected_documents_are_beside_a_file_once_after_a_crash(
    mongo: Mongo, mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mongo["a"].insert_many({"_id": n, "x": {"$oid": n} if n % 3 else n} for n in range(300))
    monkeypatch.setattr(archiving, "PART_SECONDS", 0.0)
    done = []

    class Lost(Exception):
        pass

    def lose(*args: object) -> None:
        done.append(args)
        if len(done) == 5:
            raise Lost

    with monkeypatch.context() as patch:
        patch.setattr("landbridge.bridge.exporting.collection._Attempt._on_progress", lose)
        failed = bridge.export(mongo_uri, str(tmp_path), batch_size=30)
    assert failed.error is not None and "Lost" in failed.error["message"]

    summary = bridge.export(mongo_uri, str(tmp_path), batch_size=30)

    assert summary.error is not None and summary.error["code"] == "documents_rejected"
    (file,) = manifest_of(str(tmp_path)).files
    assert (file.documents, file.rejected) == (100, 200)
    entries = [json.loads(line) for line in (tmp_path / "a.rejected.jsonl").open()]
    assert len({entry["document_id"] for entry in entries}) == 200


def killed_in_the_middle_of_c(source: str, out: Path) -> dict[str, Any]:
    """Let an export die when a part of the last collection is safe; return its progress."""
    steps = MIDDLE or range(60, 0, -1)
    for step in steps:
        here = out.with_name(f"{out.name}-{step}")
        run_child(source, here, "none", step)
        left = here / PROGRESS_NAME
        progress = json.loads(left.read_text()) if left.exists() else {"safe": {}}
        safe = progress["safe"].get("c")
        if safe is not None and 0 < safe["file"]["documents"] < COUNTS["c"]:
            MIDDLE[:] = [step]  # the same in every run: one collection at a time
            out.rmdir() if out.exists() else None
            here.rename(out)
            return dict(progress)
    raise AssertionError("no step is in the middle of it")
