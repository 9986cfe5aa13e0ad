"""A database of our own on the local disk, for sorts and joins that do not fit in memory.

For       The checks of an import over all of its documents.
Touches   A temporary folder, which goes with it.
Promises  Memory stays bounded. Nothing survives: it is neither synced nor journalled.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

# SQLite takes no parameters in a PRAGMA. A negative size counts KiB: 48 MB.
_PRAGMAS = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA cache_size = -49152;
"""


@contextmanager
def scratch(tables: str) -> Iterator[sqlite3.Connection]:
    """Open a database with these tables; commits are the caller's."""
    with tempfile.TemporaryDirectory(prefix="landbridge-") as folder:
        path = Path(folder) / "scratch.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.executescript(_PRAGMAS + tables)
            yield database
