"""What landbridge shows without loading: the plan of a dry run, and quarantine entries.

For       The command line, the service and notebooks.
Touches   Nothing.
Promises  Plain values that turn into JSON as they are.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A column that a load would make, as far as the sample tells."""

    name: str
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What a sync of one stream would do; `columns` and `ddl` come from `sampled` documents."""

    stream: str
    table: str
    load: str
    layout: str  # "tiny", "small", "large", "one cursor"
    documents: int | None
    bytes: int | None
    sampled: int
    exists: bool
    columns: tuple[PlannedColumn, ...]
    ddl: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """The plan of a whole run. Nothing was touched to make it."""

    streams: tuple[StreamPlan, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of a dry run."""
        return {"status": "ok", "dry_run": True, **asdict(self), "error": None}


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """A document that was set aside, and why."""

    id: int
    stream: str
    table: str
    document_id: str  # canonical extended JSON of its _id
    path: str
    problem: str
    reason: str
    replaced: bool  # its old row left the table
    run: str
    at: str  # ISO 8601
    document: str | None = None  # canonical extended JSON, only when one entry is shown
    bson: str | None = None  # base64 of the document's bytes, only when one entry is shown
