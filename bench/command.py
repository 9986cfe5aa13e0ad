"""The whole command, start-up and primary key included, against a hand-written copy.

For       `python -m bench command`.
Touches   The collections of both shapes, the schemas `bench` and `peer`.
Promises  Each is a process of its own, in turn with the other, and makes its table anew.
"""

from __future__ import annotations

from bench.figures import Figure, of_several
from bench.process import landbridge, python, run
from bench.servers import Servers
from bench.shapes import SHAPES, take

DOCUMENTS = 200_000
AIMS = {"narrow": "≥ 2.5 ×", "emissions": "≥ 5 ×"}


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    figures = []
    for shape in SHAPES:
        count = min(DOCUMENTS, documents[shape])
        name = f"{shape}_command"
        take(servers.database, shape, name, count)
        figures += _measure_shape(servers, shape, name, count, repetitions)
        servers.database[name].drop()
    return figures


def _measure_shape(
    servers: Servers, shape: str, name: str, count: int, repetitions: int
) -> list[Figure]:
    sync = landbridge(
        *("sync", "--from", servers.source, "--to", servers.target, "--select", name, "--json")
    )
    peer = python("-m", "bench.peer_pycopy", servers.source, servers.target, name, shape)
    ours, theirs = [], []
    for _ in range(repetitions):
        servers.forget("peer")
        ours.append(run(sync))
        servers.forget("peer")
        theirs.append(run(peer))
    servers.forget("peer")
    case = f"{shape}, {count:,} documents"
    ratios = [b.seconds / a.seconds for a, b in zip(ours, theirs, strict=True)]
    return [
        of_several("command", case, "landbridge sync", [r.seconds for r in ours], "s"),
        of_several("command", case, "pymongo → psycopg COPY", [r.seconds for r in theirs], "s"),
        of_several("command", case, "times as fast", ratios, "×", AIMS[shape]),
        of_several("command", case, "landbridge, CPU", [r.cpu_seconds for r in ours], "s"),
        of_several("command", case, "peer, CPU", [r.cpu_seconds for r in theirs], "s"),
        of_several("command", case, "landbridge, peak memory", [r.peak_mb for r in ours], "MB"),
    ]
