"""A verification: both sides are read again, stream by stream, and compared.

For       `landbridge verify`, the cutover, and notebooks.
Touches   Both ends, by reading; with `repair`, the rows that differ, as a load would.
Promises  A stream that fails does not stop the others. Nothing is printed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landbridge import __version__
from landbridge.bridge import mapped_verifying, repairing
from landbridge.bridge.run import begun, finish
from landbridge.bridge.verdicts import Ends, all_of, differences, verdict_of
from landbridge.codec import names
from landbridge.errors import LandbridgeError, UnsupportedError, UsageError
from landbridge.mapping.document import read_mapping
from landbridge.model.plan import Plan, Role
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress
from landbridge.model.verification import (
    Checked,
    Mode,
    StreamVerdict,
    Verification,
    VerifyObserver,
)
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.verify import aggregates as figures
from landbridge.verify import counts, full, hashes, rows
from landbridge.verify.named import NamedAggregate, check_collections, read_aggregates
from landbridge.verify.page import page_of
from landbridge.verify.pairs import Pair, pairs

JOBS = 2
APPLICATION = "landbridge verify"


def verify(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    mode: Mode = "aggregate",
    mapping: str | None = None,
    mapping_name: str = "the mapping",
    aggregates: str | None = None,
    aggregates_name: str = "the aggregates",
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
        mapping: a mapping file's text: the tables are those that an import by it has filled.
        mapping_name: what messages call it.
        aggregates: the text of a file of named aggregates, which both sides are to answer.
        aggregates_name: what messages call it.
        repair: load the documents that differ, and compare again; `hash` and `full` only.
        jobs: collections at once.
        resume: a folder for what `hash` and `full` have compared when they are ended early.
        observer: called with every step of progress, from several threads.

    Returns:
        What was found of each stream. A stream's failure is in the verdict, not raised.

    Raises:
        LandbridgeError: what stops the whole of it: a URI, a connection, a selection, a file.

    """
    _refuse(mode, mapping=mapping, aggregates=aggregates, repair=repair)
    rules = None if mapping is None else read_mapping(mapping, mapping_name)
    named = [] if aggregates is None else read_aggregates(aggregates, aggregates_name)
    began, started = time.monotonic(), datetime.now(UTC)
    database = Target(target, APPLICATION, 1)
    with connect(source) as mongo, closing(database):
        ends = Ends(mongo, database, observer or _silent, Path(resume) if resume else None)
        described = _described(ends)
        check_collections(named, [one.name for one in catalog.collections(mongo)])
        if rules is not None:
            verdicts, notes = mapped_verifying.verdicts(
                ends, rules, mode, named, select, exclude, jobs
            )
        else:
            schema = schema or names.table_name(mongo.database, Settings())
            verdicts, notes = _verdicts(ends, schema, mode, named, select, exclude, jobs), ()
            if repair:
                verdicts = _repaired(ends, target, schema, verdicts, mode)
    return replace(
        described,
        streams=tuple(verdicts),
        seconds=time.monotonic() - began,
        started_at=started.isoformat(timespec="milliseconds"),
        finished_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        notes=tuple(notes),
    )


def verification_page(verification: Verification) -> str:
    """Return a verification as one HTML file that needs no other."""
    return page_of(verification)


def _refuse(mode: Mode, *, mapping: str | None, aggregates: str | None, repair: bool) -> None:
    """Refuse what can't be asked for together."""
    if repair and mapping is not None:
        raise UsageError(
            "--repair cannot be used with --mapping",
            why="the tables are other people's, and an import is what writes to them",
            fix="run landbridge import with the mapping again: it writes only what differs",
        )
    if repair and mode not in ("hash", "full"):
        raise UsageError(
            f"--repair cannot be used with --mode {mode}",
            why="figures do not say which documents differ",
            fix="use --mode hash or --mode full",
        )
    if mapping is not None and mode == "hash":
        raise UsageError(
            "--mode hash cannot be used with --mapping",
            why="tables that people made keep no hash of a document",
            fix="use --mode full",
        )
    if aggregates is not None and mode != "aggregate":
        raise UsageError(
            f"--aggregates cannot be used with --mode {mode}",
            why="only the mode aggregate asks both sides for figures",
            fix="use --mode aggregate",
        )


