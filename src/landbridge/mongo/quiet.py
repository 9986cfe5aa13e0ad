"""Whether anybody writes: collections watched from one moment on.

For       A cutover, which must know that the source is at rest.
Touches   The change stream of the database; where there is none, counters in the server's catalog.
Promises  A write to a watched collection after `watch` returned is in `writes` once `look` has
          returned, unless `notes` says what the means at hand can't see.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Event
from typing import Any, Protocol

from pymongo.errors import OperationFailure

from landbridge.codec import id_document, id_text
from landbridge.errors import (
    LogUnavailableError,
    PositionLostError,
    PrivilegeError,
    StopError,
)
from landbridge.model.cutover import Means, Write
from landbridge.model.log import Event as LogEvent
from landbridge.model.position import LogPosition
from landbridge.model.settings import OPERATIONS
from landbridge.model.stream import Collection
from landbridge.mongo.catalog import with_indexes
from landbridge.mongo.connect import NAMESPACE_NOT_FOUND, REFUSALS, Connection
from landbridge.mongo.log import DatabaseLog

LOOK_EVERY_SECONDS = 1.0
# Fields that a write moves forward, as applications name them.
TOUCHED_FIELDS = ("updatedAt", "updated_at", "modifiedAt", "modified_at", "lastModified")

# The counts of calls that change a collection's table, by the names of several server versions.
_CHANGING = ("insert calls", "update calls", "modify", "modify calls")
_REMOVING = "remove calls"


class QuietWatch(Protocol):
    """Collections under watch."""

    @property
    def means(self) -> Means:
        """How writes are found."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What that can't see."""

    def look(self, seconds: float, ending: Event, *, until_busy: bool = False) -> None:
        """Look for writes for that long, and then for all that happened before the end of it.

        Ends early when `ending` is set; with `until_busy` also at the first write.
        """

    @property
    def writes(self) -> tuple[Write, ...]:
        """All writes seen so far, by collection and operation."""


def watch(connection: Connection, collections: Sequence[Collection]) -> QuietWatch:
    """Begin to watch collections; a view is seen only by those that it is made of."""
    views = [one.name for one in collections if one.kind == "view"]
    notes = tuple(
        f"{name} is a view: writes are seen where its own collections are selected"
        for name in views
    )
    watched = [one for one in collections if one.kind != "view"]
    # A time series has no events in the log.
    logged = [one for one in watched if one.kind != "timeseries"]
    counted = [one for one in watched if one.kind == "timeseries"]
    parts: list[QuietWatch] = []
    try:
        if logged:
            parts.append(LogWatch(connection, logged))
    except (LogUnavailableError, PrivilegeError) as error:
        counted = watched
        if isinstance(error, PrivilegeError):
            notes += (f"the log was not to be read: {error.why}",)
    if counted or not parts:
        parts.append(CounterWatch(connection, counted))
    return _Several(tuple(parts), notes)


class _Several:
    """Collections that are watched by several means."""

    def __init__(self, parts: tuple[QuietWatch, ...], notes: tuple[str, ...]) -> None:
        self._parts = parts
        self._notes = notes

    @property
    def means(self) -> Means:
        """The weakest of them."""
        return self._parts[-1].means

    @property
    def notes(self) -> tuple[str, ...]:
        """What any of them can't see."""
        return self._notes + tuple(note for part in self._parts for note in part.notes)

    @property
    def writes(self) -> tuple[Write, ...]:
        """What was seen so far."""
        return tuple(write for part in self._parts for write in part.writes)

    def look(self, seconds: float, ending: Event, *, until_busy: bool = False) -> None:
        """Look by the first for that long, and by the others once."""
        self._parts[0].look(seconds, ending, until_busy=until_busy)
        for part in self._parts[1:]:
            part.look(0.0, ending, until_busy=until_busy)


class _Seen:
    """Writes, added up by collection and operation."""

    def __init__(self) -> None:
        self._writes: dict[tuple[str, str], Write] = {}

    def add(self, write: Write) -> None:
        key = write.collection, write.operation
        known = self._writes.get(key)
        self._writes[key] = write if known is None else known.and_then(write)

    @property
    def all(self) -> tuple[Write, ...]:
        return tuple(self._writes[key] for key in sorted(self._writes))


