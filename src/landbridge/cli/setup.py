"""`landbridge setup`: users, roles, schemas and grants, printed, written or made.

For       An administrator of either end, before the first sync.
Touches   The file that `--out` names; nothing else but what the bridge does.
Promises  Without `--apply` nothing is changed. A file that exists is left alone. No password is
          shown but one that was made here, once.
"""

from __future__ import annotations

import json
import os
import secrets
import shlex
import string
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Command, Decorated, Group, common_options, option
from landbridge.cli.ends import (
    SOURCE_VARIABLE,
    TARGET_VARIABLE,
    find_source,
    find_target,
    value_of,
)
from landbridge.cli.text import printable
from landbridge.errors import UsageError

if TYPE_CHECKING:
    from landbridge.model.access import Provision

LOADER_VARIABLE = "TARGET_POSTGRES_PASSWORD"
BI_READER_VARIABLE = "BI_READER_PASSWORD"
READER_VARIABLE = "TAP_MONGODB_PASSWORD"
FOLLOWER_VARIABLE = "TAP_MONGODB_CDC_PASSWORD"
SCHEMAS = ("rawcl", "staging", "marts")
POSTGRES_DATABASE, MONGO_DATABASE = "carbon_lens_bi", "carbonLens"
PASSWORD_SIGNS, PASSWORD_LENGTH = string.ascii_letters + string.digits, 32

ENDS, NAMES, HOW = "Where", "Names", "How"


@dataclass(slots=True)
class _Passwords:
    """The passwords of a call: which were made here, and which of those count."""

    variables: dict[str, str]  # by user
    texts: dict[str, str] = field(default_factory=dict)
    made_here: set[str] = field(default_factory=set)
    in_use: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for user, variable in self.variables.items():
            given = value_of(variable)
            if given is None:
                self.made_here.add(user)
            self.texts[user] = given or _new_password()

    @property
    def to_show(self) -> dict[str, str]:
        """Those that nobody knows yet, by user."""
        return {user: self.texts[user] for user in self.in_use if user in self.made_here}

    def take(self, user: str) -> None:
        """Count the password of a user."""
        self.in_use.append(user)


@click.group(cls=Group, short_help="Make users, roles, schemas and grants.")
def setup() -> None:
    """Make the users, roles, schemas and grants that a sync needs, and no more.

    \b
    Examples:
      landbridge setup postgres --out setup_postgres.sql
      landbridge setup postgres --to postgresql://postgres@localhost --apply
      landbridge setup mongodb --from mongodb://admin@localhost/admin --apply
    """


def _ways(command: Decorated) -> Decorated:
    """Add the options that say what becomes of it."""
    for add in (
        option(
            "--rotate",
            is_flag=True,
            group=HOW,
            help="Give those that exist new passwords too.  [default: they keep theirs]",
        ),
        option(
            "--out",
            metavar="FILE",
            type=click.Path(path_type=Path, dir_okay=False),
            group=HOW,
            help="Write it into a new file.  [default: print it]",
        ),
        option("--apply", is_flag=True, group=HOW, help="Do it. What is there already stays."),
    ):
        command = add(command)
    return command


@setup.command("postgres", cls=Command)
@option(
    "--to",
    "target",
    metavar="URI",
    group=ENDS,
    help=f"The PostgreSQL, as an administrator. With --apply {TARGET_VARIABLE} stands in for it. "
    "Without --apply it is looked at only, and need not be named.",
)
@option(
    "--database",
    metavar="D",
    group=NAMES,
    help=f"The database; made where it is missing.  [default: the one in --to, else "
    f"{POSTGRES_DATABASE}]",
)
@option(
    "--schema",
    "schemas",
    multiple=True,
    metavar="S",
    group=NAMES,
    help="A schema; may be repeated, in the order of the loader's search path.  [default: "
    f"{', '.join(SCHEMAS)}]",
)
@option(
    "--loader",
    metavar="R",
    default="loader_admin",
    show_default=True,
    group=NAMES,
    help=f"The role that syncs. Its password is {LOADER_VARIABLE}, or is made and shown once.",
)
@option(
    "--reader",
    metavar="R",
    default="bi_reader",
    show_default=True,
    group=NAMES,
    help=f"The role that reads. Its password is {BI_READER_VARIABLE}, or is made and shown once.",
)
@option(
    "--owner",
    metavar="R",
    group=NAMES,
    help="The role that owns the database; must exist.  [default: the loader, of a new one]",
)
@option(
    "--new-schemas",
    is_flag=True,
    group=NAMES,
    help="The loader may make more schemas, and the reader reads what it makes in them.",
)
@_ways
@common_options
def postgres(
    *,
    target: str | None,
    database: str | None,
    schemas: tuple[str, ...],
    loader: str,
    reader: str,
    owner: str | None,
    new_schemas: bool,
    apply: bool,
    out: Path | None,
    rotate: bool,
    as_json: bool,
) -> None:
    """Make two roles, a database, its schemas and grants.

    Prints SQL for psql, or does it. One role loads; the other may read every table that the first
    makes, now or later. Passwords come from the environment or from .env; the SQL holds verifiers
    of them.

    \b
    Examples:
      landbridge setup postgres --out setup_postgres.sql
      landbridge setup postgres --to postgresql://postgres@localhost --apply
      landbridge setup postgres --to postgresql://postgres@localhost/bi --schema shop --apply
    """
    _check_ways(apply, out)
    uri = find_target(target).uri if target or apply else None
    passwords = _Passwords({loader: LOADER_VARIABLE, reader: BI_READER_VARIABLE})

    from landbridge import bridge
    from landbridge.model.access import PostgresAccess

    access = PostgresAccess(
        database=database or bridge.database_in(uri) or POSTGRES_DATABASE,
        schemas=tuple(dict.fromkeys(schemas or SCHEMAS)),
        loader=loader,
        reader=reader,
        owner=owner,
        new_schemas=new_schemas,
    )
    with _told_at_least(passwords, apply):
        provision = bridge.setup_postgres(
            access,
            passwords.texts,
            target=uri,
            apply=apply,
            rotate=rotate,
            password_set=passwords.take,
        )
    run = "psql -v ON_ERROR_STOP=1 -d postgres -f"
    _tell(provision, passwords, out, run=run, as_json=as_json)


