"""What landbridge remembers of imports into tables that people made.

For       The import through a mapping, and its undo.
Touches   landbridge.stream, id_map, import_journal, import_pending, run.
Promises  An import's stream is its own: no sync takes its table for one that landbridge made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from landbridge.state import leases, quarantine
from landbridge.state.leases import Holder
from landbridge.state.streams import StreamKey, StreamRecord

Connection = psycopg.Connection[Any]

JOURNAL_DAYS = 30  # how long an import can be taken back


def enter(
    connection: Connection,
    key: StreamKey,
    *,
    source: str,
    settings: dict[str, Any],
    fingerprint: bytes,
) -> int:
    """Return the id of a collection's import into a schema, made if it is new."""
    row = connection.execute(
        "INSERT INTO landbridge.stream (source, database, collection, target_schema, target_table,"
        " method, load, settings, fingerprint)"
        " VALUES (%s, %s, %s, %s, %s, 'import', 'upsert', %s, %s)"
        " ON CONFLICT (target_schema, database, collection) WHERE method = 'import' DO UPDATE"
        " SET source = excluded.source, target_table = excluded.target_table,"
        " settings = excluded.settings, fingerprint = excluded.fingerprint RETURNING id",
        (
            source,
            key.database,
            key.collection,
            key.target_schema,
            key.target_table,
            Jsonb(settings),
            fingerprint,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def publish_quarantine(connection: Connection, stream: StreamRecord, *, whole: bool) -> None:
    """Let what this run set aside be seen; belongs in a transaction of its own.

    `whole`: all documents were met, and what earlier runs set aside ends. Else it does not: of the
    documents that were not met nothing is known.
    """
    generation = stream.generation + 1
    if not whole:
        quarantine.join_published(connection, stream.id, stream.generation)
        return
    quarantine.supersede(connection, stream.id, generation)
    connection.execute(
        "UPDATE landbridge.stream SET generation = %s, last_success_at = now()"
        " WHERE id = %s AND epoch = %s",
        (generation, stream.id, stream.epoch),
    )


def forget_old(connection: Connection) -> None:
    """Delete the journals of imports that are too old to be taken back, and what crashes left."""
    connection.execute(
        "DELETE FROM landbridge.import_journal WHERE run_id IN (SELECT id FROM landbridge.run"
        " WHERE started_at < now() - make_interval(days => %s))",
        (JOURNAL_DAYS,),
    )
    for table in ("import_pending", "import_doomed"):
        connection.execute(
            sql.SQL(
                "DELETE FROM {} p WHERE NOT EXISTS"
                " (SELECT FROM landbridge.lease l WHERE l.holder->>'run' = p.run_id::text)"
            ).format(sql.Identifier("landbridge", table))
        )


def forget_pending(connection: Connection, run: str) -> None:
    """Delete what a run noted of references, before it begins a group of collections again."""
    connection.execute("DELETE FROM landbridge.import_pending WHERE run_id = %s", (run,))
    connection.execute("DELETE FROM landbridge.import_doomed WHERE run_id = %s", (run,))


@dataclass(frozen=True, slots=True)
class ImportRun:
    """An import, as the history knows it."""

    id: str
    command: str
    finished: bool
    undone_at: str | None
    journalled: int


def find_run(connection: Connection, run: str) -> ImportRun | None:
    """Return a run by its id, None where there is none."""
    row = connection.execute(
        "SELECT r.id::text, r.command, r.finished_at IS NOT NULL, r.undone_at::text,"
        " (SELECT count(*) FROM landbridge.import_journal j WHERE j.run_id = r.id)"
        " FROM landbridge.run r WHERE r.id::text = %s",
        (run,),
    ).fetchone()
    return None if row is None else ImportRun(*row)


def mark_undone(connection: Connection, run: str) -> None:
    """Write that an import was taken back; what it set aside goes with it."""
    connection.execute(
        "DELETE FROM landbridge.quarantine q USING landbridge.stream s"
        " WHERE s.id = q.stream_id AND s.method = 'import' AND q.run_id = %s",
        (run,),
    )
    connection.execute("UPDATE landbridge.run SET undone_at = now() WHERE id = %s", (run,))


@contextmanager
def held(
    connection: Connection, run: str, holder: Holder, pids: Callable[[], list[int]]
) -> Iterator[None]:
    """Hold every stream of an import, so that no other run works on them meanwhile.

    Raises:
        BusyError: a living run holds one.

    """
    rows = connection.execute(
        "SELECT s.id, s.database || '.' || s.collection FROM landbridge.stream s"
        " WHERE s.method = 'import' AND EXISTS (SELECT FROM landbridge.import_journal j"
        " WHERE j.run_id = %s AND j.table_schema = s.target_schema AND j.collection = s.collection)"
        " ORDER BY s.id",
        (run,),
    ).fetchall()
    try:
        for number, name in rows:
            leases.acquire(connection, number, holder, pids(), name)
        yield
    finally:
        with suppress(Exception):
            leases.release_all(connection, holder)
