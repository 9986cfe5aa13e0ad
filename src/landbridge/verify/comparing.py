"""Comparing: every document of a collection against every row of its table.

For       The modes `full` and `hash`, which differ in what they look at, not in how.
Touches   Both ends, reading only; the folder of an unfinished verification.
Promises  Each document and each row is looked at, by ranges of ids in parallel where the key
          sorts as MongoDB sorts, else by parts of a hash. What differs is looked at again.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import psycopg

from landbridge.errors import InterruptedRunError, StopError, TableChangedError
from landbridge.model.plan import Plan
from landbridge.model.stream import Collection
from landbridge.model.tables import TableName
from landbridge.model.verification import Checked, Mode, StreamVerdict, VerifyObserver
from landbridge.mongo import catalog as source_catalog
from landbridge.mongo.connect import Connection
from landbridge.postgres import catalog, faults
from landbridge.postgres.connect import Target
from landbridge.state import quarantine
from landbridge.verify import identity, kernel, pairs, ranges, reading
from landbridge.verify.pairs import Pair
from landbridge.verify.progress import Compared, Progress
from landbridge.verify.reading import WHOLE, Range
from landbridge.verify.records import MASK, Joined
from landbridge.verify.second_look import Looker, named
from landbridge.verify.shape import Shape

WORKERS = 3  # ranges at once: two cores are busy while one range waits for a server
PART_BYTES = 32_000_000  # of records that are joined in memory
RECORD_BYTES = 60  # about
PARTS_MAX = 200  # a file each, on either side
NAMED_MAX = 200_000  # differences of a stream; of more, only the number is told

ShapeOf = Callable[[Plan, Sequence[TableName], Sequence[dict[str, str]]], Shape]


@dataclass(slots=True)
class Comparison:
    """One stream under comparison."""

    mongo: Connection
    target: Target
    pair: Pair
    collection: Collection
    shape: Shape
    observer: VerifyObserver | None
    stopping: Callable[[], bool]
    documents: int = 0
    suspected: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def check_stopping(self) -> None:
        """Raise where somebody wants the verification to end."""
        if self.stopping():
            raise InterruptedRunError(
                f"the verification of {self.collection.stream} was ended",
                why="it was asked to stop",
                fix="start the same command again: it goes on where it was",
            )

    def take_suspects(self, count: int) -> int:
        """Count documents that differ; return how many of them are to be named."""
        with self.lock:
            named = max(0, min(count, NAMED_MAX - self.suspected))
            self.suspected += count
            return named

    def seen(self, documents: int) -> None:
        """Count, and tell the observer."""
        with self.lock:
            self.documents += documents
            if self.observer is not None:
                self.observer(
                    Checked(
                        self.collection.stream,
                        self.documents,
                        self.collection.documents,
                        self.suspected,
                    )
                )


def compare(
    mongo: Connection,
    target: Target,
    pair: Pair,
    shape_of: ShapeOf,
    mode: Mode,
    *,
    observer: VerifyObserver | None = None,
    stopping: Callable[[], bool] = lambda: False,
    resume: Path | None = None,
) -> StreamVerdict:
    """Compare a collection with its table.

    Raises:
        StopError: there is no table.
        TableChangedError, UnsupportedError: of `shape_of`.
        InterruptedRunError: `stopping` said so.

    """
    began = time.monotonic()
    with faults.translated(f"cannot compare {pair.table}"):
        pair, shape = _as_it_is(target, pair, shape_of)
        collection = source_catalog.with_sizes(mongo, pair.collection)
        comparison = Comparison(mongo, target, pair, collection, shape, observer, stopping)
        progress = Progress(resume, collection.stream, _identity(comparison, mode))
        taken_up = bool(progress.done)
        if collection.rangeable and identity.ordered(shape):
            done = _by_ranges(comparison, progress)
        else:
            done = [_by_parts(comparison)]
        as_it_is = partial(_as_it_is, target, pair, shape_of)
        verdict = _judge(comparison, done, mode, as_it_is)
        progress.end()
    notes = verdict.notes
    if taken_up:
        notes = (*notes, f"taken up where it was ended; begun at {progress.since}")
    seconds = time.monotonic() - began
    if observer is not None:
        observer(Checked(collection.stream, comparison.documents, collection.documents, done=True))
    return replace(verdict, notes=notes, seconds=seconds)


def _as_it_is(target: Target, pair: Pair, shape_of: ShapeOf) -> tuple[Pair, Shape]:
    """Return a pair and its shape; plan and table are of one moment, or nearly."""
    with target.session() as session:
        tries = 3
        while True:
            now = pairs.again(session.connection, pair)
            try:
                return now, shape_of_pair(session.connection, now, shape_of)
            except TableChangedError:
                tries -= 1
                if not tries:
                    raise
                time.sleep(0.5)  # a run that is just changing it writes both in one transaction


def shape_of_pair(connection: psycopg.Connection[Any], pair: Pair, shape_of: ShapeOf) -> Shape:
    """Return what is to be compared, after a look at the live tables; errors as of `compare`."""
    if pair.plan is None or not pair.plan.main.columns:
        raise _no_table(pair)
    types = []
    for table in pair.tables():
        state = catalog.inspect(connection, table)
        if state is None:
            raise _no_table(pair)
        types.append(state.columns)
    return shape_of(pair.plan, pair.tables(), types)


def _no_table(pair: Pair) -> StopError:
    return StopError(
        f"there is no table of {pair.collection.stream} in the schema {pair.table.schema}",
        why=f"{pair.table} is gone" if pair.plan else "the collection was never loaded there",
        fix="load it first: landbridge sync; or leave it out with --exclude",
    )


def _identity(comparison: Comparison, mode: Mode) -> str:
    """Return what must be the same for a verification to be taken up again."""
    pair = comparison.pair
    facts = (mode, comparison.mongo.identity, pair.collection, pair.table, pair.plan)
    return sha256(repr((*facts, pair.stream_id, pair.generation)).encode()).hexdigest()


# -- by ranges of ids -----------------------------------------------------------------------


def _by_ranges(comparison: Comparison, progress: Progress) -> list[Compared]:
    if progress.ranges is None:
        size = comparison.collection
        with comparison.target.session() as session:
            cut = ranges.split(
                session.connection, comparison.shape, size.documents or 0, size.bytes or 0
            )
        progress.begin(cut, datetime.now(UTC).isoformat(timespec="seconds"))
    assert progress.ranges is not None
    for one in progress.done.values():
        comparison.seen(one.documents)
        comparison.take_suspects(len(one.suspects) + sum(one.unnamed))
    waiting = [
        (number, part) for number, part in enumerate(progress.ranges) if number not in progress.done
    ]
    failed = threading.Event()

    def work(numbered: tuple[int, Range]) -> None:
        if failed.is_set():
            return
        number, part = numbered
        try:
            compared = _range(comparison, number, part)
        except BaseException:
            failed.set()
            raise
        with comparison.lock:
            progress.add(compared)

    with ThreadPoolExecutor(WORKERS, "compare") as executor:
        list(executor.map(work, waiting))
    return [progress.done[number] for number in sorted(progress.done)]


def _range(comparison: Comparison, number: int, part: Range) -> Compared:
    reader = kernel.reader_of(comparison.shape)
    with comparison.target.session() as session:
        target = b"".join(_row_records(comparison, session.connection, reader, part))
    source: list[bytes] = []
    documents = 0
    for records, count in _document_records(comparison, reader, part):
        source.append(records)
        documents += count
    return _joined(comparison, number, documents, kernel.join(b"".join(source), target))


def _joined(comparison: Comparison, number: int, documents: int, joined: Joined) -> Compared:
    differing = (joined.missing, joined.extra, joined.different)
    left = comparison.take_suspects(sum(map(len, differing)))
    suspects: list[str] = []
    unnamed: list[int] = []
    for keys in differing:
        found = [key for key in keys if key]  # without an id nothing can be looked at again
        suspects += (key.hex() for key in found[:left])
        unnamed.append(len(keys) - len(found[:left]))
        left = max(0, left - len(found))
    return Compared(
        number,
        documents,
        joined.equal,
        f"{joined.source_sum:032x}",
        f"{joined.target_sum:032x}",
        tuple(suspects),
        (unnamed[0], unnamed[1], unnamed[2]),
    )


def _row_records(
    comparison: Comparison, connection: psycopg.Connection[Any], reader: kernel.Reader, part: Range
) -> Iterator[bytes]:
    for table in range(len(comparison.shape.tables)):
        for copied in reading.rows(connection, comparison.shape, table, part):
            comparison.check_stopping()
            yield reader.rows(table, copied)


def _document_records(
    comparison: Comparison, reader: kernel.Reader, part: Range
) -> Iterator[tuple[bytes, int]]:
    for batch in reading.documents(comparison.mongo, comparison.collection, part):
        comparison.check_stopping()
        records, count = reader.documents(batch, 0)
        comparison.seen(count)
        yield records, count


# -- by parts of a hash ---------------------------------------------------------------------


class _Parts:
    """Records dealt out by a hash of their keys: in memory where they are few, else on disk."""

    def __init__(self, stack: ExitStack, parts: int) -> None:
        self._count = parts
        self._files: list[IO[bytes]] = []
        for _ in range(parts):
            # Closed by the stack, which the check does not see.
            file = tempfile.SpooledTemporaryFile(2 * PART_BYTES // parts)  # noqa: SIM115
            self._files.append(stack.enter_context(file))

    def add(self, records: bytes) -> None:
        for file, some in zip(self._files, self._dealt(records), strict=True):
            file.write(some)

    def _dealt(self, records: bytes) -> list[bytes]:
        return [records] if self._count == 1 else kernel.split(records, self._count)

    def part(self, number: int) -> bytes:
        file = self._files[number]
        file.seek(0)
        return file.read()


def _by_parts(comparison: Comparison) -> Compared:
    """Read both sides whole, in whatever order they lie."""
    with comparison.target.session() as session:
        rows_there = ranges.rows(session.connection, comparison.shape)
    most = max(comparison.collection.documents or 0, rows_there)  # of a view nothing is known
    count = min(PARTS_MAX, 1 + most * RECORD_BYTES // PART_BYTES)
    with ExitStack() as stack:
        source, target = _Parts(stack, count), _Parts(stack, count)
        documents = 0

        def read_rows() -> None:
            with comparison.target.session() as session:
                reader = kernel.reader_of(comparison.shape)
                for records in _row_records(comparison, session.connection, reader, WHOLE):
                    target.add(records)

        with ThreadPoolExecutor(1, "compare") as executor:
            rows = executor.submit(read_rows)
            reader = kernel.reader_of(comparison.shape)
            for records, number in _document_records(comparison, reader, WHOLE):
                source.add(records)
                documents += number
            rows.result()
        found = [
            _joined(comparison, 0, 0, kernel.join(source.part(part), target.part(part)))
            for part in range(count)
        ]
    return Compared(
        0,
        documents,
        sum(one.equal for one in found),
        f"{sum(int(one.source_sum, 16) for one in found) & MASK:032x}",
        f"{sum(int(one.target_sum, 16) for one in found) & MASK:032x}",
        tuple(key for one in found for key in one.suspects),
        _total(found),
    )


def note_of_unnamed(count: int) -> str:
    """Return what to say of documents and rows that differ and are not named."""
    return f"{count} more documents differ: too many, or without an id, to name"


def _total(done: Sequence[Compared]) -> tuple[int, int, int]:
    """Return how many documents are missing, extra and different that are not named."""
    missing, extra, different = (sum(one.unnamed[kind] for one in done) for kind in range(3))
    return missing, extra, different


# -- the verdict ----------------------------------------------------------------------------


def _judge(
    comparison: Comparison,
    done: Sequence[Compared],
    mode: Mode,
    as_it_is: Callable[[], tuple[Pair, Shape]],
) -> StreamVerdict:
    suspects = sorted(bytes.fromhex(key) for one in done for key in one.suspects)
    pair, shape = comparison.pair, comparison.shape
    with comparison.target.session() as session:
        looker = Looker(comparison.mongo, session.connection, as_it_is, pair, shape)
        settled = looker.settle(suspects, comparison.check_stopping)
        missing = [identity.words(value) for value in settled.missing]
        known: set[str] = set()
        if missing and pair.stream_id is not None:
            known = quarantine.set_aside(session.connection, pair.stream_id, missing)
    equal = sum(one.equal for one in done) + settled.equal
    quarantined = sum(one in known for one in missing)
    source_sum = sum(int(one.source_sum, 16) for one in done) + settled.source_sum
    target_sum = sum(int(one.target_sum, 16) for one in done) + settled.target_sum
    more_missing, more_extra, more_different = _total(done)
    both = equal + len(settled.different) + len(settled.restless) + more_different
    restless = tuple(identity.words(value) for value in settled.restless)
    notes: tuple[str, ...] = ()
    if restless:
        notes = (f"{len(restless)} documents were written all the while and could not be judged",)
    if unnamed := more_missing + more_extra + more_different:
        notes = (*notes, note_of_unnamed(unnamed))
    return StreamVerdict(
        database=pair.collection.database,
        collection=pair.collection.name,
        table=str(pair.table),
        mode=mode,
        source_count=both + len(missing) + more_missing,
        target_count=both + len(settled.extra) + more_extra,
        quarantined=quarantined,
        missing=tuple(one for one in missing if one not in known),
        extra=tuple(identity.words(value) for value in settled.extra),
        different=named(settled.different),
        unnamed=unnamed,
        restless=restless,
        rechecked=len(suspects),
        # What has no name was not looked at again, and is in neither sum: it would look equal.
        source_hash=f"{source_sum & MASK:032x}" if mode == "full" and not unnamed else None,
        target_hash=f"{target_sum & MASK:032x}" if mode == "full" and not unnamed else None,
        notes=notes,
    )
