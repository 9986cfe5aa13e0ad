"""The shape of a load under way: its plan, its tables, and how both grow while workers copy.

For       Many workers copying under one plan that one of them at a time may change.
Touches   The private tables of the load, when the plan grows.
Promises  No COPY is open while a table is altered: two that add a column would deadlock. A
          document that no plan can take comes back with its reason.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from landbridge.codec import batch_of, encoder_for, extended_json, id_text
from landbridge.codec.twin import Twin
from landbridge.engine.naming import PathNaming
from landbridge.model.batch import GROWABLE, Misfit, Problem
from landbridge.model.plan import Column, Plan, TablePlan
from landbridge.model.summary import SchemaChange
from landbridge.model.tables import Session, TableName, TableState
from landbridge.schema import finish_plan, grow
from landbridge.schema.start import describe_path
from landbridge.state.quarantine import Rejected

# Growing by a few documents at a time keeps the slow, explaining path short: most of what
# follows fits then.
GROWING_DOCUMENTS_MAX = 64

_REASONS = {
    Problem.NUL: "a string holds NUL, which PostgreSQL's text can't (--nul escape keeps it)",
    Problem.UTF8: "text that is not valid UTF-8",
    Problem.DATE: "a date outside PostgreSQL's range (4713 BC to 294276 AD)",
    Problem.DUPLICATE_KEY: "the same key twice in one document",
    Problem.DEPTH: "nested deeper than 200 levels",
    Problem.MALFORMED: "bytes that are not BSON",
    Problem.NO_ID: "no _id",
}


@dataclass(slots=True)
class Judged:
    """Flagged documents, by what to do with them."""

    rejected: list[Rejected] = field(default_factory=list)
    fitting: list[bytes] = field(default_factory=list)  # the slow encoder takes them
    growing: list[bytes] = field(default_factory=list)  # the plan must grow for them
    later: list[bytes] = field(default_factory=list)  # to be encoded again after that
    misfits: list[Misfit] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LivingTable:
    """What a published table allows: the facts that `schema` asks for."""

    state: TableState | None  # None: nothing is published, everything may change
    rewrite_limit_bytes: int
    holds_beyond_double: Callable[[int, Column], bool]

    @property
    def living(self) -> bool:
        """Whether readers and views may depend on the table."""
        return self.state is not None

    def rewritable(self, table: int, column: Column) -> bool:
        """Return whether the column's type may be changed."""
        if self.state is None or column.name not in self.state.columns:
            return True
        return (
            table == 0
            and column.name not in self.state.used_columns
            and column.name not in self.state.key
            and self.state.bytes <= self.rewrite_limit_bytes
        )

    def beyond_double(self, table: int, column: Column) -> bool:
        """Return whether the column holds an integer beyond 2^53."""
        return self.holds_beyond_double(table, column)

    def names(self, table: int) -> Collection[str]:
        """Return the columns of the stream's own table, whoever added them."""
        return self.state.columns.keys() if self.state is not None and table == 0 else ()


