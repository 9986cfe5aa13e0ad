"""What a PostgreSQL says of itself before a sync: rights, room, limits, settings.

For       `landbridge doctor`, and the short check before a first sync.
Touches   The catalog; where the server is on this host, its data directory, by looking.
Promises  Nothing is changed. `gather` is one query, `tables_named` one more. What this role may
          not see is a fact that is missing, not an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from landbridge.model.finding import (
    ConnectionLimit,
    Pooling,
    SchemaFacts,
    Setting,
    TableFacts,
    TargetFacts,
)
from landbridge.model.tables import TableName

Connection = psycopg.Connection[Any]

STATE_SCHEMA = "landbridge"
SETTINGS = (
    "data_directory",
    "default_transaction_read_only",
    "fsync",
    "full_page_writes",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "max_wal_size",
    "statement_timeout",
    "synchronous_commit",
    "synchronous_standby_names",
    "transaction_timeout",
)
START_SECONDS_APART_MAX = 60  # between the pid file and the first process of the server

_UNITS = {
    "B": 1,
    "kB": 1 << 10,
    "8kB": 8 << 10,
    "MB": 1 << 20,
    "GB": 1 << 30,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "min": 60,
    "h": 3600,
    "d": 86400,
}

_GATHER = """
SELECT current_user::text AS role, d.datname::text AS database,
  current_setting('server_version') AS version,
  current_setting('server_version_num')::int AS version_number,
  pg_is_in_recovery() AS in_recovery,
  current_setting('transaction_read_only')::bool AS read_only,
  pg_encoding_to_char(d.encoding)::text AS encoding,
  has_database_privilege(d.oid, 'CREATE') AS may_create_schemas,
  has_database_privilege(d.oid, 'TEMPORARY') AS may_make_temporary,
  r.rolsuper AS superuser, r.rolconnlimit AS role_max, d.datconnlimit AS database_max,
  current_setting('max_connections')::int AS server_max,
  current_setting('superuser_reserved_connections')::int
    + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
  used.server AS server_used, used.role AS role_used, used.database AS database_used,
  host(inet_server_addr()) AS address,
  extract(epoch FROM pg_postmaster_start_time())::float8 AS started,
  pg_tablespace_location(d.dattablespace) AS tablespace,
  (SELECT jsonb_object_agg(s.name, jsonb_build_array(s.setting, s.unit, s.source))
   FROM pg_settings s WHERE s.name = ANY(%(settings)s)) AS settings,
  (SELECT jsonb_object_agg(n.nspname, jsonb_build_array(
     has_schema_privilege(n.oid, 'USAGE'), has_schema_privilege(n.oid, 'CREATE'),
     ARRAY(SELECT c.relname::text FROM pg_class c
           WHERE c.relnamespace = n.oid AND n.nspname = %(state)s AND c.relkind IN ('r', 'p')
             AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
                      AND has_table_privilege(c.oid, 'UPDATE')
                      AND has_table_privilege(c.oid, 'DELETE'))
           ORDER BY 1)))
   FROM pg_namespace n WHERE n.nspname = ANY(%(schemas)s)) AS schemas
FROM pg_database d JOIN pg_roles r ON r.rolname = current_user,
  (SELECT count(*) AS server, count(*) FILTER (WHERE a.usesysid = me.oid) AS role,
          count(*) FILTER (WHERE a.datid = my.oid) AS database
   FROM pg_stat_activity a, pg_roles me, pg_database my
   WHERE me.rolname = current_user AND my.datname = current_database()
     AND a.usesysid IS NOT NULL AND a.datid IS NOT NULL AND a.pid <> pg_backend_pid()) used
