"""One server process: started through its keeper, watched, stopped, killed.

For       What mongod and PostgreSQL have in common as processes: a log, a port, an account to
          run as, a keeper.
Touches   The log, and processes that it started itself.
Promises  No server outlives this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from landbridge.errors import EmbeddedError

START_SECONDS_MAX = 60.0  # Recovery after a crash is in it.
STOP_SECONDS_MAX = 40.0  # The keeper gives up at 30 and kills.
POLL_SECONDS = 0.01
LOG_TAIL_LINES = 12
EXIT_NO_LIBRARY = 127
EXIT_ILLEGAL_INSTRUCTION = 128 + signal.SIGILL
KEEPER = Path(__file__).with_name("keeper.py")

# What Debian and Ubuntu call the packages of the libraries that the wheels leave to the system.
APT_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libcrypto.so.3": "libssl3",
    "libssl.so.3": "libssl3",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom a server runs as, where it must not run as root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Launch:
    """How one kind of server is started and stopped."""

    name: str
    command: tuple[str, ...]
    folder: Path
    stop_signal: signal.Signals
    account: Account | None = None
    remove_when_deserted: bool = False

    @property
    def log(self) -> Path:
        """Where the server's own words go."""
        return self.folder / f"{self.name}.log"

    @property
    def log_hint(self) -> str:
        """How a person gets to read more of them than an error shows."""
        if self.remove_when_deserted:
            return "start it in a folder that is kept, to have its whole log"
        return f"read {self.log}"


class ServerProcess:
    """A running server, ended by `stop` or `kill`; it holds `lock` as long as it lives."""

    def __init__(self, launch: Launch, lock: int) -> None:
        self._launch = launch
        self._log_start = launch.log.stat().st_size if launch.log.exists() else 0
        self._keeper = _start_keeper(launch, lock)
        assert self._keeper.stdout is not None
        first_line = self._keeper.stdout.readline().strip()
        if not first_line.isdigit():
            self._keeper.wait()
            self._close()
            raise EmbeddedError(
                f"cannot start {launch.name}",
                why=first_line or "its keeper process ended at once",
                fix="see that the file is there and may be executed",
            )
        self.pid = int(first_line)

    @property
    def alive(self) -> bool:
        """True while the server runs."""
        return self._keeper.poll() is None

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Return when `ready` says so; raise when the server ends before, or takes too long."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not ready():
            if not self.alive:
                raise self._failure()
            if time.monotonic() > deadline:
                self.kill()
                raise EmbeddedError(
                    f"{self._launch.name} did not come up in {START_SECONDS_MAX:.0f} s",
                    why=self._log_tail() or "it wrote nothing to its log",
                    fix=self._launch.log_hint,
                )
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Ask the server to end, and return when it has."""
        assert self._keeper.stdin is not None
        if not self._keeper.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._keeper.stdin.write("stop\n")
                self._keeper.stdin.flush()
        self._keeper.wait(STOP_SECONDS_MAX)
        self._close()

    def kill(self) -> None:
        """Kill the server with -9, as a crash would."""
        if self.alive:  # Its keeper has not reaped it, so the pid is still its own.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self._keeper.wait(STOP_SECONDS_MAX)
        self._close()

    @property
    def port_was_taken(self) -> bool:
        """True where the server ended because somebody else has its port."""
        return "Address already in use" in self.log()

    def log(self) -> str:
        """What the server wrote since it was started."""
        try:
            with self._launch.log.open("rb") as log:
                log.seek(self._log_start)
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def _log_tail(self) -> str:
        return "\n".join(self.log().splitlines()[-LOG_TAIL_LINES:])

    def _close(self) -> None:
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def _failure(self) -> EmbeddedError:
        name, said, code = self._launch.name, self._log_tail(), self._keeper.returncode
        missing = [library for library in APT_PACKAGES if library in said]
        if code == EXIT_NO_LIBRARY and missing:
            return EmbeddedError(
                f"{name} cannot run on this system",
                why=f"it needs {missing[0]}",
                fix=f"on Debian and Ubuntu: apt-get install {APT_PACKAGES[missing[0]]}",
            )
        if code == EXIT_ILLEGAL_INSTRUCTION:
            return EmbeddedError(
                f"{name} cannot run on this system",
                why="this processor lacks instructions (AVX) that it was built for",
                fix="name a server that runs elsewhere by its URI",
            )
        return EmbeddedError(
            f"{name} ended while it started (exit code {code})",
            why=said or "it wrote nothing to its log",
            fix=self._launch.log_hint,
        )


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """True where nothing listens on `port`; connections that linger after a crash don't count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def run_as(account: Account | None, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, as `account` or as ourselves."""
    if account is None:
        return subprocess.run(command, cwd="/", capture_output=True, text=True)
    return subprocess.run(
        command,
        cwd="/",
        capture_output=True,
        text=True,
        user=account.uid,
        group=account.gid,
        extra_groups=[],
    )


def _start_keeper(launch: Launch, lock: int) -> subprocess.Popen[str]:
    order = {
        "command": launch.command,
        "uid": launch.account.uid if launch.account else None,
        "gid": launch.account.gid if launch.account else None,
        "lock": lock,
        "stop_signal": int(launch.stop_signal),
        "remove": str(launch.folder) if launch.remove_when_deserted else None,
    }
    with launch.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(KEEPER), json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            pass_fds=[lock],
            # Signals of the terminal are for landbridge, not for the servers.
            start_new_session=True,
            # libpq's variables would redirect initdb and the server.
            env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        )
