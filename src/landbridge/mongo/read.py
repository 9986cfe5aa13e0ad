"""The command loop: `find` and `getMore`, the replies handed on as they came.

For       Reading as fast as the server sends: no Python object for a document.
Touches   One cursor at a time in one session, on the primary; it is killed when the read ends.
Promises  Every document that the server sends is in exactly one batch. Replies aim at 3.5 MB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import pymongo
from bson import Int64
from pymongo.client_session import ClientSession
from pymongo.errors import OperationFailure, PyMongoError

from landbridge.model.batch import Batch
from landbridge.mongo.connect import RAW, Connection
from landbridge.mongo.reply import read_reply

REPLY_BYTES_WANTED = 3_500_000
BATCH_DOCUMENTS_FIRST = 500  # soon there, so that work can begin; and to know their size by
BATCH_DOCUMENTS_MAX = 100_000
KILL_SECONDS_MAX = 1.0  # a server that went away is not waited for
MAJORITY_DISABLED = 148
EMPTY_RANGE = 51175  # `min` does not come before `max`

Command = Mapping[str, Any]


class CursorRead:
    """The documents that some `find` commands return, in their order; a `Read`, and its context.

    `document_bytes` is the average size of a document, where that is known. `documents_each` is
    how many a reply is to bring, where that is not to be found out.
    """

    def __init__(
        self,
        connection: Connection,
        commands: Sequence[Command],
        document_bytes: int | None,
        documents_each: int | None = None,
    ) -> None:
        self._connection = connection
        self._commands = commands
        self._batch_documents = (
            _within_bounds(REPLY_BYTES_WANTED // document_bytes)
            if document_bytes
            else BATCH_DOCUMENTS_FIRST
        )
        self._documents_each = documents_each
        self._documents_asked = 0  # for the reply under way
        self._collection = str(commands[0]["find"]) if commands else ""
        self._session: ClientSession | None = None
        self._cursor_id = 0
        self._consistent_at: str | None = None
        self._place: bytes | None = None

    @property
    def place(self) -> bytes | None:
        """Where a later scan can go on, after the batch last given; None where no server says."""
        return self._place

    @property
    def consistent_at(self) -> str | None:
        """Cluster time `seconds:increment` of a snapshot read once begun, else None."""
        return self._consistent_at

    def __enter__(self) -> CursorRead:
        with self._connection.translated(self._what):
            self._session = self._connection.client.start_session(causal_consistency=False)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(PyMongoError), pymongo.timeout(KILL_SECONDS_MAX):
            if self._cursor_id:
                kill = {"killCursors": self._collection, "cursors": [Int64(self._cursor_id)]}
                self._cursor_id = 0
                self._run(kill)
        if self._session is not None:
            self._session.end_session()

    def __iter__(self) -> Iterator[Batch]:
        for command in self._commands:
            yield from self._batches(command)

    @property
    def _what(self) -> str:
        return f"cannot read {self._connection.database}.{self._collection}"

    def _batches(self, command: Command) -> Iterator[Batch]:
        data = self._first(command)
        while data:
            reply = read_reply(data)
            self._cursor_id = reply.cursor_id
            self._consistent_at = self._consistent_at or reply.at_cluster_time
            self._place = reply.place
            self._aim(reply.bytes)
            if not reply.empty:
                yield Batch(data, reply.offset, reply.bytes)
            data = b""  # so that two replies are never held at once
            if self._cursor_id:
                data = self._next()

    def _first(self, command: Command) -> bytes:
        self._documents_asked = self._documents_each or min(
            self._batch_documents, BATCH_DOCUMENTS_FIRST
        )
        command = {**command, "batchSize": self._documents_asked}
        with self._connection.translated(self._what):
            try:
                return self._run(command)
            except OperationFailure as error:
                if error.code == EMPTY_RANGE:
                    return b""
                if error.code != MAJORITY_DISABLED:
                    raise
            return self._run({**command, "readConcern": {"level": "local"}})

    def _next(self) -> bytes:
        self._documents_asked = self._documents_each or self._batch_documents
        with self._connection.translated(self._what):
            return self._run(
                {
                    "getMore": Int64(self._cursor_id),
                    "collection": self._collection,
                    "batchSize": self._documents_asked,
                }
            )

    def _run(self, command: Command) -> bytes:
        # Of the document that pymongo makes of a reply only the bytes are used: asking it for
        # a field below the first level would make an object of every document.
        reply = self._connection.source.command(
            dict(command), codec_options=RAW, session=self._session
        )
        return bytes(reply.raw)

    def _aim(self, reply_bytes: int) -> None:
        wanted = self._documents_asked * REPLY_BYTES_WANTED // reply_bytes
        # A few small documents say little about the next ones.
        self._batch_documents = _within_bounds(min(wanted, 2 * self._batch_documents))


def _within_bounds(documents: int) -> int:
    return max(1, min(documents, BATCH_DOCUMENTS_MAX))
