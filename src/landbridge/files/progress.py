"""How far an export has come: what was asked for, and of each file what is safe.

For       The same command after a crash, which goes on.
Touches   `export.progress.json` of a store; it goes away when the manifest is there.
Promises  The file is whole at any time. What it says is on the disk was there before it said so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from landbridge.errors import ArchiveError, ArchiveTakenError
from landbridge.files.store import Store
from landbridge.model.archive import ArchiveFile, Compression

PROGRESS_NAME = "export.progress.json"


@dataclass(frozen=True, slots=True)
class Asked:
    """What makes two commands the same export."""

    source: str
    database: str
    files: dict[str, str]  # collection -> file
    compression: Compression
    query: str | None


@dataclass(frozen=True, slots=True)
class Safe:
    """What is safe of one file."""

    file: ArchiveFile
    finished: bool = False
    place: str | None = None  # where the read goes on: a BSON document, hex
    last_id: str | None = None  # `{_id: …}` of the document before it, hex
    rejected_bytes: int = 0  # of the file of rejected documents
    uuid: str | None = None  # of the collection
    member: str = ""  # whose storage the place is of


class ExportProgress:
    """What is known of an export; every change is written at once, from any thread."""

    def __init__(self, store: Store, asked: Asked, started_at: str) -> None:
        self.started_at = started_at
        self.cluster_time: str | None = None
        self._store, self._asked = store, asked
        self._safe: dict[str, Safe] = {}
        self._lock = threading.Lock()

    def safe(self, collection: str) -> Safe | None:
        """Return what is safe of a collection's file, if anything is."""
        return self._safe.get(collection)

    def save(self, collection: str, safe: Safe) -> None:
        """Write what is safe now."""
        with self._lock:
            self._safe[collection] = safe
            self._write()

    def begin(self, cluster_time: str | None) -> None:
        """Write at which time the collections are read."""
        with self._lock:
            self.cluster_time = cluster_time
            self._write()

    def end(self) -> None:
        """Forget it all: the manifest says more."""
        self._store.remove(PROGRESS_NAME)

    def _write(self) -> None:
        stored = {
            "asked": asdict(self._asked),
            "started_at": self.started_at,
            "cluster_time": self.cluster_time,
            "safe": {name: asdict(safe) for name, safe in self._safe.items()},
        }
        self._store.write(PROGRESS_NAME, json.dumps(stored).encode())


def progress_of(store: Store, asked: Asked, started_at: str) -> tuple[ExportProgress, bool]:
    """Return the progress of an export into a store, and whether it had begun before.

    Raises:
        ArchiveTakenError: another export is under way there, or files of these names are there.

    """
    what = f"cannot export into {store.place}"
    data = store.read(PROGRESS_NAME)
    if data is None:
        taken = sorted(set(store.names()) & set(asked.files.values()))
        if taken:
            raise ArchiveTakenError(
                what, why=f"{taken[0]} is there already", fix="name an empty folder by --out"
            )
        return ExportProgress(store, asked, started_at), False
    try:
        stored: Mapping[str, Any] = json.loads(data)
        before = Asked(**stored["asked"])
        progress = ExportProgress(store, asked, stored["started_at"])
        progress.cluster_time = stored["cluster_time"]
        progress._safe = {name: _safe(one) for name, one in stored["safe"].items()}
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveError(
            what, why=f"{PROGRESS_NAME} there can't be understood", fix="name another --out"
        ) from error
    if before != asked:
        raise ArchiveTakenError(
            what,
            why=f"an export that asked for something else is unfinished there: {_other(before)}",
            fix="run that one again to finish it, or name another --out",
        )
    return progress, True


def _safe(stored: Mapping[str, Any]) -> Safe:
    return Safe(**{**stored, "file": ArchiveFile.from_json(stored["file"])})


def _other(asked: Asked) -> str:
    words = [f"{asked.database} of {asked.source}", ", ".join(sorted(asked.files))]
    words.append(f"compression {asked.compression}")
    if asked.query:
        words.append(f"query {asked.query}")
    return "; ".join(words)
