"""Progress: the ranges that were compared, on disk, so that a verification can be taken up again.

For       A verification that was ended in the middle.
Touches   One file a stream, in the folder that the caller names.
Promises  A range counts as compared once its line is written whole. A file of other tables, other
          settings or another source is not believed, nor one that was begun more than a day ago.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landbridge.verify.reading import Bound, Range
from landbridge.verify.shape import Form

AGE_SECONDS_MAX = 24 * 3600
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of one range; keys as hex."""

    number: int
    documents: int
    equal: int
    source_sum: str
    target_sum: str
    suspects: tuple[str, ...]
    unnamed: tuple[int, int, int] = (0, 0, 0)  # missing, extra, different: not looked at again


class Progress:
    """The file of one stream; without a path nothing is kept."""

    def __init__(self, folder: Path | None, stream: str, identity: str) -> None:
        name = hashlib.sha256(f"{stream} {identity}".encode()).hexdigest()[:24]
        self._path = None if folder is None else folder / f"{name}.jsonl"
        self._identity = identity
        self.ranges: list[Range] | None = None  # of the verification that is taken up
        self.done: dict[int, Compared] = {}
        self.since = ""
        if self._path is not None and self._path.is_file():
            self._read(self._path)

    def begin(self, ranges: Sequence[Range], now: str) -> None:
        """Begin a file for these ranges."""
        self.ranges, self.done, self.since = list(ranges), {}, now
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            head = {
                "format": _FORMAT,
                "identity": self._identity,
                "since": now,
                "ranges": [[_bound_to_json(one.low), _bound_to_json(one.high)] for one in ranges],
            }
            self._path.write_text(json.dumps(head) + "\n")

    def add(self, compared: Compared) -> None:
        """Write that a range was compared."""
        self.done[compared.number] = compared
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(compared)) + "\n")
                file.flush()
                os.fsync(file.fileno())

    def end(self) -> None:
        """Forget the file: the verification is whole."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _read(self, path: Path) -> None:
        try:
            head, *lines = path.read_text().splitlines(keepends=True)
            found = json.loads(head)
            if found["format"] != _FORMAT or found["identity"] != self._identity:
                return
            age = datetime.now(UTC) - datetime.fromisoformat(found["since"])
            if age.total_seconds() > AGE_SECONDS_MAX:
                return  # what was equal then says little of now
            self.ranges = [
                Range(_bound_of_json(low), _bound_of_json(high)) for low, high in found["ranges"]
            ]
            self.since = found["since"]
            for line in lines:
                if not line.endswith("\n"):
                    break  # cut off in the middle
                one = json.loads(line)
                compared = Compared(
                    **{**one, "suspects": tuple(one["suspects"]), "unnamed": tuple(one["unnamed"])}
                )
                self.done[compared.number] = compared
        except (OSError, ValueError, KeyError, TypeError):
            self.ranges, self.done, self.since = None, {}, ""


def _bound_to_json(bound: Bound | None) -> Any:
    return None if bound is None else [bound.document.hex(), bound.text, int(bound.form)]


def _bound_of_json(data: Any) -> Bound | None:
    return None if data is None else Bound(bytes.fromhex(data[0]), data[1], Form(data[2]))
