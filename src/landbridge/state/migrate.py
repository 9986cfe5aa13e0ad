"""The schema `landbridge` and its numbered migrations.

For       Making the state's tables on first use, and bringing older ones up to date.
Touches   The target database, in one transaction.
Promises  Each migration runs once, whoever else starts at the same moment.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from landbridge.errors import PrivilegeError, StopError

_LOCK = 0x6C62_7374  # "lbst": one migration at a time, for the transaction only


def _migrations() -> list[tuple[int, str]]:
    folder = files("landbridge.state") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name.split("_")[0]), (folder / name).read_text()) for name in names]


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Bring the state schema to this version's shape.

    Raises:
        PrivilegeError: the schema is missing and the role may not create it.
        StopError: a newer landbridge has been here.

    """
    migrations = _migrations()
    newest = migrations[-1][0]
    present = _applied(connection)
    if present == newest:
        return
    _refuse_newer(present, newest)
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            _make_schema(connection)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS landbridge.migration"
                " (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            present = _applied(connection)
            for number, text in migrations:
                if number > present:
                    connection.execute(sql.SQL(text))
                    connection.execute(
                        "INSERT INTO landbridge.migration (number) VALUES (%s)", (number,)
                    )
    except psycopg.errors.InsufficientPrivilege as error:
        role, database = connection.info.user, connection.info.dbname
        raise PrivilegeError(
            f"cannot make the schema landbridge in {database}",
            why=f"the role {role} may not create schemas there ({error.diag.message_primary})",
            fix=f'as an administrator: GRANT CREATE ON DATABASE "{database}" TO "{role}"',
        ) from None


def _make_schema(connection: psycopg.Connection[Any]) -> None:
    """Make the schema; IF NOT EXISTS asks for the right to make one even where it exists."""
    row = connection.execute("SELECT to_regnamespace('landbridge') IS NULL").fetchone()
    if row and row[0]:
        connection.execute("CREATE SCHEMA landbridge")


def check(connection: psycopg.Connection[Any]) -> None:
    """Make sure that this version knows the state it finds, and change nothing.

    Raises:
        StopError: a newer landbridge has been here.

    """
    _refuse_newer(_applied(connection), _migrations()[-1][0])


def _refuse_newer(present: int, newest: int) -> None:
    if present > newest:
        raise StopError(
            "this landbridge is older than the state it finds",
            why=f"schema landbridge is at migration {present}, this version knows {newest}",
            fix="run the landbridge version that was used last, or a newer one",
        )


def is_installed(connection: psycopg.Connection[Any]) -> bool:
    """Return whether landbridge has ever been used in this database."""
    row = connection.execute("SELECT to_regclass('landbridge.migration') IS NOT NULL").fetchone()
    return bool(row and row[0])


def knows_imports(connection: psycopg.Connection[Any]) -> bool:
    """Return whether there is an id map to read, made by this version or an older one."""
    row = connection.execute("SELECT to_regclass('landbridge.id_map') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _applied(connection: psycopg.Connection[Any]) -> int:
    if not is_installed(connection):
        return 0
    row = connection.execute("SELECT coalesce(max(number), 0) FROM landbridge.migration").fetchone()
    return int(row[0]) if row else 0
