"""Users, roles, a database, schemas and grants: looked at, made, or printed.

For       `landbridge setup`, and notebooks.
Touches   What the administrator of the URI may: users and roles, a database, its schemas.
Promises  What is there already is left as it is; nothing is taken from anybody. A second run makes
          nothing. Passwords go to the server only, to PostgreSQL as verifiers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

from landbridge.errors import PrivilegeError, StopError, UsageError
from landbridge.model.access import MongoAccess, PostgresAccess, Provision, Step
from landbridge.mongo import connect as mongo_connect
from landbridge.mongo import users
from landbridge.postgres import connect as postgres_connect
from landbridge.postgres import faults, rights, roles, scram, setup_file

APPLICATION = "landbridge setup"
ADMIN_DATABASE = "postgres"
POSTGRES_OWN = frozenset({ADMIN_DATABASE, "template0", "template1"})
NAME_BYTES_MAX = 63

Connection = psycopg.Connection[Any]
Done = Callable[[str], None]


@dataclass(slots=True)
class _Course:
    """What has become of the wishes so far."""

    apply: bool
    password_set: Done
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, connection: Connection, wishes: Iterable[roles.Wish]) -> None:
        """Look at wishes, and make those that are not so, where that was asked for."""
        for wish in wishes:
            with faults.translated(f"cannot make it so: {wish.what}"):
                if roles.is_so(connection, wish):
                    self.steps.append(Step(wish.what, "there"))
                    continue
                if self.apply:
                    connection.execute(wish.statement)
                self.steps.append(Step(wish.what, "made" if self.apply else "missing"))
            if wish.role is not None:
                self.password_set(wish.role)

    def miss(self, wishes: Iterable[roles.Wish]) -> None:
        """Take wishes for missing that can't be looked at yet."""
        self.steps += [Step(wish.what, "missing") for wish in wishes]


def setup_postgres(
    access: PostgresAccess,
    passwords: Mapping[str, str],
    *,
    target: str | None = None,
    apply: bool = False,
    rotate: bool = False,
    password_set: Done = lambda role: None,
) -> Provision:
    """Make a database, its schemas, the role that loads them and the one that reads them.

    Args:
        access: the names.
        passwords: of the two roles, for those that do not exist.
        target: URI of an administrator; None prints only.
        apply: make what is missing; else the server is looked at, and nothing is changed.
        rotate: roles that exist get these passwords too.
        password_set: called with a role's name as soon as its password counts: the server has it,
            or the script is to set it.

    Raises:
        UsageError: a name or a password can't be used.
        PrivilegeError: the user of the URI is no administrator.

    """
    began = time.monotonic()
    names = (access.database, *access.schemas, access.loader, access.reader)
    _check_names(names if access.owner is None else (*names, access.owner))
    if access.loader == access.reader:
        raise UsageError(
            f"{access.loader} can't be both roles",
            why="the reader would own the tables",
            fix="name another role by --reader or --loader",
        )
    verifiers = {role: scram.verifier(password) for role, password in passwords.items()}
    wishes = roles.role_wishes(access, verifiers, rotate=rotate)
    course = _Course(apply, password_set)
    if target is not None:
        _take_all(target, access, wishes, course, rotate)
    else:
        for role in (access.loader, access.reader):
            password_set(role)
    return Provision(
        script=setup_file.script(access, wishes),
        steps=tuple(course.steps),
        notes=tuple(course.notes),
        applied=apply,
        seconds=time.monotonic() - began,
    )


def database_in(target: str | None) -> str | None:
    """Return the database that a PostgreSQL URI names, unless it is one of the server's own."""
    name = postgres_connect.database_of(target) if target else None
    return None if name in POSTGRES_OWN else name


def source_database_in(source: str | None) -> str | None:
    """Return the database that a MongoDB URI names, unless it is one of the server's own."""
    name = mongo_connect.database_of(source) if source else None
    return None if name in mongo_connect.OWN_DATABASES else name


def _take_all(
    target: str,
    access: PostgresAccess,
    role_wishes: Iterable[roles.Wish],
    course: _Course,
    rotate: bool,
) -> None:
    # The database in the URI may be the one that is to be made.
    named = postgres_connect.database_of(target)
    first = ADMIN_DATABASE if named in (None, access.database) else named
    with postgres_connect.open_connection(target, APPLICATION, database=first) as server:
        there = _look_at_server(server, access, course, rotate)
        course.take(server, role_wishes)
        course.take(server, roles.server_wishes(access))
    if not there and not course.apply:
        course.miss(roles.database_wishes(access))
        return
    with postgres_connect.open_connection(
        target, APPLICATION, database=access.database
    ) as database:
        with faults.translated(f"cannot look at the schemas of {access.database}"):
            course.notes += rights.existing_schemas(database, access, roles.STATE_SCHEMA)
        with database.transaction():
            course.take(database, roles.database_wishes(access))


