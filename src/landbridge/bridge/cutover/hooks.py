"""The two commands of the application: writes off, writes on.

For       A cutover, which freezes and unfreezes by them.
Touches   Runs what the user named, by the shell, in a session of its own.
Promises  A command ends within its limit. Once a guard is set, `--on-unfreeze` is called whatever
          becomes of this process: the guard is another process, and acts when this one is gone.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from typing import IO, Literal

from landbridge.bridge.cutover.folder import Folder
from landbridge.errors import HookError
from landbridge.model.cutover import Verdict

HOOK_SECONDS = 120.0
OUTPUT_BYTES_MAX = 64 << 10
SHOWN_CHARACTERS_MAX = 300
ENDING_SECONDS = 2.0  # between asking a command that takes too long to end, and ending it
WAITING_SECONDS = 0.2

Hook = Literal["freeze", "unfreeze"]

# It reads words from a pipe: a verdict, the process of a hook under way, `-` once that has ended,
# `over`. When the pipe ends without `over`, landbridge has died: it waits for the hook under way,
# at most `$2` seconds, and lets writes in again by the command `$1`.
_GUARD = """
verdict=NO-GO hook=
while read -r word; do
    case $word in
        over) exit 0 ;;
        GO | NO-GO) verdict=$word ;;
        -) hook= ;;
        *) hook=$word ;;
    esac
done
left=$2
while [ -n "$hook" ] && kill -0 "$hook" 2> /dev/null; do
    [ "$left" -gt 0 ] || kill -9 -"$hook"
    left=$((left - 1))
    sleep 1
done
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) landbridge has died: its guard calls --on-unfreeze"
LANDBRIDGE_VERDICT=$verdict
export LANDBRIDGE_VERDICT
sh -c "$1"
echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) --on-unfreeze has ended with exit code $?"
"""


class Guard:
    """A process that unfreezes if this one dies."""

    def __init__(self, on_unfreeze: str | None, folder: Folder, seconds_max: float) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if on_unfreeze is None:
            return
        with folder.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "landbridge-guard", on_unfreeze, str(int(seconds_max))],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment("unfreeze", folder),
                start_new_session=True,
            )

    def tell(self, word: str) -> None:
        """Say what it must know if this process dies now."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(BrokenPipeError):
            self._process.stdin.write(word.encode() + b"\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """Let it end: what was frozen is unfrozen, or was never frozen."""
        self.tell("over")
        if self._process is not None and self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.wait()


def run_hook(
    hook: Hook,
    command: str,
    folder: Folder,
    guard: Guard,
    *,
    seconds_max: float,
    verdict: Verdict | None = None,
) -> None:
    """Run one of the two commands, its output into the log.

    Ctrl-C does not end `unfreeze`: half of it would be worse than all.

    Raises:
        HookError: it fails, or takes longer than `seconds_max`.

    """
    environment = _environment(hook, folder)
    if verdict is not None:
        environment["LANDBRIDGE_VERDICT"] = verdict
        guard.tell(verdict)
    # A file, not a pipe: what the command leaves running in the background may hold it open.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        guard.tell(str(process.pid))
        try:
            code = _wait(process, seconds_max, patient=hook == "unfreeze")
        finally:
            _end(process)
            guard.tell("-")
            said = _tail(output)
            if said:
                folder.say("\n".join(f"{hook}: | {line}" for line in said.splitlines()))
    if code is None:
        raise _failed(hook, f"it took longer than {seconds_max:g} s and was ended", said)
    if code != 0:
        raise _failed(hook, f"its exit code is {code}", said)


def _wait(process: subprocess.Popen[bytes], seconds_max: float, *, patient: bool) -> int | None:
    """Return the exit code, None when the time is over."""
    ends = time.monotonic() + seconds_max
    while (left := ends - time.monotonic()) > 0:
        try:
            return process.wait(min(left, WAITING_SECONDS))
        except subprocess.TimeoutExpired:
            continue
        except KeyboardInterrupt:
            if not patient:
                raise
    return process.poll()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, and what it started."""
    if process.poll() is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - OUTPUT_BYTES_MAX))
    return output.read().decode("utf-8", "replace").strip()


def _failed(hook: Hook, why: str, said: str) -> HookError:
    shown = f"; it said: {said[-SHOWN_CHARACTERS_MAX:]}" if said else ""
    fixes = {
        "freeze": "nothing was loaded; mend the command, and try it alone",
        "unfreeze": "WRITES MAY STILL BE OFF: let them in by hand, now",
    }
    return HookError(f"--on-{hook} failed", why=why + shown, fix=fixes[hook])


def _environment(hook: Hook, folder: Folder) -> dict[str, str]:
    return os.environ | {
        "LANDBRIDGE_STEP": hook,
        "LANDBRIDGE_FOLDER": str(folder.path.resolve()),
    }
