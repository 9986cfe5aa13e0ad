"""The change stream of one database: opened at a time, read as the server sends it.

For       The method `log`.
Touches   One change stream cursor, on the primary; it is killed when the read ends.
Promises  Events come in order and none is left out. What the server can do is found by trying.

A stream is opened by cluster time, not by token: a token names an event, and the server looks for
it among those that pass the filter, which change with the selection. Whoever reads leaves out
what it has by the order of tokens.

https://www.mongodb.com/docs/manual/changeStreams/
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import pymongo
from bson import Int64, Timestamp
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError

from landbridge.errors import LogUnavailableError, PositionLostError
from landbridge.model.log import DDL, Event, LogBatch
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.settings import OPERATIONS
from landbridge.model.stream import Collection
from landbridge.mongo.connect import RAW, Connection, translate
from landbridge.mongo.events import Assembler
from landbridge.mongo.reply import Reply, read_reply
from landbridge.mongo.tokens import token_document

REPLY_DOCUMENTS = 5_000
AWAIT_MS = (10, 500)  # that a `getMore` waits for an event: at first, and when none comes
AHEAD_SECONDS_MAX = 10  # of a position: the place after the last write may bear a later time
KILL_SECONDS_MAX = 1.0
REOPEN_SECONDS = 0.2  # between two openings of a stream that ends at once

NOT_A_REPLICA_SET = 40573
NO_SUCH_STAGE = 40324
EVENT_TOO_LARGE = 10334
HISTORY_LOST = frozenset({280, 286})
TOKEN_REFUSED = frozenset({9, 260, 40647, 40649, 50788, 50811})  # when a stream is opened

Stages = Sequence[Mapping[str, Any]]

_SPLIT: dict[str, Any] = {"$changeStreamSplitLargeEvent": {}}
_KEPT = ("operationType", "ns", "to", "clusterTime", "documentKey", "splitEvent")
_TOKENS_ONLY: Stages = ({"$project": {"_id": 1}},)
_ENDINGS = ("dropDatabase", "invalidate")


class _EventTooLargeError(Exception):
    """An event is larger than the server can send; without its document it is not."""


class _NoSuchStageError(Exception):
    """The server does not know a stage of the pipeline."""


class _Cursor:
    """One change stream under way."""

    def __init__(self, connection: Connection, session: ClientSession) -> None:
        self._connection = connection
        self._session = session
        self.id = 0
        self._await_ms = AWAIT_MS[0]

    def open(self, options: Mapping[str, Any], stages: Stages) -> tuple[bytes, Reply]:
        """Open it; return the server's first reply."""
        return self._run(
            {
                "aggregate": 1,
                "pipeline": [{"$changeStream": dict(options)}, *stages],
                "cursor": {"batchSize": REPLY_DOCUMENTS},
            }
        )

    def more(self) -> tuple[bytes, Reply]:
        """Wait a moment for events; return the server's reply."""
        data, reply = self._run(
            {
                "getMore": Int64(self.id),
                "collection": "$cmd.aggregate",
                "batchSize": REPLY_DOCUMENTS,
                "maxTimeMS": self._await_ms,
            }
        )
        self._await_ms = min(2 * self._await_ms, AWAIT_MS[1]) if reply.empty else AWAIT_MS[0]
        return data, reply

    def kill(self) -> None:
        """Let the server forget it."""
        if self.id:
            kill = {"killCursors": "$cmd.aggregate", "cursors": [Int64(self.id)]}
            self.id = 0
            with suppress(PyMongoError), pymongo.timeout(KILL_SECONDS_MAX):
                self._connection.source.command(kill, session=self._session)

    def _run(self, command: dict[str, Any]) -> tuple[bytes, Reply]:
        what = f"cannot follow the changes of {self._connection.database}"
        opening = "aggregate" in command
        try:
            answer = self._connection.source.command(
                command, codec_options=RAW, session=self._session
            )
        except OperationFailure as error:
            self.id = 0
            if error.code == EVENT_TOO_LARGE:
                raise _EventTooLargeError from error
            if error.code == NO_SUCH_STAGE:
                raise _NoSuchStageError from error
            translated = translate(error, what, self._connection)
            if error.code == NOT_A_REPLICA_SET:
                raise unavailable(what) from error
            if error.code in HISTORY_LOST or (opening and error.code in TOKEN_REFUSED):
                raise position_lost(what, translated.why) from error
            raise translated from error
        except PyMongoError as error:
            self.id = 0
            raise translate(error, what, self._connection) from error
        data = bytes(answer.raw)
        reply = read_reply(data)
        self.id = reply.cursor_id
        return data, reply


