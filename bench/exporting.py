"""Exports: documents a second as a share of what reading alone reaches, and the peak of memory.

For       `python -m bench export`.
Touches   Collections of both shapes, and a folder that is thrown away.
Promises  Raw read and export in turn, of the same collection, on the same server. The raw read is
          our own command loop, replies thrown away; the export ends when its file is on the disk,
          its checksum known. Neither counts the start of a process.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.figures import Figure, of_several
from bench.process import landbridge, run
from bench.servers import Servers
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.scan import Scan

SHAPES = ("narrow", "emissions")
COMPRESSIONS = ("none", "zstd", "gzip")
AIM, MEMORY_AIM = "≥ 60 %", "< 300 MB"


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes, each compression."""
    return [
        figure
        for shape in SHAPES
        for compression in COMPRESSIONS
        for figure in _measure(servers, shape, documents[shape], compression, repetitions)
    ]


def _measure(
    servers: Servers, shape: str, documents: int, compression: str, repetitions: int
) -> list[Figure]:
    raw, exported, shares, peaks, cpu = [], [], [], [], []
    for _ in range(repetitions):
        raw.append(documents / _read(servers, shape))
        with TemporaryDirectory() as folder:
            command = ("export", "--from", servers.source, "--select", shape, "--json")
            to = ("--out", str(Path(folder, "archive")), "--compress", compression)
            finished = run(landbridge(*command, *to))
        (file,) = json.loads(finished.output)["files"]
        exported.append(documents / file["seconds"])
        shares.append(100 * exported[-1] / raw[-1])
        peaks.append(finished.peak_mb)
        cpu.append(finished.cpu_seconds)
    case = f"{shape}, {documents:,} documents, {compression}"
    aim = AIM if compression == "none" else ""
    return [
        of_several("export", case, "raw read", raw, "docs/s"),
        of_several("export", case, "export", exported, "docs/s"),
        of_several("export", case, "share of the raw read", shares, "%", aim),
        of_several("export", case, "client CPU, whole process", cpu, "s"),
        of_several("export", case, "peak memory", peaks, "MB", MEMORY_AIM),
    ]


def _read(servers: Servers, name: str) -> float:
    with connect(servers.source) as mongo:
        found = next(one for one in catalog.collections(mongo) if one.name == name)
        scan = Scan(mongo, catalog.with_sizes(mongo, found))
        at = scan.now()
        began = time.perf_counter()
        with scan.read(at=at) as read:
            for _ in read:
                pass
        return time.perf_counter() - began
