"""What a MongoDB says of itself before a sync: its role, what this user may do, keys, the log.

For       `landbridge doctor`, and the short check before a first sync.
Touches   The server's catalog, at most one document of each collection, both ends of its log.
Promises  Nothing is changed and nothing is scanned. A refusal is a fact and not an error; the
          short form asks of as many collections as fit into `SHORT_SECONDS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal, TypeVar

from bson import Timestamp
from pymongo.errors import ExecutionTimeout, OperationFailure, PyMongoError

from landbridge.errors import LandbridgeError, PrivilegeError
from landbridge.model.finding import CollectionFacts, Oplog, Role, SourceFacts
from landbridge.model.replication import KeyIndex
from landbridge.model.settings import Method
from landbridge.model.stream import Collection
from landbridge.mongo.catalog import with_sizes
from landbridge.mongo.connect import RAW, REFUSALS, Connection
from landbridge.mongo.indexes import key_indexes
from landbridge.mongo.source import CollectionSource

SHORT_SECONDS = 0.02
SMALL_BYTES_MAX = 64 << 20  # a database below it has no collection whose size could matter
FIRST_DOCUMENT_MS_MAX = 1_000  # a view may take long to its first document

NO_CHANGE_STREAMS = frozenset({40573, 73})  # a standalone; a database of the server's own
LOG = "oplog.rs"
PROBED = "landbridge"

Answer = TypeVar("Answer")


def identify(connection: Connection, *, short: bool = False) -> SourceFacts:
    """Return what kind of server answers, and unless `short` as whom it knows us."""
    with connection.translated("cannot ask the MongoDB what it is"):
        admin = connection.client.admin
        hello = admin.command("hello")
        if short:
            return SourceFacts(database=connection.database, role=_role(hello))
        users: list[dict[str, str]] = []
        build: dict[str, Any] = {}
        with suppress(OperationFailure):  # not on every hosted server, and not to everybody
            users = admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
            build = admin.command("buildInfo")
    user = users[0] if users else {"user": "", "db": ""}
    return SourceFacts(
        database=connection.database,
        version=build.get("version", ""),
        role=_role(hello),
        user=user["user"],
        user_database=user["db"],
    )


def with_refusals(connection: Connection, facts: SourceFacts, method: Method) -> SourceFacts:
    """Return `facts` with what the user may not do in the database, found by trying.

    For a user who may not even list collections: the one that is asked for need not exist.
    """
    tries: dict[str, dict[str, Any]] = {
        "listCollections": {"listCollections": 1, "nameOnly": True},
        "find": {"find": PROBED, "limit": 1},
    }
    if method == "incremental":
        tries["listIndexes"] = {"listIndexes": PROBED}
    refused = []
    with connection.translated(f"cannot examine {connection.database}"):
        for action, command in tries.items():
            try:
                allowed, _ = _asked(partial(connection.source.command, command))
            except OperationFailure:
                continue  # it does not exist, which only those are told who may ask
            if not allowed:
                refused.append(action)
    return replace(facts, refused=tuple(refused))


def examine(
    connection: Connection,
    facts: SourceFacts,
    collections: Sequence[Collection],
    *,
    method: Method,
    key: str,
    short: bool = False,
) -> SourceFacts:
    """Return `facts` with what the server says of these collections, and of its log.

    `short` leaves out what the run meets at once anyway, such as a collection that can't be read.
    """
    with connection.translated(f"cannot examine {connection.database}"):
        if short:
            examined = list(_examine_in_time(connection, collections, method, key))
        else:
            examined = [_examine(connection, one, method, key) for one in collections]
        facts = replace(facts, collections=tuple(examined))
        if method == "log":
            return _with_log(connection, facts)
        if not short:
            facts = replace(facts, snapshots=_gives_snapshots(connection, examined))
        if facts.bytes:  # else nothing is too large for any history
            facts = replace(facts, snapshot_seconds=connection.snapshot_seconds)
    return facts


def _role(hello: Mapping[str, Any]) -> Role:
    if hello.get("msg") == "isdbgrid":
        return "mongos"
    if hello.get("setName"):
        return "primary" if hello.get("isWritablePrimary") else "secondary"
    return "uninitiated" if hello.get("isreplicaset") else "standalone"


# -- collections --------------------------------------------------------------------------


def _examine(
    connection: Connection, collection: Collection, method: Method, key: str
) -> CollectionFacts:
    refused = []
    unreadable = ""
    try:
        allowed, _ = _asked(lambda: _first_document(connection, collection))
    except OperationFailure as error:
        allowed, unreadable = True, str((error.details or {}).get("errmsg", error))
    if not allowed:
        refused.append("find")
    try:
        collection = with_sizes(connection, collection)
    except PrivilegeError:
        if not refused:  # for most collections `find` is enough to ask for sizes
            refused.append("collStats")
    indexes: tuple[KeyIndex, ...] | None = None
    if method == "incremental" and not unreadable:
        allowed, indexes = _asked(lambda: key_indexes(connection, collection, key))
        if not allowed:
            refused.append("listIndexes")
    return CollectionFacts(collection, tuple(refused), unreadable, indexes)


def _examine_in_time(
    connection: Connection, collections: Sequence[Collection], method: Method, key: str
) -> Iterator[CollectionFacts]:
    """Ask what is worth a warning, of as many collections as there is time for."""
    ends = time.monotonic() + SHORT_SECONDS
    sized = _database_bytes(connection) > SMALL_BYTES_MAX
    for collection in collections:
        described, indexes = collection, None
        if time.monotonic() < ends:
            with suppress(LandbridgeError):
                described = with_sizes(connection, collection) if sized else collection
            if method == "incremental":
                _, indexes = _asked(partial(key_indexes, connection, collection, key))
        yield CollectionFacts(described, key_indexes=indexes)


def _database_bytes(connection: Connection) -> int:
    _, stats = _asked(lambda: connection.source.command("dbStats"))
    return int(stats["dataSize"]) if stats else 0


def _first_document(connection: Connection, collection: Collection) -> None:
    probe = {
        "find": collection.name,
        "limit": 1,
        "singleBatch": True,
        "maxTimeMS": FIRST_DOCUMENT_MS_MAX,
    }
    with suppress(ExecutionTimeout):  # it was at work on it
        # Raw: the document may be one that the driver can't read.
        connection.source.command(probe, codec_options=RAW)


def _gives_snapshots(connection: Connection, examined: Sequence[CollectionFacts]) -> bool | None:
    for facts in examined:
        ordinary = facts.collection.kind == "collection" and not facts.collection.capped
        if ordinary and not facts.refused and not facts.unreadable:
            return CollectionSource(connection, facts.collection).snapshots
    return None


# -- the log ------------------------------------------------------------------------------


def _with_log(connection: Connection, facts: SourceFacts) -> SourceFacts:
    log = _try_log(connection)
    if log != "open" or facts.role == "mongos":  # each shard has a log of its own
        return replace(facts, log=log)
    allowed, oplog = _asked(lambda: _oplog(connection))
    return replace(facts, log=log, oplog=oplog, oplog_refused=not allowed)


def _try_log(connection: Connection) -> Literal["open", "refused", "absent"]:
    """Open a change stream of the database, and close it."""
    database = connection.source
    pipeline: list[dict[str, Any]] = [{"$changeStream": {}}]
    try:
        allowed, reply = _asked(
            lambda: database.command("aggregate", 1, pipeline=pipeline, cursor={"batchSize": 0})
        )
    except OperationFailure as error:
        if error.code in NO_CHANGE_STREAMS:
            return "absent"
        raise
    if reply is None:
        return "open" if allowed else "refused"
    cursor = reply["cursor"]
    name = cursor["ns"].partition(".")[2]
    with suppress(PyMongoError):
        database.command("killCursors", name, cursors=[cursor["id"]])
    return "open"


def _oplog(connection: Connection) -> Oplog | None:
    local = connection.client.local
    ends: list[Timestamp] = []
    for direction in (1, -1):
        probe = {
            "find": LOG,
            "limit": 1,
            "singleBatch": True,
            "sort": {"$natural": direction},
            "projection": {"ts": 1},
        }
        ends += [entry["ts"] for entry in local.command(probe)["cursor"]["firstBatch"]]
    if len(ends) < 2:
        return None
    stats = local.command("collStats", LOG)
    first, last = ends
    return Oplog(
        seconds=float(last.time - first.time),
        used_bytes=int(stats["size"]),
        max_bytes=int(stats["maxSize"]),
        kept_seconds=_kept_seconds(connection),
    )


def _kept_seconds(connection: Connection) -> float:
    """Return how long the log is kept whatever its size, where this user may ask."""
    _, status = _asked(lambda: connection.client.admin.command("serverStatus"))
    hours = (status or {}).get("oplogTruncation", {}).get("oplogMinRetentionHours", 0)
    return float(hours) * 3600


def _asked(ask: Callable[[], Answer]) -> tuple[bool, Answer | None]:
    """Return whether the user may ask that, and the answer."""
    try:
        return True, ask()
    except OperationFailure as error:
        if error.code in REFUSALS:
            return False, None
        raise
