"""What a stream is at its two ends: a collection, and a table; and the ports between them.

For       The engine, which is handed its ends and knows no server.
Touches   Nothing.
Promises  An end that satisfies these protocols can be driven by the engine's loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from landbridge.model.batch import Batch
from landbridge.model.position import Bookmark, ClusterTime
from landbridge.model.replication import KeyFacts, KeyRange

CollectionKind = Literal["collection", "view", "timeseries"]


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as the source's catalog describes it; sizes are estimates."""

    database: str
    name: str
    kind: CollectionKind = "collection"
    capped: bool = False
    clustered: bool = False
    collated: bool = False  # a collation other than the simple one
    id_indexed: bool = True
    documents: int | None = None
    bytes: int | None = None  # uncompressed
    document_bytes: int | None = None  # average
    indexed_paths: tuple[str, ...] = ()  # first field of each index, dotted, without _id
    uuid: str | None = None  # tells a collection from a later one of the same name
    post_images: bool = False  # the log can hold documents as an update left them
    versions: bool = False  # an `_id` may be read several times, and the last one counts: a file

    @property
    def stream(self) -> str:
        """`database.collection`."""
        return f"{self.database}.{self.name}"

    @property
    def keyed(self) -> bool:
        """Whether `_id` is there and unique; views and time series may lack or repeat it."""
        return self.kind == "collection"

    @property
    def rangeable(self) -> bool:
        """Whether ranges over `_id` follow the whole BSON order here."""
        return self.kind == "collection" and not self.collated and self.id_indexed


@dataclass(frozen=True, slots=True)
class IdRange:
    """`low <= _id < high` in BSON order; each bound is a BSON document `{_id: …}`, or open."""

    number: int
    low: bytes | None
    high: bytes | None


class Read(Protocol):
    """A read under way. Iterating may raise `RetryableError`; leaving the context ends it."""

    def __iter__(self) -> Iterator[Batch]: ...

    @property
    def consistent_at(self) -> str | None:
        """Cluster time `seconds:increment` of a snapshot read once begun, else None."""


class Source(Protocol):
    """One collection to read from."""

    collection: Collection
    identity: str  # says which deployment, without credentials

    @property
    def snapshots(self) -> bool:
        """Whether the server gives point-in-time reads (found by trying)."""

    @property
    def snapshot_seconds(self) -> float:
        """How long the server keeps the history a snapshot read needs."""

    def read(self, *, snapshot: bool) -> AbstractContextManager[Read]:
        """Read the whole collection by one cursor."""

    def read_range(self, part: IdRange) -> AbstractContextManager[Read]:
        """Read one range in `_id` order."""

    def read_ids(self, ids: Sequence[bytes]) -> AbstractContextManager[Read]:
        """Read the documents with these ids, each a BSON document `{_id: …}`."""

    def split(self, bytes_each: int) -> list[IdRange]:
        """Cut the whole `_id` order into ranges of about that size; together they miss nothing."""

    def sample(self, documents: int, seconds: float) -> list[bytes]:
        """Return up to that many documents, read for at most about that long."""


class LiveSource(Source, Protocol):
    """A collection that can be asked for a part of it: what is new, which ids there are."""

    def read_after(self, time: ClusterTime) -> None:
        """Let no later read be of a state before that time.

        A member that has just become primary may give an older one, even of what a majority has.
        """

    def uuid_now(self) -> str | None:
        """Return what tells the collection from others of its name; None where there is none."""

    def key_facts(self, key: str) -> KeyFacts:
        """Look up what there is of a replication key, now."""

    def key_range(
        self, facts: KeyFacts, bookmark: Bookmark, lookback_seconds: float, *, missing: bool
    ) -> KeyRange:
        """Return what to read to go on from a bookmark.

        `lookback_seconds` are taken off the bookmarks that hold a time. `missing`: documents
        without the key are wanted too, by their `_id`.
        """

    def count_key(self, wanted: KeyRange, limit: int) -> int | None:
        """Count the documents in a range, up to `limit`; None where that would read them all."""

    def read_key(self, wanted: KeyRange, *, snapshot: bool) -> AbstractContextManager[Read]:
        """Read the documents whose replication key is in the range, in any order."""

    def read_ids(
        self, ids: Sequence[bytes], at: ClusterTime | None = None
    ) -> AbstractContextManager[Read]:
        """Read the documents with these ids, each a BSON document `{_id: …}`; as of a time."""

    def read_only_ids(self, ids: Sequence[bytes] | None = None) -> AbstractContextManager[Read]:
        """Read `{_id: …}` of these ids, or of all documents by the index alone."""
