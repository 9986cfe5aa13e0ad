"""What a load finds: the table, the plan it follows, and what an earlier run left unfinished.

For       Every method, before it reads a document.
Touches   The catalog; leftovers of unfinished loads, which are cleared away.
Promises  A table that is not ours is not written to, and one that cannot be kept is not replaced
          where somebody depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from landbridge.engine.naming import private_stem
from landbridge.engine.stream import Job
from landbridge.errors import StopError, TableChangedError, TableTakenError
from landbridge.model.plan import Plan
from landbridge.model.settings import Settings
from landbridge.model.tables import Session, TableState
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

    @property
    def takes_part(self) -> bool:
        """Whether a few documents can be merged: there is a table, and it knows its key."""
        known = self.plan.key_column is not None or not self.plan.keyed
        return self.living is not None and known


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


def refuse_unfinished(job: Job, stream: StreamRecord) -> None:
    """Refuse to change a stream whose load by ranges waits to be resumed."""
    if stream.loading is not None:
        raise StopError(
            f"{job.table} has a load that was begun and not finished",
            why="what it copied already would be lost",
            fix="finish it with the command that began it, then try the quarantine again",
        )


def _refuse_replacing(job: Job, stream: StreamRecord, state: TableState) -> None:
    earlier = Settings.from_json(stream.settings)
    if _keeps_more(earlier) and stream.plan is not None and not job.settings.full_refresh:
        raise StopError(
            f"{job.table} would be replaced by a table of another shape",
            why="it may hold rows that the source no longer has: it was loaded with"
            f" --load {earlier.load}{' --soft-delete' if earlier.soft_delete else ''}",
            fix="use the settings it was loaded with, or let it go with --full-refresh",
        )
    if state.dependents:
        raise StopError(
            f"{job.table} would be replaced by a table of another shape",
            why=f"these depend on it: {', '.join(state.dependents)}",
            fix="use the settings it was loaded with, or drop what depends on it first",
        )


def _keeps_more(settings: Settings) -> bool:
    """Return whether a table loaded so may hold rows that its source no longer has."""
    if settings.soft_delete or settings.load == "append":
        return True
    follows_deletes = {
        "full": settings.load == "overwrite",
        "incremental": settings.sweep > 0,
        "log": "delete" in settings.operations,
    }
    return not follows_deletes[settings.method]


def _check_unchanged(job: Job, state: TableState, plan: Plan) -> None:
    for column in plan.main.columns:
        found = state.columns.get(column.name)
        if found != column.type:
            raise TableChangedError(
                f"the column {column.name} of {job.table} is not as landbridge made it",
                why=f"it was {column.type} and is {found or 'gone'}",
                fix="undo that change, or load the table anew with --full-refresh",
            )
