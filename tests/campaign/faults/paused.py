"""SIGSTOP: the worker or a server stands still for seconds, and goes on as if nothing had been.

For       Long pauses of a machine.
Touches   Processes of the campaign.
Promises  All of them go on at the end.
"""

from __future__ import annotations

import signal
import time

from landbridge.embedded import Mongod

from ..servers import Servers, family, signal_all
from ..shift import Shift
from ..stage import Stage
from .fault import Fault, on_one

WHO = ("worker", "mongod", "PostgreSQL")


def pause(stage: Stage, servers: Servers) -> str:
    """Stop one of the three for one to six seconds."""
    who = WHO[stage.seed % 1000 % len(WHO)]
    with Shift(stage) as shift:
        shift.wait_a_while(stage.chance, 1.5)
        worker = shift.worker
        match who:
            case "worker":
                pids = [worker.pid]
            case "mongod":
                assert isinstance(stage.mongod, Mongod)
                pids = [stage.mongod.pid]
            case _:
                pids = family(stage.postgresql.pid)
        seconds = 1 + stage.chance.random() * 5
        try:
            signal_all(pids, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            signal_all(pids, signal.SIGCONT)
        shift.wait_a_while(stage.chance, 0.5)
    return f"{who} stopped for {seconds:.1f} s"


FAULTS = (Fault("SIGSTOP of the worker or a server", 10, pause, on_one),)
