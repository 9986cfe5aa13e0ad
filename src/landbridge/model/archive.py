"""The manifest of an archive: what lies in a folder of JSON lines, and where it came from.

For       `export`, which writes it last; `import`, which believes nothing that it doesn't confirm.
Touches   Nothing.
Promises  An archive with a manifest is whole: it is written when everything else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1
LINES_EXTENSION = ".jsonl"
REJECTED_EXTENSION = ".rejected.jsonl"  # documents that JSON can't hold, their BSON in base64
LOG_NAME = "export.log"

Compression = Literal["none", "zstd", "gzip"]


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """One file of an archive: one collection, a document a line."""

    name: str  # in the folder, such as `users.jsonl.zst`
    collection: str
    documents: int
    bytes: int  # of the file as it lies there
    bytes_plain: int  # of the lines
    sha256: str  # of the file as it lies there, hex
    seconds: float = 0.0
    consistent_at: str | None = None  # cluster time `seconds:increment` of a read at one moment
    rejected: int = 0  # documents that are not in the file but beside it, whole
    notes: tuple[str, ...] = ()

    @property
    def rejected_name(self) -> str:
        """The file beside it with the documents that JSON can't hold."""
        stem, _, _ = self.name.rpartition(LINES_EXTENSION)
        return stem + REJECTED_EXTENSION

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> ArchiveFile:
        """Return the file that `dataclasses.asdict` described, by this version or another."""
        known = {one.name for one in fields(cls)}
        chosen = {name: value for name, value in stored.items() if name in known}
        return cls(**chosen | {"notes": tuple(stored.get("notes", ()))})


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that an archive says of itself."""

    landbridge: str  # version that wrote it
    source: str  # deployment, without credentials
    database: str
    started_at: str  # ISO 8601, UTC
    finished_at: str
    cluster_time: str | None  # `seconds:increment` at the start; None on a standalone
    compression: Compression
    query: str | None  # canonical extended JSON
    files: tuple[ArchiveFile, ...] = field(default=())
    format: int = MANIFEST_FORMAT

    def to_json(self) -> dict[str, Any]:
        """Return the object that stands in `manifest.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Manifest:
        """Return what `to_json` described.

        Raises:
            ValueError: it is no manifest, or one of a format that this version doesn't know.

        """
        if stored.get("format") != MANIFEST_FORMAT:
            raise ValueError(f"its format is {stored.get('format')!r}, not {MANIFEST_FORMAT}")
        known = {one.name for one in fields(cls)}
        try:
            files = tuple(ArchiveFile.from_json(file) for file in stored["files"])
            chosen = {name: value for name, value in stored.items() if name in known}
            return cls(**chosen | {"files": files})
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError("it lacks what a manifest holds") from error


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What an export did, or would do, with one collection."""

    database: str
    file: ArchiveFile
    source_bytes: int | None = None  # of BSON, as the server estimates
    kept: bool = False  # an earlier run had finished it
    rejected: tuple[Rejection, ...] = ()  # the first of them
    error: dict[str, str] | None = None

    @property
    def stream(self) -> str:
        """`database.collection`."""
        return f"{self.database}.{self.file.collection}"

    def to_json(self) -> dict[str, Any]:
        """Return the file's object of the JSON report."""
        report = asdict(self.file)
        report |= {
            "seconds": round(self.file.seconds, 3),
            "source_bytes": self.source_bytes,
            "kept": self.kept,
            "rejections": [asdict(one) for one in self.rejected],
            "error": self.error,
        }
        return report


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that has no line."""

    document_id: str  # canonical extended JSON
    path: str  # dotted; empty where it is the document itself
    reason: str


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """What a whole export did, or would do."""

    out: str
    files: tuple[ExportedFile, ...] = ()
    seconds: float = 0.0
    cluster_time: str | None = None
    notes: tuple[str, ...] = ()
    error: dict[str, str] | None = None
    dry_run: bool = False

    @property
    def status(self) -> Literal["ok", "failed"]:
        """`ok` when every document is in the archive."""
        return "failed" if self.error else "ok"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `export`."""
        return {
            "status": self.status,
            "out": self.out,
            "dry_run": self.dry_run,
            "files": [file.to_json() for file in self.files],
            "cluster_time": self.cluster_time,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "error": self.error,
        }
