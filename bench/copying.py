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
from landbridge.model.settings import Settings

# The second of emissions keeps sub-documents in jsonb, which costs PostgreSQL the most.
CASES = (("narrow", 1), ("emissions", 1), ("emissions", 0))
AIM = "≥ 85 %"


def measure(servers: Servers, documents: dict[str, int], repetitions: int) -> list[Figure]:
    """Measure both shapes."""
    return [
        figure
        for shape, depth in CASES
        for figure in _measure_shape(servers, shape, depth, documents[shape], repetitions)
    ]


def _measure_shape(
    servers: Servers, shape: str, depth: int, documents: int, repetitions: int
) -> list[Figure]:
    command = python("-m", "bench.steady", servers.source, servers.target, shape, str(depth))
    limits: list[float] = []
    times: list[dict[str, float]] = []
    cpu: list[float] = []
    servers.forget()
    run(command)  # warms both servers, and leaves the plan that the limit's rows follow
    with limit.encoded_rows(servers, shape, Settings(flatten_depth=depth)) as rows:
        for _ in range(repetitions):
            servers.forget(limit.SCHEMA)
            limits.append(limit.measure(servers, rows))
            servers.forget(limit.SCHEMA)
            finished = run(command)
            times.append(json.loads(finished.output))
            cpu.append(finished.cpu_seconds)
    servers.forget(limit.SCHEMA)
    case = f"{shape}, {documents:,} documents" + ("" if depth else ", --flatten-depth 0")
    copies = [each["copy_seconds"] for each in times]
    shares = [100 * bound / copy for bound, copy in zip(limits, copies, strict=True)]
    phases = {
        "begin_seconds": "before: connecting, looking",
        "first_batch_seconds": "until the first batch is written",
        "publish_seconds": "after: key, ANALYZE, publish",
    }
    return [
        of_several("copy", case, "limit", [documents / s for s in limits], "docs/s"),
        of_several("copy", case, "landbridge", [documents / s for s in copies], "docs/s"),
        of_several("copy", case, "share of the limit", shares, "%", AIM),
        of_several("copy", case, "client CPU, whole process", cpu, "s"),
        *(
            of_several("copy", case, what, [1000 * each[phase] for each in times], "ms")
            for phase, what in phases.items()
        ),
    ]
