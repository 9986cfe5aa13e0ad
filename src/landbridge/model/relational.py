"""A relational schema that exists already: its tables, and what they demand of a row.

For       Imports through a mapping: proposing one, checking it, writing rows, comparing them.
Touches   Nothing.
Promises  Frozen. What PostgreSQL's catalog, or a schema file, says; nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from landbridge.model.tables import TableName

Identity = Literal["", "always", "by default"]
Action = Literal["no action", "restrict", "cascade", "set null", "set default"]


@dataclass(frozen=True, slots=True)
class Enumeration:
    """An enum type and its labels, in their order."""

    schema: str
    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RelationalColumn:
    """A column, and what it takes.

    `base` is the plain name of the type (`character varying`, `numeric`, `uuid`; an enum's own
    name): of a domain what it is made of, of an array that of its elements.
    """

    name: str
    type: str  # as `format_type` prints it: `character varying(20)`, `integer[]`
    base: str
    array: bool = False
    nullable: bool = True
    default: str | None = None  # expression
    identity: Identity = ""
    generated: bool = False  # by an expression: nothing can be written to it
    sequence: TableName | None = None  # that its default or identity takes numbers from
    length: int | None = None  # characters of varchar(n) and char(n), bits of bit(n)
    precision: int | None = None  # digits of numeric(p, s), of a timestamp's fraction
    scale: int | None = None
    enum: Enumeration | None = None
    domain: str | None = None  # `schema.name`, where the type is one


@dataclass(frozen=True, slots=True)
class UniqueKey:
    """Columns that no two rows have alike; a primary key, a constraint or a unique index."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    deferrable: bool = False  # such a key can't settle an ON CONFLICT
    nulls_distinct: bool = True


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns whose values stand in another table, or in the same."""

    name: str
    columns: tuple[str, ...]
    target: TableName
    target_columns: tuple[str, ...]
    deferrable: bool = False
    on_delete: Action = "no action"
    on_update: Action = "no action"


@dataclass(frozen=True, slots=True)
class Check:
    """A check constraint; `expression` is as PostgreSQL prints it, without CHECK."""

    name: str
    expression: str


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a person made; `definition` is its statement."""

    name: str
    definition: str

    @property
    def before_insert(self) -> bool:
        """Whether it is called for every row before that is inserted."""
        timing = self.definition.partition(" ON ")[0]
        return " BEFORE " in timing and "INSERT" in timing and "FOR EACH ROW" in self.definition


@dataclass(frozen=True, slots=True)
class RelationalTable:
    """A table: its columns in their order, and its constraints."""

    name: TableName
    columns: tuple[RelationalColumn, ...]
    keys: tuple[UniqueKey, ...] = ()  # the primary key first
    foreign_keys: tuple[ForeignKey, ...] = ()
    checks: tuple[Check, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    partial_keys: tuple[str, ...] = ()  # unique indexes with a condition or an expression
    rows: float = -1.0  # as the planner estimates; negative where it never looked

    @property
    def primary(self) -> UniqueKey | None:
        """The primary key, if there is one."""
        return next((key for key in self.keys if key.primary), None)

    @property
    def insert_trigger(self) -> Trigger | None:
        """A trigger that sees rows before they are inserted, and may fill their columns."""
        return next((one for one in self.triggers if one.before_insert), None)

    def column(self, name: str) -> RelationalColumn | None:
        """Return a column by its name."""
        return next((one for one in self.columns if one.name == name), None)

    def is_unique(self, columns: tuple[str, ...]) -> bool:
        """Whether a key stands on exactly these columns, in any order."""
        return any(set(key.columns) == set(columns) for key in self.keys)


@dataclass(frozen=True, slots=True)
class RelationalSchema:
    """A schema: its tables by name."""

    name: str
    tables: tuple[RelationalTable, ...]
    enums: tuple[Enumeration, ...] = ()

    def table(self, name: str) -> RelationalTable | None:
        """Return a table by its name."""
        return next((one for one in self.tables if one.name.name == name), None)
