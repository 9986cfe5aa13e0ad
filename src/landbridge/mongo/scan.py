"""A scan: a collection as it lies in the server's storage, and where a scan can be gone on with.

For       `export`, which reads everything once, fast, and goes on after a crash.
Touches   The collection, reading only.
Promises  A scan misses no document that was there all the while. It is gone on with only on the
          member that it began on, whose storage it follows, and only where the last document that
          was read still has its place there.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from landbridge.model.position import ClusterTime
from landbridge.model.stream import Collection
from landbridge.mongo.connect import RAW, Connection
from landbridge.mongo.read import CursorRead
from landbridge.mongo.reply import read_reply
from landbridge.mongo.source import CollectionSource, ids_filter

RECORD_ID = "$recordId"
_PLACED = {"hint": {"$natural": 1}, "$_requestResumeToken": True}


class Scan:
    """One collection, or what a query finds in it; `query` is a BSON document."""

    def __init__(
        self,
        connection: Connection,
        collection: Collection,
        query: bytes | None = None,
        documents_each: int | None = None,
    ) -> None:
        self.collection = collection
        self._connection = connection
        self._query = query
        self._documents_each = documents_each

    @cached_property
    def snapshots(self) -> bool:
        """Whether the server gives point-in-time reads of this collection (found by trying)."""
        return CollectionSource(self._connection, self.collection).snapshots

    @cached_property
    def resumes(self) -> bool:
        """Whether a scan can be gone on with (found by trying): not of views, not of a query.

        A capped collection loses its oldest documents, and with them the place.
        """
        if self.collection.kind != "collection" or self.collection.capped or self._query:
            return False
        probe = {"find": self.collection.name, "limit": 1, "singleBatch": True, **_PLACED}
        try:
            reply = self._connection.source.command(probe, codec_options=RAW)
        except OperationFailure:
            return False
        return read_reply(bytes(reply.raw)).place is not None

    def member(self) -> str:
        """Return the member that answers now, whose storage a scan follows."""
        with self._connection.translated("cannot ask the server for its name"):
            hello = self._connection.client.admin.command("hello")
        return str(hello.get("me") or self._connection.identity)

    def now(self) -> ClusterTime | None:
        """Return a time that snapshots can be read at, None where there is none."""
        with CursorRead(self._connection, [self._command({"level": "snapshot"})], None, 1) as read:
            next(iter(read), None)
            at = read.consistent_at
        return None if at is None else ClusterTime.parse(at)

    def read(self, *, at: ClusterTime | None, after: bytes | None = None) -> CursorRead:
        """Read all, as of a time, or as it comes; or only what follows the place of a read."""
        concern: dict[str, Any] = {"level": "majority"}
        if at is not None:
            moment = Timestamp(at.seconds, at.increment)
            concern = {"level": "snapshot", "atClusterTime": moment}
        command = self._command(concern)
        if self.resumes:
            command |= _PLACED
        if after is not None:
            command["$_resumeAfter"] = RawBSONDocument(after)
        size = self.collection.document_bytes
        return CursorRead(self._connection, [command], size, self._documents_each)

    def has_place(self, last_id: bytes, place: bytes) -> bool:
        """Return whether a document `{_id: …}` has the place in storage that it had.

        One that was deleted since has none, and is no sign of anything.
        """
        # By commands: the driver has no collection for some names that the server takes.
        command = {
            "find": self.collection.name,
            "filter": ids_filter([last_id]),
            "projection": {"_id": 1},
            "showRecordId": True,
            "singleBatch": True,
        }
        with self._connection.translated(f"cannot read {self.collection.stream}"):
            reply = self._connection.source.command(command, codec_options=RAW)
        batch = reply["cursor"]["firstBatch"]
        if not batch:
            return True
        known = RawBSONDocument(place)
        known = RawBSONDocument(place)
        return bool(batch[0].get(RECORD_ID) == known.get(RECORD_ID))

    @property
    def total(self) -> int | None:
        """About how many documents there are to read, where the catalog knows."""
        return None if self._query else self.collection.documents

    def count(self) -> int:
        """Return how many documents there are: by the catalog where it knows, else counted."""
        if self.total is not None:
            return self.total
        query = {} if self._query is None else RawBSONDocument(self._query)
        command = {"count": self.collection.name, "query": query}
        with self._connection.translated(f"cannot count in {self.collection.stream}"):
            return int(self._connection.source.command(command)["n"])

    def _command(self, concern: dict[str, Any]) -> dict[str, Any]:
        command: dict[str, Any] = {"find": self.collection.name, "readConcern": concern}
        if self._query is not None:
            command["filter"] = RawBSONDocument(self._query)
        if self.collection.kind == "view":
            command["allowDiskUse"] = True
        return command
