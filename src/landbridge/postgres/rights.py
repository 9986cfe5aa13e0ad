"""What roles may do already, beyond what they are to be given.

For       The notes of `landbridge setup postgres`.
Touches   The catalog, by asking.
Promises  Nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg

from landbridge.model.access import PostgresAccess
from landbridge.model.amounts import count_of

Connection = psycopg.Connection[Any]

_ROLES = """
SELECT r.rolname::text, r.rolcanlogin,
  array_remove(ARRAY[
    CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
    CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
    CASE WHEN r.rolreplication THEN 'REPLICATION' END,
    CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END], NULL)
  || ARRAY(SELECT 'member of ' || pg_get_userbyid(m.roleid) FROM pg_auth_members m
           WHERE m.member = r.oid ORDER BY 1)
FROM pg_roles r WHERE r.rolname = ANY(%s)
"""
_WRITABLE = """
SELECT n.nspname::text, count(*) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.rolname = %s
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') AND NOT r.rolsuper
  AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
GROUP BY n.nspname ORDER BY n.nspname
"""


def administrator(connection: Connection) -> tuple[str, bool, bool]:
    """Return the role of a connection, and whether it may make roles and databases."""
    row = connection.execute(
        "SELECT rolname::text, rolsuper OR rolcreaterole, rolsuper OR rolcreatedb"
        " FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    return row or ("", False, False)


def existing_roles(connection: Connection, access: PostgresAccess) -> dict[str, list[str]]:
    """Return, of the roles that exist, what is to be said of each."""
    notes: dict[str, list[str]] = {}
    for role, may_log_in, more in connection.execute(_ROLES, ([access.loader, access.reader],)):
        notes[role] = []
        if more:
            notes[role].append(
                f"the role {role} may do more than it needs: {', '.join(more)}; it was left so"
            )
        if not may_log_in:
            notes[role].append(
                f"the role {role} may not log in; an administrator lets it: ALTER ROLE … LOGIN"
            )
    return notes


def database_facts(connection: Connection, database: str) -> tuple[str, str] | None:
    """Return the owner and the encoding of a database, if it is there."""
    return connection.execute(
        "SELECT pg_get_userbyid(datdba)::text, pg_encoding_to_char(encoding)::text"
        " FROM pg_database WHERE datname = %s",
        (database,),
    ).fetchone()


def existing_schemas(
    connection: Connection, access: PostgresAccess, state_schema: str
) -> Iterator[str]:
    """Yield what is to be said of schemas that are there, and of what the reader may write."""
    rows = connection.execute(
        "SELECT nspname::text, pg_get_userbyid(nspowner)::text FROM pg_namespace"
        " WHERE nspname = ANY(%s) AND pg_get_userbyid(nspowner) NOT IN (%s, 'pg_database_owner')"
        " ORDER BY 1",
        ([state_schema, *access.schemas], access.loader),
    )
    for schema, owner in rows:
        yield (
            f"the schema {schema} belongs to {owner}, and still does: {access.loader} may make"
            " tables in it, but not change those of others"
        )
    for schema, count in connection.execute(_WRITABLE, (access.reader, list(access.schemas))):
        yield (
            f"the role {access.reader} may also write {count_of(count, 'table')} in the schema"
            f" {schema}; it was left so"
        )
