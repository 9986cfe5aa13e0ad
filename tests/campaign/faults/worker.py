"""The worker dies: at every named point, at any moment, and while it recovers.

For       kill -9 of the command under test.
Touches   Worker processes.
Promises  Every statement that the command says to PostgreSQL is a point, once before it is sent
          and once after it was answered, in a first run and in a later one.
"""

from __future__ import annotations

import random
import signal
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import product

from ..methods import Method
from ..servers import Servers
from ..shift import Shift
from ..stage import Stage
from ..worker import Point
from .fault import Fault, on_one

REACH_SECONDS_MAX = 4
WRITES_SECONDS = 0.4  # so that a later run has something to do


@dataclass(frozen=True, slots=True)
class Place:
    """A point, in the first or in a later run; in which layouts it is met, and how often."""

    later: bool
    name: str
    answered: bool
    times: tuple[tuple[str, int], ...]


_known: dict[str, list[Place]] = {}


def places(method: Method, servers: Servers) -> list[Place]:
    """Return all places where a worker can die, found by a rehearsal; the same ones each time."""
    if method.name not in _known:
        times: dict[tuple[bool, str], dict[str, int]] = {}
        for seed, variant in product(range(2), method.variants):
            with on_one(method, seed, servers, variant) as stage:
                for later in (False, True):
                    for name, number in stage.must_run().points().items():
                        counts = times.setdefault((later, name), {})
                        counts[variant] = min(number, counts.get(variant, number))
                    time.sleep(WRITES_SECONDS)
        _known[method.name] = [
            Place(later, name, answered, tuple(sorted(counts.items())))
            for (later, name), counts in sorted(times.items())
            for answered in (False, True)
        ]
    return _known[method.name]


def _place(method: Method, seed: int, servers: Servers) -> tuple[Place, str, int]:
    """Return the place that the end of a seed names, a layout that has it, and how often."""
    found = places(method, servers)
    place = found[seed % 1000 % len(found)]
    variant, times = random.Random(f"{seed} place").choice(place.times)
    return place, variant, times


def on_a_place(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage whose layout comes to the place of the seed."""
    _, variant, _ = _place(method, seed, servers)
    return on_one(method, seed, servers, variant)


def at_a_point(stage: Stage, servers: Servers) -> str:
    """Kill it at the point that the seed names; the number of the try is in its last digits."""
    place, _, times = _place(stage.method, stage.seed, servers)
    if place.later:
        stage.must_run()
        time.sleep(WRITES_SECONDS)
    number = stage.chance.randint(1, times)
    point = Point(place.name, number, place.answered)
    worker = stage.worker(die_at=point)
    code = worker.wait(REACH_SECONDS_MAX if stage.method.follows else None)
    if code is None:  # it follows, and may come there when it is asked to end
        worker.send(signal.SIGTERM)
        code = stage.ended(worker)
    else:
        stage.note(worker, code)
    reached = "" if code < 0 else "; not reached"
    return f"{'later' if place.later else 'first'} run, {point}{reached}"


def at_any_moment(stage: Stage, servers: Servers) -> str:
    """Kill whatever run is under way, once or twice."""
    with Shift(stage) as shift:
        moments = []
        for _ in range(stage.chance.randint(1, 2)):
            moment = stage.chance.random() * 1.5
            moments.append(f"{moment:.3f}")
            time.sleep(moment)
            shift.worker.kill()
    return f"killed after {' and '.join(moments)} s"


def as_it_starts_again(stage: Stage, servers: Servers) -> str:
    """Kill it, and each of its next runs within a second of their start."""
    with Shift(stage) as shift:
        time.sleep(stage.chance.random())
        shift.worker.kill()
        moments = []
        for _ in range(3):
            worker = shift.worker
            moment = _soon(stage.chance)
            moments.append(f"{moment:.3f}")
            time.sleep(moment)
            worker.kill()
    return f"killed {', '.join(moments)} s after each start"


def _soon(chance: random.Random) -> float:
    """Return a moment within the first second, the earlier the likelier."""
    return chance.random() ** 2


FAULTS = (
    Fault("worker killed at a named point", 0, at_a_point, on_a_place),
    Fault("worker killed at any moment", 50, at_any_moment, on_one),
    Fault("worker killed within a second of its restart", 10, as_it_starts_again, on_one),
)
