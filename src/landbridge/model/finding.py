"""What a check of the two ends found, and the facts that it was judged from.

For       The ends, which gather the facts; the engine, which judges them; whoever shows the
          findings.
Touches   Nothing.
Promises  Facts are what a server said or did, without an opinion. A finding names the place, says
          what is so, and holds the command that mends it, or nothing where nothing is to be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from landbridge.model.replication import KeyIndex
from landbridge.model.stream import Collection

Severity = Literal["ok", "info", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info", "ok")  # the worst first


Role = Literal["standalone", "primary", "secondary", "mongos", "uninitiated"]
Pooling = Literal["none", "session", "transaction"]
ConnectionLimit = Literal["max_connections", "role", "database"]

SOURCE, TARGET = "source", "target"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is well, worth knowing, or in the way."""

    severity: Severity
    code: str
    where: str  # `source`, `target`, or a stream `database.collection`
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the worst first, and whether a sync can start."""

    findings: tuple[Finding, ...]
    verdict: str
    seconds: float
    error: dict[str, str] | None = None

    @property
    def status(self) -> str:
        """`failed` where a finding is an error."""
        return "failed" if self.error else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report."""
        return {
            "status": self.status,
            "findings": [asdict(finding) for finding in self.findings],
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


# -- facts of the source ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CollectionFacts:
    """A collection as this user meets it."""

    collection: Collection
    refused: tuple[str, ...] = ()  # actions that a sync needs and the user may not do
    unreadable: str = ""  # why its first document can't be had, other than by a refusal
    key_indexes: tuple[KeyIndex, ...] | None = None  # None where nobody asked


@dataclass(frozen=True, slots=True)
class Oplog:
    """The server's log of changes."""

    seconds: float  # between its first entry and its last
    used_bytes: int
    max_bytes: int
    kept_seconds: float = 0.0  # what the server keeps whatever its size


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What the source said."""

    database: str
    version: str = ""
    role: Role = "primary"
    user: str = ""  # empty where nobody had to log in
    user_database: str = ""
    collections: tuple[CollectionFacts, ...] = ()
    refused: tuple[str, ...] = ()  # actions on the whole database
    snapshots: bool | None = None  # None where there is nothing to try it on
    snapshot_seconds: float = 300.0
    log: Literal["open", "refused", "absent", "unasked"] = "unasked"
    oplog: Oplog | None = None
    oplog_refused: bool = False

    @property
    def largest(self) -> Collection | None:
        """The selected collection with the most bytes."""
        sized = [facts.collection for facts in self.collections if facts.collection.bytes]
        return max(sized, key=lambda collection: collection.bytes or 0, default=None)

    @property
    def bytes(self) -> int:
        """The bytes of all selected collections, as far as they are known."""
        return sum(facts.collection.bytes or 0 for facts in self.collections)


# -- facts of the target ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the server as this session meets it."""

    value: float | str  # bytes, seconds, or the word
    source: str = "default"  # as `pg_settings` calls it


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """A schema that a run writes to."""

    name: str
    exists: bool = False
    lacks: tuple[str, ...] = ()  # USAGE, CREATE
    closed_tables: tuple[str, ...] = ()  # tables in it that the role may not read and write


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A relation that bears the name of a stream's table."""

    stream: str
    schema: str
    name: str
    ours: bool
    owner: str
    owned: bool  # the role is the owner, or a member of it


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """What the target said."""

    database: str
    role: str
    version: str = ""
    version_number: int = 0
    in_recovery: bool = False
    read_only: bool = False
    encoding: str = "UTF8"
    may_create_schemas: bool = True
    may_make_temporary: bool = True
    state: SchemaFacts = field(default_factory=lambda: SchemaFacts("landbridge"))
    schema: SchemaFacts | None = None  # None where its name is not known
    tables: tuple[TableFacts, ...] = ()
    connections_left: int = 100
    connections_limit: ConnectionLimit = "max_connections"  # whichever ends first
    connections_max: int = 100
    settings: Mapping[str, Setting] = field(default_factory=dict)
    pooling: Pooling = "none"
    free_bytes: int | None = None  # None where it can't be known
