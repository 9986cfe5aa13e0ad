"""How a plan grows so that documents which did not fit it do.

For       The engine's coordinator, which alone changes a plan while a copy runs.
Touches   Nothing: what a living table allows is asked through `TableFacts`.
Promises  After `grow`, each misfit given either fits or stands in `refused`. Values widen
          without loss or go to a variant column; nothing that had a column loses it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from landbridge.errors import ContractError
from landbridge.model.batch import Misfit, Problem
from landbridge.model.kinds import NUMBERS, Kind, family_of
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings
from landbridge.model.summary import SchemaChange
from landbridge.schema import columns as types

ID: Path = ("_id",)


class Naming(Protocol):
    """Turns paths into column names; `codec.names` is the one that is used."""

    def column(self, path: Path, settings: Settings, taken: Collection[str]) -> str:
        """Return a name for the column of a path that is not in `taken`."""

    def variant(self, name: str, kind: str, taken: Collection[str]) -> str:
        """Return a name for the column of the values of another kind at the path of `name`."""

    def suffix(self, path: Path, settings: Settings, taken: Collection[str]) -> str:
        """Return the end of the name of the table for the array at a path, not in `taken`."""


class TableFacts(Protocol):
    """What the table being loaded allows, and what it already holds."""

    @property
    def living(self) -> bool:
        """Whether readers and views may depend on the table; then contracts apply."""

    def rewritable(self, table: int, column: Column) -> bool:
        """Return whether the column's type may be changed."""

    def beyond_double(self, table: int, column: Column) -> bool:
        """Return whether the column holds an integer beyond 2^53."""

    def names(self, table: int) -> Collection[str]:
        """Return the columns that are there, those that somebody else added among them."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A plan that grew, what changed, and the misfits that a contract refuses."""

    plan: Plan
    changes: tuple[SchemaChange, ...] = ()
    refused: tuple[Misfit, ...] = ()


def grow(plan: Plan, misfits: Sequence[Misfit], naming: Naming, facts: TableFacts) -> Growth:
    """Return a plan under which the growable `misfits` fit.

    Raises:
        ContractError: the contract is `freeze` and the table is a living one.

    """
    draft = _Draft(plan, naming, facts)
    for misfit in sorted(misfits, key=lambda m: m.path != ID):  # a child table copies the key
        draft.take(misfit)
    tables = tuple(table.frozen() for table in draft.tables)
    if tables == plan.tables:
        return Growth(plan, (), tuple(draft.refused))
    grown = replace(plan, number=plan.number + 1, tables=tables)
    return Growth(grown, tuple(draft.changes), tuple(draft.refused))


class _FieldDraft:
    def __init__(self, name: str, descend: bool, slots: Iterable[Slot] = ()) -> None:
        self.name, self.descend = name, descend
        self.slots = list(slots)
        self.fields: dict[str, _FieldDraft] = {}

    @classmethod
    def thawed(cls, field: Field) -> _FieldDraft:
        draft = cls(field.name, field.descend, field.slots)
        draft.fields = {child.name: cls.thawed(child) for child in field.fields}
        return draft

    def frozen(self) -> Field:
        children = tuple(child.frozen() for child in self.fields.values())
        return Field(self.name, tuple(self.slots), children, self.descend)

    def slot(self, kind: Kind, subtype: int = 0) -> Slot | None:
        matches = (s for s in self.slots if s.kind is kind and s.subtype == subtype)
        return next(matches, None)

    def put(self, slots: Iterable[Slot]) -> None:
        """Add slots; a kind that has one keeps it."""
        for slot in slots:
            if self.slot(slot.kind, slot.subtype) is None:
                self.slots.append(slot)

    def replace_slot(self, slot: Slot) -> None:
        self.slots = [s for s in self.slots if (s.kind, s.subtype) != (slot.kind, slot.subtype)]
        self.slots.append(slot)


