"""landbridge's copy phase by itself: a process that prints how long it took.

For       `bench.copying`, which compares it with the limit: SOURCE TARGET COLLECTION.
Touches   What `landbridge.sync` touches.
Promises  The clock runs from before the first byte is asked for to after the last commit; key,
          ANALYZE and publishing are outside of it.
"""

from __future__ import annotations

import json
import sys
import time

import landbridge
from landbridge.model.summary import Progress


class _Clock:
    def __init__(self) -> None:
        self.first: dict[str, float] = {}

    def __call__(self, progress: Progress) -> None:
        phase = "copying" if progress.documents and progress.phase == "reading" else progress.phase
        self.first.setdefault(phase, time.perf_counter())


def main(source: str, target: str, collection: str) -> None:
    """Sync the collection and print the times."""
    clock = _Clock()
    summary = landbridge.sync(source, target, select=[collection], observer=clock)
    if summary.error:
        sys.exit(json.dumps(summary.error))
    first = clock.first
    print(
        json.dumps(
            {
                "copy_seconds": first["indexing"] - first["reading"],
                "first_batch_seconds": first["copying"] - first["reading"],
                "publish_seconds": first["done"] - first["indexing"],
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
