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

FOLDER = Path(data.__file__).parent
PROGRAM = """
import sys
from pathlib import Path
from landbridge import bridge
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