class _TableDraft:
    def __init__(self, table: TablePlan, present: Collection[str] = ()) -> None:
        self.origin = table
        self.present = present
        self.columns = list(table.columns)
        self.fields = {field.name: _FieldDraft.thawed(field) for field in table.fields}
        self.full = table.full

    def frozen(self) -> TablePlan:
        fields = tuple(field.frozen() for field in self.fields.values())
        return replace(self.origin, columns=tuple(self.columns), fields=fields, full=self.full)

    @property
    def taken(self) -> set[str]:
        return {column.name for column in self.columns}.union(self.present)

    def at(self, path: Path) -> list[int]:
        return [i for i, column in enumerate(self.columns) if column.path == path]

    def add(self, column: Column) -> int:
        self.columns.append(column)
        return len(self.columns) - 1

    @cached_property
    def known(self) -> frozenset[Path]:
        """The paths that the plan had a field for before this growth."""
        return frozenset(path for path, _ in self.origin.walk())

    def field(self, path: Path, flatten_depth: int) -> _FieldDraft:
        """Return the field at `path`, made with its parents where it is new."""
        fields = self.fields
        for level, name in enumerate(path, 1):
            if name not in fields:
                descend = level <= flatten_depth and path[:1] != ID
                fields[name] = _FieldDraft(name, descend, [Slot(Kind.NULL, Op.NOTHING)])
            found = fields[name]
            fields = found.fields
        return found


