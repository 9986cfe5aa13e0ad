"""What a load is for: how its rows meet the living ones, and what speaks for them afterwards.

For       `load` and `publish`, which do the same for every method.
Touches   Nothing.
Promises  Frozen; decided before the first document is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from landbridge.errors import RetryableError
from landbridge.model.position import Bookmark, ClusterTime, LogPosition
from landbridge.model.settings import Load, Method

SWEEP_OVERDUE = 1_000_000_000  # runs since the last sweep, so that the next one has it


@dataclass(frozen=True, slots=True)
class Purpose:
    """How one load is published."""

    method: Method
    load: Load
    position: LogPosition | Bookmark | None = None  # None: the stream's own stays as it is
    partial: bool = False  # not every document of the collection is read
    every: bool = False  # each document is a version of its own, and is appended
    guarded: bool = True  # deletes are held against the guard; those of the log are a fact
    retried: Sequence[int] | None = None  # quarantine entries that are tried again
    keeps_lease: bool = False  # the run goes on with the stream
    events: int = 0  # of the log, before they were taken together
    without_key: int = 0  # documents without the replication key
    notes: tuple[str, ...] = ()  # what the report says beside the counts

    def position_at(
        self, consistent_at: str | None, *, kept: bool = False
    ) -> dict[str, Any] | None:
        """Return what to save beside rows that are as of that cluster time, where they are.

        `kept`: rows that should have gone are there still, since the guard refused it.
        """
        position = self.position
        if kept and isinstance(position, LogPosition):
            return None  # the log is to be read again
        if kept and isinstance(position, Bookmark):
            position = replace(position, runs=SWEEP_OVERDUE)
        if isinstance(position, LogPosition) and consistent_at:
            snapshot = ClusterTime.parse(consistent_at)
            if snapshot < position.time.before:  # the place is where the next write will be
                raise RetryableError(
                    "the copy was not published",
                    why=f"it is of {snapshot}, before the place in the log at {position.time}",
                    fix="start the same command again",
                )
            position = replace(position, snapshot=snapshot, ahead=False)
        return position.to_json() if position else None
