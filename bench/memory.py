"""Memory: the peak of the whole process, for many documents and for huge ones.

For       `python -m bench memory`.
Touches   The emissions collection, one of documents of nearly 16 MB, the schema `bench`.
Promises  Peak resident memory as the kernel of the system counts it for that process alone.
"""

from __future__ import annotations

from bench.figures import Figure
from bench.process import landbridge, run
from bench.servers import Servers
from bench.shapes import fill_large

LARGE_DOCUMENTS = 8
AIM, LARGE_AIM = "< 200 MB", "< 400 MB"


def measure(servers: Servers, documents: dict[str, int]) -> list[Figure]:
    """Measure first loads, and a second one."""
    fill_large(servers.database["large"], LARGE_DOCUMENTS)
    many = f"emissions, {documents['emissions']:,} documents"
    large = f"{LARGE_DOCUMENTS} documents of 16 MB"
    cases = [
        (many, "emissions", (), AIM),
        (f"{many}, second load", "emissions", (), AIM),
        (f"{many}, --raw jsonb", "emissions", ("--raw", "jsonb", "--full-refresh"), AIM),
        (large, "large", (), LARGE_AIM),
        (f"{large}, --raw jsonb", "large", ("--raw", "jsonb", "--full-refresh"), LARGE_AIM),
        (f"{large}, --raw bson", "large", ("--raw", "bson", "--full-refresh"), LARGE_AIM),
    ]
    servers.forget()
    figures = []
    for case, name, options, aim in cases:
        finished = run(
            landbridge(
                *("sync", "--from", servers.source, "--to", servers.target),
                *("--select", name, "--json", *options),
            )
        )
        figures += [
            Figure("memory", case, "peak memory", finished.peak_mb, "MB", aim),
            Figure("memory", case, "client CPU", finished.cpu_seconds, "s"),
        ]
    servers.forget()
    servers.database["large"].drop()
    return figures
