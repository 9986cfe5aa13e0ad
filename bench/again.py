"""The same command again: what a second `overwrite` costs when little or nothing changed.

For       `python -m bench again`.
Touches   Two collections of the emissions shape, tiny and small; the schema `bench`.
Promises  Rows written are PostgreSQL's own count of row versions; WAL is all that the run wrote,
          from a checkpoint on, so that page images count.
"""

from __future__ import annotations

from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import DATABASE, Servers
from bench.shapes import take

SHAPE = "emissions"
TINY_DOCUMENTS = 20_000  # less than 16 MB of this shape: another layout
CHANGED_EVERY = 100
REPETITIONS = 3
WAL_AIM = "< 2 MiB"
_VERSIONS = """
    SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint
    FROM pg_stat_user_tables WHERE schemaname = %s AND relname = %s
"""


def measure(servers: Servers, documents: dict[str, int]) -> list[Figure]:
    """Measure a tiny and a small collection."""
    figures = []
    for size, count in (("tiny", TINY_DOCUMENTS), ("small", documents[SHAPE])):
        name = f"{SHAPE}_{size}"
        take(servers.database, SHAPE, name, min(count, documents[SHAPE]))
        servers.forget()
        figures += _measure_size(servers, name, min(count, documents[SHAPE]))
        servers.database[name].drop()
    servers.forget()
    return figures


def _measure_size(servers: Servers, name: str, documents: int) -> list[Figure]:
    _sync(servers, name)
    figures = []
    for what in ("no change", "1 % changed", "no change after that"):
        seconds, wal, versions = [], [], []
        for number in range(REPETITIONS):
            if what == "1 % changed":
                _change(servers, name, number)
            run_seconds, wal_bytes, written = _sync(servers, name)
            seconds.append(run_seconds)
            wal.append(wal_bytes / 2**20)
            versions.append(written)
        case = f"{name}, {documents:,} documents, {what}"
        aims = ("0", WAL_AIM) if what != "1 % changed" else ("", "")
        figures += [
            of_several("again", case, "whole command", seconds, "s"),
            of_several("again", case, "row versions", versions, "", aims[0]),
            of_several("again", case, "WAL", wal, "MiB", aims[1]),
        ]
    return figures


def _change(servers: Servers, name: str, number: int) -> None:
    """Change one document in a hundred, all over the collection."""
    collection = servers.database[name]
    ids = [document["_id"] for document in collection.find({}, {"_id": 1})][::CHANGED_EVERY]
    collection.update_many({"_id": {"$in": ids}}, {"$set": {"note": f"changed {number}"}})


def _sync(servers: Servers, name: str) -> tuple[float, float, float]:
    """Return seconds, bytes of WAL and row versions of one run."""
    servers.connection.execute("CHECKPOINT")
    before = servers.value("SELECT pg_current_wal_insert_lsn()")
    versions = servers.value(_VERSIONS, DATABASE, name)
    finished = run(
        landbridge(
            *("sync", "--from", servers.source, "--to", servers.target, "--select", name, "--json")
        )
    )
    wal = servers.value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), %s)", before)
    return finished.seconds, float(wal), servers.value(_VERSIONS, DATABASE, name) - versions
