"""The source's log: changes in the order in which they happened, and the port to read it.

For       The method `log`, which applies them.
Touches   Nothing.
Promises  Whoever satisfies `ChangeLog` can be followed by the engine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.stream import Collection

DDL = frozenset({"drop", "rename", "dropDatabase"})


class Event(NamedTuple):
    """One change. `id` is the type byte and the value bytes of the document's `_id`."""

    token: str  # sorts as the log does
    operation: str
    collection: str
    time: ClusterTime
    id: bytes | None = None
    document: bytes | None = None  # as the change left it, where the log holds it
    renamed_to: str | None = None


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Some events, and the place after them; none of them may be left out before it is saved."""

    events: list[Event]
    token: str
    bytes: int


class ChangeLog(Protocol):
    """The log of one database."""

    def now(self) -> LogPosition:
        """Return the place after everything that has happened. Raises `LogUnavailableError`."""

    def clock(self) -> ClusterTime:
        """Return the cluster time of the newest write."""

    def why_lost(self, position: LogPosition, collection: Collection) -> str | None:
        """Say why a collection cannot be followed from there; None where it can."""

    def read(
        self, start: ClusterTime, collections: Sequence[Collection], operations: Sequence[str]
    ) -> AbstractContextManager[Iterator[LogBatch]]:
        """Read what happened at `start` or after it, without an end.

        A batch without events comes at least once a second. Raises `PositionLostError` where
        the log has gone on without us.
        """
