"""A source whose documents are at hand: those in quarantine, to be tried again.

For       `full.retry`.
Touches   Nothing.
Promises  It behaves as a collection read at one moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from landbridge.codec import batch_of
from landbridge.model.batch import Batch
from landbridge.model.stream import Collection, IdRange


class _Reading:
    consistent_at = None

    def __init__(self, documents: Sequence[bytes]) -> None:
        self._documents = documents

    def __iter__(self) -> Iterator[Batch]:
        if self._documents:
            yield batch_of(self._documents)


class MemorySource:
    """Documents of one collection, each id once: the last of several is the one that counts."""

    identity = "quarantine"
    snapshots = True
    snapshot_seconds = 0.0

    def __init__(self, collection: Collection, documents: Sequence[bytes]) -> None:
        self.collection = collection
        self._documents = documents

    def read(self, *, snapshot: bool) -> AbstractContextManager[_Reading]:
        """Read all documents."""
        return nullcontext(_Reading(self._documents))

    def read_range(self, part: IdRange) -> AbstractContextManager[_Reading]:
        """Read all documents: they are one range."""
        return self.read(snapshot=True)

    def read_ids(self, ids: Sequence[bytes]) -> AbstractContextManager[_Reading]:
        """Read nothing: no id comes twice."""
        return nullcontext(_Reading(()))

    def split(self, bytes_each: int) -> list[IdRange]:
        """Return the one range."""
        return [IdRange(0, None, None)]

    def sample(self, documents: int, seconds: float) -> list[bytes]:
        """Return the first documents."""
        return list(self._documents[:documents])
