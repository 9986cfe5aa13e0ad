"""The network: cut, refused, half-open and slow connections; a commit whose answer is lost.

For       Both sides of the worker, through proxies.
Touches   Connections of the worker.
Promises  The proxies are plain wires at the end.
"""

from __future__ import annotations

from ..servers import Servers
from ..shift import Shift
from ..stage import Stage
from .fault import Fault, behind_proxies

WEATHERS = ("cut", "cut and refused", "half-open", "slow")
SLOW_SECONDS = 0.3
TRAP_SECONDS_MAX = 15
COMMITS_MAX = 12


def bad_weather(stage: Stage, servers: Servers) -> str:
    """Spoil the wire to one side, or to both."""
    assert stage.mongo_proxy is not None and stage.postgres_proxy is not None
    sides = {
        "MongoDB": [stage.mongo_proxy],
        "PostgreSQL": [stage.postgres_proxy],
        "both": [stage.mongo_proxy, stage.postgres_proxy],
    }
    number = stage.seed % 1000
    weather = WEATHERS[number % len(WEATHERS)]
    side = [*sides][number // len(WEATHERS) % len(sides)]
    proxies = sides[side]
    with Shift(stage) as shift:
        shift.wait_a_while(stage.chance, 1.5)
        _ = shift.worker
        try:
            for proxy in proxies:
                match weather:
                    case "cut":
                        proxy.cut()
                    case "cut and refused":
                        proxy.refusing = True
                        proxy.cut()
                    case "half-open":
                        proxy.swallowing = True
                    case "slow":
                        proxy.delay = SLOW_SECONDS
            shift.wait_a_while(stage.chance, 4)
        finally:
            for proxy in proxies:
                proxy.heal()
        shift.wait_a_while(stage.chance, 0.5)
    return f"{weather}, {side}"


def lost_answer(stage: Stage, servers: Servers) -> str:
    """Cut when PostgreSQL has committed and the worker has not heard of it."""
    assert stage.postgres_proxy is not None
    if stage.chance.random() < 0.7:
        stage.must_run()
    number = stage.chance.randint(1, COMMITS_MAX)
    with Shift(stage):
        trap = stage.postgres_proxy.set_trap(number)
        trap.sprung.wait(TRAP_SECONDS_MAX)
    stage.postgres_proxy.heal()
    sprung = f"answered {trap.outcome}" if trap.sprung.is_set() else "never came"
    return f"commit number {number}, {sprung}"


FAULTS = (
    Fault("connections cut, refused, half-open, slow", 20, bad_weather, behind_proxies),
    Fault("cut between COMMIT and its answer", 20, lost_answer, behind_proxies),
)
