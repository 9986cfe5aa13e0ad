"""Plans for tests of the codec: a slot for every kind seen, and any operation that takes it.

`plan_for` chooses among what is possible by `choose`: the first by default, at random when handed
a `random.Random(...).choice`. What the schema room makes of a profile is no matter here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from landbridge.codec.walk import Element, Refused, elements
from landbridge.model.kinds import NUMBERS, Kind
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings

T = TypeVar("T")
Choose = Callable[[Sequence[T]], T]

TYPE_OF_OP: dict[Op, str | None] = {
    Op.FLOAT8: "double precision",
    Op.INT8: "bigint",
    Op.INT_FLOAT8: "double precision",
    Op.NUMERIC: "numeric",
    Op.TEXT: "text",
    Op.TEXT_KEY: "text",
    Op.BOOL: "boolean",
    Op.TIMESTAMP: "timestamp with time zone",
    Op.OID_TEXT: "text",
    Op.OID_BYTES: "bytea",
    Op.BYTES: "bytea",
    Op.UUID: "uuid",
    Op.JSON: "jsonb",
    Op.EXTENDED: "jsonb",
    Op.PLAIN_TEXT: "text",
    Op.EXTENDED_TEXT: "text",
    Op.COUNT: "bigint",
    Op.REST: None,
    Op.DISCARD: None,
    Op.NOTHING: None,
}

_OWN_OPS: dict[Kind, tuple[Op, ...]] = {
    Kind.DOUBLE: (Op.FLOAT8, Op.NUMERIC),
    Kind.INT: (Op.INT8, Op.INT_FLOAT8, Op.NUMERIC),
    Kind.LONG: (Op.INT8, Op.INT_FLOAT8, Op.NUMERIC),
    Kind.DECIMAL: (Op.NUMERIC,),
    Kind.STRING: (Op.TEXT, Op.TEXT_KEY),
    Kind.BOOL: (Op.BOOL,),
    Kind.DATE: (Op.TIMESTAMP,),
    Kind.OBJECT_ID: (Op.OID_TEXT, Op.OID_BYTES),
    Kind.BINARY: (Op.BYTES,),
    Kind.UUID: (Op.UUID, Op.BYTES),
    Kind.NULL: (Op.NOTHING,),
}
_ANY_OPS = (Op.JSON, Op.EXTENDED, Op.PLAIN_TEXT, Op.EXTENDED_TEXT, Op.DISCARD)


def ops_of(kind: Kind) -> tuple[Op, ...]:
    """Return every operation that takes values of a kind, the commonest first."""
    return (*_OWN_OPS.get(kind, ()), *_ANY_OPS)


def first(options: Sequence[T]) -> T:
    """Choose what is commonest."""
    return options[0]


@dataclass
class _Seen:
    """What was observed at one path."""

    kinds: dict[tuple[Kind, int], None] = field(default_factory=dict)  # in order of appearance
    below: dict[str, _Seen] = field(default_factory=dict)  # of objects
    members: dict[str, _Seen] = field(default_factory=dict)  # of the elements of arrays


def plan_for(
    documents: Iterable[bytes],
    settings: Settings | None = None,
    *,
    choose: Choose = first,
    roles: Sequence[Role] = (),
    rest: bool = False,
    keyed: bool = False,
    depth: int = 1,
    children: bool = False,
) -> Plan:
    """Return a plan that takes the documents' kinds; malformed ones are observed as far as can be.

    `roles` are columns of the main table before those of its fields; a constant is `_constant`,
    an integer. With `rest`, what was seen may go there, or be left unknown; with `children`,
    arrays of the top level may have tables.
    """
    seen: dict[str, _Seen] = {}
    for document in documents:
        _observe(seen, elements_of(document))
    settings = settings or Settings()
    main = _TableBuilder([_role_column(role) for role in roles], choose, rest)
    main.fields = main.fields_of((), seen, depth, children)
    tables = [main.plan()]
    for path, members in main.arrays:
        child = _TableBuilder([_role_column(Role.PARENT), _role_column(Role.ORDINAL)], choose, rest)
        child.fields = child.fields_of((), members, depth, children=False)
        tables.append(child.plan(path))
    return Plan(1, settings, tuple(tables), keyed)


def elements_of(document: bytes) -> Iterable[Element]:
    """Yield a document's elements up to where it is broken."""
    try:
        yield from elements(document, 0, len(document), 1)
    except Refused:
        return


