"""What goes wrong with files, told as the errors of landbridge.

For       Every store.
Touches   Nothing.
Promises  The operating system's own reason is kept; the fix says what to do about it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from landbridge.errors import ArchiveMissingError, StorageError

_FIXES = {
    errno.ENOSPC: "make room, or choose another place, and run the same command again",
    errno.EDQUOT: "make room, or choose another place, and run the same command again",
    errno.EACCES: "give this user the right, or choose another place",
    errno.EPERM: "give this user the right, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENOTDIR: "name a folder",
    errno.EISDIR: "name a file",
}
_FIX = "remove the cause and run the same command again"


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn an error of the operating system inside the block; `what` could not be done."""
    try:
        yield
    except FileNotFoundError as error:
        raise missing(what, error.strerror or str(error)) from error
    except OSError as error:
        fix = _FIXES.get(error.errno or 0, _FIX)
        raise StorageError(what, why=error.strerror or str(error), fix=fix) from error


def missing(what: str, why: str) -> ArchiveMissingError:
    """Return the error of a file that is not there."""
    return ArchiveMissingError(what, why=why, fix="check the path; names are case-sensitive")
