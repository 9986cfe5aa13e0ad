"""Tables as the engine speaks of them, and what it asks of the end that holds rows.

For       The engine, which is handed this end and knows no server.
Touches   Nothing.
Promises  Whoever satisfies `Session` can be loaded by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from landbridge.model.plan import Column, Plan, TablePlan

Persistence = Literal["logged", "unlogged", "temporary"]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table; `schema` is empty for a temporary one."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class TableState:
    """What the catalog says about a table that exists."""

    oid: int
    columns: dict[str, str]  # name -> type as `format_type` prints it
    bytes: int
    rows: float  # as the planner estimates; negative where it never looked
    dependents: tuple[str, ...]  # views, foreign keys, functions, publications, by description
    used_columns: frozenset[str]  # columns that a dependent object names
    foreign_writers: bool  # a role besides the owner and superusers may write
    key: tuple[str, ...]  # columns of the primary key
    is_table: bool  # False for a view or anything else that bears the name


@dataclass(frozen=True, slots=True)
class IndexWish:
    """An index to make: on these columns, after the rows are in."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MergeCounts:
    """What a merge did to rows of the stream's own table."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    quarantined: int = 0  # rows that left because their document is in quarantine now
    refused_deletes: int = 0  # rows that the guard kept


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """What a table and its source do not share, each id a BSON document `{_id: …}`."""

    gone: list[bytes]  # in the table only
    lacking: list[bytes]  # in the source only, or other than in the table
    hashed: list[bytes]  # keys of those that are lacking too, but tell no id


@dataclass(frozen=True, slots=True)
class MergePlan:
    """How staged rows become the living table's."""

    plan: Plan
    staging: tuple[TableName, ...]
    living: tuple[TableName, ...]
    load: Literal["overwrite", "upsert", "append"]
    partial: bool = False  # staged are a few documents of many
    every: bool = False  # each staged row is a version, to be appended as it is
    compare_values: bool = False
    soft_delete: bool = False
    max_delete_share_percent: float = 20.0
    quarantined_keys: TableName | None = None  # (key, entry) of documents that were set aside
    gone_keys: TableName | None = None  # of rows that are to leave, whatever is staged


class CopySink(Protocol):
    """COPY into the tables of a plan, over one connection."""

    def write(self, outputs: Sequence[memoryview]) -> None:
        """Write one batch: COPY tuples for each table."""


class Session(Protocol):
    """One connection to the target, and what the engine asks of it."""

    @property
    def connection(self) -> Any:
        """The driver's connection: the state room speaks through it."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Begin; commit on leaving, roll back on an error. Inner ones are savepoints."""

    def together(self) -> AbstractContextManager[Any]:
        """Send statements without waiting for each; their results are not looked at."""

    def inspect(self, table: TableName) -> TableState | None:
        """Describe a table, or return None where nothing bears the name."""

    def indexes(self, table: TableName) -> list[tuple[str, tuple[str, ...]]]:
        """Return (name, columns) of each index of a table."""

    def count(self, table: TableName) -> int:
        """Count rows."""

    def holds_beyond_double(self, table: TableName, column: Column) -> bool:
        """Return whether a column holds an integer beyond 2^53."""

    def create_schema(self, schema: str) -> None:
        """Make the schema unless it is there."""

    def create(self, table: TableName, plan: TablePlan, persistence: Persistence) -> None:
        """Make a table for a plan, without key or indexes."""

    def statements(
        self,
        table: TableName,
        before: TablePlan | None,
        after: TablePlan,
        key: Sequence[str],
        wishes: Sequence[IndexWish],
    ) -> list[str]:
        """Return the DDL that makes a table, or leads it from one plan to another, as text."""

    def drop(self, tables: Sequence[TableName]) -> None:
        """Drop tables that are landbridge's own, where they exist."""

    def private_tables(self, schema: str, prefix: str) -> list[TableName]:
        """Return the tables of a schema whose names begin with `prefix`."""

    def alter(self, table: TableName, before: TablePlan, after: TablePlan) -> None:
        """Follow a plan that grew, on a private table."""

    def alter_living(self, table: TableName, before: TablePlan, after: TablePlan) -> None:
        """Follow a plan that grew, on a table that readers use, inside the open transaction."""

    def copy(self, tables: Sequence[TableName], plan: Plan) -> AbstractContextManager[CopySink]:
        """COPY into the tables of a plan, whose columns are checked against the catalog first."""

    def add_key(self, table: TableName, columns: Sequence[str]) -> bool:
        """Give a table its primary key; False where two rows have the same."""

    def take_duplicates(self, tables: Sequence[TableName], plan: Plan) -> list[bytes]:
        """Remove all rows whose key stands more than once; return the ids as BSON documents."""

    def fill_key(self, tables: Sequence[TableName], before: Plan, after: Plan) -> None:
        """Compute `_key` for the rows of tables that were keyed by `_id` before."""

    def move_key(self, table: TableName) -> None:
        """Make `_key` the primary key of a living table; foreign keys keep a unique `_id`."""

    def add_indexes(self, table: TableName, wishes: Sequence[IndexWish]) -> list[IndexWish]:
        """Make the indexes that are wished and not there; return those that can't be made."""

    def flush_counts(self) -> None:
        """Report this session's rows now; reported after an ANALYZE they would count twice."""

    def analyze(self, table: TableName, plan: TablePlan) -> None:
        """Refresh the planner's statistics and the row count that monitoring shows."""

    def rename(self, table: TableName, name: str) -> None:
        """Give a private table its public name."""

    def set_logged(self, table: TableName) -> None:
        """Make an unlogged table survive a crash."""

    def take_places(self, pairs: Sequence[tuple[TableName, TableName]]) -> None:
        """Let each first table replace the second, with owner and grants, in the transaction."""

    def compare_keys(
        self,
        plan: Plan,
        source: TableName,
        living: TableName,
        staged: TableName | None,
        *,
        hashes: bool,
    ) -> KeyComparison:
        """Compare the keys of a source, in a table of their own, with those of a living table."""

    def find_differences(self, plan: MergePlan) -> MergeCounts:
        """Compare staged with living rows, other writers locked out, readers not."""

    def entries_met(self, plan: MergePlan, entries: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose documents the merge speaks of."""

    def entries_without(self, key_column: str, entries: TableName, keys: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose key is not among `keys`."""

    def entries_with(self, key_column: str, entries: TableName, keys: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose key is among `keys`."""

    def remove_rows(self, tables: Sequence[TableName], plan: Plan, keys: TableName) -> int:
        """Delete the rows with these keys, and their child rows; return how many of the first."""

    def forget_hashes(self, table: TableName, plan: Plan, keys: TableName) -> None:
        """Take the stored hashes off the rows with these keys, so that they count as different."""

    def apply_differences(self, plan: MergePlan) -> list[int]:
        """Write the differences found; return the quarantine entries whose old rows left."""


class Target(Protocol):
    """The end that holds rows, for one run."""

    copy_connections: int

    @property
    def pids(self) -> list[int]:
        """Server-side process ids of the open connections."""

    def translated(self, what: str) -> AbstractContextManager[None]:
        """Raise the error of `landbridge.errors` that a driver's error inside means."""

    def session(self) -> AbstractContextManager[Session]:
        """Borrow a session."""

    def copy_sessions(self) -> AbstractContextManager[Sequence[Session]]:
        """Borrow sessions for parallel COPY: at least one, as many as are free."""