def _look_at_server(
    server: Connection, access: PostgresAccess, course: _Course, rotate: bool
) -> bool:
    """Note what is there; return whether the database is."""
    with faults.translated("cannot look at the roles"):
        name, makes_roles, makes_databases = rights.administrator(server)
        existing = rights.existing_roles(server, access)
        facts = rights.database_facts(server, access.database)
    lacks = [
        right
        for right, needed, given in (
            ("CREATEROLE", len(existing) < 2, makes_roles),
            ("CREATEDB", facts is None, makes_databases),
        )
        if needed and not given
    ]
    if lacks:
        raise PrivilegeError(
            f"{name} can't set up this server",
            why=f"it is neither SUPERUSER nor {' and '.join(lacks)}",
            fix="name an administrator in --to, such as postgres",
        )
    for role, notes in existing.items():
        if not rotate:
            course.notes.append(f"the role {role} was there: its password is left as it is")
        course.notes += notes
    if facts is None:
        return False
    owner, encoding = facts
    if encoding != "UTF8":
        raise StopError(
            f"the database {access.database} can't be used",
            why=f"it is encoded in {encoding}, which can't hold every string of MongoDB",
            fix="name another one by --database; a new one is made in UTF8",
        )
    if access.owner is None and owner != access.loader:
        course.notes.append(f"the database {access.database} belongs to {owner}, and still does")
    return True


# -- MongoDB ------------------------------------------------------------------------------


def setup_mongodb(
    access: MongoAccess,
    passwords: Mapping[str, str],
    variables: Mapping[str, str],
    *,
    source: str | None = None,
    apply: bool = False,
    rotate: bool = False,
    password_set: Done = lambda user: None,
) -> Provision:
    """Make the users that read and follow a database.

    Args:
        access: the names.
        passwords: of each user, for those that do not exist; only `apply` looks at them.
        variables: for each user the variable that the printed commands take its password from.
        source: URI of an administrator; None prints only.
        apply: make what is missing; else the server is looked at, and nothing is changed.
        rotate: users that exist get these passwords too.
        password_set: called with a user's name as soon as it has its password.

    Raises:
        UsageError: a name can't be used.
        PrivilegeError: the user of the URI is no administrator.
        SourceMissingError: the server has no such database.

    """
    began = time.monotonic()
    _check_names((access.database,))
    _check_names(access.users, bytes_max=None)
    if access.reader == access.follower:
        raise UsageError(
            f"{access.reader} can't be both users",
            why="two users of one database have two names",
            fix="name another one by --reader or --change-streams",
        )
    steps: list[Step] = []
    notes: list[str] = []
    if source is not None:
        with mongo_connect.connect(source, database=access.database) as connection:
            found = {user: users.existing(connection, user) for user in access.users}
            users.check_database(connection)
            if connection.user is None:
                notes.append(
                    "this server lets everybody do everything: until its configuration says"
                    " security.authorization: enabled, no user is asked for a password"
                )
            for user, given in found.items():
                what = users.purpose(access, user)
                needed = users.roles_of(access)
                missing = [role for role in needed if role not in (given or [])]
                if given is None and apply:
                    users.create(connection, user, passwords[user], needed)
                    password_set(user)
                elif given is not None and apply:
                    if missing:
                        users.grant(connection, user, missing)
                    if rotate:
                        users.set_password(connection, user, passwords[user])
                        password_set(user)
                changed = bool(missing) or rotate
                steps.append(Step(what, ("made" if apply else "missing") if changed else "there"))
                notes += _notes_of(user, given, needed, rotate)
    return Provision(
        script=users.script(access, variables, rotate=rotate),
        steps=tuple(steps),
        notes=tuple(notes),
        applied=apply,
        seconds=time.monotonic() - began,
    )


def _notes_of(
    user: str,
    given: list[dict[str, str]] | None,
    needed: list[dict[str, str]],
    rotate: bool,
) -> list[str]:
    if given is None:
        return []
    notes = [] if rotate else [f"the user {user} was there: its password is left as it is"]
    more = [f"{role['role']} of {role['db']}" for role in given if role not in needed]
    if more:
        notes.append(
            f"the user {user} may do more than it needs: {', '.join(more)}; it was left so"
        )
    return notes


# -- names --------------------------------------------------------------------------------


def _check_names(names: Iterable[str], *, bytes_max: int | None = NAME_BYTES_MAX) -> None:
    for name in names:
        if not name or not name.isprintable():
            raise UsageError(
                f"{name!r} is no name",
                why="a name is empty, or holds a line end or another sign that can't be seen",
                fix="name another one",
            )
        if bytes_max is not None and len(name.encode()) > bytes_max:
            raise UsageError(
                f"the name {name} is too long",
                why=f"it has {len(name.encode())} bytes, and {bytes_max} is the most",
                fix="shorten it",
            )
