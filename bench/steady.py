"""landbridge's copy phase by itself: a process that prints how long it took.

For       `bench.copying`, which compares it with the limit: SOURCE TARGET COLLECTION DEPTH.
Touches   What `landbridge.sync` touches.
Promises  The clock runs from the first `find` to the last commit: learning the first documents
          and making the table are inside, connecting, key, ANALYZE and publishing outside.
"""

from __future__ import annotations

import json
import sys
import time

import landbridge
from landbridge.model.summary import Progress
from landbridge.mongo.read import CursorRead
from landbridge.mongo.source import CollectionSource


class _Clock:
    def __init__(self) -> None:
        self.first: dict[str, float] = {}

    def note(self, moment: str) -> None:
        self.first.setdefault(moment, time.perf_counter())

    def observe(self, progress: Progress) -> None:
        self.note("written" if progress.documents else "begun")
        self.note(progress.phase)


def main(source: str, target: str, collection: str, flatten_depth: str) -> None:
    """Sync the collection and print the times."""
    clock, read = _Clock(), CollectionSource.read

    def timed_read(self: CollectionSource, *, snapshot: bool) -> CursorRead:
        clock.note("find")
        return read(self, snapshot=snapshot)

    CollectionSource.read = timed_read  # type: ignore[method-assign]
    summary = landbridge.sync(
        source,
        target,
        select=[collection],
        settings=landbridge.Settings(flatten_depth=int(flatten_depth)),
        observer=clock.observe,
    )
    if summary.error:
        sys.exit(json.dumps(summary.error))
    first = clock.first
    print(
        json.dumps(
            {
                "copy_seconds": first["indexing"] - first["find"],
                "begin_seconds": first["find"] - first["begun"],
                "first_batch_seconds": first["written"] - first["find"],
                "publish_seconds": first["done"] - first["indexing"],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
