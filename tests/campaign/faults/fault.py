"""What every fault has: a name, how often it is tried, and what it needs; and how it strikes.

For       The files of this folder, one for each family; the runner.
Touches   Nothing.
Promises  A fault leaves every server up, whether it was survived or not.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..methods import Method
from ..servers import Servers
from ..stage import Stage, set_up

Strike = Callable[[Stage, Servers], str]
SetUp = Callable[[Method, int, Servers], AbstractContextManager[Stage]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to suffer; `strike` returns a few words about what it did."""

    name: str
    tries: int
    strike: Strike
    set_up: SetUp
    only_by_log: bool = False
    missing: Callable[[], str] = lambda: ""  # why it can't be tried here, if it can't


def on_one(
    method: Method, seed: int, servers: Servers, variant: str = ""
) -> AbstractContextManager[Stage]:
    """Return a stage on a replica set of one; `incremental` takes a standalone half of the time."""
    if method.name == "incremental" and seed % 2:
        mongod, transactions = servers.standalone(), False
    else:
        mongod, transactions = servers.mongod(), True
    postgresql = servers.postgresql()
    return set_up(method, seed, mongod, postgresql, transactions=transactions, variant=variant)


def behind_proxies(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage whose worker speaks to both servers through proxies."""
    return set_up(method, seed, servers.mongod(), servers.postgresql(), proxied=True)


def on_three(method: Method, seed: int, servers: Servers) -> AbstractContextManager[Stage]:
    """Return a stage on a replica set of three."""
    return set_up(method, seed, servers.three(), servers.postgresql(), rate=60.0)
