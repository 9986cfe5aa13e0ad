"""A verification of every field against the first sync of the same documents.

For       `python -m bench verify`.
Touches   The collections of both shapes, the schema `bench`.
Promises  Each is a process of its own, in turn with the other; the table is made anew each time.
"""

from __future__ import annotations

from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import Servers
from bench.shapes import SHAPES

AIMS = {"full": "≥ 60 %", "hash": ""}


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    return [
        figure
        for shape in SHAPES
        for figure in _measure_shape(servers, shape, documents[shape], repetitions)
    ]


def _measure_shape(servers: Servers, shape: str, documents: int, repetitions: int) -> list[Figure]:
    ends = ("--from", servers.source, "--to", servers.target, "--select", shape, "--json")
    syncs: list[float] = []
    verifies: dict[str, list[float]] = {mode: [] for mode in AIMS}
    memory: list[float] = []
    for _ in range(repetitions):
        servers.forget()
        syncs.append(run(landbridge("sync", *ends)).seconds)
        for mode, seconds in verifies.items():
            finished = run(landbridge("verify", "--mode", mode, *ends))
            seconds.append(finished.seconds)
            memory.append(finished.peak_mb)
    servers.forget()
    case = f"{shape}, {documents:,} documents"
    figures = [of_several("verify", case, "sync", [documents / s for s in syncs], "docs/s")]
    for mode, seconds in verifies.items():
        rates = [documents / s for s in seconds]
        shares = [100 * sync / verify for sync, verify in zip(syncs, seconds, strict=True)]
        figures.append(of_several("verify", case, f"--mode {mode}", rates, "docs/s"))
        figures.append(
            of_several("verify", case, f"--mode {mode} of sync", shares, "%", AIMS[mode])
        )
    figures.append(of_several("verify", case, "peak memory", memory, "MB", "< 300 MB"))
    return figures