WHERE d.datname = current_database()
"""


def gather(connection: Connection, schema: str | None) -> TargetFacts:
    """Return what the server says of itself, of this role, and of the schemas of a run."""
    names = [STATE_SCHEMA, *([schema] if schema else [])]
    values = {"settings": list(SETTINGS), "state": STATE_SCHEMA, "schemas": names}
    cursor = connection.cursor(row_factory=dict_row)
    row = cursor.execute(_GATHER, values).fetchone()
    if row is None:
        raise psycopg.DataError("the server does not know its own database")
    settings = row["settings"] or {}
    schemas = row["schemas"] or {}
    left, limit, most = _connections_left(row)
    return TargetFacts(
        database=row["database"],
        role=row["role"],
        version=row["version"],
        version_number=row["version_number"],
        in_recovery=row["in_recovery"],
        read_only=row["read_only"],
        encoding=row["encoding"],
        may_create_schemas=row["may_create_schemas"],
        may_make_temporary=row["may_make_temporary"],
        state=_schema_facts(STATE_SCHEMA, schemas),
        schema=_schema_facts(schema, schemas) if schema else None,
        connections_left=left,
        connections_limit=limit,
        connections_max=most,
        settings={name: _setting(*parts) for name, parts in settings.items()},
        free_bytes=_free_bytes(connection, row),
    )


def tables_named(
    connection: Connection, wanted: Mapping[str, TableName], ours: frozenset[TableName]
) -> tuple[TableFacts, ...]:
    """Return what bears the name of a stream's table; `wanted` names the table of each."""
    streams = {table.name: stream for stream, table in wanted.items()}
    schema = next((table.schema for table in wanted.values()), "")
    rows = connection.execute(
        "SELECT c.relname::text, pg_get_userbyid(c.relowner)::text,"
        " pg_has_role(c.relowner, 'USAGE')"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relname = ANY(%s) ORDER BY c.relname",
        (schema, list(streams)),
    )
    return tuple(
        TableFacts(streams[name], schema, name, TableName(schema, name) in ours, owner, owned)
        for name, owner, owned in rows
    )


def pooling(first: Connection, second: Connection) -> Pooling:
    """Return what stands between us and the server, by the processes that serve two sessions."""
    served = _backend(first)
    with second.transaction():
        _backend(second)  # takes a process, which a pooler by transactions gives to nobody else
        again = _backend(first)
    if again != served:
        return "transaction"
    return "none" if served == first.info.backend_pid else "session"


def _backend(connection: Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    return int(row[0]) if row else 0


def _connections_left(row: Mapping[str, Any]) -> tuple[int, ConnectionLimit, int]:
    """Return how many more connections there may be, which limit says so, and that limit."""
    held_back = 0 if row["superuser"] else row["reserved"]
    usable = row["server_max"] - held_back
    limits: list[tuple[int, ConnectionLimit, int]] = [
        (usable - row["server_used"], "max_connections", usable)
    ]
    if not row["superuser"]:
        if row["role_max"] >= 0:
            limits.append((row["role_max"] - row["role_used"], "role", row["role_max"]))
        if row["database_max"] >= 0:
            left = row["database_max"] - row["database_used"]
            limits.append((left, "database", row["database_max"]))
    left, limit, most = min(limits)
    return max(left, 0), limit, most


def _schema_facts(name: str, schemas: Mapping[str, Any]) -> SchemaFacts:
    if name not in schemas:
        return SchemaFacts(name)
    usage, create, closed = schemas[name]
    lacks = [right for right, given in (("USAGE", usage), ("CREATE", create)) if not given]
    return SchemaFacts(name, True, tuple(lacks), tuple(closed))


def _setting(text: str, unit: str | None, source: str) -> Setting:
    """Read a setting as bytes or seconds where it has a unit."""
    return Setting(float(text) * _UNITS[unit] if unit in _UNITS else text, source)


def _free_bytes(connection: Connection, row: Mapping[str, Any]) -> int | None:
    """Return the room on the disk of the tables, where that disk is seen from here."""
    address, settings = row["address"], row["settings"] or {}
    ours = all(_is_loopback(each) for each in (address, connection.info.hostaddr))
    if not ours or "data_directory" not in settings:
        return None
    folder = Path(settings["data_directory"][0])
    try:
        # The server may be a container's, and the folder that of another server.
        started = float((folder / "postmaster.pid").read_text().split("\n")[2])
        if abs(started - row["started"]) > START_SECONDS_APART_MAX:
            return None
        disk = os.statvfs(row["tablespace"] or folder)
    except (OSError, ValueError, IndexError):
        return None
    return disk.f_bavail * disk.f_frsize


def _is_loopback(address: str | None) -> bool:
    """Whether an address is this host's; a socket in the file system has none."""
    return not address or ip_address(address).is_loopback
