"""Shape: what is compared of a stream, and where each value of a document is expected.

For       Reading documents and rows in the same terms, in Python and in the kernel.
Touches   Nothing.
Promises  From the plan comes only which column belongs to which path and kind. How a value
          looks there is decided here, by the type that the live column has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from landbridge.errors import TableChangedError, UnsupportedError
from landbridge.model.kinds import NESTED, Kind
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, TablePlan
from landbridge.model.tables import TableName


class Form(IntEnum):
    """How the values of a column's type are written down to be compared."""

    BIGINT = 0
    FLOAT8 = 1
    NUMERIC = 2
    TEXT = 3
    BOOL = 4
    TIMESTAMP = 5
    BYTES = 6
    UUID = 7
    JSON = 8


FORM_OF_TYPE = {
    "bigint": Form.BIGINT,
    "double precision": Form.FLOAT8,
    "numeric": Form.NUMERIC,
    "text": Form.TEXT,
    "character varying(24)": Form.TEXT,
    "boolean": Form.BOOL,
    "timestamp with time zone": Form.TIMESTAMP,
    "timestamp without time zone": Form.TIMESTAMP,
    "bytea": Form.BYTES,
    "uuid": Form.UUID,
    "jsonb": Form.JSON,
}


class Mode(IntEnum):
    """What becomes of a kind of value at a path."""

    VALUE = 0  # by the column's form
    PLAIN_JSON = 1
    EXTENDED_JSON = 2
    PLAIN_TEXT = 3  # an id among ids of other kinds
    EXTENDED_TEXT = 4
    COUNT = 5  # the elements are rows of a table of their own
    REST = 6
    NOTHING = 7


class Place(NamedTuple):
    """Where one kind of value goes; `column` counts the columns that are compared."""

    mode: Mode
    column: int
    table: int = 0  # COUNT: the table of the elements


@dataclass(frozen=True, slots=True)
class Node:
    """A path that the table knows."""

    path: Path
    places: Mapping[tuple[Kind, int], Place]
    below: Mapping[bytes, Node]


class Part(IntEnum):
    """Which part of a document a column speaks of."""

    VALUE = 0
    ID = 1
    REST = 2
    BSON = 3  # the whole document, as bytes
    DOCUMENT = 4  # the whole document, as JSON
    HASH = 5


