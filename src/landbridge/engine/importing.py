"""The import of one collection into tables that people made, batch by batch.

For       `import --mapping`.
Touches   The state, through the target's session; its ends by their ports.
Promises  read = inserted + updated + unchanged + quarantined. A batch that the server refuses is
          halved until the documents are found that it refuses; the others are written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from landbridge.codec import extended_json, id_text
from landbridge.engine.import_ids import Repeated
from landbridge.errors import InterruptedRunError, RetryableError, ViolationError
from landbridge.mapping.conversion import Converter
from landbridge.model.amounts import count_of
from landbridge.model.batch import Batch
from landbridge.model.importing import (
    Fault,
    Mapped,
    OnError,
    RowCounts,
    RowWriter,
    StreamShape,
    Violation,
    Violations,
    Written,
)
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, Progress, StreamSummary, Tally
from landbridge.model.tables import Session
from landbridge.state import imports, leases, quarantine, runs, streams
from landbridge.state.leases import Holder
from landbridge.state.quarantine import Rejected
from landbridge.state.streams import StreamKey, StreamRecord

BATCH_TRIES_MAX = 5
TRY_SECONDS = (0.05, 0.2, 1.0, 2.0)
NOTES_MAX = 5  # of batches, in one report; the log has all
REASON_MAX = 1000

_log = logging.getLogger("landbridge")


@dataclass(frozen=True, slots=True)
class ImportJob:
    """One collection of an import: what to do, and everything it is done with."""

    source: Source
    converter: Converter
    writer_for: Callable[[Session, StreamRecord], RowWriter]
    key: StreamKey
    settings: dict[str, Any]
    fingerprint: bytes
    run: str
    holder: Holder
    pids: Callable[[], list[int]]
    observer: Observer
    stopping: Callable[[], bool]
    batch_size: int = 500
    on_error: OnError = "continue"
    snapshot: bool = False
    repeated: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def shape(self) -> StreamShape:
        """What the collection fills."""
        return self.converter.shape


@dataclass(slots=True)
class Account:
    """What an import did so far."""

    tally: Tally = field(default_factory=Tally)
    rows: dict[str, RowCounts] = field(default_factory=dict)
    violations: Violations = field(default_factory=Violations)
    notes: list[str] = field(default_factory=list)
    noted: int = 0
    bytes: int = 0
    nulled: dict[str, int] = field(default_factory=dict)

    def add(self, written: Written) -> None:
        """Count a batch in."""
        self.tally += Tally(
            inserted=written.inserted, updated=written.updated, unchanged=written.unchanged
        )
        for table, counts in written.rows.items():
            mine = self.rows.setdefault(table, RowCounts())
            mine.inserted += counts.inserted
            mine.updated += counts.updated
            mine.unchanged += counts.unchanged
            mine.deleted += counts.deleted
        for column, count in written.nulled.items():
            self.nulled[column] = self.nulled.get(column, 0) + count

    def all_notes(self) -> tuple[str, ...]:
        """Return what is to be said of the import."""
        notes = [
            f"{column}: {count_of(count, 'reference')} to documents that are not there: set to NULL"
            for column, count in sorted(self.nulled.items())
        ]
        if self.noted > NOTES_MAX:
            notes.append(f"batches like these that are not shown: {self.noted - NOTES_MAX}")
        return (*self.notes, *notes)


@dataclass(slots=True)
class Import:
    """An import under way; `record` is its stream, held alone."""

    job: ImportJob
    session: Session
    record: StreamRecord
    account: Account = field(default_factory=Account)
    began: float = field(default_factory=time.monotonic)

    def set_aside(self, documents: Sequence[Mapped]) -> None:
        """Put documents into quarantine with their faults.

        Raises:
            ViolationError: the import was to stop at the first.

        """
        if not documents:
            return
        if self.job.on_error == "stop":
            raise stopped_at(self.job.source.collection.stream, documents[0])
        generation = self.record.generation + 1
        entries = [rejected(document) for document in documents]
        quarantine.add(self.session.connection, self.record.id, generation, self.job.run, entries)
        for document in documents:
            self.account.violations.add(document)
        self.account.tally += Tally(quarantined=len(documents))

    def summary(self) -> StreamSummary:
        """Return what was done so far, as the report has it."""
        collection, account = self.job.source.collection, self.account
        return StreamSummary(
            database=collection.database,
            collection=collection.name,
            target_schema=self.job.key.target_schema,
            target_table=self.job.key.target_table,
            method="import",
            load="upsert",
            tally=account.tally,
            notes=account.all_notes(),
            seconds=time.monotonic() - self.began,
            rows={table: asdict(counts) for table, counts in account.rows.items()},
            violations=tuple(account.violations.to_json()),
        )


def rejected(document: Mapped) -> Rejected:
    """Return a document to set aside, with its reasons in words."""
    first = document.faults[0]
    reasons = [
        f"{fault.table}.{fault.column}: {fault.reason}" if fault.column else fault.reason
        for fault in document.faults
    ]
    return Rejected(
        document.document,
        document.source_id if document.text else id_text(document.document),
        document.text or extended_json(document.document),
        first.path,
        first.problem,
        "; ".join(reasons)[:REASON_MAX],
    )


def stopped_at(stream: str, document: Mapped) -> ViolationError:
    """Return the error of an import that stops at the first document that doesn't fit."""
    fault = document.faults[0]
    where = f", field {fault.path}" if fault.path else ""
    return ViolationError(
        f"{stream} was not imported to its end",
        why=f"document {document.source_id}{where}: {fault.table}.{fault.column}: {fault.reason}",
        fix="mend the document or the mapping and start again, or go on with --on-error continue",
    )


