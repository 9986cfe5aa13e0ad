"""A part of a collection, as something to read from: what a replication key says is new.

For       `incremental`, whose loads are those of a small collection.
Touches   The collection, reading only.
Promises  It has the whole collection's identity; its size is that of what is to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

from landbridge.model.replication import KeyRange
from landbridge.model.stream import IdRange, LiveSource, Read

_DOCUMENT_BYTES = 1024  # where nobody told the average


class KeyPart:
    """The documents of a range of a replication key, read by one cursor."""

    def __init__(self, live: LiveSource, wanted: KeyRange, tiny_bytes: int) -> None:
        self._live = live
        self._wanted = wanted
        whole = live.collection
        each = whole.document_bytes or _DOCUMENT_BYTES
        enough = tiny_bytes // each + 1  # to know that it is not tiny
        documents = live.count_key(wanted, enough)
        if documents is None or documents == enough:
            documents = whole.documents
        size = None if documents is None else documents * each
        # Ranges of ids are no ranges of this key.
        self.collection = replace(whole, documents=documents, bytes=size, id_indexed=False)
        self.identity = live.identity

    @property
    def snapshots(self) -> bool:
        """Whether the server gives point-in-time reads."""
        return self._live.snapshots

    @property
    def snapshot_seconds(self) -> float:
        """How long the server keeps the history a snapshot read needs."""
        return self._live.snapshot_seconds

    def read(self, *, snapshot: bool) -> AbstractContextManager[Read]:
        """Read the part."""
        return self._live.read_key(self._wanted, snapshot=snapshot)

    def read_range(self, part: IdRange) -> AbstractContextManager[Read]:
        """Read the part: it is one range."""
        return self.read(snapshot=False)

    def read_ids(self, ids: Sequence[bytes]) -> AbstractContextManager[Read]:
        """Read the documents with these ids."""
        return self._live.read_ids(ids)

    def split(self, bytes_each: int) -> list[IdRange]:
        """Return the one range."""
        return [IdRange(0, None, None)]

    def sample(self, documents: int, seconds: float) -> list[bytes]:
        """Return documents of the whole collection."""
        return self._live.sample(documents, seconds)
