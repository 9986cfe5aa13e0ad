"""`python -m tests.campaign`: run all faults, or some, and show what came of it.

For       `make campaign`.
Touches   What the campaign touches; with `--markdown` a page.
Promises  Exit code 1 where a try was not survived. Every try prints the seed that replays it.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from pathlib import Path

from . import report
from .faults.every import FAULTS
from .methods import METHODS
from .runner import campaign
from .servers import Servers


def main() -> int:
    """Read the flags, run, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="FAULT",
                        help="faults whose names hold this; may be repeated")  # fmt: skip
    parser.add_argument("--method", action="append", default=[], choices=sorted(METHODS),
                        help="methods to try; all by default; may be repeated")  # fmt: skip
    parser.add_argument("--tries", type=int, help="tries of each fault, instead of its own number")
    parser.add_argument("--seed", type=int, help="the first seed; another one each time by default")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--list", action="store_true", help="show the faults and do nothing")
    chosen = parser.parse_args()
    faults = [
        fault
        for fault in FAULTS
        if not chosen.only or any(part in fault.name for part in chosen.only)
    ]
    if chosen.list or not faults:
        print("\n".join(fault.name for fault in FAULTS))
        return 0 if chosen.list else 2
    # The number of a try is in the last three digits.
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(10**5) * 1000
    methods = [METHODS[name] for name in chosen.method or METHODS]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # nothing is left
    began = time.monotonic()
    with Servers() as servers:
        results = campaign(faults, methods, seed, chosen.tries, servers, _say)
    _say("")
    _say(report.table(results))
    if chosen.markdown:
        report.write(chosen.markdown, results)
    _say(f"\nfirst seed {seed}, {time.monotonic() - began:.0f} s")
    return 1 if any(len(each.tries) > each.survived for each in results) else 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
