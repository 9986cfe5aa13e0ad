"""A verification: both sides are read again, stream by stream, and compared.

For       `landbridge verify`, the cutover, and notebooks.
Touches   Both ends, by reading; with `repair`, the rows that differ, as a load would.
Promises  A stream that fails does not stop the others. Nothing is printed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from landbridge import __version__
from landbridge.bridge import repairing
from landbridge.bridge.run import Run, begun, finish, silent
from landbridge.codec import names
from landbridge.errors import InternalError, LandbridgeError, UsageError
from landbridge.model.plan import Plan, Role
from landbridge.model.settings import Settings
from landbridge.model.verification import (
    Checked,
    Mode,
    StreamVerdict,
    Verification,
    VerifyObserver,
)
from landbridge.mongo.connect import Connection, connect
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.verify import aggregates, counts, full, hashes, rows
from landbridge.verify.pairs import Pair, pairs

JOBS = 2
APPLICATION = "landbridge verify"


@dataclass(frozen=True, slots=True)
class _Ends:
    mongo: Connection
    target: Target
    observer: VerifyObserver
    stopping: Event
    resume: Path | None


def verify(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    mode: Mode = "aggregate",
    repair: bool = False,
    jobs: int = JOBS,
    resume: str | None = None,
    observer: VerifyObserver | None = None,
) -> Verification:
    """Compare the collections of `source` with the tables of `target`.

    Args:
        source: MongoDB URI with a database.
        target: PostgreSQL URI.
        schema: target schema; the source database's name under the name policy by default.
        select: names or patterns (`*`, `?`) of collections; all by default.
        exclude: names or patterns to leave out.
        mode: `count`, `aggregate`, `hash` or `full`; each proves more than the one before.
        repair: load the documents that differ, and compare again; `hash` and `full` only.
        jobs: collections at once.
        resume: a folder for what `hash` and `full` have compared when they are ended early.
        observer: called with every step of progress, from several threads.

    Returns:
        What was found of each stream. A stream's failure is in the verdict, not raised.

    Raises:
        LandbridgeError: what stops the whole of it: a URI, a connection, a selection.

    """
    _refuse(mode, repair)
    began, started = time.monotonic(), datetime.now(UTC)
    database = Target(target, APPLICATION, 1)
    with connect(source) as mongo, closing(database):
        ends = _Ends(
            mongo, database, observer or _silent, Event(), Path(resume) if resume else None
        )
        schema = schema or names.table_name(mongo.database, Settings())
        with faults.translated("the tables cannot be looked up"), database.session() as session:
            found = pairs(mongo, session.connection, schema, select, exclude)
            described = _described(ends, session.connection)
        verdicts = _all_of(ends, found, lambda pair: _verdict(ends, pair, mode), jobs)
        if repair:
            verdicts = _repaired(ends, target, found, verdicts, mode)
    return replace(
        described,
        streams=tuple(verdicts),
        seconds=time.monotonic() - began,
        started_at=started.isoformat(timespec="milliseconds"),
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
    )


def _refuse(mode: Mode, repair: bool) -> None:
    if repair and mode not in ("hash", "full"):
        raise UsageError(
            f"--repair cannot be used with --mode {mode}",
            why="figures do not say which documents differ",
            fix="use --mode hash or --mode full",
        )


def _silent(checked: Checked) -> None:
    """Watch nothing."""


def _described(ends: _Ends, connection: Any) -> Verification:
    """Return the report's heading: which servers, and which versions."""
    with ends.mongo.translated("cannot ask MongoDB for its version"):
        version = str(ends.mongo.client.server_info()["version"])
    info = connection.info
    number = info.server_version
    return Verification(
        versions={
            "landbridge": __version__,
            "mongodb": version,
            "postgresql": f"{number // 10000}.{number % 10000}",
        },
        source=f"mongodb://{ends.mongo.identity}/{ends.mongo.database}",
        target=f"postgresql://{info.host}:{info.port}/{info.dbname}",
    )


