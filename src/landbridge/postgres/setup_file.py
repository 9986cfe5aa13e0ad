"""The wishes as a file for psql.

For       Administrators who run such things themselves.
Touches   Nothing.
Promises  The file can be run again, and stops nowhere because something is there already. It
          holds no password.
"""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from landbridge.model.access import PostgresAccess
from landbridge.postgres.roles import Wish, database_wishes, server_wishes

_HEAD = """\
-- Made by `landbridge setup postgres`. Run it as an administrator:
--   psql -v ON_ERROR_STOP=1 -d postgres -f {file}
-- It may be run again: what is there already is left as it is, and nothing is taken from anybody.
-- The passwords stand here as SCRAM-SHA-256 verifiers, which let nobody in.
"""
_DATABASE = """\
-- CREATE DATABASE knows no IF NOT EXISTS and runs in no block: psql's \\gexec runs the statement
-- that this query returns, if it returns one."""
_CONNECT = "-- Schemas and their grants are made inside of the database."
FILE = "setup_postgres.sql"


def script(access: PostgresAccess, roles: Iterable[Wish]) -> str:
    """Return the file; `roles` are the wishes for the roles."""
    lines = [_HEAD.format(file=FILE), "SET client_encoding = 'UTF8';"]
    *others, database = server_wishes(access)
    for wish in (*roles, *others):
        lines += ["", f"-- {_one_line(wish.what)}", _statement(wish)]
    lines += ["", f"-- {_one_line(database.what)}", _DATABASE, _gexec(database), "", _CONNECT]
    lines += [_connect(access.database), "SET client_encoding = 'UTF8';"]
    for wish in database_wishes(access):
        lines += ["", f"-- {_one_line(wish.what)}", _statement(wish)]
    return "\n".join(lines) + "\n"


def _statement(wish: Wish) -> str:
    text = wish.statement.as_string(None)
    if not wish.guarded:
        return f"{text};"
    holds = wish.holds.as_string(None)
    block = f"BEGIN\n  IF NOT ({holds}) THEN\n    {text};\n  END IF;\nEND"
    tag = "setup"
    while f"${tag}$" in block:  # a name may hold anything
        tag += "_"
    return f"DO ${tag}$\n{block}\n${tag}$;"


def _gexec(wish: Wish) -> str:
    query = sql.SQL("SELECT {}\nWHERE NOT {}").format(
        sql.Literal(wish.statement.as_string(None)), wish.holds
    )
    return f"{query.as_string(None)} \\gexec"


def _connect(database: str) -> str:
    r"""Return the `\connect` to a database of any name: psql may take a plain one for a URI."""
    quoted = database.replace("\\", "\\\\").replace("'", "\\'")
    argument = f"dbname='{quoted}'".replace('"', '""')
    return f'\\connect -reuse-previous=on "{argument}"'


def _one_line(text: str) -> str:
    return " ".join(text.split())
