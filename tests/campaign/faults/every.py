"""All faults, in the order in which the campaign tries them.

For       The runner.
Touches   Nothing.
Promises  A new family of faults is added here and nowhere else.
"""

from __future__ import annotations

from . import ddl, disk, elections, network, paused, positions, servers, two_workers, worker
from .fault import Fault

FAULTS: tuple[Fault, ...] = (
    *worker.FAULTS,
    *servers.FAULTS,
    *elections.FAULTS,
    *network.FAULTS,
    *paused.FAULTS,
    *disk.FAULTS,
    *ddl.FAULTS,
    *two_workers.FAULTS,
    *positions.FAULTS,
)
