"""Two workers on one stream: the second is told who has it, and does no harm.

For       A timer that gives a command while the last one is still at work.
Touches   Worker processes.
Promises  The first one stands still while the second tries, so that it surely holds its streams.
"""

from __future__ import annotations

import signal
import time

from ..servers import Servers
from ..stage import Failed, Stage, codes_of
from ..worker import Worker
from .fault import Fault, on_one

HELD_SECONDS_MAX = 20
BUSY = {"stream_busy", "locked"}  # locked: the first stood still as it took the stream


def second_worker(stage: Stage, servers: Servers) -> str:
    """Start a second one while the first holds a stream, then kill or release the first."""
    if stage.chance.random() < 0.7:
        stage.must_run()
        time.sleep(0.3)
    for _ in range(5):
        first = stage.worker()
        if _stopped_in_the_middle(stage, first):
            break
        stage.ended(first)
    else:
        raise AssertionError("the first one was always faster")
    second = stage.worker()
    code = stage.ended(second)
    told = codes_of(second.report())
    if code != 1 or not told or not told <= BUSY:
        raise Failed(f"the second one ended with {code}: {told or second.report()}")
    first.send(signal.SIGCONT)
    killed = stage.chance.random() < 0.5
    if killed:
        first.kill()
    elif stage.method.follows:
        stage.await_copied(first)
        stage.end_well(first)
    else:
        stage.expect_good(first)
    return f"the second one was refused, the first {'killed' if killed else 'went on'}"


def _stopped_in_the_middle(stage: Stage, worker: Worker) -> bool:
    """Stop it while it holds a stream, or all where it follows; False where it has ended.

    A second one that follows would go on with those that are free.
    """
    wanted = len(stage.generator.collections) if stage.method.follows else 1
    deadline = time.monotonic() + HELD_SECONDS_MAX
    with stage.postgres() as postgres:
        while worker.alive and time.monotonic() < deadline:
            found = postgres.execute("SELECT to_regclass('landbridge.lease')").fetchone()
            if found == (None,):
                continue
            worker.send(signal.SIGSTOP)
            held = postgres.execute("SELECT count(*) FROM landbridge.lease").fetchone()
            if held is not None and held[0] >= wanted:
                return True
            worker.send(signal.SIGCONT)
            time.sleep(stage.chance.random() * 0.005)
    return False


FAULTS = (Fault("two workers on one stream", 20, second_worker, on_one),)
