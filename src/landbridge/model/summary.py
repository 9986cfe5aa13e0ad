"""What a run reports: progress while it goes, a summary when it ends.

For       The command line, the service and notebooks, which all show the same run.
Touches   Nothing.
Promises  read = inserted + updated + unchanged + quarantined, checked when a summary is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Phase = Literal["waiting", "reading", "indexing", "publishing", "following", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where one stream stands; `total` is the source's estimate."""

    stream: str
    phase: Phase
    documents: int = 0
    total: int | None = None
    bytes: int = 0
    lag_seconds: float | None = None  # between a change and its commit here, while following


Observer = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """One change of a table's shape and the field that caused it."""

    change: str  # "create", "table", "add", "widen", "variant", "rest", "key", "discard"
    column: str
    type: str
    path: str
    decision: str


@dataclass(frozen=True, slots=True)
class Tally:
    """Documents of one stream by what became of them."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    quarantined: int = 0
    discarded: int = 0
    by_value: int = 0

    def __add__(self, other: Tally) -> Tally:
        mine, theirs = asdict(self), asdict(other)
        return Tally(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def adds_up(self) -> bool:
        """Whether every document read is accounted for."""
        return self.read == self.accounted

    @property
    def accounted(self) -> int:
        """Documents of which it is known what became of them."""
        return self.inserted + self.updated + self.unchanged + self.quarantined


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """What one stream of a run did."""

    database: str
    collection: str
    target_schema: str
    target_table: str
    method: str = "full"
    load: str = "overwrite"
    tally: Tally = Tally()
    events: int = 0
    without_key: int = 0
    by_value_paths: dict[str, int] = field(default_factory=dict)  # field -> values
    schema_changes: tuple[SchemaChange, ...] = ()
    consistent_at: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: dict[str, str] | None = None
    rows: dict[str, dict[str, int]] = field(default_factory=dict)  # import: by table
    violations: tuple[dict[str, Any], ...] = ()  # import: by column or constraint
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # dry run: some rows

    @property
    def stream(self) -> str:
        """`database.collection`."""
        return f"{self.database}.{self.collection}"

    @property
    def table(self) -> str:
        """`schema.table`."""
        return f"{self.target_schema}.{self.target_table}"

    def to_json(self) -> dict[str, Any]:
        """Return the stream's object of the JSON report."""
        report: dict[str, Any] = {
            "stream": self.stream,
            "table": self.table,
            "database": self.database,
            "collection": self.collection,
            "target_schema": self.target_schema,
            "target_table": self.target_table,
            "method": self.method,
            "load": self.load,
        }
        report |= asdict(self.tally)
        report |= {
            "events": self.events,
            "without_key": self.without_key,
            "by_value_paths": self.by_value_paths,
            "schema_changes": [asdict(change) for change in self.schema_changes],
            "consistent_at": self.consistent_at,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }
        if self.method == "import":
            report |= {"rows": self.rows, "violations": list(self.violations)}
            report |= {"samples": self.samples} if self.samples else {}
        return report

    def then(self, later: StreamSummary) -> StreamSummary:
        """Return what both did, the one after the other, in one run."""
        paths = dict(self.by_value_paths)
        for path, count in later.by_value_paths.items():
            paths[path] = paths.get(path, 0) + count
        return replace(
            later,
            tally=self.tally + later.tally,
            events=self.events + later.events,
            by_value_paths=paths,
            schema_changes=self.schema_changes + later.schema_changes,
            notes=tuple(dict.fromkeys(self.notes + later.notes)),
            seconds=self.seconds + later.seconds,
        )

    def failed(self, error: dict[str, str]) -> StreamSummary:
        """Return this summary with its error."""
        return replace(self, error=error)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a whole run did."""

    streams: tuple[StreamSummary, ...] = ()
    seconds: float = 0.0
    error: dict[str, str] | None = None
    run: str = ""
    notes: tuple[str, ...] = field(default=())

    @property
    def status(self) -> Literal["ok", "failed"]:
        """`ok` when every stream finished."""
        return "failed" if self.error or any(s.error for s in self.streams) else "ok"

    def with_note(self, note: str) -> Summary:
        """Return this summary with one more note."""
        return replace(self, notes=(*self.notes, note))

    def then(self, later: Summary) -> Summary:
        """Return what both did, the one after the other."""
        return Summary(
            self.streams + later.streams,
            self.seconds + later.seconds,
            self.error or later.error,
            ",".join(run for run in (self.run, later.run) if run),
            tuple(dict.fromkeys(self.notes + later.notes)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `sync` and `run`."""
        return {
            "status": self.status,
            "run": self.run,
            "streams": [stream.to_json() for stream in self.streams],
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "error": self.error,
        }
