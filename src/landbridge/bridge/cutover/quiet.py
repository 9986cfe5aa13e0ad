"""Whether the source of a cutover is at rest.

For       `landbridge cutover check`, and the steps of a cutover that need to know.
Touches   The source, by asking only.
Promises  Nothing is made or changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event

from landbridge.config import selection
from landbridge.errors import UsageError
from landbridge.model.cutover import Quiet
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.quiet import QuietWatch, watch

QUIET_SECONDS = 30.0


def check_quiet(
    source: str,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    quiet_seconds: float = QUIET_SECONDS,
    ending: Event | None = None,
) -> Quiet:
    """Watch the collections of a source for that long, and say what was written meanwhile.

    Args:
        source: MongoDB URI with a database.
        select: names or patterns of collections; all by default.
        exclude: names or patterns to leave out.
        quiet_seconds: how long to watch.
        ending: set by another thread to end the watch early.

    Raises:
        LandbridgeError: the source can't be asked, or nothing is selected.

    """
    refuse_negative(quiet_seconds)
    with connect(source) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        began = time.monotonic()
        watched = watch(mongo, chosen)
        watched.look(quiet_seconds, ending or Event())
        names = [one.name for one in chosen]
        return quiet_of(watched, f"{mongo.identity}/{mongo.database}", names, began)


def quiet_of(watched: QuietWatch, source: str, names: Sequence[str], began: float) -> Quiet:
    """Return what a watch has seen since `began` (monotonic seconds)."""
    return Quiet(
        source=source,
        collections=tuple(names),
        means=watched.means,
        seconds=time.monotonic() - began,
        writes=watched.writes,
        notes=watched.notes,
    )


def refuse_negative(quiet_seconds: float) -> None:
    """Raise `UsageError` for a time that nothing can be watched for."""
    if quiet_seconds < 0:
        raise UsageError(
            "the source cannot be watched for less than nothing",
            why=f"it is {quiet_seconds} s",
            fix="say how long nobody may have written, in seconds",
        )
