"""Mapping rules: which collection fills which tables, and how each column gets its value.

For       Everything that reads or writes a mapping file.
Touches   Nothing.
Promises  Frozen. What a mapping file says and nothing more; whether the tables agree is checked
          elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

# What a value becomes. `id`: by the id map of `to`, this collection's own where that is empty.
Cast = Literal[
    "text",
    "integer",  # from int, long, whole double or decimal, or a number in a string
    "number",  # real or numeric, from any number or a number in a string
    "boolean",  # from bool, 0 and 1, or the words true/false, yes/no
    "timestamp",  # from date, ISO 8601 text, or epoch seconds or milliseconds
    "date",
    "uuid",  # a value that is a UUID already: binary or text
    "enum",  # by `values`
    "json",  # any value, in the plain form of landbridge's own jsonb columns
    "bytes",
    "array",  # of scalars, into a PostgreSQL array of `of`
    "id",
]
# How a key of the target is made of an `_id`.
IdForm = Literal[
    "same",  # the `_id` itself, as text, number or uuid
    "hex",  # an ObjectId as its 24 hex digits
    "uuid",  # a name-based UUID (version 5) of collection and id
    "cuid",  # 25 characters that begin with c, made of the id
    "serial",  # the next number of the column's sequence, kept in the id map
]
Dangling = Literal["null", "quarantine"]


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """How one column gets its value.

    `source` is a dotted path in the document, or of an element in a child table; `.` is the
    element itself. Without a source the column gets `default`.
    """

    column: str
    source: str | None
    cast: Cast = "text"
    values: dict[str, str] = field(default_factory=dict)  # enum: value in documents -> label
    of: Cast | None = None  # array: cast of each element
    to: str = ""  # id: the collection that is referred to
    dangling: Dangling | None = None  # id: None follows the command's policy
    default: Any = None  # where the document has no value, or null
    required: bool = False  # no value and no default: to quarantine
    confidence: float | None = None  # how sure a proposal was, 0 to 1; nothing goes by it


@dataclass(frozen=True, slots=True)
class KeyRule:
    """The column that identifies a row, made of the document's `_id`."""

    column: str
    form: IdForm


@dataclass(frozen=True, slots=True)
class ChildRule:
    """An embedded array whose elements are rows of a table of their own.

    The key of a child row, where it has one, is made of the parent's `_id` and the element's
    place (`uuid`, `cuid`), never of a sequence.
    """

    source: str  # dotted path of the array
    table: str
    parent: str  # column that refers to the parent's row
    columns: tuple[ColumnRule, ...]
    key: KeyRule | None = None
    ordinal: str | None = None  # column for the element's place, from 0


@dataclass(frozen=True, slots=True)
class CollectionRule:
    """How one collection fills one table, and the tables of its arrays."""

    collection: str
    table: str
    key: KeyRule
    columns: tuple[ColumnRule, ...]
    children: tuple[ChildRule, ...] = ()
    ignore: tuple[str, ...] = ()  # paths that go nowhere, on purpose


@dataclass(frozen=True, slots=True)
class Mapping:
    """A whole mapping file."""

    schema: str
    collections: tuple[CollectionRule, ...]
    skip: tuple[str, ...] = ()  # collections that go nowhere, on purpose
    version: int = 1

    def of(self, collection: str) -> CollectionRule | None:
        """Return the rule of a collection, if there is one."""
        return next((one for one in self.collections if one.collection == collection), None)