class DatabaseLog:
    """The change stream of the database of a connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refused: dict[str, str | None] = {}  # token -> why the server does not take it
        self._splits: bool | None = None  # whether the server splits large events, once tried

    def now(self) -> LogPosition:
        """Return the place after everything that has happened."""
        with self._session() as session:
            cursor = _Cursor(self._connection, session)
            _, reply = self._open(cursor, {}, _TOKENS_ONLY)
            cursor.kill()
        if reply.resume_token is None:
            raise LogUnavailableError(
                f"cannot follow the changes of {self._connection.database}",
                why="the server gives no resume tokens that can be compared",
                fix="use --method incremental, or full",
            )
        return LogPosition(reply.resume_token)

    def clock(self) -> ClusterTime:
        """Return the cluster time of the newest write."""
        what = f"cannot ask for the time of {self._connection.database}"
        with self._connection.translated(what):
            found = self._connection.client.admin.command("hello").get("operationTime")
        if found is None:
            raise unavailable(what)
        return ClusterTime(found.time, found.inc)

    def why_lost(self, position: LogPosition, collection: Collection) -> str | None:
        """Say why a collection cannot be followed from there; None where it can."""
        try:
            begins = position.time
        except ValueError:
            return "the saved position is not a resume token"
        if begins.seconds > self.clock().seconds + AHEAD_SECONDS_MAX:
            return "the saved position lies ahead of the source's time, so it is of another source"
        if position.token not in self._refused:
            self._refused[position.token] = self._why_refused(position.token)
        if (why := self._refused[position.token]) is not None:
            return why
        if position.uuid != collection.uuid and not self._tells_why(position, collection):
            return "the collection is not the one that was copied, and the log does not tell why"
        return None

    def _why_refused(self, token: str) -> str | None:
        with self._session() as session:
            cursor = _Cursor(self._connection, session)
            try:
                # Without a filter, so that the server finds the event that the token names.
                self._open(cursor, {"startAfter": token_document(token)}, _TOKENS_ONLY)
            except PositionLostError as error:
                return error.why
            finally:
                cursor.kill()
        return None

    def _tells_why(self, position: LogPosition, collection: Collection) -> bool:
        """Return whether the log says how the collection came to be another one."""
        made = position.uuid is None  # there was none, and it begins with its first document
        if made and not collection.documents:
            return True
        end = self.clock()
        operations = OPERATIONS if made else ()
        with self.read(position.time, [collection], operations) as batches:
            for batch in batches:
                if any(made or event.operation in DDL for event in batch.events):
                    return True
                if LogPosition(batch.token).time >= end:
                    return False
        return False

    @contextmanager
    def read(
        self, start: ClusterTime, collections: Sequence[Collection], operations: Sequence[str]
    ) -> Iterator[Iterator[LogBatch]]:
        """Read what happened at `start` or after it, without an end."""
        with self._session() as session:
            cursor = _Cursor(self._connection, session)
            try:
                yield self._batches(cursor, start, collections, operations)
            finally:
                cursor.kill()

    def _batches(
        self,
        cursor: _Cursor,
        start: ClusterTime,
        collections: Sequence[Collection],
        operations: Sequence[str],
    ) -> Iterator[LogBatch]:
        last, lean = "", False
        assembler, waiting, size = Assembler(), list[Event](), 0
        while True:
            try:
                if cursor.id:
                    data, reply = cursor.more()
                else:
                    assembler, waiting, size = Assembler(), [], 0
                    options = _options(start, collections, lean=lean)
                    data, reply = self._open(
                        cursor, options, _stages(collections, operations, lean=lean)
                    )
            except _EventTooLargeError:
                if lean:
                    raise
                lean = True  # its document is read instead
                continue
            found = assembler.events(data, reply.offset)
            waiting += [event for event in found if event.token > last]
            size += reply.bytes
            if reply.resume_token is None or assembler.within:
                continue  # the rest of an event comes with the next reply
            last = max(reply.resume_token, last)
            start = LogPosition(last).time
            yield LogBatch(waiting, last, size)
            if cursor.id == 0:  # the database was dropped, and with it the stream ended
                start = ClusterTime(start.seconds, start.increment + 1)
                time.sleep(REOPEN_SECONDS)
            elif lean and waiting:
                lean = False
                cursor.kill()
            waiting, size = [], 0

    def _open(
        self, cursor: _Cursor, options: Mapping[str, Any], stages: Stages
    ) -> tuple[bytes, Reply]:
        if self._splits is None:
            try:
                opened = cursor.open(options, [*stages, _SPLIT])
            except _NoSuchStageError:
                self._splits = False
            else:
                self._splits = True
                return opened
        return cursor.open(options, [*stages, _SPLIT] if self._splits else stages)

    @contextmanager
    def _session(self) -> Iterator[ClientSession]:
        what = f"cannot follow the changes of {self._connection.database}"
        with self._connection.translated(what):
            session = self._connection.client.start_session(causal_consistency=False)
        try:
            yield session
        finally:
            session.end_session()


def _options(
    start: ClusterTime, collections: Sequence[Collection], *, lean: bool
) -> dict[str, Any]:
    options: dict[str, Any] = {"startAtOperationTime": Timestamp(start.seconds, start.increment)}
    if not lean and any(collection.post_images for collection in collections):
        options["fullDocument"] = "whenAvailable"
    return options


def _stages(
    collections: Sequence[Collection], operations: Sequence[str], *, lean: bool
) -> list[dict[str, Any]]:
    names = [collection.name for collection in collections]
    wanted = {
        "operationType": {"$in": [*operations, *sorted(DDL), "invalidate"]},
        "$or": [
            {"ns.coll": {"$in": names}},
            {"to.coll": {"$in": names}},  # `$out`, and a rename onto one of ours
            {"operationType": {"$in": list(_ENDINGS)}},
        ],
    }
    kept = _KEPT if lean else (*_KEPT, "fullDocument")
    # What an update changed is not sent: the document is read instead.
    return [{"$match": wanted}, {"$project": dict.fromkeys(kept, 1)}]


def unavailable(what: str) -> LogUnavailableError:
    """Return the error of a server that keeps no log."""
    return LogUnavailableError(
        what,
        why="the server is not part of a replica set, so it keeps no log of its changes",
        fix="use --method incremental, which needs none; or make it a replica set of one: "
        "replication.replSetName in mongod.conf, then rs.initiate()",
    )


def position_lost(what: str, why: str) -> PositionLostError:
    """Return the error of a place that the log does not reach back to."""
    return PositionLostError(
        what,
        why=why,
        fix="run again with --heal, which compares all documents and fetches what differs",
    )
