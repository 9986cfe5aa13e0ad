"""The mode `full`: every field of every document, derived again, against every column.

For       `landbridge verify --mode full`.
Touches   What `comparing` touches.
Promises  Equal means that each column holds what its document says, by this room's own reading.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from landbridge.model.verification import StreamVerdict, VerifyObserver
from landbridge.mongo.connect import Connection
from landbridge.postgres.connect import Target
from landbridge.verify import comparing
from landbridge.verify.pairs import Pair
from landbridge.verify.shape import full_shape


def compare(
    mongo: Connection,
    target: Target,
    pair: Pair,
    *,
    observer: VerifyObserver | None = None,
    stopping: Callable[[], bool] = lambda: False,
    resume: Path | None = None,
) -> StreamVerdict:
    """Compare a collection with its table; `resume` is a folder for what is unfinished.

    Raises what `comparing.compare` raises.
    """
    return comparing.compare(
        mongo, target, pair, full_shape, "full", observer=observer, stopping=stopping, resume=resume
    )
