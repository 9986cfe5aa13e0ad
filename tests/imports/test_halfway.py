"""What an import leaves that does not come to its end, and an undo that others come between."""

from __future__ import annotations

import threading
import time
from typing import Any

import psycopg
from pymongo.database import Database
from tests.imports.conftest import Importing, Rows, counts

from landbridge import bridge

Mongo = Database[dict[str, Any]]
TEXT = """
version: 1
schema: public
collections:
  n:
    table: n
    key: {column: id, as: same}
    columns:
      v: {from: v, as: integer}
"""


def test_an_import_that_stops_ends_nothing_that_earlier_ones_set_aside(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, v integer)")
    mongo.n.insert_many({"_id": n, "v": n} for n in range(10))
    mongo.n.update_many({"_id": {"$in": [5, 8]}}, {"$set": {"v": "many"}})
    assert counts(imported(TEXT), "n") == {"read": 10, "inserted": 8, "quarantined": 2}
    held = "SELECT document_id FROM landbridge.quarantine ORDER BY 1"
    success = "SELECT last_success_at FROM landbridge.stream"
    before, at = rows(held), rows(success)
    assert imported(TEXT, on_error="stop", batch_size=2).status == "failed"
    assert (rows(held), rows(success)) == (before, at)
    assert len(bridge.list_quarantine(postgres_uri)) == 2
    assert counts(imported(TEXT), "n") == {"read": 10, "unchanged": 8, "quarantined": 2}
    assert rows(success) != at


def test_a_row_that_is_being_changed_is_not_taken_back(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, v integer)")
    mongo.n.insert_many({"_id": n, "v": n} for n in range(3))
    run = imported(TEXT).run
    undone: list[Any] = []
    with psycopg.connect(postgres_uri) as other:
        other.execute("UPDATE n SET v = 100 WHERE id = 1")
        thread = threading.Thread(
            target=lambda: undone.append(bridge.undo_import(postgres_uri, run))
        )
        thread.start()
        until = time.monotonic() + 30
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while not rows(waiting) and time.monotonic() < until:
            thread.join(0.05)
    thread.join(60)
    assert (undone[0].removed, undone[0].refused_count) == (2, 1)
    assert rows("SELECT id, v FROM n") == [(1, 100)]


def test_what_json_holds_that_is_null_comes_back_as_it_was(
    imported: Importing, mongo: Mongo, postgres: psycopg.Connection, postgres_uri: str, rows: Rows
) -> None:
    postgres.execute("CREATE TABLE n (id integer PRIMARY KEY, v integer, own jsonb, other json)")
    postgres.execute("INSERT INTO n VALUES (1, 5, 'null', 'null'), (2, 5, NULL, '[null]')")
    mongo.n.insert_many({"_id": n, "v": 6} for n in (1, 2))
    run = imported(TEXT)
    assert counts(run, "n") == {"read": 2, "updated": 2}
    assert bridge.undo_import(postgres_uri, run.run).restored == 2
    found = rows("SELECT id, v, own::text, other::text FROM n ORDER BY 1")
    assert found == [(1, 5, "null", "null"), (2, 5, None, "[null]")]
