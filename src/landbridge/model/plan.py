"""The compiled shape of a stream: which value of a document goes to which column, and how.

For       Telling the codec, the DDL and the verifier one and the same thing.
Touches   Nothing.
Promises  Frozen. A plan that grew has a new `number`; its columns keep their places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from landbridge.model.kinds import Kind
from landbridge.model.settings import Settings

Path = tuple[str, ...]


class Op(StrEnum):
    """How a value becomes the bytes of a COPY field; `codec` holds the meaning of each."""

    FLOAT8 = "float8"  # double
    INT8 = "int8"  # int, long
    INT_FLOAT8 = "int_float8"  # int, long whose magnitude is at most 2^53
    NUMERIC = "numeric"  # int, long, double, decimal
    TEXT = "text"  # string
    TEXT_KEY = "text_key"  # string of at most 1,000 bytes that is a primary key
    BOOL = "bool"
    TIMESTAMP = "timestamp"  # date; the same bytes for timestamp with and without time zone
    OID_TEXT = "oid_text"  # objectid as 24 hex digits
    OID_BYTES = "oid_bytes"  # objectid as its 12 bytes
    BYTES = "bytes"  # binary
    UUID = "uuid"
    JSON = "json"  # any kind, as jsonb in the plan's nested form
    EXTENDED = "extended"  # any kind, as jsonb in canonical extended JSON
    PLAIN_TEXT = "plain_text"  # the first kind of a mixed `_id`, as text
    EXTENDED_TEXT = "extended_text"  # the other kinds of a mixed `_id`: canonical extended JSON
    COUNT = "count"  # array that has its own table: its length, and its elements go there
    REST = "rest"  # kept in the `_rest` column under its path
    DISCARD = "discard"  # read, counted, not kept
    NOTHING = "nothing"  # null: the column stays NULL


class Role(StrEnum):
    """What a column is for."""

    VALUE = "value"  # values of a path
    ID = "id"  # `_id`, or one of its variant columns
    KEY = "key"  # `_key`: the canonical key of `_id`
    PARENT = "parent"  # a child row's copy of its parent's key
    ORDINAL = "ordinal"  # a child row's place in its array, from 0
    REST = "rest"  # `_rest`
    SOURCE_BSON = "source_bson"
    SOURCE_DOCUMENT = "source_document"
    HASH = "hash"  # `_lb_hash`
    CONSTANT = "constant"  # the same for every row of a batch: `_sdc_*`, `_imported_at`


_PLACES = {Role.ID: 0, Role.KEY: 0, Role.PARENT: 0, Role.ORDINAL: 0, Role.VALUE: 1} | {
    role: 2 + place
    for place, role in enumerate(
        (Role.REST, Role.SOURCE_BSON, Role.SOURCE_DOCUMENT, Role.CONSTANT, Role.HASH)
    )
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; `type` is as `format_type` prints it."""

    name: str
    type: str
    role: Role = Role.VALUE
    path: Path = ()
    family: str = ""
    byte_order: bool = False  # COLLATE "C"


@dataclass(frozen=True, slots=True)
class Slot:
    """What happens to one kind of value at one path; `subtype` tells binaries apart."""

    kind: Kind
    op: Op
    column: int = -1  # index into the table's columns, -1 where none is filled
    subtype: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a document, what its kinds of values become, and the keys below it.

    `descend`: a non-empty object here is flattened into `fields`; its `slots` are for the rest.
    """

    name: str
    slots: tuple[Slot, ...] = ()
    fields: tuple[Field, ...] = ()
    descend: bool = False


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One table: the stream's own, or the child table of the array at `array_path`.

    A child table's fields are those of its elements; an element that is no object is read as
    `{"value": element}`.
    """

    columns: tuple[Column, ...]
    fields: tuple[Field, ...] = ()
    array_path: Path = ()
    suffix: str = ""  # a child table's name is the stream's table, separator, suffix
    full: bool = False  # no more columns: what has no slot goes to `_rest`

    def column_with(self, role: Role) -> int:
        """Return the index of the first column of that role, or -1."""
        return next((i for i, column in enumerate(self.columns) if column.role is role), -1)

    @property
    def creation_order(self) -> list[Column]:
        """The columns as a new table has them: identity first, landbridge's own last."""
        return sorted(self.columns, key=lambda column: _PLACES.get(column.role, 1))

    @property
    def rest(self) -> int:
        """Index of `_rest`, or -1."""
        return self.column_with(Role.REST)

    def walk(self) -> Iterator[tuple[Path, Field]]:
        """Yield every field with its path, parents first, in plan order."""

        def below(prefix: Path, fields: tuple[Field, ...]) -> Iterator[tuple[Path, Field]]:
            for field in fields:
                path = (*prefix, field.name)
                yield path, field
                yield from below(path, field.fields)

        return below((), self.fields)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the codec needs for one stream; `tables[0]` is the stream's own table."""

    number: int
    settings: Settings
    tables: tuple[TablePlan, ...]
    keyed: bool = True  # False: documents may lack or repeat their `_id`

    @property
    def main(self) -> TablePlan:
        """The stream's own table."""
        return self.tables[0]

    @property
    def key_column(self) -> str | None:
        """Name of the primary key's column, or None where rows have no identity."""
        if not self.keyed:
            return None
        key = self.main.column_with(Role.KEY)
        index = key if key >= 0 else self.main.column_with(Role.ID)
        return self.main.columns[index].name if index >= 0 else None
