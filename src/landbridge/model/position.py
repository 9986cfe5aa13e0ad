"""How far a stream has come: a place in the source's log, or the largest keys that were read.

For       The methods `log` and `incremental`; `landbridge.stream.position` holds one as JSON.
Touches   Nothing.
Promises  Values keep their BSON type, and compare as the source compares them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# A resume token begins with 82, then the cluster time: seconds and increment, 4 bytes each. Its
# type bits, where it has any, follow a dot.
_TOKEN = re.compile(
    r"82([0-9a-f]{8})([0-9a-f]{8})(?:[0-9a-f]{2})*(?:\.(?:[0-9a-f]{2})+)?", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, order=True)
class ClusterTime:
    """A moment in the order of all writes of a replica set."""

    seconds: int
    increment: int

    def __str__(self) -> str:
        return f"{self.seconds}:{self.increment}"

    @property
    def before(self) -> ClusterTime:
        """The moment just before."""
        if self.increment > 0:
            return ClusterTime(self.seconds, self.increment - 1)
        return ClusterTime(self.seconds - 1, 2**32 - 1)

    @classmethod
    def parse(cls, text: str) -> ClusterTime:
        """Read `seconds:increment`."""
        seconds, _, increment = text.partition(":")
        return cls(int(seconds), int(increment))


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in the log: all events up to `token` are in the rows.

    `token` is a resume token as text: hex digits that sort as the log does, then its type bits,
    after a dot, where it has any. `snapshot` is the time of a copy that holds the events up to it
    as well. `uuid` is the collection's own.
    """

    token: str
    snapshot: ClusterTime | None = None
    uuid: str | None = None
    ahead: bool = False  # rows may be as of a time past `reached`
    sequence: int = 0  # the largest `_sdc_sequence` that a history was given

    @property
    def time(self) -> ClusterTime:
        """The cluster time in the token. Raises `ValueError` where it is none."""
        found = _TOKEN.fullmatch(self.token)
        if found is None:
            raise ValueError(f"not a resume token: {self.token[:40]!r}")
        return ClusterTime(int(found[1], 16), int(found[2], 16))

    @property
    def reached(self) -> ClusterTime:
        """The cluster time whose state the rows have."""
        return max(self.time, self.snapshot) if self.snapshot else self.time

    def to_json(self) -> dict[str, Any]:
        """Return what the state keeps."""
        return {
            "method": "log",
            "token": self.token,
            "time": str(self.time),
            "snapshot": str(self.snapshot) if self.snapshot else None,
            "uuid": self.uuid,
            "ahead": self.ahead,
            "sequence": self.sequence,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> LogPosition | None:
        """Return what `to_json` described; None for a position of another method.

        What was changed since, so that it is no position any more, has a token that is none.
        """
        if not data:
            return None
        if not isinstance(data, Mapping):
            return cls("")
        if data.get("method") != "log":
            return None
        try:
            snapshot = data["snapshot"]
            found = cls(
                data["token"],
                ClusterTime.parse(snapshot) if snapshot else None,
                data["uuid"],
                bool(data.get("ahead", False)),
                int(data.get("sequence", 0)),
            )
            return found if str(found.time) == data["time"] else cls("")
        except (KeyError, TypeError, ValueError, AttributeError):
            return cls("")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The largest value of a replication key in each bracket of types that compare.

    A value is a BSON document `{v: …}`. `by_id` is the same for the `_id` of documents that have
    no key. `runs` counts runs since the last sweep.
    """

    key: str
    values: dict[str, bytes] = field(default_factory=dict)
    by_id: dict[str, bytes] = field(default_factory=dict)
    runs: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what the state keeps."""
        return {
            "method": "incremental",
            "key": self.key,
            "values": _encoded(self.values),
            "by_id": _encoded(self.by_id),
            "runs": self.runs,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Bookmark | None:
        """Return what `to_json` described; None for a position of another method."""
        if not data or data.get("method") != "incremental":
            return None
        return cls(
            data["key"], _decoded(data["values"]), _decoded(data["by_id"]), int(data["runs"])
        )


def _encoded(values: Mapping[str, bytes]) -> dict[str, str]:
    return {name: base64.b64encode(value).decode() for name, value in values.items()}


def _decoded(values: Mapping[str, str]) -> dict[str, bytes]:
    return {name: base64.b64decode(value) for name, value in values.items()}
