"""A few faults of the campaign, each time the tests run; `make campaign` has all of them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from tests.campaign.faults.every import FAULTS
from tests.campaign.methods import METHODS
from tests.campaign.runner import attempt
from tests.campaign.servers import Servers

# The last three digits choose among the variants of a fault.
SEED = int(os.environ.get("LANDBRIDGE_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
CHOSEN = [
    ("worker killed at any moment", "full"),
    ("mongod killed", "full"),
    ("PostgreSQL killed", "incremental"),
    ("cut between COMMIT and its answer", "incremental"),
    ("cut between COMMIT and its answer", "follow"),
    ("worker killed at any moment", "follow"),
    ("mongod killed", "log"),
    ("collections dropped, renamed, replaced", "follow"),
]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with Servers() as made:
        yield made


@pytest.mark.parametrize(("fault", "method"), CHOSEN, ids=lambda value: value.replace(" ", "-"))
def test_a_fault_is_survived(fault: str, method: str, servers: Servers) -> None:
    [chosen] = [each for each in FAULTS if each.name == fault]
    print(f"python -m tests.campaign --only '{fault}' --method {method} --tries 1 --seed {SEED}")
    done = attempt(chosen, METHODS[method], SEED, servers)
    assert done.trouble == "", done.what
