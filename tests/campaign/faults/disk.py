"""The disk of PostgreSQL is full, and has room again later.

For       A PostgreSQL whose data lies in a small file system in memory, which needs root.
Touches   That file system.
Promises  The ballast is gone at the end, and the server is up.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import AbstractContextManager
from pathlib import Path

from ..methods import Method
from ..servers import Servers, bring_up
from ..shift import Shift
from ..stage import Failed, Stage, set_up
from .fault import Fault

NOTICE_SECONDS_MAX = 30
PIECE = b"\0" * 65_536


def fill_up(stage: Stage, servers: Servers) -> str:
    """Leave no byte, until a run tells that it failed; then make room."""
    server, disk = servers.small_disk()
    ballast = disk / "ballast"
    with Shift(stage) as shift:
        shift.wait_a_while(stage.chance, 1.0)
        before = _failures(stage)
        try:
            _fill(ballast)
            deadline = time.monotonic() + NOTICE_SECONDS_MAX
            while _failures(stage) == before and time.monotonic() < deadline:
                time.sleep(0.1)
                _fill(ballast)  # what was freed meanwhile
        finally:
            ballast.unlink(missing_ok=True)
            bring_up(server)
        noticed = _failures(stage) > before
    if not noticed and not stage.method.follows:
        raise Failed("no run told that the disk was full")
    return "told" if noticed else "waited out"


def _failures(stage: Stage) -> int:
    return sum(number for ending, number in stage.codes.items() if ending != "ok")


def _fill(ballast: Path) -> None:
    with ballast.open("ab", buffering=0) as file:
        for size in (len(PIECE), 4096, 1):
            try:
                while file.write(PIECE[:size]) == size:
                    pass
            except OSError:
                continue


def missing() -> str:
    """Return why a file system can't be mounted here."""
    if os.geteuid() != 0:
        return "needs root, to mount a small file system"
    return "" if shutil.which("mount") else "there is no mount"


def on_small_disk(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage whose PostgreSQL has little room."""
    server, _ = servers.small_disk()
    return set_up(method, seed, servers.mongod(), server)


FAULTS = (Fault("disk of PostgreSQL full", 5, fill_up, on_small_disk, missing=missing),)
