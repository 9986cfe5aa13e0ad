"""The log of an export: a line for whatever begins or ends, with its time.

For       Whoever asks later when which collection was read.
Touches   `export.log` of a store.
Promises  A run goes on below what earlier runs wrote.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from landbridge.errors import redact
from landbridge.files import Store
from landbridge.model.archive import LOG_NAME


def now() -> str:
    """Return the time as the log and the manifest write it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class ExportLog:
    """The log of one archive, written from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._text = (store.read(LOG_NAME) or b"").decode(errors="replace")

    def say(self, line: str) -> None:
        """Add a line with the time before it."""
        with self._lock:
            self._text += f"{now()} {redact(' '.join(line.split()))}\n"
            self._store.write(LOG_NAME, self._text.encode())