class Shape:
    """The plan of a load and the private tables that follow it."""

    def __init__(
        self,
        plan: Plan,
        facts: LivingTable,
        naming: PathNaming,
        name_of: Callable[[int], TableName],
        create: Callable[[Session, TableName, TablePlan], None],
    ) -> None:
        self.plan = plan
        self.changes: list[SchemaChange] = []
        self._facts = facts
        self._naming = naming
        self._name_of = name_of
        self._create = create
        self.remember: Callable[[Session], None] = lambda session: None
        self._made: Plan | None = None  # the plan that the tables follow; None: none made yet
        self._refused: set[Misfit] = set()
        self._copying = 0
        self._growing = threading.Lock()
        self._quiet = threading.Condition()
        self.wants_quiet = False

    @property
    def made(self) -> bool:
        """Whether the private tables exist."""
        return self._made is not None

    @property
    def tables(self) -> list[TableName]:
        """The private tables, in the plan's order."""
        return [self._name_of(number) for number in range(len(self.plan.tables))]

    # -- copying and growing exclude each other ----------------------------------------------

    @contextmanager
    def copying(self) -> Iterator[Plan]:
        """Hold the plan as it is while a COPY is open; waits while it grows."""
        with self._quiet:
            self._quiet.wait_for(lambda: not self.wants_quiet)
            self._copying += 1
        try:
            yield self.plan
        finally:
            with self._quiet:
                self._copying -= 1
                self._quiet.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._growing:
            with self._quiet:
                self.wants_quiet = True
                self._quiet.wait_for(lambda: self._copying == 0)
            try:
                yield
            finally:
                with self._quiet:
                    self.wants_quiet = False
                    self._quiet.notify_all()

    # -- judging -----------------------------------------------------------------------------

    def judge(self, documents: Sequence[bytes]) -> Judged:
        """Find out why documents were flagged; stops explaining when enough need growth."""
        judged = Judged()
        twin = Twin(self.plan, moves_wide=True)
        for number, document in enumerate(documents):
            misfits = twin.misfits(document)
            terminal = [m for m in misfits if m.problem not in GROWABLE]
            against = [m for m in misfits if _without_detail(m) in self._refused]
            if terminal:
                judged.rejected.append(rejected(document, terminal[0]))
            elif against:
                judged.rejected.append(refused_by_contract(document, against[0]))
            elif misfits:
                judged.growing.append(document)
                judged.misfits += misfits
                if len(judged.growing) == GROWING_DOCUMENTS_MAX:
                    judged.later += documents[number + 1 :]
                    break
            else:
                judged.fitting.append(document)
        return judged

    # -- growing -----------------------------------------------------------------------------

    def grow(self, session: Session, judged: Judged) -> list[bytes]:
        """Let plan and tables grow for judged documents; return those to encode again.

        A document that a contract refuses is among them: it is rejected when it is judged again.

        Raises:
            ContractError: the contract is `freeze`.

        """
        with self._alone():
            self._grow_plan(judged.misfits)
            self._follow(session)
        return judged.growing + judged.later

    def _grow_plan(self, misfits: Sequence[Misfit]) -> None:
        distinct = list(dict.fromkeys(map(_without_detail, misfits)))
        growth = grow(self.plan, distinct, self._naming, self._facts)
        self.plan = growth.plan
        self.changes += growth.changes
        self._refused.update(growth.refused)

    def learn(self, documents: Sequence[bytes]) -> list[Rejected]:
        """Let the plan grow until these documents fit, before any table is made for it.

        Returns those that no plan fits.
        """
        assert self._made is None
        rejected: list[Rejected] = []
        waiting = list(documents)
        while waiting:
            batch = batch_of(waiting)
            encoded = encoder_for(self.plan).encode(
                batch.data, batch.offset, dict.fromkeys(constant_columns(self.plan))
            )
            flagged = [batch.data[at : at + length] for at, length in encoded.flagged]
            judged = self.judge(flagged)
            rejected += judged.rejected
            if not judged.misfits:
                break
            self._grow_plan(judged.misfits)
            waiting = judged.growing + judged.later
        return rejected

    def start(self, session: Session) -> None:
        """Make the private tables for the plan as it stands."""
        for name, table in zip(self.tables, self.plan.tables, strict=True):
            self._create(session, name, table)
        self._made = self.plan
        if not self._facts.living:
            made = SchemaChange("create", "", "", "", "the table is new, and its columns with it")
            self.changes.insert(0, made)

    def resume(self) -> None:
        """Go on with private tables that an earlier run made for this plan."""
        self._made = self.plan

    def finish(self, session: Session) -> None:
        """Round the plan off when everything was read."""
        with self._alone():
            self.plan = finish_plan(self.plan, self._naming)
            self._follow(session)

    def _follow(self, session: Session) -> None:
        made, plan = self._made, self.plan
        assert made is not None
        if made.tables == plan.tables:
            return
        with session.transaction():
            for name, before, after in zip(self.tables, made.tables, plan.tables, strict=False):
                session.alter(name, before, after)
            new = list(zip(self.tables, plan.tables, strict=True))[len(made.tables) :]
            for name, table in new:
                self._create(session, name, table)
            if made.key_column is not None and made.key_column != plan.key_column:
                session.fill_key(self.tables[: len(made.tables)], made, plan)
            self.remember(session)
        self._made = plan


def constant_columns(plan: Plan) -> list[str]:
    """Return the names of the columns that every row of a batch has the same value in."""
    return [c.name for table in plan.tables for c in table.columns if c.role.value == "constant"]


def rejected(document: bytes, misfit: Misfit) -> Rejected:
    """Return a document to set aside, with its reason in words."""
    where = describe_path(misfit.path)
    reason = _REASONS.get(misfit.problem, misfit.problem.value)
    detail = f": {misfit.detail}" if misfit.detail else ""
    return _set_aside(document, where, misfit.problem.value, f"{reason}{detail}")


def refused_by_contract(document: bytes, misfit: Misfit) -> Rejected:
    """Return a document that the stream's contract keeps out of the table."""
    kind = misfit.kind.value if misfit.kind else "value"
    reason = f"the table has no column for a {kind} here (--contract quarantine)"
    return _set_aside(document, describe_path(misfit.path), "contract", reason)


def _set_aside(document: bytes, path: str, problem: str, reason: str) -> Rejected:
    return Rejected(document, id_text(document), extended_json(document), path, problem, reason)


def _without_detail(misfit: Misfit) -> Misfit:
    return replace(misfit, detail="")
