"""A source that returns documents twice, as a read in natural order may while they move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from landbridge.model.batch import Batch
from landbridge.mongo.read import CursorRead
from landbridge.mongo.source import CollectionSource


class Twice(CursorRead):
    """A read that brings its first batch twice."""

    def __iter__(self) -> Iterator[Batch]:
        for number, batch in enumerate(super().__iter__()):
            yield batch
            if number == 0:
                yield batch


class RepeatingSource(CollectionSource):
    """A collection on a server without snapshots; only what is read by id comes once."""

    snapshots = False  # type: ignore[assignment]

    def _find(self, *parts: dict[str, Any], level: str = "majority") -> CursorRead:
        found = super()._find(*parts, level="majority")
        if any("filter" in part for part in parts):
            return found
        return Twice(found._connection, found._commands, self.collection.document_bytes)
