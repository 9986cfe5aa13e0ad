"""Quarantine: what was set aside, shown and tried again.

For       `landbridge quarantine list|show|retry`, and notebooks.
Touches   The state; a retry also the tables.
Promises  An entry ends only when its document became a row.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from landbridge.bridge.run import begun, error_of, finish, job_of, silent
from landbridge.codec import batch_of
from landbridge.engine import full
from landbridge.engine.memory import MemorySource
from landbridge.errors import LandbridgeError, UsageError
from landbridge.model.amounts import count_of
from landbridge.model.report import QuarantineEntry
from landbridge.model.settings import Contract, Nul, Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, StreamSummary, Summary
from landbridge.model.tables import Session, TableName
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import migrate, quarantine, streams


def list_quarantine(
    target: str, *, stream: str | None = None, limit: int = 100
) -> list[QuarantineEntry]:
    """Return the documents that were set aside, the oldest first."""
    with _state(target) as session:
        if not migrate.is_installed(session.connection):
            return []
        return quarantine.entries(session.connection, stream=stream, limit=limit)


def show_quarantine(target: str, entry: int) -> QuarantineEntry:
    """Return one entry with its whole document.

    Raises:
        UsageError: there is no such entry.

    """
    with _state(target) as session:
        found = None
        if migrate.is_installed(session.connection):
            found = quarantine.entry(session.connection, entry)
    if found is None:
        raise UsageError(
            f"there is no quarantine entry {entry}",
            why="it was never made, or a later good version of its document closed it",
            fix="list what there is with landbridge quarantine list",
        )
    return found


@contextmanager
def _state(target: str) -> Iterator[Session]:
    database = Target(target, "landbridge", 1)
    try:
        with faults.translated("the quarantine cannot be read"), database.session() as session:
            yield session
    finally:
        database.close()


def retry_quarantine(
    target: str,
    *,
    entries: Sequence[int] = (),
    stream: str | None = None,
    nul: Nul | None = None,
    contract: Contract | None = None,
    observer: Observer | None = None,
) -> Summary:
    """Try to turn documents that were set aside into rows.

    The settings are those of their stream's last load, but for `nul` and `contract` where given.
    Those that fit now are loaded and their entries closed; the others stay, with their reason.
    """
    chosen: dict[str, Any] = {"nul": nul, "contract": contract}
    chosen = {name: choice for name, choice in chosen.items() if choice is not None}
    began = time.monotonic()
    done: list[StreamSummary] = []
    notes: tuple[str, ...] = ()
    with begun(target, "quarantine retry", observer or silent) as run:
        with run.target.session() as session:
            waiting = quarantine.waiting(session.connection, stream=stream, ids=entries)
            imported = quarantine.of_imports(session.connection, stream=stream)
        for held in waiting:
            source = _held_source(held)
            table = TableName(held.key.target_schema, held.key.target_table)
            settings = replace(_settings_of(held), full_refresh=False, **chosen)
            try:
                with faults.translated(f"{held.key.collection} could not be retried"):
                    with run.target.session() as session:
                        taken = streams.table_names(session.connection, table.schema).values()
                    job = job_of(run, source, table, set(taken), settings)
                    done.append(full.retry(job, [number for number, _ in held.documents]))
            except LandbridgeError as failure:
                done.append(
                    StreamSummary(
                        database=held.key.database,
                        collection=held.key.collection,
                        target_schema=table.schema,
                        target_table=table.name,
                        load=settings.load,
                        error=failure.to_json(),
                    )
                )
        error = error_of(done)
        finish(run, error)
    if imported:
        notes = (
            f"{count_of(imported, 'document')} set aside by imports with a mapping: mend them, or"
            " the mapping, and import again",
        )
    return Summary(tuple(done), time.monotonic() - began, error, run.id, notes)


def _held_source(held: quarantine.Held) -> MemorySource:
    documents = [document for _, document in held.documents]
    collection = Collection(
        held.key.database,
        held.key.collection,
        "collection" if held.keyed else "view",
        documents=len(documents),
        bytes=0,
    )
    batches = [batch_of(documents)] if documents else []
    return MemorySource(collection, "quarantine", batches)


def _settings_of(held: quarantine.Held) -> Settings:
    settings = Settings.from_json(held.settings)
    return settings if settings.load == "append" else replace(settings, load="upsert")
