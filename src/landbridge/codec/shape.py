"""Shape: a plan made quick to look up by the bytes of a key.

For       The twin's walk, which asks for a field at every element.
Touches   Nothing.
Promises  Says what the plan says, no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge.codec.walk import Element
from landbridge.model.kinds import Kind
from landbridge.model.plan import Field, Path, Plan, Slot, TablePlan


@dataclass(frozen=True, slots=True)
class KnownField:
    """A field of the plan."""

    path: Path
    slots: Mapping[tuple[Kind, int], Slot]
    below: Mapping[bytes, KnownField]
    descend: bool

    def slot_of(self, element: Element) -> Slot | None:
        """Return what happens to a value of that kind here."""
        return self.slots.get((element.kind, element.subtype))


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table of the plan."""

    index: int
    plan: TablePlan
    fields: Mapping[bytes, KnownField]
    rest: int  # index of `_rest`, or -1

    @property
    def takes_unknown(self) -> bool:
        """Whether what has no slot goes to `_rest`."""
        return self.plan.full and self.rest >= 0


@dataclass(frozen=True, slots=True)
class Shape:
    """A whole plan."""

    plan: Plan
    main: KnownTable
    children: Mapping[Path, KnownTable]  # by the path of their array
    key_index: int  # of the primary key among the main table's columns, or -1
    fingerprint: bytes


def shape_of(plan: Plan) -> Shape:
    """Prepare a plan."""
    tables = [
        KnownTable(index, table, _known_fields((), table.fields), table.rest)
        for index, table in enumerate(plan.tables)
    ]
    names = [column.name for column in plan.main.columns]
    key = plan.key_column
    return Shape(
        plan,
        tables[0],
        {table.plan.array_path: table for table in tables[1:]},
        -1 if key is None else names.index(key),
        plan.settings.fingerprint,
    )


def _known_fields(prefix: Path, fields: tuple[Field, ...]) -> dict[bytes, KnownField]:
    known = {}
    for field in fields:
        path = (*prefix, field.name)
        slots = {
            (slot.kind, slot.subtype if slot.kind is Kind.BINARY else 0): slot
            for slot in field.slots
        }
        known[field.name.encode()] = KnownField(
            path, slots, _known_fields(path, field.fields), field.descend
        )
    return known
