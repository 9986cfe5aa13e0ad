"""Users who read one database, and the same as a file for mongosh.

For       `landbridge setup mongodb`.
Touches   The users of the database `admin`.
Promises  A user who exists keeps password and roles; what it lacks is added. The file holds no
          password.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pymongo.errors import OperationFailure

from landbridge.errors import PrivilegeError, SourceMissingError
from landbridge.model.access import MongoAccess
from landbridge.mongo.connect import REFUSALS, Connection, known_databases

AUTH_DATABASE = "admin"
FILE = "setup_mongodb.js"

_HEAD = """\
// Made by `landbridge setup mongodb`. Run it as an administrator:
//   mongosh "mongodb://ADMIN@HOST/admin" --file {file}
// It may be run again: users that exist get what they lack, and nothing is taken from them.
// Each password is taken from the environment, else mongosh asks for it.
const admin = db.getSiblingDB({database});
"""
_USER = """
// {what}
if (admin.getUser({user}) === null) {{
  admin.createUser({{
    user: {user},
    pwd: process.env[{variable}] || passwordPrompt(),
    roles: {roles},
  }});
}} else {{
  admin.grantRolesToUser({user}, {roles});{rotation}
}}
"""
_ROTATION = """
  admin.changeUserPassword({user}, process.env[{variable}] || passwordPrompt());"""


def roles_of(access: MongoAccess) -> list[dict[str, str]]:
    """Return the roles of each user: `read` of one database covers its change stream."""
    return [{"role": "read", "db": access.database}]


def script(access: MongoAccess, variables: Mapping[str, str], *, rotate: bool) -> str:
    """Return the file; `variables` names for each user the one that holds the password."""
    parts = [_HEAD.format(file=FILE, database=_js(AUTH_DATABASE))]
    for user in access.users:
        name, variable = _js(user), _js(variables[user])
        parts.append(
            _USER.format(
                what=purpose(access, user),
                user=name,
                variable=variable,
                roles=_js(roles_of(access)),
                rotation=_ROTATION.format(user=name, variable=variable) if rotate else "",
            )
        )
    return "".join(parts)


def purpose(access: MongoAccess, user: str) -> str:
    """Say whom a user is for."""
    verb = "follows" if user == access.follower else "reads"
    return f"user {user}, who {verb} {access.database}"


def existing(connection: Connection, user: str) -> list[dict[str, str]] | None:
    """Return the roles of a user of the database `admin`, or None where there is none."""
    with _as_administrator(connection, f"cannot look for the user {user}"):
        reply = connection.client[AUTH_DATABASE].command(
            "usersInfo", {"user": user, "db": AUTH_DATABASE}
        )
    users = reply["users"]
    return list(users[0]["roles"]) if users else None


def check_database(connection: Connection) -> None:
    """Refuse a database that isn't there: a user of it would read nothing, without an error."""
    with connection.translated("cannot list the databases"):
        try:
            reply = connection.client.admin.command(
                "listDatabases", nameOnly=True, authorizedDatabases=False
            )
        except OperationFailure as error:
            if error.code in REFUSALS:
                return  # who may not know can't be told
            raise
    if connection.database not in [entry["name"] for entry in reply["databases"]]:
        raise SourceMissingError(
            f"there is no database {connection.database} at {connection.identity}",
            why=known_databases(connection.client),
            fix="check the name, whose case counts: --database NAME",
        )


def create(connection: Connection, user: str, password: str, roles: list[dict[str, str]]) -> None:
    """Make a user."""
    with _as_administrator(connection, f"cannot make the user {user}"):
        connection.client[AUTH_DATABASE].command("createUser", user, pwd=password, roles=roles)


def set_password(connection: Connection, user: str, password: str) -> None:
    """Give a user another password."""
    with _as_administrator(connection, f"cannot set the password of {user}"):
        connection.client[AUTH_DATABASE].command("updateUser", user, pwd=password)


def grant(connection: Connection, user: str, roles: list[dict[str, str]]) -> None:
    """Give a user more roles."""
    with _as_administrator(connection, f"cannot give roles to {user}"):
        connection.client[AUTH_DATABASE].command("grantRolesToUser", user, roles=roles)


@contextmanager
def _as_administrator(connection: Connection, what: str) -> Iterator[None]:
    with connection.translated(what):
        try:
            yield
        except OperationFailure as error:
            if error.code not in REFUSALS:
                raise
            name = connection.user or "somebody without a name"
            raise PrivilegeError(
                what,
                why=f"{name} is not an administrator of users at {connection.identity}",
                fix="name a user with the role userAdminAnyDatabase in --from, with"
                " authSource=admin where it is a user of admin; Atlas makes users in its console",
            ) from None


def _js(value: Any) -> str:
    """Return a value as JavaScript writes it."""
    return json.dumps(value)
