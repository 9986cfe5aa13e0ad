"""The keeper: a small process that is the parent of one server and ends it in time.

For       No orphans. It runs apart, by `python -I -S keeper.py JSON`, and imports only the
          standard library. It tells the server's pid on its output, then waits for a line on
          its input: the line means stop; an end without a line means that landbridge died, by
          kill -9 even, and then the server is stopped all the same and a folder meant to be
          thrown away is removed.
Touches   The server, and that folder.
Promises  The server outlives neither landbridge nor, on Linux, the keeper itself.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

STOP_SECONDS_MAX = 30  # A clean stop writes a checkpoint; then patience ends.
PR_SET_PDEATHSIG = 1


def main() -> int:
    """Start the server that the argument describes, and see it to its end."""
    order = json.loads(sys.argv[1])
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def die_with_keeper() -> None:
        # Runs after the change of user, which would undo it. This process has one thread yet:
        # the kernel takes the end of the starting thread for the end of the parent.
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    identity = {}
    if order["uid"] is not None:
        identity = {"user": order["uid"], "group": order["gid"], "extra_groups": []}
    try:
        server = subprocess.Popen(
            order["command"],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,  # The log.
            cwd="/",
            pass_fds=[order["lock"]],  # Held as long as anything of the server lives.
            preexec_fn=die_with_keeper,
            **identity,
        )
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", flush=True)
        return 1
    print(server.pid, flush=True)

    deserted = threading.Event()

    def stop_when_told() -> None:
        if sys.stdin.readline() == "":
            deserted.set()
        server.send_signal(order["stop_signal"])
        try:
            server.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            server.kill()

    threading.Thread(target=stop_when_told, daemon=True).start()
    code = server.wait()
    if deserted.is_set() and order["remove"] is not None:
        shutil.rmtree(order["remove"], ignore_errors=True)
    # A shell's way to tell a signal, since an exit code can't be negative.
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    os._exit(main())
