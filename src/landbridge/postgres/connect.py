"""Connections to the target: opened when needed, bounded, and named after their run.

For       A session for each stream at work, and a bounded pool for COPY.
Touches   The target database.
Promises  Every connection is closed with `Target`; errors say which address, never the password.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import conninfo

from landbridge.errors import ConnectionLostError, StopError, UnreachableError
from landbridge.postgres import faults
from landbridge.postgres.session import PostgresSession
from landbridge.postgres.uris import for_libpq

CONNECT_SECONDS_MAX = 10
CANCEL_SECONDS_MAX = 2.0
SERVER_VERSION_MIN = 15_00_00

_QUOTED = re.compile(r'"[^"]*"')
_PORTS = re.compile(r"[0-9,]*")


class Target:
    """A target database during one run; safe for several threads."""

    def __init__(self, uri: str, application_name: str, copy_connections: int) -> None:
        self._uri = uri
        self._application_name = application_name
        self._free: list[PostgresSession] = []
        self._all: list[PostgresSession] = []
        self._lock = threading.Lock()
        self._copy_slots = threading.BoundedSemaphore(copy_connections)
        self._answered = False
        self.copy_connections = copy_connections

    @property
    def pids(self) -> list[int]:
        """Backend process ids of all connections that are open."""
        with self._lock:
            return [session.pid for session in self._all if not session.connection.closed]

    def translated(self, what: str) -> AbstractContextManager[None]:
        """Raise the landbridge error that a driver's error inside means; `what` was not done."""
        return faults.translated(what)

    @contextmanager
    def session(self) -> Iterator[PostgresSession]:
        """Borrow a connection; a broken one is not given to anyone again."""
        with self._lock:
            session = self._free.pop() if self._free else None
        if session is None:
            session = PostgresSession(self._open())
            with self._lock:
                self._all.append(session)
        try:
            yield session
        finally:
            with self._lock:
                if session.connection.closed or not session.idle:
                    # What broke one connection may have broken those at rest as well.
                    for broken in (session, *self._free):
                        broken.connection.close()
                        self._all.remove(broken)
                    self._free.clear()
                else:
                    self._free.append(session)

    def _open(self) -> psycopg.Connection[Any]:
        """Open a connection; a server that answered in this run will be back, where it does not."""
        try:
            connection = open_connection(self._uri, self._application_name)
        except UnreachableError as error:
            if not self._answered:
                raise
            raise ConnectionLostError(error.what, why=error.why, fix=error.fix) from error
        self._answered = True
        return connection

    @contextmanager
    def copy_sessions(self) -> Iterator[list[PostgresSession]]:
        """Borrow sessions for parallel COPY: at least one, as many as are free."""
        with ExitStack() as stack:
            self._copy_slots.acquire()
            stack.callback(self._copy_slots.release)
            slots = 1
            while slots < self.copy_connections and self._copy_slots.acquire(blocking=False):
                stack.callback(self._copy_slots.release)
                slots += 1
            yield [stack.enter_context(self.session()) for _ in range(slots)]

    def cancel(self) -> None:
        """Let what the server is doing for this run end with an error."""
        with self._lock:
            for session in self._all:
                with suppress(psycopg.Error):
                    session.connection.cancel_safe(timeout=CANCEL_SECONDS_MAX)

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for session in self._all:
                session.connection.close()
            self._all.clear()
            self._free.clear()


def database_of(uri: str) -> str | None:
    """Return the database that a URI names.

    Raises:
        UsageError: the URI can't be read.

    """
    database = _parsed(uri).get("dbname")
    return str(database) if database else None


def open_connection(
    uri: str, application_name: str, *, database: str | None = None
) -> psycopg.Connection[Any]:
    """Open one autocommit connection; `database` takes the place of the one in the URI.

    Raises:
        UsageError: the URI can't be read.
        UnreachableError, AuthenticationError, StopError: the server is not to be had.

    """
    parts = _parsed(uri)
    parts.setdefault("connect_timeout", str(CONNECT_SECONDS_MAX))
    parts["application_name"] = application_name
    if database is not None:
        parts["dbname"] = database
    address = f"{parts.get('host', 'localhost')}:{parts.get('port', '5432')}"
    try:
        connection: psycopg.Connection[Any] = psycopg.connect(
            conninfo.make_conninfo("", **parts), autocommit=True, prepare_threshold=None
        )
    except psycopg.Error as error:
        role = str(parts.get("user", ""))
        raise faults.translate_connect(error, address, role) from None
    if connection.info.server_version < SERVER_VERSION_MIN:
        version = connection.info.server_version // 10000
        connection.close()
        raise StopError(
            f"PostgreSQL at {address} is version {version}",
            why="landbridge needs PostgreSQL 15 or later",
            fix="upgrade the server, or name another one",
        )
    return connection


def _parsed(uri: str) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = conninfo.conninfo_to_dict(for_libpq(uri))
    except psycopg.Error as error:
        message = str(error).strip()
        if "@" in uri or "password" in uri:  # libpq may quote a piece of it
            message = _QUOTED.sub('"…"', message)
        raise faults.malformed_uri(message) from None
    # Signs that a password must not hold as they are move it into what follows.
    misplaced = "@" in f"{parts.get('host')}{parts.get('dbname')}"
    if misplaced or not _PORTS.fullmatch(str(parts.get("port", ""))):
        raise faults.malformed_uri("its user, password or port is not written as a URI demands")
    return parts
