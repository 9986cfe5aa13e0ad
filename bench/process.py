"""A measured process: how long it took, what it used, what it printed.

For       Every benchmark that measures a whole command.
Touches   /proc of the process that it starts.
Promises  Memory is the process's own peak (VmHWM), whatever the size of the one that started it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Finished:
    """What a process did."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str


def python(*arguments: str) -> list[str]:
    """Return a command for this Python."""
    return [sys.executable, *arguments]


def landbridge(*arguments: str) -> list[str]:
    """Return a command of the program that is installed beside this Python."""
    return [str(Path(sys.executable).with_name("landbridge")), *arguments]


def run(command: Sequence[str]) -> Finished:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; the text is what it printed.

    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        peak = _PeakMemory(process.pid)
        peak.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        peak.join()
        out.seek(0)
        err.seek(0)
        output = out.read().decode()
        if process.returncode:
            raise RuntimeError(f"{command[:3]} failed: {output}{err.read().decode()}")
    return Finished(seconds, usage.ru_utime + usage.ru_stime, peak.kilobytes / 1024, output)


class _PeakMemory(threading.Thread):
    # ru_maxrss would do, but it counts what the parent held when it forked.
    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.kilobytes = 0

    def run(self) -> None:
        while True:
            try:
                text = self._status.read_text()
            except OSError:
                return
            _, found, rest = text.partition("VmHWM:")
            if not found:  # it has ended
                return
            self.kilobytes = int(rest.split(None, 1)[0])
            time.sleep(POLL_SECONDS)