@setup.command("mongodb", cls=Command)
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"The MongoDB, as an administrator. With --apply {SOURCE_VARIABLE} stands in for it. "
    "Without --apply it is looked at only, and need not be named.",
)
@option(
    "--database",
    metavar="D",
    group=NAMES,
    help=f"The database to read.  [default: the one in --from, else {MONGO_DATABASE}]",
)
@option(
    "--reader",
    metavar="U",
    default="meltano_reader",
    show_default=True,
    group=NAMES,
    help=f"The user who reads. Its password is {READER_VARIABLE}, or is made and shown once.",
)
@option(
    "--change-streams",
    "follower",
    metavar="[U]",
    is_flag=False,
    flag_value="meltano_cdc",
    group=NAMES,
    help="Make a user for --method log too, meltano_cdc where no name follows. Its password is "
    f"{FOLLOWER_VARIABLE}, or is made and shown once.",
)
@_ways
@common_options
def mongodb(
    *,
    source: str | None,
    database: str | None,
    reader: str,
    follower: str | None,
    apply: bool,
    out: Path | None,
    rotate: bool,
    as_json: bool,
) -> None:
    """Make a user who may read one database.

    Prints commands for mongosh, or does it. The users may read that database and nothing else.
    Passwords come from the environment or from .env; the commands hold none.

    \b
    Examples:
      landbridge setup mongodb --database carbonLens --out setup_mongodb.js
      landbridge setup mongodb --from mongodb://admin@localhost/admin --apply
      landbridge setup mongodb --from mongodb://localhost/shop --change-streams --apply
    """
    _check_ways(apply, out)
    uri = find_source(source).uri if source or apply else None
    variables = {reader: READER_VARIABLE}
    if follower:
        variables.setdefault(follower, FOLLOWER_VARIABLE)
    passwords = _Passwords(variables)

    from landbridge import bridge
    from landbridge.model.access import MongoAccess

    access = MongoAccess(
        database=database or bridge.source_database_in(uri) or MONGO_DATABASE,
        reader=reader,
        follower=follower,
    )
    with _told_at_least(passwords, apply):
        provision = bridge.setup_mongodb(
            access,
            passwords.texts,
            variables,
            source=uri,
            apply=apply,
            rotate=rotate,
            password_set=passwords.take,
        )
    _tell(provision, passwords, out, run="mongosh ADMIN_URI --file", as_json=as_json)


@contextmanager
def _told_at_least(passwords: _Passwords, apply: bool) -> Iterator[None]:
    """Show the passwords that a call has set before it failed: nobody else knows them."""
    try:
        yield
    except BaseException:
        if apply:
            _show_passwords(passwords, err=True)
        raise


def _new_password() -> str:
    return "".join(secrets.choice(PASSWORD_SIGNS) for _ in range(PASSWORD_LENGTH))


def _check_ways(apply: bool, out: Path | None) -> None:
    if apply and out is not None:
        raise UsageError(
            "--apply and --out exclude each other",
            why="one does it, the other writes down how to",
            fix="leave one of them out",
        )
    if out is not None and out.exists():
        raise UsageError(
            f"{out} exists already",
            why="a file that somebody may have edited is never written over",
            fix="name another file by --out, or move that one away",
        )


def _write(out: Path, text: str) -> None:
    try:
        # For its owner only: verifiers can be guessed at.
        opened = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(opened, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {out}",
            why=error.strerror or str(error),
            fix="name a file in a folder that exists and can be written to",
        ) from None


def _tell(
    provision: Provision, passwords: _Passwords, out: Path | None, *, run: str, as_json: bool
) -> None:
    if out is not None:
        _write(out, provision.script)
    if as_json:
        document: dict[str, Any] = provision.to_json()
        document["passwords"] = passwords.to_show
        document["out"] = str(out) if out else None
        click.echo(json.dumps(document))
        return
    aside = not provision.applied
    if aside and out is None:
        click.echo(provision.script, nl=False)
    for step in provision.steps:
        click.echo(f"{step.state:8} {printable(step.what)}", err=aside)
    for note in provision.notes:
        click.echo(f"note: {printable(note)}", err=aside)
    _show_passwords(passwords, err=aside)
    if out is not None:
        click.echo(f"written: {out}; run it as an administrator: {run} {shlex.quote(str(out))}")


def _show_passwords(passwords: _Passwords, *, err: bool) -> None:
    for user, password in passwords.to_show.items():
        click.echo(f"password of {printable(user)}, shown this once: {password}", err=err)
