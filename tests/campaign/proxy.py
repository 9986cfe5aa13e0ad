"""A TCP proxy on the loopback that spoils connections in the ways that networks do.

For       The campaign: either server is spoken to through one.
Touches   A listening port of the loopback, and connections to one server.
Promises  What passes is unchanged. `cut` ends connections with a reset, as a router does that
          forgot them. After `close` nothing listens and nothing is open.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from .wire import Backend, Frontend

PIECE_BYTES = 65_536
NO_GRACE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of a farewell
CLOSE_SECONDS_MAX = 10
POLL_SECONDS = 0.1
SEND_SECONDS_MAX = 30
ENDS = frozenset({"COMMIT", "ROLLBACK", "ERROR"})

Statement = Callable[[str], bool]


def is_commit(statement: str) -> bool:
    """Whether a statement ends a transaction well."""
    return statement.strip().rstrip(";").upper() == "COMMIT"


class Proxy:
    """One server behind a port of ours, as a context manager."""

    def __init__(self, port: int, *, speaks_postgresql: bool = False) -> None:
        self.server = ("127.0.0.1", port)  # a new connection goes there
        self.speaks_postgresql = speaks_postgresql
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._links: list[_Link] = []
        self._lock = threading.Lock()
        self._closed = False
        self.refusing = False  # new connections are reset at once
        self.swallowing = False  # bytes are taken and go nowhere, both ways
        self.delay = 0.0  # seconds that each piece waits
        self.trap: Trap | None = None
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def open(self) -> int:
        """How many connections there are."""
        with self._lock:
            return sum(link.open for link in self._links)

    def heal(self) -> None:
        """Be a plain wire again; connections that lost bytes are cut."""
        self.refusing = self.swallowing = False
        self.delay = 0.0
        self.trap = None
        with self._lock:
            spoiled = [link for link in self._links if link.spoiled]
        for link in spoiled:
            link.close()

    def cut(self) -> int:
        """Reset all connections; return how many there were."""
        with self._lock:
            links, self._links = self._links, []
        cut = sum(link.open for link in links)
        for link in links:
            link.close()
        return cut

    def set_trap(self, number: int, matches: Statement = is_commit) -> Trap:
        """Cut at the `number`th such statement from now on, when the server has answered it."""
        self.trap = Trap(number, matches)
        return self.trap

    def close(self) -> None:
        """End everything."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(CLOSE_SECONDS_MAX)
        self.cut()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.refusing:
                _reset(client)
                continue
            try:
                server = socket.create_connection(self.server, timeout=CLOSE_SECONDS_MAX)
            except OSError:
                _reset(client)
                continue
            for each in (client, server):
                each.settimeout(SEND_SECONDS_MAX)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._links = [link for link in self._links if link.open]
                self._links.append(_Link(self, client, server))


class Trap:
    """Waits for a statement, and for its answer, which the client never gets."""

    def __init__(self, number: int, matches: Statement) -> None:
        self._left = number
        self._matches = matches
        self._lock = threading.Lock()
        self.sprung = threading.Event()
        self.outcome = ""

    def spring(self, outcomes: list[str]) -> None:
        """Note how the server had answered."""
        self.outcome = outcomes[-1]
        self.sprung.set()

    def seen(self, statement: str) -> bool:
        """Return whether this is the statement; only one ever is."""
        with self._lock:
            if self._left == 0 or not self._matches(statement):
                return False
            self._left -= 1
            return self._left == 0


class _Link:
    """One connection of a client, and ours to the server; a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._frontend = Frontend()
        self._backend = Backend(self._frontend)
        self._caught: Trap | None = None
        self._lock = threading.Lock()
        self.open = True
        self.spoiled = False  # bytes were swallowed: what follows would make no sense
        for pump in (self._up, self._down):
            threading.Thread(target=self._run, args=(pump,), daemon=True).start()

    def close(self) -> None:
        """Reset both sides, once."""
        with self._lock:
            was_open, self.open = self.open, False
        if was_open:
            _reset(self._client)
            _reset(self._server)

    def _run(self, pump: Callable[[], None]) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed by the other direction
            pump()
        self.close()

    def _up(self) -> None:
        for piece in self._pieces(self._client):
            if self._proxy.speaks_postgresql:
                for statement in self._frontend.statements(piece):
                    trap = self._proxy.trap
                    if trap is not None and trap.seen(statement):
                        self._caught = trap
            self._server.sendall(piece)

    def _down(self) -> None:
        for piece in self._pieces(self._server):
            outcomes = self._backend.outcomes(piece) if self._proxy.speaks_postgresql else []
            if self._caught is None:
                self._client.sendall(piece)
            elif ENDS.intersection(outcomes):
                self._caught.spring(outcomes)
                return  # the answer is thrown away, and both sides are reset

    def _pieces(self, end: socket.socket) -> Iterator[bytes]:
        """Yield what arrives, as late as the weather asks for; nothing while it swallows."""
        while self.open:
            if not select.select([end], [], [], POLL_SECONDS)[0]:
                continue
            piece = end.recv(PIECE_BYTES)
            if not piece:
                return
            if self._proxy.delay:
                time.sleep(self._proxy.delay)
            if self._proxy.swallowing:
                self.spoiled = True
            if not self.spoiled:
                yield piece


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_GRACE)
        connection.close()
