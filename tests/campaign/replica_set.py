"""A replica set of three mongods of our own, whose elections are fast.

For       Step-downs and killed primaries, which a set of one can't show.
Touches   Three folders, three processes, three ports of the loopback.
Promises  When `start` returns there is a primary that takes writes of a majority.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

import pymongo
from pymongo.errors import AutoReconnect, PyMongoError

from landbridge.embedded import Mongod
from landbridge.embedded.mongod import REPLICA_SET
from landbridge.embedded.process import ServerProcess

ELECTION_SECONDS_MAX = 60
POLL_SECONDS = 0.05
FAST = {
    "electionTimeoutMillis": 1_000,
    "heartbeatIntervalMillis": 250,
    "catchUpTimeoutMillis": 2_000,
}


class Member(Mongod):
    """One of several: it is ready when it listens, whoever is primary."""

    def _await(self, process: ServerProcess) -> None:
        process.wait_until(lambda: "Waiting for connections" in process.log())

    @property
    def address(self) -> str:
        """Host and port, by which the others know it."""
        return f"127.0.0.1:{self._port}"


class ReplicaSet:
    """Three members, as a context manager."""

    def __init__(self) -> None:
        self.members = [Member() for _ in range(3)]
        self._stack = ExitStack()

    def __enter__(self) -> ReplicaSet:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def uri(self) -> str:
        """The address of the set, whoever is primary."""
        hosts = ",".join(member.address for member in self.members)
        return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"

    def start(self) -> None:
        """Start the members and make them a set."""
        try:
            for member in self.members:
                self._stack.enter_context(member)
            config = {
                "_id": REPLICA_SET,
                "members": [
                    {"_id": number, "host": member.address}
                    for number, member in enumerate(self.members)
                ],
                "settings": FAST,
            }
            with pymongo.MongoClient[dict[str, Any]](self.members[0].uri) as client:
                client.admin.command("replSetInitiate", config)
            self.await_primary()
        except BaseException:
            self._stack.close()
            raise

    def await_primary(self) -> Member:
        """Return the primary, when there is one and a majority follows it."""
        deadline = time.monotonic() + ELECTION_SECONDS_MAX
        while True:
            try:
                with pymongo.MongoClient[dict[str, Any]](
                    self.uri, serverSelectionTimeoutMS=1_000
                ) as client:
                    client.admin.command("appendOplogNote", 1, data={}, writeConcern={"w": 3})
                    address = client.primary
            except PyMongoError:
                address = None
            for member in self.members:
                if address and member.address == f"{address[0]}:{address[1]}":
                    return member
            if time.monotonic() > deadline:
                raise AssertionError("no primary was elected")
            time.sleep(POLL_SECONDS)

    def step_down(self, seconds: int = 5) -> None:
        """Let the primary give up, and another one be elected."""
        primary = self.await_primary().uri
        with (
            pymongo.MongoClient[dict[str, Any]](primary) as client,
            suppress(AutoReconnect),  # it closes its connections
        ):
            client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=2)

    def kill_primary(self) -> Member:
        """Kill the primary with -9; the caller starts it again."""
        member = self.await_primary()
        member.kill()
        return member
