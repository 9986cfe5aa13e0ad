"""What travels between reader, codec and writer: documents, rows, and what did not fit.

For       Handing raw bytes from one room to the next without a Python object for each value.
Touches   Nothing.
Promises  documents = rows + flagged, for every batch that is encoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from landbridge.model.kinds import Kind
from landbridge.model.plan import Path, Plan

Constants = dict[str, bytes | None]  # the field bytes of columns by name; None is NULL


@dataclass(frozen=True, slots=True)
class Aside:
    """What a source can't hand on as a document of its collection, to be set aside whole."""

    data: bytes  # a line as it stands, or a document
    name: str  # `line 7 of users.jsonl`, or the document's `_id` in canonical extended JSON
    text: str  # the same as JSON, for people
    problem: Problem
    reason: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Documents in reading order: `data[offset:]` begins with a BSON array of them.

    The keys of the array are ignored, so a server's reply is a batch as it came. What is `aside`
    is counted as read, and is not in the array.
    """

    data: bytes
    offset: int
    bytes: int  # length of the array
    constants: Constants | None = None  # field bytes of CONSTANT columns, its own
    aside: tuple[Aside, ...] = ()


class Problem(StrEnum):
    """Why a document did not become a row."""

    UNKNOWN = "unknown"  # the plan has no slot for this kind at this path: it can grow
    RANGE = "range"  # an integer beyond 2^53 meets double precision: the column can widen
    LONG_ID = "long_id"  # a string `_id` over 1,000 bytes: the table needs `_key`
    WIDE_ROW = "wide_row"  # the row passes PostgreSQL's page: the table needs `_rest`
    NUL = "nul"
    UTF8 = "utf8"
    DATE = "date"
    DUPLICATE_KEY = "duplicate_key"
    DEPTH = "depth"
    MALFORMED = "malformed"
    NO_ID = "no_id"
    LINE = "line"  # of a file: it is no document
    REPEATED = "repeated"  # a later document of the file has the same `_id`
    RESERVED_KEY = "reserved_key"  # extended JSON would take its object for a value


GROWABLE = frozenset({Problem.UNKNOWN, Problem.RANGE, Problem.LONG_ID, Problem.WIDE_ROW})
UNWRITABLE = frozenset({Problem.RESERVED_KEY})  # keeps a document out of an archive, not a table


@dataclass(frozen=True, slots=True)
class Misfit:
    """One reason why a document does not fit a plan."""

    problem: Problem
    path: Path
    kind: Kind | None = None
    subtype: int = 0
    table: int = 0
    detail: str = ""


@dataclass(slots=True)
class PathProfile:
    """What was seen at one path over all rows written: counts by kind, and extremes."""

    counts: dict[str, int] = field(default_factory=dict)  # kind -> values seen
    by_value: int = 0  # values kept by value only: -0.0, key order or repeated keys in jsonb
    escaped: int = 0  # strings whose NUL was escaped
    minimum: dict[str, float | int] = field(default_factory=dict)  # kind -> smallest (date: ms)
    maximum: dict[str, float | int] = field(default_factory=dict)  # kind -> largest; lengths
    # of strings in bytes stand under "string"

    def add(self, other: PathProfile) -> None:
        """Count `other` in."""
        for kind, count in other.counts.items():
            self.counts[kind] = self.counts.get(kind, 0) + count
        self.by_value += other.by_value
        self.escaped += other.escaped
        for kind, low in other.minimum.items():
            self.minimum[kind] = min(self.minimum.get(kind, low), low)
        for kind, high in other.maximum.items():
            self.maximum[kind] = max(self.maximum.get(kind, high), high)


Profile = dict[tuple[int, Path], PathProfile]  # (table index, path)


@dataclass(frozen=True, slots=True)
class Encoded:
    """The outcome of encoding one batch."""

    documents: int
    rows: int  # rows of the stream's own table
    flagged: tuple[tuple[int, int], ...]  # (offset, length) in the batch's data, in order


class Encoder(Protocol):
    """BSON to COPY under one plan; one instance a thread. Output lives until the next call."""

    plan: Plan

    def encode(self, data: bytes, offset: int, constants: Mapping[str, bytes | None]) -> Encoded:
        """Encode the BSON array at `data[offset:]`; documents that do not fit are flagged.

        `constants` maps the name of each CONSTANT column to its field bytes (None is NULL).
        Raises `CodecError` where the array itself is malformed.
        """

    def output(self, table: int) -> memoryview:
        """Return the COPY tuples of one table, made by the last `encode`."""

    def take_profile(self) -> Profile:
        """Return what was seen in rows encoded since the last call, and forget it."""
