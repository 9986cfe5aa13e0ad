"""The servers die by kill -9, and come back over what the crash has left.

For       mongod and PostgreSQL, killed at any moment of a run.
Touches   The servers of the campaign.
Promises  Both are up at the end.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from landbridge.embedded import Mongod

from ..servers import Servers, bring_up, family
from ..shift import Shift
from ..stage import Stage
from .fault import Fault, on_one


def mongod_dies(stage: Stage, servers: Servers) -> str:
    """Kill mongod, and start it again after a while."""
    assert isinstance(stage.mongod, Mongod)
    return _in_a_shift(stage, "mongod", stage.mongod.kill, stage.mongod.start)


def postgresql_dies(stage: Stage, servers: Servers) -> str:
    """Kill the whole of PostgreSQL, or one session's process, which makes it recover as well."""
    server = stage.postgresql

    def kill_all() -> None:
        server.kill()

    def kill_one() -> None:
        sessions = family(server.pid)[1:]
        with suppress(ProcessLookupError):
            os.kill(stage.chance.choice(sessions), signal.SIGKILL)

    one = stage.chance.random() < 0.3
    name = "a process of PostgreSQL" if one else "PostgreSQL"
    return _in_a_shift(stage, name, kill_one if one else kill_all, lambda: bring_up(server))


def _in_a_shift(
    stage: Stage, name: str, kill: Callable[[], None], start: Callable[[], None]
) -> str:
    with Shift(stage) as shift:
        shift.wait_a_while(stage.chance, 1.5)
        _ = shift.worker
        try:
            kill()
            down = stage.chance.choice([0.0, stage.chance.random() * 2])
            shift.wait_a_while(stage.chance, down)
        finally:
            start()
        shift.wait_a_while(stage.chance, 0.5)
    return f"{name} killed"


FAULTS = (
    Fault("mongod killed", 20, mongod_dies, on_one),
    Fault("PostgreSQL killed", 20, postgresql_dies, on_one),
)
