"""An export in a process of its own that ends itself by kill -9 at a chosen step.

Started as `python -m tests.export.child SOURCE OUT COMPRESS STEP`. Steps are those that change
what is on the disk: a sync, a name given, progress written. Every reply of the server is a part.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

from landbridge import bridge
from landbridge.engine import archiving
from landbridge.files.local import LocalStore, LocalWriting
from landbridge.model.archive import Compression

DOCUMENTS_EACH = 50


def main() -> None:
    """Export, or die on the way; print the number of steps."""
    source, out, compress, step = sys.argv[1:]
    die_at, steps = int(step), 0

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return method(*args)

        return call

    archiving.PART_SECONDS = 0.0
    for owner, name in ((LocalWriting, "sync"), (LocalWriting, "finish"), (LocalStore, "write")):
        setattr(owner, name, dying(getattr(owner, name)))
    summary = bridge.export(
        source,
        out,
        compress=cast("Compression", compress),
        batch_size=DOCUMENTS_EACH,
        jobs=1,
    )
    assert summary.error is None, summary
    print(steps)


if __name__ == "__main__":
    main()
