"""The campaign: every fault again and again, each try with a seed of its own, and what came of it.

For       `make campaign`, and the short selection among the tests.
Touches   What servers and stages touch.
Promises  A try that fails never stops the others; its seed is printed, and replays it.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .faults.fault import Fault
from .faults.worker import places
from .methods import Method
from .servers import Servers
from .stage import Failed

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Try:
    """One fault, once."""

    seed: int
    what: str
    trouble: str  # empty where it was survived
    seconds: float
    codes: Counter[str]


@dataclass(slots=True)
class Result:
    """One fault and all its tries by one method."""

    fault: str
    method: str
    missing: str = ""  # why it was not tried
    tries: list[Try] = field(default_factory=list)

    @property
    def survived(self) -> int:
        """How many tries ended as they must."""
        return sum(not each.trouble for each in self.tries)


def tries_of(fault: Fault, method: Method, servers: Servers) -> int:
    """Return how often a fault is tried in a whole campaign: for named points, once each."""
    return fault.tries or len(places(method, servers))


def attempt(fault: Fault, method: Method, seed: int, servers: Servers) -> Try:
    """Try one fault once: strike under load, give the same command again, compare."""
    began = time.monotonic()
    what, trouble, codes = "", "", Counter[str]()
    try:
        with fault.set_up(method, seed, servers) as stage:
            codes = stage.codes
            what = fault.strike(stage, servers)
            stage.finish()
            record = stage.generator.record
            what += f"; {record.acknowledged} writes, {record.unknown} in doubt"
    except Failed as failure:
        trouble = str(failure)
    except Exception as error:  # of the campaign itself, or of a server
        trouble = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-6)}"
    return Try(seed, what, trouble, time.monotonic() - began, codes)


def campaign(
    faults: list[Fault],
    methods: list[Method],
    seed: int,
    tries: int | None,
    servers: Servers,
    say: Say,
) -> list[Result]:
    """Try all of it; each try's seed is the one before and one more."""
    results = []
    for method in methods:
        for fault in faults:
            if fault.only_by_log and not method.by_log:
                continue
            result = Result(fault.name, method.name, fault.missing())
            results.append(result)
            if result.missing:
                say(f"{method.name}: {fault.name}: not tried: {result.missing}")
                continue
            for number in range(tries or tries_of(fault, method, servers)):
                done = attempt(fault, method, seed + number, servers)
                result.tries.append(done)
                end = "FAILED: " + done.trouble if done.trouble else "survived"
                say(
                    f"{method.name}: {fault.name}: seed {done.seed}: {done.what or '-'};"
                    f" {_endings(done.codes)}; {done.seconds:.1f} s: {end}"
                )
    return results


def _endings(codes: Counter[str]) -> str:
    return ", ".join(f"{number} {ending}" for ending, number in codes.most_common()) or "no run"
