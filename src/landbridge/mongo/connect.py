"""One connection to one MongoDB database, and its errors in landbridge's words.

For       Every room that speaks to MongoDB: nobody else makes a client or names a server error.
Touches   The server that the URI names.
Promises  An answer within about 5 s, never a password in it. A pymongo error that leaves
          `translated` is a `LandbridgeError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import TracebackType
from typing import Any, cast

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReadPreference
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    OperationFailure,
    PyMongoError,
)
from pymongo.server_description import ServerDescription
from pymongo.uri_parser import parse_uri

from landbridge.errors import (
    AuthenticationError,
    ConnectionLostError,
    LandbridgeError,
    PrivilegeError,
    RetryableError,
    SnapshotTooOldError,
    SourceMissingError,
    StopError,
    UnreachableError,
    UsageError,
)

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)

ANSWER_MS_MAX = 5_000  # pymongo's own 30 s look like a hang to the person who waits
HEARTBEAT_MS = 2_000  # a server that is back must be seen within `ANSWER_MS_MAX`
SNAPSHOT_SECONDS_DEFAULT = 300.0
OWN_DATABASES = frozenset({"admin", "config", "local"})

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18
NAMESPACE_NOT_FOUND = 26
SNAPSHOT_TOO_OLD = 239
ATLAS_ERROR = 8000  # Atlas' own front door; a wrong password is nearly all it is used for
REFUSALS = frozenset({UNAUTHORIZED, ATLAS_ERROR})  # this user may not
# The server, the cursor or the plan went away: the same read may work in a moment.
LOST_CODES = frozenset(
    {6, 7, 43, 89, 91, 134, 175, 189, 237, 262, 317, 9001, 10058, 10107}
    | {11600, 11601, 11602, 13435, 13436}
)
# A snapshot that isn't to be had yet, a capped collection that overtook its reader.
PASSING_CODES = frozenset({136, 246})

_CREDENTIALS = re.compile(r"://.*@", re.DOTALL)
_NOISE = re.compile(r" ?\(configured timeouts:.*?\)|, (Timeout|full error): .*", re.DOTALL)


@dataclass(frozen=True)
class Connection:
    """A client for all threads, and the database that its URI names."""

    client: MongoClient[dict[str, Any]]
    database: str
    identity: str  # which deployment: `rs0/host:port`, the same whichever member answers
    user: str | None = None
    auth_source: str = "admin"
    gives_snapshots: dict[str, bool] = field(default_factory=dict)  # by kind, once tried

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket."""
        self.client.close()

    def translated(self, what: str) -> AbstractContextManager[None]:
        """Turn pymongo's errors inside the block into landbridge's; `what` could not be done."""
        return _translated(self, what)

    @property
    def source(self) -> Database[dict[str, Any]]:
        """The database, read from the primary whatever the URI prefers."""
        return self.client.get_database(self.database, read_preference=ReadPreference.PRIMARY)

    def raw_collection(self, name: str) -> Collection[RawBSONDocument]:
        """One collection of `source`, its documents left as bytes."""
        collection = self.source.get_collection(name, codec_options=RAW)
        return cast("Collection[RawBSONDocument]", collection)

    @cached_property
    def snapshot_seconds(self) -> float:
        """How long the server keeps history; the server's default where it doesn't tell."""
        name = "minSnapshotHistoryWindowInSeconds"
        with self.translated("cannot ask how long the server keeps its history"):
            try:
                return float(self.client.admin.command({"getParameter": 1, name: 1})[name])
            except OperationFailure:
                return SNAPSHOT_SECONDS_DEFAULT


def database_of(uri: str) -> str | None:
    """Return the database that a URI names.

    Raises:
        UsageError: the URI can't be read.

    """
    database = _parse(uri)["database"]
    return str(database) if database else None


def connect(uri: str, *, database: str | None = None) -> Connection:
    """Connect to the database that `uri` names and make sure that the server answers.

    `database` takes the place of the one that the URI names, which it need not do then.
    """
    parsed = _parse(uri)
    seeds = [f"{host}:{port}" if port else host for host, port in parsed["nodelist"]]
    place = parsed["fqdn"] or min(seeds)
    options = parsed["options"]
    patience = {
        "serverSelectionTimeoutMS": ANSWER_MS_MAX,
        "connectTimeoutMS": ANSWER_MS_MAX,
        "heartbeatFrequencyMS": HEARTBEAT_MS,
    }
    timeouts: dict[str, Any] = {
        name: wait for name, wait in patience.items() if name not in options
    }
    what = f"cannot connect to MongoDB at {place}"
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            uri, appname="landbridge", server_selector=_same_mongos, **timeouts
        )
    except (PyMongoError, OSError, ValueError) as error:
        raise UsageError(what, why=_reason(error), fix="correct the options in the URI") from error
    try:
        return _open(client, what, place, parsed, database or parsed["database"] or "")
    except BaseException:
        client.close()
        raise


