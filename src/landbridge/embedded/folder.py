"""The folder of a server: one that is kept, or one that goes with it; and the wheels' binaries.

For       Where a server keeps its data, its log and its secret, and where its program lies.
Touches   That folder, and nothing above it: no permission of another folder is changed.
Promises  The folder is closed to other accounts. A secret is written whole or not at all.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from landbridge.embedded.process import Account
from landbridge.errors import EmbeddedError


class Folder:
    """A private folder; made where it is missing, removed by `discard` if it was temporary."""

    def __init__(self, path: Path | None, *, name: str, account: Account | None) -> None:
        self.temporary = path is None
        self.account = account
        if path is None:
            self.path = Path(tempfile.mkdtemp(prefix=f"landbridge-{name}-"))
        else:
            self.path = path.expanduser().resolve()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)
        self.give(self.path)

    def give(self, path: Path) -> None:
        """Make the server's account the owner, where it has one of its own."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

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

    def discard(self) -> None:
        """Remove a temporary folder with all that is in it; leave any other alone."""
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)


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
