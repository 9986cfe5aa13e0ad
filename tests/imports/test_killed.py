"""An import that is killed in the middle: the same command again brings it to its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
from pymongo.database import Database
from tests.imports.conftest import Importing, counts
from tests.realestate import data
from tests.realestate.data import TABLES, fill

from landbridge import bridge
from landbridge.model.summary import Progress

FOLDER = Path(data.__file__).parent
PROGRAM = """
import sys
from pathlib import Path
from landbridge import bridge
from landbridge.model.summary import Progress
text = Path(sys.argv[3]).read_text()
bridge.import_mapped(sys.argv[1], text, source=sys.argv[2], batch_size=20)
"""


def test_kill_and_again(
    imported: Importing,
    mongo: Database[dict[str, Any]],
    mongo_uri: str,
    postgres: psycopg.Connection,
    postgres_uri: str,
) -> None:
    postgres.execute((FOLDER / "schema.sql").read_text().encode())
    filled = fill(mongo, scale=150)
    mapping = FOLDER / "mapping.yml"
    reached = 0
    for wanted in (40, 200, 500):  # rows that are in when it is killed
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, postgres_uri, mongo_uri, str(mapping)],
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < until:
            row = postgres.execute(
                'SELECT (SELECT count(*) FROM "User") + (SELECT count(*) FROM "Property")'
                ' + (SELECT count(*) FROM "Inquiry")'
            ).fetchone()
            assert row is not None
            reached = row[0]
            if reached >= wanted:
                break
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    assert reached > 0
    summary = imported(mapping.read_text())
    for collection in TABLES:
        found = counts(summary, collection)
        assert found["quarantined"] == filled.faults(collection)
        assert found["read"] == filled.documents[collection]
    for table, rows in filled.rows.items():
        assert postgres.execute(
            psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
        ).fetchone() == (rows,)
    again = imported(mapping.read_text())
    assert all(stream.tally.updated == stream.tally.inserted == 0 for stream in again.streams)
    runs = postgres.execute(
        "SELECT id::text FROM landbridge.run WHERE command = 'import' ORDER BY started_at DESC"
    ).fetchall()
    for (run,) in runs[1:]:  # each took its part, the killed ones too
        assert bridge.undo_import(postgres_uri, run).status == "ok"
    for table in filled.rows:
        assert postgres.execute(
            psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
        ).fetchone() == (0,)


def test_a_lost_connection_is_opened_again(
    imported: Importing, mongo: Database[dict[str, Any]], postgres: psycopg.Connection
) -> None:
    postgres.execute((FOLDER / "schema.sql").read_text().encode())
    filled = fill(mongo, scale=60)
    cut: list[str] = []

    def cut_once(progress: Progress) -> None:
        if progress.stream.endswith(".properties") and not cut and progress.documents >= 40:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name LIKE 'landbridge %'"
            )
            cut.append(progress.stream)

    summary = imported(FOLDER.joinpath("mapping.yml").read_text(), batch_size=20, observer=cut_once)
    assert cut and summary.status == "ok"
    for collection in TABLES:
        assert counts(summary, collection)["quarantined"] == filled.faults(collection)
    for table, rows in filled.rows.items():
        assert postgres.execute(
            psycopg.sql.SQL("SELECT count(*) FROM {}").format(psycopg.sql.Identifier(table))
        ).fetchone() == (rows,)