PART_OF_ROLE = {
    Role.VALUE: Part.VALUE,
    Role.ID: Part.ID,
    Role.REST: Part.REST,
    Role.SOURCE_BSON: Part.BSON,
    Role.SOURCE_DOCUMENT: Part.DOCUMENT,
    Role.HASH: Part.HASH,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One column that is compared."""

    name: str
    form: Form
    part: Part
    path: Path


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table: the stream's own, or that of an array, whose rows are (parent, place)."""

    name: TableName
    columns: tuple[Compared, ...]
    root: Node
    parent: str = ""  # column that names the parent's key; empty for the stream's own table
    ordinal: str = ""
    array: Path = ()

    def column_of(self, part: Part) -> int:
        """Return the place of the first column of that part, or -1."""
        return next((i for i, one in enumerate(self.columns) if one.part is part), -1)


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything that a comparison needs to know of a stream."""

    tables: tuple[TableShape, ...]
    flatten_depth: int
    extended: bool  # objects and arrays in jsonb are canonical extended JSON
    escapes: bool  # NUL in text is escaped
    discards: bool  # a value without a column is left out, as was asked for
    keyed: bool
    key: str | None  # column of the primary key
    deleted: str | None  # column that marks rows whose documents are gone
    seed: bytes = bytes(16)  # of the hash of a document
    walks: bool = True  # False: nothing of a document is looked at but its id, and its bytes
    mixed: bool = field(default=False)  # ids of several kinds: the key orders as MongoDB does

    @property
    def mixes(self) -> bool:
        """Whether documents may share an id: their cells must not be added up as one sum."""
        return not self.keyed and len(self.tables) == 1

    @property
    def main(self) -> TableShape:
        """The stream's own table."""
        return self.tables[0]


def full_shape(plan: Plan, names: Sequence[TableName], types: Sequence[Mapping[str, str]]) -> Shape:
    """Return the shape of all that a plan's tables hold of documents.

    `types` maps the live columns of each table to their types.

    Raises:
        TableChangedError: a column is gone, or of another type.
        UnsupportedError: the table keeps versions of documents.

    """
    return _shape(plan, names, types, frozenset(PART_OF_ROLE) - {Role.HASH}, walks=True)


def hash_shape(plan: Plan, names: Sequence[TableName], types: Sequence[Mapping[str, str]]) -> Shape:
    """Return the shape of the ids and the stored hashes alone; errors as of `full_shape`."""
    return _shape(plan, names[:1], types[:1], frozenset({Role.ID, Role.HASH}), walks=False)


def _shape(
    plan: Plan,
    names: Sequence[TableName],
    types: Sequence[Mapping[str, str]],
    roles: frozenset[Role],
    *,
    walks: bool,
) -> Shape:
    settings = plan.settings
    if settings.load == "append":
        raise UnsupportedError(
            f"{names[0]} cannot be compared document by document",
            why="it keeps every version of a document (--load append)",
            fix="compare its counts: --mode count",
        )
    arrays = {one.array_path: index for index, one in enumerate(plan.tables) if one.array_path}
    tables = tuple(
        _table(plan, index, name, columns, roles, arrays)
        for index, (name, columns) in enumerate(zip(names, types, strict=True))
    )
    deleted = next((one.name for one in plan.main.columns if one.name == "_sdc_deleted_at"), None)
    return Shape(
        tables,
        settings.flatten_depth,
        settings.nested == "extended",
        settings.nul == "escape",
        settings.contract == "discard",
        plan.keyed,
        plan.key_column,
        deleted if settings.soft_delete else None,
        settings.fingerprint,
        walks,
        plan.main.column_with(Role.KEY) >= 0,
    )


def _table(
    plan: Plan,
    index: int,
    name: TableName,
    live: Mapping[str, str],
    roles: frozenset[Role],
    arrays: Mapping[Path, int],
) -> TableShape:
    table = plan.tables[index]
    compared: list[Compared] = []
    places: dict[int, int] = {}  # of the plan's columns that are compared, where they are here
    for number, column in enumerate(table.columns):
        _check(name, column, live)
        if column.role in roles:
            places[number] = len(compared)
            form = FORM_OF_TYPE[column.type]
            compared.append(Compared(column.name, form, PART_OF_ROLE[column.role], column.path))
    extended = plan.settings.nested == "extended"
    below = {
        one.name.encode(): _node((), one, table, places, arrays, extended) for one in table.fields
    }
    parent, ordinal = table.column_with(Role.PARENT), table.column_with(Role.ORDINAL)
    return TableShape(
        name,
        tuple(compared),
        Node((), {}, below),
        table.columns[parent].name if parent >= 0 else "",
        table.columns[ordinal].name if ordinal >= 0 else "",
        table.array_path,
    )


def _check(name: TableName, column: Column, live: Mapping[str, str]) -> None:
    found = live.get(column.name)
    if found != column.type:
        raise TableChangedError(
            f"{name} is not as it was loaded",
            why=f'its column "{column.name}" is {found or "gone"}, and should be {column.type}',
            fix="bring the column back, or load the table anew: sync --full-refresh",
        )


def _node(
    prefix: Path,
    known: Field,
    table: TablePlan,
    columns: Mapping[int, int],
    arrays: Mapping[Path, int],
    extended: bool,
) -> Node:
    path = (*prefix, known.name)
    places: dict[tuple[Kind, int], Place] = {}
    for slot in known.slots:
        subtype = slot.subtype if slot.kind is Kind.BINARY else 0
        place = Place(Mode.NOTHING, -1)
        if slot.op is Op.REST:
            place = Place(Mode.REST, -1)
        elif slot.op not in (Op.DISCARD, Op.NOTHING) and slot.column in columns:
            of = table.columns[slot.column]
            mode = _mode(slot.kind, slot.op, of, extended)
            where = arrays.get(path, 0) if mode is Mode.COUNT else 0
            place = Place(mode, columns[slot.column], where)
        places[slot.kind, subtype] = place
    below = {
        one.name.encode(): _node(path, one, table, columns, arrays, extended)
        for one in known.fields
    }
    return Node(path, places, below)


def _mode(kind: Kind, op: Op, column: Column, extended: bool) -> Mode:
    if op is Op.COUNT:
        return Mode.COUNT
    if op is Op.PLAIN_TEXT:
        return Mode.PLAIN_TEXT
    if op is Op.EXTENDED_TEXT:
        return Mode.EXTENDED_TEXT
    if column.type == "jsonb":
        return Mode.PLAIN_JSON if kind in NESTED and not extended else Mode.EXTENDED_JSON
    return Mode.VALUE
