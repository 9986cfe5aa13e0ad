"""Where a cutover keeps what speaks for it: a log with times, and its reports.

For       A cutover and a watch.
Touches   A folder of its own for each, named by its time; a lock beside them.
Promises  Two cutovers never run at once over one folder. The log is on disk line by line, without
          a password, so that it tells how far a run came that was killed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landbridge.errors import BusyError, UsageError, redact

_log = logging.getLogger("landbridge")

CUTOVER_LOG, WATCH_LOG, REPORT_NAME = "cutover.log", "watch.log", "report.json"
VERIFICATION_JSON, VERIFICATION_HTML = "verification.json", "verification.html"
ARCHIVE_NAME = "archive"
LOCK_NAME = ".lock"


class Folder:
    """The folder of one cutover."""

    def __init__(self, path: Path, log_name: str) -> None:
        self.path = path
        self.log_path = path / log_name  # others may append to it
        self._log = self.log_path.open("ab", buffering=0)

    def say(self, text: str) -> None:
        """Write lines into the log, each with the time; a full disk stops nothing."""
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        lines = "".join(f"{at} {line}\n" for line in redact(text).splitlines())
        try:
            os.write(self._log.fileno(), lines.encode(errors="backslashreplace"))
            os.fsync(self._log.fileno())
        except OSError as error:
            _log.warning("%s cannot be written to: %s", self.log_path, error)

    def keep(self, name: str, report: dict[str, Any]) -> Path:
        """Write a report as JSON; return where it lies."""
        return self.keep_text(name, json.dumps(report, indent=1) + "\n")

    def keep_text(self, name: str, text: str) -> Path:
        """Write a file, whole or not at all; return where it lies."""
        unfinished, path = self.path / f".{name}.new", self.path / name
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
        return path

    def close(self) -> None:
        """Close the log."""
        self._log.close()


@contextmanager
def opened(
    parent: Path, log_name: str = CUTOVER_LOG, *, alone: bool = True
) -> Iterator[tuple[Folder, list[Path]]]:
    """Make a new folder in `parent`; yield it with the logs of others that never ended.

    `alone`: nobody else may be at work in `parent` who wants to be alone too.

    Raises:
        BusyError: another cutover is under way there.
        UsageError: the folder can't be written to.

    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        lock = (parent / LOCK_NAME).open("w")
    except OSError as error:
        raise UsageError(
            f"cannot write to {parent}",
            why=str(error),
            fix="run the command in a folder where you may write, or name one with --folder",
        ) from error
    with lock:
        try:
            if alone:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BusyError(
                "another cutover is under way",
                why=f"a living process holds {parent / LOCK_NAME}",
                fix="wait for it to end, or stop it: it unfreezes first",
            ) from error
        logs = sorted(parent.glob(f"*/{log_name}"))
        left = [path for path in logs if not (path.parent / REPORT_NAME).exists()]
        folder = Folder(_fresh(parent), log_name)
        try:
            yield folder, left
        finally:
            folder.close()


def _fresh(parent: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    number = 1
    while True:
        path = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path
