"""`python -m bench [PART …]`: measure, print a table, and write JSON where it is asked for.

For       `make bench`, and whoever changes the hot path.
Touches   Two servers of its own; the file named by `--json`.
Promises  Figures are printed as soon as a part is done; a machine that is busy shows in ranges.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from bench import (
    again,
    command,
    copying,
    exporting,
    following,
    growing,
    importing,
    kernel,
    many,
    memory,
    shapes,
    startup,
    verifying,
)
from bench.figures import Figure, show
from bench.servers import Servers, started

Part = Callable[[Servers, dict[str, int], argparse.Namespace], list[Figure]]

PARTS: dict[str, Part] = {
    "copy": lambda servers, documents, chosen: copying.measure(
        servers, documents, chosen.repetitions
    ),
    "command": lambda servers, documents, chosen: command.measure(
        servers, documents, chosen.repetitions
    ),
    "again": lambda servers, documents, chosen: again.measure(servers, documents),
    "kernel": lambda servers, documents, chosen: kernel.measure(chosen.repetitions),
    "many": lambda servers, documents, chosen: many.measure(
        servers, chosen.collections, chosen.repetitions
    ),
    "memory": lambda servers, documents, chosen: memory.measure(servers, documents),
    "export": lambda servers, documents, chosen: exporting.measure(
        servers, documents, chosen.repetitions
    ),
    "incremental": lambda servers, documents, chosen: growing.measure(
        servers, chosen.growing, chosen.repetitions
    ),
    "drain": lambda servers, documents, chosen: following.drain(servers, chosen.events),
    "follow": lambda servers, documents, chosen: following.follow(
        servers, chosen.rate, chosen.seconds, chosen.picture
    ),
    "idle": lambda servers, documents, chosen: following.idle(servers, chosen.seconds),
    "verify": lambda servers, documents, chosen: verifying.measure(
        servers, documents, chosen.repetitions
    ),
    "import": lambda servers, documents, chosen: importing.measure(
        servers, documents, chosen.repetitions
    ),
    "help": lambda servers, documents, chosen: startup.measure(),
}
DESCRIPTION = "Measure landbridge against the limit of this machine, on servers of its own."
NEEDS_DOCUMENTS = {"copy", "command", "again", "memory", "verify", "export", "import"}


def main() -> None:
    """Measure the parts that were asked for."""
    chosen = _parsed()
    parts = [name for name in PARTS if name in chosen.parts or not chosen.parts]
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(
        f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()};"
        f" load of others: {os.getloadavg()[0]:.1f}"
    )
    documents = {"narrow": chosen.narrow, "emissions": chosen.emissions}
    figures: list[Figure] = []
    began = time.perf_counter()
    with started() as servers:
        versions = (servers.database.client.server_info()["version"], _postgres_version(servers))
        console.print("mongod {}, PostgreSQL {}".format(*versions))
        if NEEDS_DOCUMENTS & set(parts):
            for shape, count in documents.items():
                shapes.fill(servers.database[shape], shape, count)
        for name in parts:
            found = PARTS[name](servers, documents, chosen)
            show(found, console)
            figures += found
    console.print(f"{time.perf_counter() - began:.0f} s in all")
    if chosen.json:
        report = {"versions": versions, "figures": [figure.to_json() for figure in figures]}
        Path(chosen.json).write_text(json.dumps(report, indent=2, ensure_ascii=False))


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=DESCRIPTION)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    parser.epilog = f"parts: {', '.join(PARTS)} (all, where none is named)"
    parser.add_argument("--narrow", type=int, default=1_000_000, help="documents of that shape")
    parser.add_argument("--emissions", type=int, default=200_000, help="documents of that shape")
    parser.add_argument("--collections", type=int, default=200, help="for the part many")
    parser.add_argument("--growing", type=int, default=1_000_000, help="for the part incremental")
    parser.add_argument("--events", type=int, default=1_000_000, help="for the part drain")
    parser.add_argument("--rate", type=int, default=5_000, help="writes/s, for the part follow")
    parser.add_argument("--seconds", type=int, default=60, help="for the parts follow and idle")
    parser.add_argument("--picture", action="store_true", help="draw the lag of the part follow")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    return parser.parse_args()


def _postgres_version(servers: Servers) -> str:
    return str(servers.value("SHOW server_version"))


if __name__ == "__main__":
    main()
