"""The method `full`: every document is read, and the table becomes what the source is.

For       First loads and reloads, whatever the size.
Touches   Private tables until the publish; then the table and the state, in one transaction.
Promises  Readers see the old rows or the new ones. read = inserted + updated + unchanged +
          quarantined, or nothing is published.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from landbridge.engine import layouts, publish, ranges
from landbridge.engine.copying import Constants
from landbridge.engine.naming import PathNaming, private_stem, private_table
from landbridge.engine.shape import LivingTable, Shape
from landbridge.engine.stream import Job, taken
from landbridge.errors import (
    SnapshotTooOldError,
    StopError,
    TableChangedError,
    TableTakenError,
)
from landbridge.model.plan import Column, Plan
from landbridge.model.summary import Progress, StreamSummary
from landbridge.model.tables import Persistence, Session, TableName, TableState
from landbridge.schema import carry_on, same_shape, start_plan
from landbridge.state import ledger, quarantine
from landbridge.state.plans import plan_from_json
from landbridge.state.streams import StreamRecord


@dataclass(frozen=True, slots=True)
class Situation:
    """What a load finds: how it begins, and how it will be published."""

    stream: StreamRecord
    living: TableState | None  # the table to publish into; None: a first load, or a replacement
    replaced: TableState | None  # a table that the new one takes the place of
    plan: Plan
    generation: int
    resumed: bool = False


def load(job: Job, retried: Sequence[int] | None = None) -> StreamSummary:
    """Load one stream, by the layout that fits its size and its server.

    `retried` names the quarantine entries whose documents are the source, when they are.

    Raises:
        LandbridgeError: what stopped it; nothing that readers see has changed then.

    """
    began = time.monotonic()
    with job.target.session() as session, taken(job, session) as stream:
        job.report(Progress(job.source.collection.stream, "reading"))
        if retried is not None:
            _refuse_unfinished(job, stream)
        layout = layouts.choose(job.source, job.settings, stream)
        situation = examine(job, session, stream, resumable=layout == "large")
        snapshot = job.source.snapshots
        try:
            return _load(job, session, situation, layout, snapshot, began, retried)
        except SnapshotTooOldError:
            # The server no longer keeps the history that a point in time needs.
            layout = "large" if job.source.collection.rangeable else "one cursor"
            situation = examine(job, session, stream, resumable=False, begun=True)
            return _load(job, session, situation, layout, False, began, None)


def _load(
    job: Job,
    session: Session,
    situation: Situation,
    layout: layouts.Layout,
    snapshot: bool,
    began: float,
    retried: Sequence[int] | None,
) -> StreamSummary:
    persistence: Persistence = "logged"
    if situation.living is not None and layout != "large":
        persistence = "temporary" if layout == "tiny" else "unlogged"
    schema = "" if persistence == "temporary" else job.table.schema

    def beyond_double(table: int, column: Column) -> bool:
        staged = shape.made and session.holds_beyond_double(shape.tables[table], column)
        living = situation.living is not None and column.name in situation.living.columns
        return staged or (living and session.holds_beyond_double(job.table, column))

    def name_of(number: int) -> TableName:
        if number == 0 and layout == "tiny" and nothing_there:
            return job.table  # nobody sees it before the commit
        return private_table(schema, situation.stream.id, situation.generation, number)

    nothing_there = situation.living is None and situation.replaced is None
    shape = Shape(
        situation.plan,
        LivingTable(situation.living, job.settings.rewrite_limit_bytes, beyond_double),
        PathNaming(job.table, job.neighbours),
        name_of,
        lambda session, name, table: session.create(name, table, persistence),
    )
    work = layouts.Work(
        job=job,
        session=session,
        stream=situation.stream,
        generation=situation.generation,
        merges=situation.living is not None,
        shape=shape,
        constants=Constants(situation.generation),
        began=began,
    )
    finish = publish.Publisher(work, situation.living, situation.replaced, layout, retried)
    match layout:
        case "tiny":
            with session.transaction():
                copied = layouts.copy_tiny(work)
                summary = finish.publish(copied)
        case "small" | "one cursor":
            summary = finish.publish(layouts.copy_small(work, snapshot=snapshot))
        case "large":
            summary = finish.publish(ranges.copy_ranges(work, resumed=situation.resumed))
    return finish.analyze(summary)


def examine(
    job: Job, session: Session, stream: StreamRecord, *, resumable: bool, begun: bool = False
) -> Situation:
    """Find out what is there, and clear away what earlier runs left unfinished.

    Raises:
        TableTakenError: a table of that name exists and landbridge did not make it.
        TableChangedError: landbridge's table was changed by somebody else.
        StopError: the table's shape must change, and something depends on the old one.

    """
    state = session.inspect(job.table)
    ours = stream.plan is not None and stream.generation > 0
    if state is not None and not ours:
        _refuse_taken(job, state)
    living, replaced = state, None
    plan = start_plan(job.settings, keyed=job.source.collection.keyed)
    if (
        state is not None
        and ours
        and not job.settings.full_refresh
        and same_shape(job.settings, stream.settings)
    ):
        assert stream.plan is not None
        plan = carry_on(plan_from_json(stream.plan, job.settings))
        _check_unchanged(job, state, plan)
    elif state is not None:
        _refuse_replacing(job, stream, state)
        living, replaced = None, state
    loading = stream.loading if resumable else None
    leftovers = []
    if stream.epoch > 1 or begun:  # the first run finds nothing of an earlier one
        leftovers = session.private_tables(job.table.schema, private_stem(stream.id))
    if loading and leftovers and _can_go_on(job, living, loading):
        return Situation(
            stream,
            living,
            replaced,
            plan_from_json(loading["plan"], job.settings),
            loading["generation"],
            resumed=True,
        )
    if leftovers or stream.loading:
        with session.transaction():
            session.drop(leftovers)
            ledger.clear(session.connection, stream.id)
            quarantine.discard_unpublished(session.connection, stream.id, stream.generation)
    # The epoch is this run's alone: a stale run's tables and entries never bear the number.
    return Situation(stream, living, replaced, plan, stream.epoch)


def _can_go_on(job: Job, living: TableState | None, loading: dict[str, Any]) -> bool:
    """Return whether what is copied already is what this run would have copied."""
    earlier = loading["settings"]
    return (
        loading["source"] == job.source.identity
        and same_shape(job.settings, earlier)
        and all(getattr(job.settings, name) == earlier[name] for name in ("contract", "nul"))
        and loading["merges"] == (living is not None)
    )


def _refuse_taken(job: Job, state: TableState) -> None:
    if job.settings.take_over and state.is_table:
        return
    raise TableTakenError(
        f"{job.table} exists and landbridge did not make it",
        why="it may hold somebody's data" if state.is_table else "it is not a table",
        fix="choose another schema with --schema, or rename it"
        + ("; --take-over replaces its contents" if state.is_table else ""),
    )


def _refuse_unfinished(job: Job, stream: StreamRecord) -> None:
    if stream.loading is not None:
        raise StopError(
            f"{job.table} has a load that was begun and not finished",
            why="what it copied already would be lost",
            fix="finish it with the command that began it, then try the quarantine again",
        )


def _refuse_replacing(job: Job, stream: StreamRecord, state: TableState) -> None:
    earlier = stream.settings
    keeps = earlier["load"] != "overwrite" or earlier["soft_delete"]
    if keeps and stream.plan is not None and not job.settings.full_refresh:
        raise StopError(
            f"{job.table} would be replaced by a table of another shape",
            why="it may hold rows that the source no longer has: it was loaded with"
            f" --load {earlier['load']}{' --soft-delete' if earlier['soft_delete'] else ''}",
            fix="use the settings it was loaded with, or let it go with --full-refresh",
        )
    if state.dependents:
        raise StopError(
            f"{job.table} would be replaced by a table of another shape",
            why=f"these depend on it: {', '.join(state.dependents)}",
            fix="use the settings it was loaded with, or drop what depends on it first",
        )


def _check_unchanged(job: Job, state: TableState, plan: Plan) -> None:
    for column in plan.main.columns:
        found = state.columns.get(column.name)
        if found != column.type:
            raise TableChangedError(
                f"the column {column.name} of {job.table} is not as landbridge made it",
                why=f"it was {column.type} and is {found or 'gone'}",
                fix="undo that change, or load the table anew with --full-refresh",
            )
