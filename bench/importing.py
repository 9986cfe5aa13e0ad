"""Import: files of lines to tables, against a sync of the same documents.

For       `python -m bench import`.
Touches   The collections of both shapes, a folder for the archive, the schema `bench`.
Promises  Each is a process of its own, in turn with the other, and makes its table anew.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import Servers
from bench.shapes import SHAPES

AIM, MEMORY_AIM = "≥ 50 %", "< 300 MB"
COMPRESSIONS = ("none", "zstd")


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="landbridge-bench-") as folder:
        for shape in SHAPES:
            for compression in COMPRESSIONS:
                place = str(Path(folder) / f"{shape}-{compression}")
                packed = () if compression == "none" else ("--compress", compression)
                source = ("--from", servers.source, "--collections", shape)
                run(landbridge("export", *source, "--out", place, *packed))
                case = f"{shape}, {documents[shape]:,} documents, {compression}"
                figures += _measure(servers, shape, place, case, documents[shape], repetitions)
    return figures


def _measure(
    servers: Servers, shape: str, place: str, case: str, documents: int, repetitions: int
) -> list[Figure]:
    sync = landbridge(
        *("sync", "--from", servers.source, "--to", servers.target, "--select", shape, "--json")
    )
    read = landbridge("import", "--input", place, "--to", servers.target, "--json")
    synced, imported = [], []
    for _ in range(repetitions):
        servers.forget()
        synced.append(run(sync))
        servers.forget()
        imported.append(run(read))
    servers.forget()
    rates = [documents / done.seconds for done in imported]
    ratios = [100 * a.seconds / b.seconds for a, b in zip(synced, imported, strict=True)]
    peaks = [done.peak_mb for done in imported]
    return [
        of_several("import", case, "sync", [documents / s.seconds for s in synced], "docs/s"),
        of_several("import", case, "import", rates, "docs/s"),
        of_several("import", case, "share of sync", ratios, "%", AIM),
        of_several("import", case, "CPU", [done.cpu_seconds for done in imported], "s"),
        of_several("import", case, "peak memory", peaks, "MB", MEMORY_AIM),
    ]
