"""kill -9 in the middle of an import, then the same command: the table is what the files are."""

from __future__ import annotations

import signal
import subprocess
import sys

import psycopg
import pytest
from tests.archives.conftest import Folder, Import, counts, set_aside, tables

DOCUMENTS = 3000
# Ends itself where the import says that it has come so far.
CHILD = """
import os, signal, sys
from landbridge import bridge
from landbridge.engine import layouts
place, target, phase, tiny = sys.argv[1:]
layouts.TINY_BYTES_MAX = int(tiny)
def observe(progress):
    if progress.phase == phase and (phase != "reading" or progress.documents):
        os.kill(os.getpid(), signal.SIGKILL)
bridge.import_files(place, target, observer=observe)
"""


def lines(version: int) -> list[str]:
    repeated = [f'{{"_id":{n},"v":0}}' for n in range(5)]
    later = [f'{{"_id":{n},"v":{version if n % 2 else 1}}}' for n in range(DOCUMENTS)]
    return [*repeated, "{", *later]


@pytest.mark.parametrize("tiny_bytes", [1 << 24, 1000])
@pytest.mark.parametrize("phase", ["reading", "indexing", "publishing"])
def test_killed_and_run_again(
    folder: Folder,
    load: Import,
    postgres: psycopg.Connection,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    tiny_bytes: int,
) -> None:
    monkeypatch.setattr("landbridge.engine.layouts.TINY_BYTES_MAX", tiny_bytes)
    for version in (1, 2):
        this = Folder(folder.path.with_name(f"version{version}"))
        this.put("users.jsonl", *lines(version))
        this.sign()
        before = counts_of(postgres)
        child = (sys.executable, "-c", CHILD, str(this), postgres_uri, phase, str(tiny_bytes))
        done = subprocess.run(child, capture_output=True, timeout=120)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert counts_of(postgres) == before

        read = {"read": DOCUMENTS + 6, "quarantined": 6}
        half = DOCUMENTS // 2
        first, later = {"inserted": DOCUMENTS}, {"updated": half, "unchanged": half}
        assert counts(load(this), "users") == read | (first if version == 1 else later)
        assert counts_of(postgres) == (DOCUMENTS, half * version + half)
        assert tables(postgres) == ["users"]
        assert len(set_aside(postgres)) == 6
        assert counts(load(this), "users") == read | {"unchanged": DOCUMENTS}


def counts_of(connection: psycopg.Connection) -> tuple[int, int] | None:
    """Return how many rows a reader sees, and the sum of their versions."""
    if "users" not in tables(connection):
        return None
    row = connection.execute("SELECT count(*), sum(v)::bigint FROM shop.users").fetchone()
    assert row is not None
    return row[0], row[1]