def translate(error: PyMongoError, what: str, connection: Connection) -> LandbridgeError:
    """Return the landbridge error that says what `error` means for whoever called."""
    why = _reason(error)
    if isinstance(error, ConnectionFailure):
        return ConnectionLostError(what, why=why, fix="run the same command again")
    code = error.code if isinstance(error, OperationFailure) else None
    if code in LOST_CODES:
        return ConnectionLostError(what, why=why, fix="run the same command again")
    if code in PASSING_CODES:
        return RetryableError(what, why=why, fix="run the same command again")
    if code == SNAPSHOT_TOO_OLD:
        return SnapshotTooOldError(what, why=why, fix="read in ranges: `--ranges`")
    if code in (AUTHENTICATION_FAILED, ATLAS_ERROR):
        return AuthenticationError(
            what,
            why=why,
            fix=f"check user and password; the user is looked up in `{connection.auth_source}`, "
            "`authSource` in the URI names another database",
        )
    if code == UNAUTHORIZED and connection.user is None:
        return AuthenticationError(
            what, why=why, fix="put a user into the URI: mongodb://user:password@host/database"
        )
    if code == UNAUTHORIZED:
        return PrivilegeError(what, why=why, fix=f"as an administrator: {_grant(connection)}")
    if code == NAMESPACE_NOT_FOUND:
        return SourceMissingError(what, why=why, fix="check the collection's name")
    return StopError(what, why=why, fix="remove the cause and run the same command again")


@contextmanager
def _translated(connection: Connection, what: str) -> Iterator[None]:
    try:
        yield
    except PyMongoError as error:
        raise translate(error, what, connection) from error


def _parse(uri: str) -> Mapping[str, Any]:
    try:
        # Not as MongoClient does, which takes `tls=yes` for a warning and goes on without TLS.
        parsed = parse_uri(uri, warn=False)
    except (PyMongoError, OSError, ValueError, TypeError) as error:
        raise _bad_uri(uri, error) from None
    if parsed["collection"]:
        raise UsageError(
            "the MongoDB URI names a collection",
            why=f"after the database `{parsed['database']}` stands `.{parsed['collection']}`",
            fix="name the database alone; collections are selected by `--select`",
        )
    return parsed


def _bad_uri(uri: str, error: Exception) -> LandbridgeError:
    # pymongo's message may quote a piece of the password. That of a URI without one may be shown.
    bare = _CREDENTIALS.sub("://", uri, count=1)
    shown = bare.partition("?")[0]
    if bare != uri:
        try:
            parse_uri(bare, warn=False)
        except (PyMongoError, OSError, ValueError, TypeError) as bare_error:
            error = bare_error
        else:
            return UsageError(
                f"cannot read the MongoDB URI of {shown}",
                why="its user or password is not written as a URI demands",
                fix="percent-encode `:`, `/`, `?`, `#`, `[`, `]`, `@` and `%` in both",
            )
    if bare.startswith("mongodb+srv://") and type(error) is ConfigurationError:
        return UnreachableError(
            f"cannot look up {shown}", why=str(error), fix="check the host name and this network"
        )
    return UsageError(
        f"cannot use the MongoDB URI {shown}",
        why=str(error),
        fix="write it as mongodb://user:password@host:27017/database",
    )


def _open(
    client: MongoClient[dict[str, Any]],
    what: str,
    place: str,
    parsed: Mapping[str, Any],
    database: str,
) -> Connection:
    account = Connection(
        client,
        database=database,
        identity=place,
        user=parsed["username"],
        auth_source=parsed["options"].get("authSource") or parsed["database"] or "admin",
    )
    try:
        hello = client.admin.command("hello")
    except ConnectionFailure as error:
        raise UnreachableError(
            what,
            why=_reason(error),
            fix="check host and port; where the server's own name for itself is not known here, "
            "add `directConnection=true` to the URI",
        ) from error
    except PyMongoError as error:
        raise translate(error, what, account) from error
    if not account.database:
        raise UsageError(
            f"the URI of the MongoDB at {place} names no database",
            why=known_databases(client),
            fix=f"add one: mongodb://{place}/DATABASE",
        )
    if set_name := hello.get("setName"):
        identity = f"{set_name}/{min(hello.get('hosts') or [hello.get('me', place)])}"
    elif hello.get("msg") == "isdbgrid":
        identity = f"mongos/{place}"
    else:
        identity = place
    return Connection(client, account.database, identity, account.user, account.auth_source)


def known_databases(client: MongoClient[dict[str, Any]]) -> str:
    """Say which databases there are, as far as this user may see."""
    try:
        names = sorted(set(client.list_database_names()) - OWN_DATABASES)
    except PyMongoError:
        return "this user may not list the databases"
    return f"the server has: {', '.join(names)}" if names else "the server has no databases yet"


def _same_mongos(servers: Sequence[ServerDescription]) -> list[ServerDescription]:
    """Of several routers always take the same: a cursor lives on one."""
    return sorted(servers, key=lambda server: server.address)[:1]


def _grant(connection: Connection) -> str:
    return (
        f'db.getSiblingDB("{connection.auth_source}").grantRolesToUser("{connection.user}", '
        f'[{{ role: "read", db: "{connection.database}" }}])'
    )


def _reason(error: Exception) -> str:
    """The server's own words, without pymongo's dump of the whole reply."""
    if isinstance(error, OperationFailure) and error.details and "errmsg" in error.details:
        return f"{error.details['errmsg']} (error {error.code})"
    return _NOISE.sub("", str(error)) or type(error).__name__