def begin(job: ImportJob, session: Session) -> Import:
    """Take the collection's stream.

    Raises:
        BusyError: a living run holds it.

    """
    connection = session.connection
    stream_id = imports.enter(
        connection,
        job.key,
        source=job.source.identity,
        settings=job.settings,
        fingerprint=job.fingerprint,
    )
    leases.acquire(connection, stream_id, job.holder, job.pids(), job.source.collection.stream)
    record = streams.raise_epoch(connection, stream_id)
    quarantine.discard_unpublished(connection, stream_id, record.generation)
    return Import(job, session, record)


def load(work: Import) -> None:
    """Read the collection and write its rows.

    Raises:
        ViolationError: a document doesn't fit, and the import was to stop there.

    """
    job = work.job
    writer = job.writer_for(work.session, work.record)
    name = job.source.collection.stream
    total = job.source.collection.documents
    with job.source.read(snapshot=job.snapshot) as read:
        documents = converted(work, read)
        number = 0
        while batch := list(islice(documents, job.batch_size)):
            number += 1
            if job.stopping():
                raise InterruptedRunError(
                    f"{name} was not finished",
                    why="the run was asked to stop",
                    fix="start the same command again: what is written stays, and is not repeated",
                )
            _write_batch(work, writer, batch, number)
            read_so_far = work.account.tally.read
            job.observer(Progress(name, "reading", read_so_far, total, work.account.bytes))
    writer.advance_sequences()


def converted(work: Import, read: Iterable[Batch]) -> Iterator[Mapped]:
    """Yield the documents of a read with their rows or their faults."""
    repeated = Repeated(work.job.repeated, work.job.shape)
    for batch in read:
        work.account.bytes += batch.bytes
        yield from repeated.judged(work.job.converter.convert(batch))


def _write_batch(work: Import, writer: RowWriter, batch: list[Mapped], number: int) -> None:
    account = work.account
    first = account.tally.read + 1
    before = account.tally.quarantined
    faulty = [document for document in batch if document.faults]
    work.set_aside(faulty)
    good = [document for document in batch if not document.faults] if faulty else batch
    kept_out: list[Mapped] = []
    if good:
        _write(work, writer, good, kept_out)
    work.set_aside(kept_out)
    account.tally += Tally(read=len(batch))
    aside = account.tally.quarantined - before
    if aside:
        account.noted += 1
        named = (faulty + kept_out)[0]
        fault: Fault = named.faults[0]
        text = (
            f"batch {number} (documents {first} to {account.tally.read}): {aside} set aside, the"
            f" first is {named.source_id}: {fault.table}.{fault.column}: {fault.reason}"
        )
        _log.info("%s: %s", work.job.source.collection.stream, text)
        if account.noted <= NOTES_MAX:
            account.notes.append(text)


def _write(
    work: Import, writer: RowWriter, documents: Sequence[Mapped], kept_out: list[Mapped]
) -> None:
    """Write what can be written; the rest is added to `kept_out`."""
    try:
        written = _tried(writer, documents)
    except Violation as violation:
        if len(documents) == 1:
            kept_out.append(documents[0].faulty(violation.fault))
            return
        middle = len(documents) // 2
        _write(work, writer, documents[:middle], kept_out)
        _write(work, writer, documents[middle:], kept_out)
        return
    work.account.add(written)
    kept_out.extend(documents[place].faulty(fault) for place, fault in written.dangling)


def _tried(writer: RowWriter, documents: Sequence[Mapped]) -> Written:
    """Write a batch, again where it met another transaction."""
    for attempt in range(BATCH_TRIES_MAX):
        try:
            return writer.write(documents)
        except RetryableError:
            if attempt == BATCH_TRIES_MAX - 1:
                raise
            time.sleep(TRY_SECONDS[attempt])
    raise AssertionError("the last attempt returns or raises")


def finish(work: Import, error: dict[str, str] | None = None) -> StreamSummary:
    """Write the history, let what was set aside be seen, and give the stream back."""
    summary = work.summary()
    if error is not None:
        # A batch that failed was read, and neither written nor set aside: it is not counted.
        tally = replace(summary.tally, read=summary.tally.accounted)
        summary = replace(summary, tally=tally, error=error)
    connection = work.session.connection
    with work.session.transaction():
        streams.lock_for_publish(connection, work.record)
        imports.publish_quarantine(connection, work.record, whole=error is None)
        runs.record_stream(
            connection,
            work.job.run,
            work.record.id,
            summary,
            layout=None,
            bytes_read=work.account.bytes,
        )
    with suppress(Exception):
        leases.release(connection, work.record.id, work.job.holder)
    work.job.observer(
        Progress(
            work.job.source.collection.stream, "failed" if error else "done", summary.tally.read
        )
    )
    return summary
