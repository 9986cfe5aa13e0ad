"""The manifest of an archive: what lies in a folder of JSON lines, and where it came from.

For       `export`, which writes it last; `import`, which believes nothing that it doesn't confirm.
Touches   Nothing.
Promises  An archive with a manifest is whole: it is written when everything else is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

MANIFEST_NAME = "manifest.json"
MANIFEST_FORMAT = 1
LINES_EXTENSION = ".jsonl"
REJECTED_NAME = "rejected.jsonl"  # documents that extended JSON can't hold, their BSON in base64

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