def _silent(checked: Checked) -> None:
    """Watch nothing."""


def _described(ends: Ends) -> Verification:
    """Return the report's heading: which servers, and which versions."""
    with ends.mongo.translated("cannot ask MongoDB for its version"):
        version = str(ends.mongo.client.server_info()["version"])
    with ends.target.session() as session:
        info: Any = session.connection.info
        number = info.server_version
        target = f"postgresql://{info.host}:{info.port}/{info.dbname}"
    return Verification(
        versions={
            "landbridge": __version__,
            "mongodb": version,
            "postgresql": f"{number // 10000}.{number % 10000}",
        },
        source=f"mongodb://{ends.mongo.identity}/{ends.mongo.database}",
        target=target,
    )


def _verdicts(
    ends: Ends,
    schema: str,
    mode: Mode,
    named: Sequence[NamedAggregate],
    select: Sequence[str],
    exclude: Sequence[str],
    jobs: int,
) -> list[StreamVerdict]:
    with faults.translated("the tables cannot be looked up"), ends.target.session() as session:
        found = pairs(ends.mongo, session.connection, schema, select, exclude)

    def judge(pair: Pair) -> StreamVerdict:
        return verdict_of(
            ends,
            pair.collection,
            _table(pair),
            mode,
            lambda: _compared(ends, pair, mode, named),
        )

    return all_of(ends, found, judge, jobs)


def _table(pair: Pair) -> str:
    return str(pair.table) if pair.table.name else ""


def _compared(ends: Ends, pair: Pair, mode: Mode, named: Sequence[NamedAggregate]) -> StreamVerdict:
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
            mine = [one for one in named if one.collection == pair.collection.name]
            return figures.compare(ends.mongo, session.connection, pair, mine)
        counted = counts.compare(ends.mongo, session.connection, pair)
    if mode in ("hash", "full") and counted.target_count:  # of no rows, a count tells all
        raise UnsupportedError(
            f"{pair.collection.stream} cannot be compared document by document",
            why="its documents have no _id",
            fix="compare its figures: --mode aggregate",
        )
    return replace(counted, mode=mode)


def _has_ids(plan: Plan) -> bool:
    """Whether a document was ever loaded; before that a table has no column for ids."""
    return plan.main.column_with(Role.ID) >= 0 or plan.main.column_with(Role.KEY) >= 0


# -- repair ---------------------------------------------------------------------------------


def _repaired(
    ends: Ends, target: str, schema: str, verdicts: Sequence[StreamVerdict], mode: Mode
) -> list[StreamVerdict]:
    """Load what differs once more, and compare those streams again."""
    after = list(verdicts)
    wrong = [i for i, one in enumerate(after) if one.status == "different" and differences(one)]
    if not wrong:
        return after

    def observe(step: Progress) -> None:
        ends.observer(Checked(step.stream, step.documents, step.total))

    with begun(target, "verify --repair", observe) as run:
        for i in wrong:
            before = after[i]
            try:
                with faults.translated(f"{before.stream} could not be repaired"):
                    pair = _pair(ends, schema, before.collection)
                    refused = repairing.repair(run, ends.mongo, pair, before)
            except LandbridgeError as failure:
                after[i] = replace(before, error=failure.to_json())
                continue
            again = _verdicts(ends, schema, mode, (), [before.collection], (), 1)[0]
            after[i] = replace(
                again,
                repaired=max(0, differences(before) - differences(again)),
                notes=(*again.notes, *refused),
            )
        finish(run, None)
    return after


def _pair(ends: Ends, schema: str, collection: str) -> Pair:
    with ends.target.session() as session:
        return pairs(ends.mongo, session.connection, schema, [collection])[0]
