"""One collection to read from: the MongoDB end's `Source`.

For       The engine, which is handed it.
Touches   That collection, reading only.
Promises  `read`, `read_range` and `read_ids` miss no document that was there all the while.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from struct import pack
from typing import Any

from bson import MaxKey, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.errors import ExecutionTimeout, OperationFailure

from landbridge.model.position import Bookmark, ClusterTime
from landbridge.model.replication import KeyFacts, KeyRange
from landbridge.model.stream import Collection, IdRange
from landbridge.mongo import catalog, keys, ranges
from landbridge.mongo.connect import RAW, Connection
from landbridge.mongo.read import CursorRead
from landbridge.mongo.reply import ARRAY, DOCUMENT, id_element, read_reply
from landbridge.mongo.sample import read_sample

IDS_BYTES_MAX = 8_000_000  # of one command; the server takes 16 MB
ID_BYTES = 40  # about what `{_id: …}` takes
PROBE_MS_MAX = 100  # a view may take long to its first document
NOT_YET_TRIES = 5
NOT_YET_SECONDS = 0.1

# By the server's words: not a replica set member, an unknown level, not outside a transaction.
NO_SNAPSHOT_CODES = frozenset({2, 9, 20, 72, 123})
SNAPSHOT_UNAVAILABLE = 246  # never for a capped collection; not yet for one just made


class CollectionSource:
    """A collection, view or time series as something to read from."""

    def __init__(self, connection: Connection, collection: Collection) -> None:
        self.collection = collection
        self.identity = connection.identity
        self._connection = connection
        self._after: ClusterTime | None = None  # no read may be older

    @cached_property
    def snapshots(self) -> bool:
        """Whether the server gives point-in-time reads of this collection (found by trying).

        What ordinary collections get, all of them do; the others are tried one by one.
        """
        ordinary = self.collection.kind == "collection" and not self.collection.capped
        known = self._connection.gives_snapshots
        if not ordinary:
            return self._try_snapshot()
        if self.collection.kind not in known:
            known[self.collection.kind] = self._try_snapshot()
        return known[self.collection.kind]

    def _try_snapshot(self) -> bool:
        probe = {
            "find": self.collection.name,
            "limit": 1,
            "singleBatch": True,
            "maxTimeMS": PROBE_MS_MAX,
            "readConcern": {"level": "snapshot"},
        }
        with self._connection.translated(f"cannot read {self.collection.stream}"):
            for _ in range(1 if self.collection.capped else NOT_YET_TRIES):
                try:
                    # Raw: its document may be one that the driver can't read.
                    reply = self._connection.source.command(probe, codec_options=RAW)
                    # Some servers take the level for a wish.
                    return read_reply(bytes(reply.raw)).at_cluster_time is not None
                except ExecutionTimeout:
                    return True  # it was at work on it
                except OperationFailure as error:
                    if error.code in NO_SNAPSHOT_CODES:
                        return False
                    if error.code != SNAPSHOT_UNAVAILABLE:
                        raise
                if not self.collection.capped:
                    time.sleep(NOT_YET_SECONDS)
        return False

    @property
    def snapshot_seconds(self) -> float:
        """How long the server keeps the history a snapshot read needs."""
        return self._connection.snapshot_seconds

    def read(self, *, snapshot: bool) -> CursorRead:
        """Read the whole collection by one cursor."""
        return self._find({}, level="snapshot" if snapshot else "majority")

    def read_range(self, part: IdRange) -> CursorRead:
        """Read one range in `_id` order; a range whose `low` isn't below its `high` is empty."""
        # Bounds of the index follow the whole BSON order; a filter would stay in one type.
        by_id: dict[str, Any] = {"hint": {"_id": 1}, "sort": {"_id": 1}}
        if part.low is not None:
            by_id["min"] = RawBSONDocument(part.low)
        if part.high is not None:
            by_id["max"] = RawBSONDocument(part.high)
        if part.low is None or part.high is not None:
            return self._find(by_id)
        # With a `min` and an open end an index leaves out an id that is MaxKey, and a clustered
        # collection does not: so it is left out of both, and read by itself.
        last = {"_id": MaxKey()}
        return self._find({**by_id, "max": last}, {"filter": last})

    def read_ids(self, ids: Sequence[bytes], at: ClusterTime | None = None) -> CursorRead:
        """Read the documents with these ids, each a BSON document `{_id: …}`; as of a time."""
        parts: list[dict[str, Any]] = [{"filter": ids_filter(group)} for group in _groups(ids)]
        if at is not None:
            moment = {"level": "snapshot", "atClusterTime": Timestamp(at.seconds, at.increment)}
            parts = [{**part, "readConcern": moment} for part in parts]
        return self._find(*parts)

    def read_after(self, time: ClusterTime) -> None:
        """Let no later read be of a state before that time."""
        self._after = max(time, self._after or time)

    def uuid_now(self) -> str | None:
        """Return what tells the collection from others of its name; None where there is none."""
        return catalog.uuid_of(self._connection, self.collection.name)

    def key_facts(self, key: str) -> KeyFacts:
        """Look up what there is of a replication key, now."""
        return keys.facts(self._connection, self.collection, key)

    def key_range(
        self, facts: KeyFacts, bookmark: Bookmark, lookback_seconds: float, *, missing: bool
    ) -> KeyRange:
        """Return what to read to go on from a bookmark."""
        return keys.range_from(facts, bookmark, lookback_seconds, missing=missing)

    def count_key(self, wanted: KeyRange, limit: int) -> int | None:
        """Count the documents in a range, up to `limit`; None where that would read them all."""
        if not wanted.indexed:
            return None
        source = self._connection.source[self.collection.name]
        with self._connection.translated(f"cannot count in {self.collection.stream}"):
            return source.count_documents(keys.filter_of(wanted), limit=limit)

    def read_key(self, wanted: KeyRange, *, snapshot: bool) -> CursorRead:
        """Read the documents whose replication key is in the range, in any order."""
        level = "snapshot" if snapshot else "majority"
        return self._find({"filter": keys.filter_of(wanted)}, level=level)

    def read_only_ids(self, ids: Sequence[bytes] | None = None) -> CursorRead:
        """Read `{_id: …}` of these ids, or of all documents by the index alone."""
        only: dict[str, Any] = {"projection": {"_id": 1}}
        if ids is not None:
            parts = [{**only, "filter": ids_filter(group)} for group in _groups(ids)]
            return self._find(*parts, document_bytes=ID_BYTES)
        if self.collection.id_indexed and not self.collection.clustered:
            only |= {"hint": {"_id": 1}, "sort": {"_id": 1}}
        return self._find(only, document_bytes=ID_BYTES)

    def split(self, bytes_each: int) -> list[IdRange]:
        """Cut the whole `_id` order into ranges of about that size; together they miss nothing."""
        return ranges.split(self._connection, self.collection, bytes_each)

    def sample(self, documents: int, seconds: float) -> list[bytes]:
        """Return up to that many documents, read for at most about that long."""
        return read_sample(self._connection, self.collection, documents, seconds)

    def _find(
        self,
        *parts: dict[str, Any],
        level: str = "majority",
        document_bytes: int | None = None,
    ) -> CursorRead:
        concern: dict[str, Any] = {"level": level}
        if self._after is not None:  # a snapshot takes no lower bound, only its very time
            bound = "atClusterTime" if level == "snapshot" else "afterClusterTime"
            concern[bound] = Timestamp(self._after.seconds, self._after.increment)
        options: dict[str, Any] = {"readConcern": concern}
        if self.collection.kind == "view":
            options["allowDiskUse"] = True
        commands = [{"find": self.collection.name, **options, **part} for part in parts]
        size = document_bytes or self.collection.document_bytes
        return CursorRead(self._connection, commands, size)


def ids_filter(ids: Sequence[bytes]) -> RawBSONDocument:
    """Return `{_id: {$in: […]}}` with the values exactly as they are in `ids`."""
    # By hand, because values that Python can't hold (years, broken text) must pass unchanged.
    elements = []
    for index, document in enumerate(ids):
        kind, value = id_element(document)
        elements.append(b"%c%d\0%b" % (kind, index, value))
    listed = _document(b"%c$in\0%b" % (ARRAY, _document(b"".join(elements))))
    return RawBSONDocument(_document(b"%c_id\0%b" % (DOCUMENT, listed)))


def _document(elements: bytes) -> bytes:
    return pack("<i", len(elements) + 5) + elements + b"\0"


def _groups(ids: Sequence[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    size = 0
    for document in ids:
        if group and size + len(document) > IDS_BYTES_MAX:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document)
    if group:
        yield group
