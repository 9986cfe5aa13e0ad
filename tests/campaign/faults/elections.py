"""The primary of three steps down, or dies, and another one is elected.

For       Streams that must go on at another member.
Touches   The replica set of the campaign.
Promises  All three members are up at the end, with a primary.
"""

from __future__ import annotations

from landbridge.embedded import Mongod

from ..replica_set import ReplicaSet
from ..servers import Servers
from ..shift import Shift
from ..stage import Stage
from .fault import Fault, on_three


def election(stage: Stage, servers: Servers) -> str:
    """Let the primary go, by its own will or by kill -9 every second time."""
    three = stage.mongod
    assert isinstance(three, ReplicaSet)
    killed: Mongod | None = None
    with Shift(stage) as shift:
        shift.wait_a_while(stage.chance, 1.5)
        _ = shift.worker
        try:
            if stage.seed % 2:
                killed = three.kill_primary()
            else:
                three.step_down()
            shift.wait_a_while(stage.chance, 4)
        finally:
            if killed is not None:
                killed.start()
            three.await_primary()
        shift.wait_a_while(stage.chance, 0.5)
    return "primary killed" if killed is not None else "primary stepped down"


FAULTS = (Fault("primary steps down or dies", 10, election, on_three),)