def _all_of(
    ends: _Ends, found: Sequence[Pair], work: Callable[[Pair], StreamVerdict], jobs: int
) -> list[StreamVerdict]:
    """Judge each pair, `jobs` at once; the verdicts are in the order of the pairs."""
    with ThreadPoolExecutor(max(1, min(jobs, len(found)))) as pool:
        futures = [pool.submit(work, pair) for pair in found]
        try:
            return [future.result() for future in futures]
        except BaseException:
            ends.stopping.set()
            for future in futures:
                future.cancel()
            ends.target.cancel()
            with suppress(Exception):
                ends.mongo.close()  # what its server is asked at this moment ends with an error
            raise


def _verdict(ends: _Ends, pair: Pair, mode: Mode) -> StreamVerdict:
    began = time.monotonic()
    stream = pair.collection.stream
    ends.observer(Checked(stream, total=pair.collection.documents))
    try:
        with faults.translated(f"{stream} could not be compared"):
            verdict = _compared(ends, pair, mode)
    except LandbridgeError as failure:
        verdict = _failed(pair, mode, failure)
    except Exception as error:  # a bug stops its own stream, not the others
        verdict = _failed(pair, mode, InternalError.of(error))
    verdict = replace(verdict, seconds=time.monotonic() - began)
    ends.observer(Checked(stream, verdict.source_count, None, _named(verdict), done=True))
    return verdict


def _compared(ends: _Ends, pair: Pair, mode: Mode) -> StreamVerdict:
    if mode in ("hash", "full") and pair.plan is not None and _has_ids(pair.plan):
        with ends.target.session() as session:
            there = rows.exists(session.connection, pair.table)
        if there:
            compare = full.compare if mode == "full" else hashes.compare
            return compare(
                ends.mongo,
                ends.target,
                pair,
                observer=ends.observer,
                stopping=ends.stopping.is_set,
                resume=ends.resume,
            )
    with ends.target.session() as session:
        if mode == "aggregate":
            return aggregates.compare(ends.mongo, session.connection, pair)
        return replace(counts.compare(ends.mongo, session.connection, pair), mode=mode)


def _has_ids(plan: Plan) -> bool:
    """Whether a document was ever loaded; before that a table has no column for ids."""
    return plan.main.column_with(Role.ID) >= 0 or plan.main.column_with(Role.KEY) >= 0


def _repaired(
    ends: _Ends, target: str, found: Sequence[Pair], verdicts: Sequence[StreamVerdict], mode: Mode
) -> list[StreamVerdict]:
    """Load what differs once more, and compare those streams again."""
    if all(verdict.status != "different" for verdict in verdicts):
        return list(verdicts)
    after = []
    with begun(target, "verify --repair", silent) as run:
        for pair, verdict in zip(found, verdicts, strict=True):
            if verdict.status == "different" and _named(verdict):
                verdict = _repaired_stream(ends, run, pair, verdict, mode)
            after.append(verdict)
        finish(run, None)
    return after


def _repaired_stream(
    ends: _Ends, run: Run, pair: Pair, before: StreamVerdict, mode: Mode
) -> StreamVerdict:
    try:
        with faults.translated(f"{before.stream} could not be repaired"):
            refused = repairing.repair(run, ends.mongo, pair, before)
            with ends.target.session() as session:  # its plan may have grown
                pairs_now = pairs(
                    ends.mongo, session.connection, pair.table.schema, [pair.collection.name]
                )
    except LandbridgeError as failure:
        return replace(before, error=failure.to_json())
    verdict = _verdict(ends, pairs_now[0], mode)
    repaired = max(0, _named(before) - _named(verdict))
    return replace(verdict, repaired=repaired, notes=(*verdict.notes, *refused))


def _named(verdict: StreamVerdict) -> int:
    return len(verdict.missing) + len(verdict.extra) + len(verdict.different)


def _failed(pair: Pair, mode: Mode, failure: LandbridgeError) -> StreamVerdict:
    return StreamVerdict(
        pair.collection.database,
        pair.collection.name,
        str(pair.table),
        mode,
        error=failure.to_json(),
    )
