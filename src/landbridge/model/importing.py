"""An import into tables that exist: the shape of its rows, what went wrong, what it did.

For       The rooms that convert documents, write their rows, and take them back.
Touches   Nothing.
Promises  A document becomes all of its rows or none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from landbridge.model.relational import RelationalTable
from landbridge.model.tables import TableName

Row = list[str | None]  # text as PostgreSQL's input reads it
OnError = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that refers to rows of a collection.

    Text of 24 hex digits may mean an ObjectId or itself: a row has room for both. For `serial`
    keys its two extra values are the canonical ids; for others the one is the second key.
    """

    column: str
    place: int  # in the row
    to: str  # collection
    table: TableName
    key: str  # column of that table
    serial: bool
    null_dangling: bool  # else: to quarantine
    late: bool  # its rows may come after this one: set, or checked, in a second pass
    kept: bool  # late, and written at once: its foreign key is deferred
    extra: int  # place in the row of its extra values
    path: str  # in the mapping file
    source: str  # path in the document


@dataclass(frozen=True, slots=True)
class RowShape:
    """The rows of one table, as one collection fills it."""

    table: RelationalTable
    columns: tuple[str, ...]  # that are written, in the row's order
    identity: tuple[str, ...]  # columns that tell a row from every other
    references: tuple[Reference, ...]
    extras: int  # values after the columns, for references
    path: str  # in the mapping file
    defaulted: frozenset[str] = frozenset()  # where NULL means the table's own default
    parent: str | None = None  # child: the column that refers to the document's row
    source: str = ""  # child: path of the array
    serial: bool = False  # the key is the next number of its sequence

    def place(self, column: str) -> int:
        """Return where a column stands in the row."""
        return self.columns.index(column)


@dataclass(frozen=True, slots=True)
class StreamShape:
    """What one collection fills: its table, then the tables of its arrays."""

    collection: str
    key: str
    tables: tuple[RowShape, ...]

    @property
    def main(self) -> RowShape:
        """The collection's own table."""
        return self.tables[0]


@dataclass(frozen=True, slots=True)
class Fault:
    """One reason why a document can't become rows."""

    problem: Literal["value", "required", "dangling", "constraint", "repeated", "malformed", "line"]
    table: str
    column: str  # or the constraint's name
    path: str  # in the document
    reason: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A document and its rows by table; or its faults, and no rows."""

    document: bytes
    source_id: str  # canonical text, as the id map has it
    rows: tuple[list[Row], ...] = ()
    faults: tuple[Fault, ...] = ()
    text: str = ""  # what stands for it in quarantine, where it is no document

    def faulty(self, *faults: Fault) -> Mapped:
        """Return the document with what was found wrong with it."""
        return Mapped(self.document, self.source_id, (), faults, self.text)


@dataclass(slots=True)
class Violations:
    """What kept documents out, by column or constraint, with a few of their ids."""

    shown_max: int = 3
    counts: dict[tuple[str, str, str], int] = field(default_factory=dict)
    examples: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def add(self, document: Mapped) -> None:
        """Count a document's faults."""
        for fault in document.faults:
            self.count(fault, document.source_id)

    def count(self, fault: Fault, source_id: str) -> None:
        """Count one fault."""
        key = (fault.table, fault.column, fault.problem)
        self.counts[key] = self.counts.get(key, 0) + 1
        shown = self.examples.setdefault(key, [])
        if len(shown) < self.shown_max:
            shown.append(f"{source_id}: {fault.reason}")

    def to_json(self) -> list[dict[str, Any]]:
        """Return them for a report, the most frequent first."""
        ordered = sorted(self.counts.items(), key=lambda one: (-one[1], one[0]))
        return [
            {
                "table": table,
                "column": column,
                "problem": problem,
                "documents": count,
                "examples": self.examples[table, column, problem],
            }
            for (table, column, problem), count in ordered
        ]


@dataclass(slots=True)
class RowCounts:
    """What happened, or would happen, to the rows of one table."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that was not taken back, and why."""

    table: str
    key: str  # JSON
    reason: str

    def to_json(self) -> dict[str, str]:
        """Return it for a report."""
        return {"table": self.table, "key": self.key, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class UndoSummary:
    """What taking back an import did."""

    run: str
    removed: int = 0  # rows that the import had made
    restored: int = 0  # rows that it had changed or deleted
    refused: tuple[RefusedRow, ...] = ()  # the first of them
    refused_count: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: dict[str, str] | None = None

    @property
    def status(self) -> Literal["ok", "failed"]:
        """`ok` where everything was taken back."""
        return "failed" if self.error or self.refused_count else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `import --undo`."""
        return {
            "status": self.status,
            "run": self.run,
            "removed": self.removed,
            "restored": self.restored,
            "refused": self.refused_count,
            "refused_rows": [one.to_json() for one in self.refused],
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Undone:
    """Where taking back an import stands."""

    run: str
    rows: int
    total: int


UndoObserver = Callable[[Undone], None]


@dataclass(slots=True)
class Written:
    """What became of a batch of documents."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rows: dict[str, RowCounts] = field(default_factory=dict)  # by table
    dangling: list[tuple[int, Fault]] = field(default_factory=list)  # place in the batch: set aside
    nulled: dict[str, int] = field(default_factory=dict)  # column -> references set to NULL


@dataclass(slots=True)
class Probed:
    """What would become of a document's rows, or what keeps it out."""

    states: list[tuple[str, str]] = field(default_factory=list)  # table; i, u or =
    # By the path of a reference: of each row that has one, whether its row is there already.
    leads: dict[str, list[bool]] = field(default_factory=dict)
    fault: Fault | None = None


class ProbePort(Protocol):
    """Looks at rows and tables, and writes nothing."""

    def examine(self, shape: StreamShape, documents: Sequence[Mapped]) -> list[Probed]:
        """Return what would become of each document."""


class RowWriter(Protocol):
    """Writes the rows of one collection, a batch at a time."""

    def write(self, documents: Sequence[Mapped]) -> Written:
        """Write a batch, all of it or nothing.

        Raises:
            Violation: the server refused a row.

        """

    def advance_sequences(self) -> None:
        """Let the numbers that the tables take next be past those that were imported."""


class LatePort(Protocol):
    """Settles the references that a group of collections put off."""

    taken_back: Counter[tuple[str, str]]  # rows by table and action

    def settle(self) -> None:
        """Set what leads somewhere; take out documents that must not stay."""

    def counts(self, collection: str) -> tuple[int, int, int]:
        """Return how many documents were taken out that had been inserted, updated, unchanged."""

    def updated(self, collection: str) -> int:
        """Return how many documents changed by a late reference alone."""

    def nulled(self, collection: str) -> dict[str, int]:
        """Return how many late references of each column became NULL by policy."""

    def doomed(self, collection: str, ids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
        """Return (column, path, reason) of those documents that were taken out."""

    def forget(self) -> None:
        """Remove the notes of this run."""


class Violation(Exception):
    """The server refused rows: which constraint, and in its words why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.reason)
        self.fault = fault