class _Draft:
    def __init__(self, plan: Plan, naming: Naming, facts: TableFacts) -> None:
        self.plan, self.settings, self.naming, self.facts = plan, plan.settings, naming, facts
        self.tables = [_TableDraft(t, facts.names(i)) for i, t in enumerate(plan.tables)]
        self.changes: list[SchemaChange] = []
        self.refused: list[Misfit] = []

    def take(self, misfit: Misfit) -> None:
        table = self.tables[misfit.table]
        if misfit.problem is Problem.WIDE_ROW:
            self._add_rest(table, "a row passes the page")
        elif misfit.problem is Problem.LONG_ID:
            self._mix_ids(table, Kind.STRING, 0)
        elif misfit.table == 0 and misfit.path == ID and misfit.kind is not None:
            self._take_id(table, misfit.kind, misfit.subtype)
        elif misfit.kind is not None:
            self._take_value(table, misfit, misfit.kind)

    # -- values ---------------------------------------------------------------------------

    def _take_value(self, table: _TableDraft, misfit: Misfit, kind: Kind) -> None:
        field = table.field(misfit.path, self.settings.flatten_depth)
        if kind is Kind.OBJECT and field.descend and misfit.path not in table.known:
            return  # its keys become columns; an empty one comes back and gets its own
        present = field.slot(kind, misfit.subtype)
        if misfit.problem is Problem.RANGE:
            stale = present is None or present.op is not Op.INT_FLOAT8
            if not stale and self._may_change(misfit, kind):
                self._widen(table, field, misfit, kind)
            return
        if present is not None or kind is Kind.NULL or table.full:
            return
        if not self._allowed(field, misfit, kind):
            return
        if kind is Kind.ARRAY and self._takes_children(misfit):
            self._add_child(table, field, misfit)
            return
        family = family_of(kind, misfit.subtype)
        same = [i for i in table.at(misfit.path) if table.columns[i].family == family]
        if same and family == "number":
            self._widen(table, field, misfit, kind)
            return
        empty = [i for i in table.at(misfit.path) if table.columns[i].family == "null"]
        column_type, op = types.value_type(kind, self.settings)
        if empty and self.facts.rewritable(misfit.table, table.columns[empty[0]]):
            index = empty[0]
            table.columns[index] = replace(table.columns[index], type=column_type, family=family)
            self._note("widen", table.columns[index], "was always null")
        else:
            found = self._add_column(table, misfit, kind, column_type, family)
            if found is None:
                return
            index = found
        field.put(types.value_slots(kind, misfit.subtype, column_type, op, index))

    def _add_column(
        self, table: _TableDraft, misfit: Misfit, kind: Kind, column_type: str, family: str
    ) -> int | None:
        others = table.at(misfit.path)
        role = Role.ID if misfit.path == ID and misfit.table == 0 else Role.VALUE
        if role is not Role.ID and self._crowded(table):
            return None
        if others:
            label = "json" if family == "json" else family if misfit.subtype else kind.value
            name = self.naming.variant(table.columns[others[0]].name, label, table.taken)
        else:
            name = self.naming.column(misfit.path, self.settings, table.taken)
        column = Column(name, column_type, role, misfit.path, family)
        self._note("variant" if others else "add", column, "a value of this kind was seen")
        return table.add(column)

    def _crowded(self, table: _TableDraft) -> bool:
        """Whether the table has all the columns it may have; then `_rest` takes what follows."""
        if len(table.columns) < self.settings.columns_max:
            return False
        self._add_rest(table, "the table has as many columns as it may have")
        table.full = True
        return True

    def _add_rest(self, table: _TableDraft, why: str) -> None:
        if all(column.role is not Role.REST for column in table.columns):
            column = Column("_rest", types.JSONB, Role.REST)
            table.add(column)
            self._note("rest", column, why)

    def _widen(self, table: _TableDraft, field: _FieldDraft, misfit: Misfit, kind: Kind) -> None:
        """Give a number that no column of its path holds exactly a place."""
        candidates = [i for i in table.at(misfit.path) if table.columns[i].family == "number"]
        if misfit.problem is not Problem.RANGE:
            for index in candidates:
                op = types.number_op(table.columns[index].type, kind)
                if op is not None:
                    field.put([Slot(kind, op, index)])
                    return
        for index in candidates:
            column = table.columns[index]
            if self.facts.rewritable(misfit.table, column):
                wider = self._wider(misfit, column, kind)
                self._retype(table, field, index, wider)
                return
        column_type, op = types.value_type(kind, self.settings)
        added = self._add_column(table, misfit, kind, column_type, "number")
        if added is not None:
            field.replace_slot(Slot(kind, op, added))
        elif table.full:
            field.replace_slot(Slot(kind, Op.REST))

    def _wider(self, misfit: Misfit, column: Column, kind: Kind) -> str:
        if column.type == types.BIGINT and kind is Kind.DOUBLE:
            exact = not self.facts.beyond_double(misfit.table, column)
            return types.DOUBLE if exact else types.NUMERIC
        return types.NUMERIC

    def _retype(self, table: _TableDraft, field: _FieldDraft, index: int, wider: str) -> None:
        column = replace(table.columns[index], type=wider)
        table.columns[index] = column
        kept = [s for s in field.slots if s.column != index]
        taken = {s.kind for s in kept}
        ops = ((kind, types.number_op(wider, kind)) for kind in sorted(NUMBERS))
        field.slots = kept + [
            Slot(kind, op, index) for kind, op in ops if op is not None and kind not in taken
        ]
        self._note("widen", column, "numbers of another kind were seen")

    def _takes_children(self, misfit: Misfit) -> bool:
        return self.settings.arrays == "table" and misfit.table == 0 and self.plan.keyed

    def _add_child(self, table: _TableDraft, field: _FieldDraft, misfit: Misfit) -> None:
        if self._crowded(table):
            return
        suffixes = {other.origin.suffix for other in self.tables}
        suffix = self.naming.suffix(misfit.path, self.settings, suffixes)
        name = self.naming.column(
            (*misfit.path[:-1], misfit.path[-1] + "_count"), self.settings, table.taken
        )
        column = Column(name, types.BIGINT, Role.VALUE, misfit.path, "count")
        index = table.add(column)
        field.put([Slot(Kind.ARRAY, Op.COUNT, index)])
        identities = [c for c in table.columns if c.role in (Role.KEY, Role.ID)]
        parent = min(identities, key=lambda c: c.role is not Role.KEY)
        child = TablePlan(
            (
                Column("_parent_id", parent.type, Role.PARENT, byte_order=parent.byte_order),
                Column("_ordinal", types.BIGINT, Role.ORDINAL),
            ),
            array_path=misfit.path,
            suffix=suffix,
        )
        self.tables.append(_TableDraft(child))
        self._note("table", column, "an array's elements get a table of their own")

    # -- contracts ------------------------------------------------------------------------

    def _may_change(self, misfit: Misfit, kind: Kind) -> bool:
        """Whether the contract lets this misfit change the table; else refuse the document."""
        contract = self.settings.contract
        if contract == "evolve" or not self.facts.living:
            return True
        if contract == "freeze":
            raise ContractError(
                f"{_shown(misfit.path)} holds a value of kind {kind.value}",
                why="its table is frozen (--contract freeze) and has no column for it",
                fix="let the table grow with --contract evolve, or keep such documents out of it"
                " with --contract quarantine or such values with --contract discard",
            )
        self.refused.append(misfit)
        return False

    def _allowed(self, field: _FieldDraft, misfit: Misfit, kind: Kind) -> bool:
        """As `_may_change`, but a contract that discards values settles the misfit by that."""
        if self.settings.contract != "discard" or not self.facts.living:
            return self._may_change(misfit, kind)
        field.put([Slot(kind, Op.DISCARD, subtype=misfit.subtype)])
        field.descend = field.descend and bool(field.fields)
        lost = Column("", "", path=misfit.path)
        self._note("discard", lost, f"values of kind {kind.value} are discarded")
        return False

    # -- ids ------------------------------------------------------------------------------

    def _take_id(self, table: _TableDraft, kind: Kind, subtype: int) -> None:
        field = table.field(ID, 0)
        present = field.slot(kind, subtype)
        if present is not None and present.op is not Op.NOTHING:
            return
        own = [i for i in table.at(ID) if table.columns[i].role is Role.ID]
        if own:
            if self._may_change(Misfit(Problem.UNKNOWN, ID, kind, subtype), kind):
                self._mix_ids(table, kind, subtype)
            return
        if self.plan.keyed:
            field.slots.clear()  # a null is an id like any other
        chosen = types.id_type(kind, self.settings)
        if chosen is None and self.plan.keyed:
            self._first_mixed_id(table, field, kind, subtype)
            return
        column_type, op = chosen or types.value_type(kind, self.settings)
        column = Column(
            "_id",
            column_type,
            Role.ID,
            ID,
            types.id_family(kind, subtype),
            byte_order=column_type in (types.TEXT, types.HEX_ID),
        )
        index = table.add(column)
        self._note("add", column, "the document's identity")
        kinds = types.kinds_of_id_family(kind) if chosen else (kind,)
        for each in kinds:
            field.replace_slot(Slot(each, op, index, subtype))

    def _first_mixed_id(
        self, table: _TableDraft, field: _FieldDraft, kind: Kind, subtype: int
    ) -> None:
        column = Column("_id", types.TEXT, Role.ID, ID, types.id_family(kind, subtype), True)
        index = table.add(column)
        self._note("add", column, "the document's identity")
        self._add_key(table)
        self._text_slots(field, index, {(kind, subtype)}, kind, subtype)

    def _mix_ids(self, table: _TableDraft, kind: Kind, subtype: int) -> None:
        """Take in ids of another family: `_key` becomes the identity."""
        field = table.field(ID, 0)
        index = next(i for i in table.at(ID) if table.columns[i].role is Role.ID)
        column = table.columns[index]
        keyed = any(c.role is Role.KEY for c in table.columns)
        if self.plan.keyed and not keyed:
            self._add_key(table)
        mixed = any(s.op is Op.EXTENDED_TEXT for s in field.slots)
        plain = {
            (s.kind, s.subtype)
            for s in field.slots
            if s.column == index and s.op is not Op.EXTENDED_TEXT
        }
        if self.plan.keyed and (mixed or not self.facts.living):
            if column.type != types.TEXT:
                column = replace(column, type=types.TEXT, byte_order=True)
                table.columns[index] = column
                self._note("widen", column, "ids of another kind were seen")
            self._text_slots(field, index, plain, kind, subtype)
            return
        if (kind, subtype) in plain:  # only too long for a key
            field.replace_slot(Slot(Kind.STRING, Op.TEXT, index))
            return
        if kind is Kind.NULL:  # a row whose columns of ids are all empty
            field.replace_slot(Slot(kind, Op.NOTHING))
            return
        column_type, op = types.value_type(kind, self.settings)
        misfit = Misfit(Problem.UNKNOWN, ID, kind, subtype)
        added = self._add_column(table, misfit, kind, column_type, family_of(kind, subtype))
        if added is not None:
            for slot in types.value_slots(kind, subtype, column_type, op, added):
                if field.slot(slot.kind, slot.subtype) in (None, Slot(Kind.NULL, Op.NOTHING)):
                    field.replace_slot(slot)
            if kind is Kind.STRING:
                field.replace_slot(Slot(Kind.STRING, Op.TEXT, added))

    def _text_slots(
        self,
        field: _FieldDraft,
        index: int,
        plain: set[tuple[Kind, int]],
        kind: Kind,
        subtype: int,
    ) -> None:
        """Write every kind of id into the text column: those of `plain` as they are."""
        known = {(each, 0) for each in Kind} | {(s.kind, s.subtype) for s in field.slots}
        field.slots = [
            Slot(k, Op.PLAIN_TEXT if (k, sub) in plain else Op.EXTENDED_TEXT, index, sub)
            for k, sub in sorted(known | plain | {(kind, subtype)})
        ]

    def _add_key(self, table: _TableDraft) -> None:
        column = Column("_key", types.BYTEA, Role.KEY)
        table.add(column)
        self._note("key", column, "ids of several kinds: their canonical key is the identity")
        for child in self.tables[1:]:
            child.columns[0] = replace(child.columns[0], type=types.BYTEA, byte_order=False)

    def _note(self, change: str, column: Column, decision: str) -> None:
        self.changes.append(
            SchemaChange(change, column.name, column.type, _shown(column.path), decision)
        )


def _shown(path: Path) -> str:
    return ".".join(path)
