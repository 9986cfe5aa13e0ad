"""A source whose documents are at hand: those in quarantine, or what the log tells.

For       `full.retry`, and `log`.
Touches   Nothing.
Promises  It behaves as a collection read at one moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from landbridge.model.batch import Batch
from landbridge.model.stream import Collection, IdRange


class _Reading:
    consistent_at = None

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        yield from self._batches


class MemorySource:
    """Documents of one collection, each id once: the last of several is the one that counts."""

    snapshots = True
    snapshot_seconds = 0.0

    def __init__(self, collection: Collection, identity: str, batches: Iterable[Batch]) -> None:
        self.collection = collection
        self.identity = identity
        self._batches = batches

    def read(self, *, snapshot: bool) -> AbstractContextManager[_Reading]:
        """Read all documents."""
        return nullcontext(_Reading(self._batches))

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
        """Return no documents: they are all read."""
        return []
