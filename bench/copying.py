"""Steady state: the copy phase of the small layout as a share of the machine's limit.

For       `python -m bench copy`.
Touches   The collections of both shapes, the schemas `bench` and `limit`.
Promises  Limit and landbridge in turn, a checkpoint before each, no key in either.
"""

from __future__ import annotations

import json

from bench import limit
from bench.figures import Figure, of_several
from bench.process import python, run
from bench.servers import Servers
from bench.shapes import SHAPES

AIM = "≥ 85 %"
SEE_ALSO_MS = 1000


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    return [
        figure
        for shape in SHAPES
        for figure in _measure_shape(servers, shape, documents[shape], repetitions)
    ]


def _measure_shape(servers: Servers, shape: str, documents: int, repetitions: int) -> list[Figure]:
    command = python("-m", "bench.steady", servers.source, servers.target, shape)
    limits, copies, cpu, first = [], [], [], []
    servers.forget()
    run(command)  # warms both servers, and leaves the plan that the limit's rows follow
    with limit.encoded_rows(servers, shape) as rows:
        for _ in range(repetitions):
            servers.forget(limit.SCHEMA)
            limits.append(limit.measure(servers, rows))
            servers.forget(limit.SCHEMA)
            finished = run(command)
            times = json.loads(finished.output)
            copies.append(times["copy_seconds"])
            first.append(times["first_batch_seconds"] * SEE_ALSO_MS)
            cpu.append(finished.cpu_seconds)
    servers.forget(limit.SCHEMA)
    case = f"{shape}, {documents:,} documents"
    shares = [100 * bound / copy for bound, copy in zip(limits, copies, strict=True)]
    return [
        of_several("copy", case, "limit", [documents / s for s in limits], "docs/s"),
        of_several("copy", case, "landbridge", [documents / s for s in copies], "docs/s"),
        of_several("copy", case, "share of the limit", shares, "%", AIM),
        of_several("copy", case, "until the first batch is written", first, "ms"),
        of_several("copy", case, "client CPU, whole process", cpu, "s"),
    ]
