"""The mode `hash`: the hash that each row stores, against the document as it is now.

For       `landbridge verify --mode hash`.
Touches   What `comparing` touches.
Promises  Equal means that just these documents were loaded, not that their columns are right.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from landbridge.model.verification import StreamVerdict, VerifyObserver
from landbridge.mongo.connect import Connection
from landbridge.postgres.connect import Target
from landbridge.verify import comparing
from landbridge.verify.pairs import Pair
from landbridge.verify.shape import hash_shape


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
        mongo, target, pair, hash_shape, "hash", observer=observer, stopping=stopping, resume=resume
    )
