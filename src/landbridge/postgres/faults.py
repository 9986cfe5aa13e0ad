"""What PostgreSQL's errors mean for the caller.

For       Turning a driver's exception into what happened, why, and what to do.
Touches   Nothing.
Promises  No password in any text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as pg

from landbridge.errors import (
    AuthenticationError,
    ConnectionLostError,
    LandbridgeError,
    LockedError,
    PrivilegeError,
    RetryableError,
    StopError,
    UnreachableError,
    UsageError,
)

_PASSING = (
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.AdminShutdown,
    pg.CrashShutdown,
    pg.CannotConnectNow,
    pg.TooManyConnections,
)

# libpq gives no SQLSTATE with a refused connection; these are the words of 57P03 and 53300.
_NOT_NOW = (
    "starting up",
    "shutting down",
    "in recovery mode",
    "not yet accepting connections",
    "not accepting connections",
    "too many",
)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise the landbridge error that a psycopg error inside means; `what` says what was tried."""
    try:
        yield
    except psycopg.Error as error:
        raise translate(error, what) from error


def translate(error: psycopg.Error, what: str) -> LandbridgeError:
    """Return the landbridge error for a psycopg error met while doing `what`."""
    message = error.diag.message_primary or str(error).strip().splitlines()[0]
    if isinstance(error, pg.LockNotAvailable):
        return LockedError(what, why=message, fix="try again when other sessions are done with it")
    if isinstance(error, pg.InsufficientPrivilege):
        return PrivilegeError(what, why=message, fix=_grant_for(message))
    if isinstance(error, pg.DiskFull):
        return StopError(what, why=message, fix="make room on the server's disk, then start again")
    if isinstance(error, _PASSING):
        return RetryableError(what, why=message, fix="start the same command again")
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return ConnectionLostError(
            what, why=f"the connection to PostgreSQL was lost ({message})", fix="start again"
        )
    detail = f"{message} ({error.diag.message_detail})" if error.diag.message_detail else message
    return StopError(what, why=detail, fix="see the server's log, and run again with --debug")


def translate_connect(error: psycopg.Error, address: str, role: str) -> LandbridgeError:
    """Return the landbridge error for a connection that was not made."""
    message = str(error).strip()
    lower = message.lower()
    if "password authentication failed" in lower or "no password supplied" in lower:
        return AuthenticationError(
            f"PostgreSQL at {address} refused the user {role}",
            why="the password is missing or wrong",
            fix="check user and password in the target URI, or in DATABASE_URL",
        )
    if 'database "' in lower and "does not exist" in lower:
        return StopError(
            f"PostgreSQL at {address} has no such database",
            why=message.splitlines()[-1].split("FATAL:")[-1].strip(),
            fix="create it (CREATE DATABASE …), or name another one in the target URI",
        )
    if "permission denied for database" in lower:
        database = message.partition("for database ")[2].splitlines()[0]
        return PrivilegeError(
            f"PostgreSQL at {address} does not let {role} into the database",
            why=f"the role lacks the privilege CONNECT on {database}",
            fix=f'GRANT CONNECT ON DATABASE {database} TO "{role}"',
        )
    if any(words in lower for words in _NOT_NOW):
        return RetryableError(
            f"PostgreSQL at {address} takes no connection now", why=message, fix="start again soon"
        )
    return UnreachableError(
        f"cannot reach PostgreSQL at {address}",
        why=" ".join(message.split()),
        fix="check host and port, and that the server is up and lets this host in",
    )


def malformed_uri(why: str) -> UsageError:
    """Return the error for a target URI that can't be read."""
    return UsageError(
        "the target URI cannot be read",
        why=why,
        fix="write it as postgresql://USER:PASSWORD@host:5432/database, with `:`, `/`, `?`, `#`,"
        " `@` and `%` percent-encoded in user and password",
    )


def _grant_for(message: str) -> str:
    words = message.split()
    kind, name = (words[-2], words[-1]) if len(words) > 1 else ("", "")
    match kind:
        case "schema":
            return f"as an administrator: GRANT USAGE, CREATE ON SCHEMA {name} TO <the role>"
        case "database":
            return f"as an administrator: GRANT CREATE ON DATABASE {name} TO <the role>"
        case "table":
            return f"as its owner: GRANT ALL ON TABLE {name} TO <the role>, or make it the owner"
        case _:
            return "give the role the missing privilege, or use another role"