def _observe(seen: dict[str, _Seen], members: Iterable[Element]) -> None:
    try:
        for element in members:
            name = element.key.decode(errors="replace")
            _observe_value(seen.setdefault(name, _Seen()), element)
    except Refused:
        return


def _observe_value(seen: _Seen, element: Element) -> None:
    seen.kinds[element.kind, element.subtype] = None
    if element.kind is Kind.OBJECT:
        _observe(seen.below, element.elements())
    elif element.kind is Kind.ARRAY:
        try:
            for member in element.elements():
                if member.kind is Kind.OBJECT:
                    _observe(seen.members, member.elements())
                else:
                    _observe_value(seen.members.setdefault("value", _Seen()), member)
        except Refused:
            return


def _role_column(role: Role) -> Column:
    types = {
        Role.KEY: "bytea",
        Role.PARENT: "bytea",
        Role.ORDINAL: "bigint",
        Role.SOURCE_BSON: "bytea",
        Role.SOURCE_DOCUMENT: "jsonb",
        Role.HASH: "uuid",
        Role.CONSTANT: "bigint",
    }
    return Column(f"_{role.value}", types[role], role)


@dataclass
class _TableBuilder:
    """Columns and fields of one table while they are chosen."""

    columns: list[Column]
    choose: Choose
    has_rest: bool
    fields: tuple[Field, ...] = ()
    arrays: list[tuple[Path, dict[str, _Seen]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.has_rest:
            self.columns.append(Column("_rest", "jsonb", Role.REST))

    def plan(self, array_path: Path = ()) -> TablePlan:
        full = self.has_rest and self.choose((True, True, False))
        return TablePlan(tuple(self.columns), self.fields, array_path, full=full)

    def fields_of(
        self, prefix: Path, seen: dict[str, _Seen], depth: int, children: bool
    ) -> tuple[Field, ...]:
        fields = []
        for name, found in seen.items():
            if self.has_rest and self.choose((False, False, False, True)):
                continue  # unknown to the plan
            path = (*prefix, name)
            descend = bool(found.below) and depth > 0 and path != ("_id",)
            below = self.fields_of(path, found.below, depth - 1, False) if descend else ()
            slots = tuple(
                self._slot(path, kind, subtype, found, children) for kind, subtype in found.kinds
            )
            fields.append(Field(name, slots, below, descend))
        return tuple(fields)

    def _slot(self, path: Path, kind: Kind, subtype: int, found: _Seen, children: bool) -> Slot:
        options = [*ops_of(kind)]
        if kind in NUMBERS:
            options.insert(1, Op.NUMERIC)  # often, where kinds of numbers meet
        if self.has_rest:
            options.append(Op.REST)
        if kind is Kind.ARRAY and children:
            options.insert(0, Op.COUNT)
        op = self.choose(options)
        if op is Op.COUNT:
            self.arrays.append((path, found.members))
        column_type = TYPE_OF_OP[op]
        column = -1 if column_type is None else self._column(path, column_type)
        return Slot(kind, op, column, subtype)

    def _column(self, path: Path, column_type: str) -> int:
        for index, column in enumerate(self.columns):
            if column.path == path and column.type == column_type:
                return index
        role = Role.ID if path == ("_id",) and not self.arrays else Role.VALUE
        self.columns.append(Column(f"c{len(self.columns)}", column_type, role, path))
        return len(self.columns) - 1
