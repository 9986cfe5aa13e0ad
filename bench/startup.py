"""Start-up: how long a person waits for `landbridge --help`.

For       `python -m bench help`.
Touches   Nothing.
Promises  The whole process, as the shell sees it.
"""

from __future__ import annotations

from bench.figures import Figure, of_several
from bench.process import landbridge, run

TIMES = 7
AIM = "< 0.3 s"


def measure() -> list[Figure]:
    """Measure the help page; the first run, which may compile, is not counted."""
    command = landbridge("--help")
    run(command)
    seconds = [run(command).seconds for _ in range(TIMES)]
    return [of_several("help", "landbridge --help", "whole command", seconds, "s", AIM)]
