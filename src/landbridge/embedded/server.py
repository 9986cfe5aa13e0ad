"""What every embedded server does alike: start, stop, be killed, start again.

For       `Mongod` and `PostgreSQL`, which say how they are prepared, launched and ready.
Touches   Nothing itself; a `Folder` and a `ServerProcess` do.
Promises  `start` returns when the server is ready, or raises and leaves nothing running.
          After `kill` the same data comes up again, at the same port while that is free.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from landbridge.embedded.folder import Folder
from landbridge.embedded.process import Account, Launch, ServerProcess, free_port, port_is_free
from landbridge.errors import EmbeddedError

PORT_TRIES = 3  # Somebody may take a free port before the server does.


class Server(ABC):
    """One server of our own, as a context manager; without `path` its data goes with it."""

    name: ClassVar[str]

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._folder: Folder | None = None
        self._process: ServerProcess | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where the server listens, with its password if it has one."""

    @property
    def pid(self) -> int:
        """The process id of the server itself."""
        if self._process is None:
            raise self._not_started()
        return self._process.pid

    @property
    def folder(self) -> Folder:
        """Where its data, its log and its secrets are."""
        if self._folder is None:
            raise self._not_started()
        return self._folder

    def start(self) -> None:
        """Start the server, again if it was killed or stopped, and wait until it is ready."""
        if self._process is not None and self._process.alive:
            return
        if self._folder is None:
            self._folder = Folder(self._path, name=self.name, account=self._account())
        try:
            with self._folder.locked() as lock:
                self._prepare()
                self._start_on_free_port(lock)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server cleanly; data that is not kept is removed."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None and self._folder.temporary:
            self._folder.remove()
            self._folder = None

    def kill(self) -> None:
        """Kill the server with -9, as a crash would; `start` brings it back."""
        if self._process is not None:
            self._process.kill()

    def _start_on_free_port(self, lock: int) -> None:
        for tries_left in reversed(range(PORT_TRIES)):
            if self._port == 0 or not port_is_free(self._port):
                self._port = free_port()
            process = self._process = ServerProcess(self._launch(), lock)
            try:
                self._await(process)
                return
            except EmbeddedError:
                if tries_left == 0 or not process.port_was_taken:
                    raise
                self._port = 0

    def _not_started(self) -> EmbeddedError:
        return EmbeddedError(
            f"{self.name} has no address yet", why="it was not started", fix="call `start` first"
        )

    @abstractmethod
    def _account(self) -> Account | None:
        """Whom it runs as; None is ourselves."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the server needs, and clear what a crash has left."""

    @abstractmethod
    def _launch(self) -> Launch:
        """How to start it at `_port`."""

    @abstractmethod
    def _await(self, process: ServerProcess) -> None:
        """Return when the server is ready to be used."""