class LogWatch:
    """Watches by the log, which holds every write with its time."""

    means: Means = "log"
    notes: tuple[str, ...] = ()

    def __init__(self, connection: Connection, collections: Sequence[Collection]) -> None:
        self._database = connection.database
        self._log = DatabaseLog(connection)
        self._collections = [replace(one, post_images=False) for one in collections]
        self._seen = _Seen()
        self._token = self._log.now().token

    @property
    def writes(self) -> tuple[Write, ...]:
        """What was seen so far."""
        return self._seen.all

    def look(self, seconds: float, ending: Event, *, until_busy: bool = False) -> None:
        """Read the log for that long, then to the time that it has come to."""
        ends = time.monotonic() + seconds
        until = None
        start = LogPosition(self._token).time
        try:
            with self._log.read(start, self._collections, OPERATIONS) as batches:
                for batch in batches:
                    for event in batch.events:
                        if event.token > self._token:
                            self._seen.add(self._write(event))
                    self._token = max(self._token, batch.token)
                    if until_busy and self._seen.all:
                        return
                    if until is None and (ending.is_set() or time.monotonic() >= ends):
                        until = self._log.clock()
                    if until is not None and LogPosition(batch.token).time >= until:
                        return
        except PositionLostError as error:
            raise StopError(
                f"cannot tell whether {self._database} was written to",
                why=f"its log no longer reaches back to the start of the watch: {error.why}",
                fix="enlarge the oplog (replSetResizeOplog), and begin again",
            ) from error

    def _write(self, event: LogEvent) -> Write:
        at = datetime.fromtimestamp(event.time.seconds, UTC).isoformat()
        example = id_text(id_document(event.id[0], event.id[1:])) if event.id else ""
        return Write(event.collection or "(all)", event.operation, 1, at, at, example)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the server says of a collection at one moment."""

    made: str  # what the storage engine calls its table; another one once it was made again
    documents: int | None
    changed: int | None  # calls that inserted or changed; None where the server does not tell
    removed: int
    largest: Mapping[str, bytes]  # field -> `{_id: largest value}`


class CounterWatch:
    """Watches by counters, where there is no log."""

    def __init__(self, connection: Connection, collections: Sequence[Collection]) -> None:
        self._connection = connection
        self._seen = _Seen()
        self._fields = {one.name: self._fields_of(one) for one in collections}
        self._uptime = self._started()
        self._last = {name: self._count(name) for name in self._fields}
        self._blind = [name for name, now in self._last.items() if now.changed is None]

    @property
    def means(self) -> Means:
        """`counts` where the server does not tell how often it wrote."""
        return "counts" if self._blind else "counters"

    @property
    def notes(self) -> tuple[str, ...]:
        """Say which collections only show some writes."""
        if not self._blind:
            return ()
        return tuple(
            f"{name}: seen by its number of documents"
            + "".join(f", its largest {field}" for field in self._fields[name])
            + "; a write that changes none of these is not seen"
            for name in self._blind
        )

    @property
    def writes(self) -> tuple[Write, ...]:
        """What was seen so far."""
        return self._seen.all

    def look(self, seconds: float, ending: Event, *, until_busy: bool = False) -> None:
        """Compare the counters every second."""
        ends = time.monotonic() + seconds
        while True:
            left = ends - time.monotonic()
            if left > 0:
                ending.wait(min(left, LOOK_EVERY_SECONDS))
            self._compare()
            if left <= 0 or ending.is_set() or (until_busy and self._seen.all):
                return

    def _compare(self) -> None:
        if self._started() != self._uptime:
            raise StopError(
                f"cannot tell whether {self._connection.database} was written to",
                why="the server was started again meanwhile, and its counters with it",
                fix="begin again",
            )
        at = datetime.now(UTC).isoformat(timespec="seconds")
        for name, before in self._last.items():
            now = self._count(name)
            for operation, count in _differences(before, now):
                self._seen.add(Write(name, operation, count, at, at, _example(before, now)))
            self._last[name] = now

    def _count(self, name: str) -> _Counted:
        what = f"cannot look at {self._connection.database}.{name}"
        with self._connection.translated(what):
            stats = self._stats(name)
            largest = {field: self._largest(name, field) for field in self._fields[name]}
        engine = stats.get("wiredTiger", {})
        calls = engine.get("cursor")
        return _Counted(
            made=engine.get("uri", ""),
            documents=stats.get("count"),
            changed=sum(calls.get(one, 0) for one in _CHANGING) if calls else None,
            removed=calls.get(_REMOVING, 0) if calls else 0,
            largest=largest,
        )

    def _stats(self, name: str) -> dict[str, Any]:
        try:
            return self._connection.source.command("collStats", name)
        except OperationFailure as error:
            if error.code == NAMESPACE_NOT_FOUND:
                return {}
            if error.code in REFUSALS:
                return {"count": self._connection.source[name].estimated_document_count()}
            raise

    def _largest(self, name: str, field: str) -> bytes:
        """Return the largest value of an indexed field as a document `{_id: …}`, or nothing."""
        pipeline: list[dict[str, Any]] = [
            {"$sort": {field: -1}},
            {"$limit": 1},
            {"$project": {"_id": f"${field}"}},
        ]
        found = next(iter(self._connection.raw_collection(name).aggregate(pipeline)), None)
        return b"" if found is None else bytes(found.raw)

    def _fields_of(self, collection: Collection) -> tuple[str, ...]:
        if collection.kind == "timeseries":
            return ()
        indexed = with_indexes(self._connection, collection).indexed_paths
        ids = ("_id",) if collection.id_indexed else ()
        return (*ids, *(field for field in TOUCHED_FIELDS if field in indexed))

    def _started(self) -> Any:
        """Return what changes when the server starts again."""
        with self._connection.translated("cannot ask the server since when it runs"):
            hello = self._connection.client.admin.command("hello")
        return hello.get("topologyVersion", {}).get("processId")


def _differences(before: _Counted, now: _Counted) -> list[tuple[str, int]]:
    """Return what was done between two moments: operations, and how often."""
    if before.made != now.made:
        return [("create" if not before.made else "drop", 1)]
    found = {}
    grown = (now.documents or 0) - (before.documents or 0)
    if before.changed is not None and now.changed is not None:
        changed, removed = now.changed - before.changed, now.removed - before.removed
        inserted = changed if now.documents is None else max(0, min(changed, grown + removed))
        found = {"insert": inserted, "update": changed - inserted, "delete": removed}
    elif grown:
        found = {"insert" if grown > 0 else "delete": abs(grown)}
    elif before.largest != now.largest:
        found = {"write": 1}
    return [(operation, count) for operation, count in found.items() if count]


def _example(before: _Counted, now: _Counted) -> str:
    """Return the largest `_id`, where that is what has changed."""
    largest = now.largest.get("_id", b"")
    return id_text(largest) if largest and largest != before.largest.get("_id") else ""
