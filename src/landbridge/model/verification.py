"""What a verification found: counts, aggregates and differences, stream by stream.

For       `landbridge verify`, its report in JSON and HTML, and the cutover, which goes by it.
Touches   Nothing.
Promises  `status` is `equal` only where everything that the mode looks at is equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["count", "aggregate", "hash", "full"]
Status = Literal["equal", "different", "failed"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A document that is on both sides and not the same; the id is canonical extended JSON."""

    id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One figure, asked of both sides; values are as JSON shows them (exact numbers as text)."""

    name: str
    group: dict[str, Any]
    metric: str
    source: Any
    target: Any
    judged: bool = True  # False: an estimate, shown and held against nobody
    close: bool = False  # no more apart than the order of adding doubles explains

    @property
    def equal(self) -> bool:
        """Whether both sides gave the same figure, as far as it can be told."""
        return not self.judged or self.close or bool(self.source == self.target)


@dataclass(frozen=True, slots=True)
class StreamVerdict:
    """What was found of one stream; ids are canonical extended JSON."""

    database: str
    collection: str
    table: str  # `schema.table`
    mode: Mode
    source_count: int = 0
    target_count: int = 0
    quarantined: int = 0  # documents that are known to be set aside: expected to be missing
    missing: tuple[str, ...] = ()  # ids of documents that have no row
    extra: tuple[str, ...] = ()  # ids of rows that have no document
    different: tuple[Difference, ...] = ()
    unnamed: int = 0  # that differ as well: too many to name each, or without an id
    aggregates: tuple[Aggregate, ...] = ()
    restless: tuple[str, ...] = ()  # ids of documents that were written all the while: not judged
    rechecked: int = 0  # documents that differed at first, and were looked at again
    repaired: int = 0
    source_hash: str | None = None  # of `full`: 32 hex digits over all that was compared
    target_hash: str | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: dict[str, str] | None = None

    @property
    def stream(self) -> str:
        """`database.collection`."""
        return f"{self.database}.{self.collection}"

    @property
    def delta(self) -> int:
        """How many more rows than documents there are; those in quarantine are no rows."""
        return self.target_count - self.source_count

    @property
    def status(self) -> Status:
        """`equal` where nothing that was looked at differs."""
        if self.error:
            return "failed"
        if self.missing or self.extra or self.different or self.unnamed:
            return "different"
        if self.delta + self.quarantined:
            return "different"
        if any(not one.equal for one in self.aggregates) or self.source_hash != self.target_hash:
            return "different"
        return "equal"

    def to_json(self) -> dict[str, Any]:
        """Return the stream's object of the JSON report."""
        return {
            "stream": self.stream,
            "table": self.table,
            "status": self.status,
            "mode": self.mode,
            "source_count": self.source_count,
            "target_count": self.target_count,
            "delta": self.delta,
            "quarantined": self.quarantined,
            "missing": list(self.missing),
            "extra": list(self.extra),
            "different": [{"id": one.id, "fields": list(one.fields)} for one in self.different],
            "unnamed": self.unnamed,
            "restless": list(self.restless),
            "aggregates": [asdict(one) for one in self.aggregates],
            "rechecked": self.rechecked,
            "repaired": self.repaired,
            "source_hash": self.source_hash,
            "target_hash": self.target_hash,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """What a whole verification found."""

    streams: tuple[StreamVerdict, ...] = ()
    seconds: float = 0.0
    error: dict[str, str] | None = None
    started_at: str = ""  # ISO 8601, UTC
    finished_at: str = ""
    versions: dict[str, str] = field(default_factory=dict)  # landbridge, mongodb, postgresql
    source: str = ""  # without credentials
    target: str = ""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """`equal` where every stream is."""
        found = {stream.status for stream in self.streams}
        if self.error or "failed" in found:
            return "failed"
        return "different" if "different" in found else "equal"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `verify`."""
        return {
            "status": self.status,
            "streams": [stream.to_json() for stream in self.streams],
            "seconds": round(self.seconds, 3),
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "versions": self.versions,
            "source": self.source,
            "target": self.target,
            "notes": list(self.notes),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """Where the verification of one stream stands; `total` is the source's estimate."""

    stream: str
    documents: int = 0
    total: int | None = None
    differences: int = 0
    done: bool = False


VerifyObserver = Callable[[Checked], None]
