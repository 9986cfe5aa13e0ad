"""What the facts of a PostgreSQL mean for a sync.

For       `preflight`.
Touches   Nothing.
Promises  A fix is a statement for whoever may run it, or a flag of landbridge.
"""

from __future__ import annotations

from collections.abc import Iterator

from landbridge.model.amounts import duration, size
from landbridge.model.finding import TARGET, Finding, SchemaFacts, Setting, TargetFacts

VERSION_MIN = 15_00_00  # MERGE
LARGE_BYTES = 1 << 30  # loads up to this size meet no checkpoint that matters
WAL_BYTES_WANTED = 2 << 30
WAL_SIZE_ADVISED = "8GB"
ROOM_TIMES_WANTED = 2  # rows and their indexes, and the log of writing them
LOAD_BYTES_A_SECOND_MIN = 10 << 20  # keys and indexes included
LONG_SECONDS = 600.0  # no statement of a small load takes as long
LOCK_SECONDS_WANTED = 10.0

# What each of them cuts when it strikes, and what a load keeps it from.
_TIMEOUTS = {
    "statement_timeout": "a COPY or a merge that takes longer is cut",
    "transaction_timeout": "a load that takes longer is cut",
    "idle_in_transaction_session_timeout": "a load that waits longer for the source is cut",
    "idle_session_timeout": "a session that rests longer between two steps of a load is cut",
}
_UNSAFE = {
    "fsync": "a crash of the machine can destroy the whole cluster",
    "full_page_writes": "a crash of the machine can tear pages that nothing mends",
}


def judge_target(facts: TargetFacts, *, load_bytes: int, connections_needed: int) -> list[Finding]:
    """Return what is to be said about the target, for a load of about that size."""
    return [
        Finding("ok", "reachable", TARGET, f"PostgreSQL answers, as {facts.role}"),
        *_version(facts),
        *_writable(facts),
        *_encoding(facts),
        *_schemas(facts),
        *_tables(facts),
        *_connections(facts, connections_needed),
        *_timeouts(facts, load_bytes),
        *_durability(facts),
        *_wal(facts, load_bytes),
        *_pooler(facts),
        *_room(facts, load_bytes),
    ]


def _version(facts: TargetFacts) -> Iterator[Finding]:
    if facts.version_number < VERSION_MIN:
        yield Finding(
            "error",
            "version",
            TARGET,
            f"PostgreSQL {facts.version} is too old: landbridge needs 15 or later",
            "upgrade the server, or name another one by --to",
        )
    else:
        yield Finding("info", "version", TARGET, f"PostgreSQL {facts.version}")


def _writable(facts: TargetFacts) -> Iterator[Finding]:
    if facts.in_recovery:
        yield Finding(
            "error",
            "in_recovery",
            TARGET,
            "the server is a standby, and takes no writes",
            "name the primary by --to",
        )
    elif facts.read_only:
        yield Finding(
            "error",
            "read_only",
            TARGET,
            "transactions are read-only by default",
            _role_setting(facts, "default_transaction_read_only", "off"),
        )


def _encoding(facts: TargetFacts) -> Iterator[Finding]:
    if facts.encoding != "UTF8":
        yield Finding(
            "error",
            "encoding",
            TARGET,
            f"the database {facts.database} is encoded in {facts.encoding}, which cannot hold"
            " every string of MongoDB",
            f"CREATE DATABASE {_name(facts.database + '_utf8')} ENCODING 'UTF8' TEMPLATE template0",
        )


# -- rights -------------------------------------------------------------------------------


def _schemas(facts: TargetFacts) -> Iterator[Finding]:
    named = [("state_schema", facts.state)]
    if facts.schema is not None:
        named.append(("target_schema", facts.schema))
    for code, schema in named:
        yield from _schema(facts, code, schema)
    if not facts.may_make_temporary:
        yield Finding(
            "error",
            "temporary_tables",
            TARGET,
            f"{facts.role} may not make temporary tables in {facts.database}",
            f"GRANT TEMPORARY ON DATABASE {_name(facts.database)} TO {_name(facts.role)}",
        )


def _schema(facts: TargetFacts, code: str, schema: SchemaFacts) -> Iterator[Finding]:
    name, role = _name(schema.name), _name(facts.role)
    if not schema.exists and not facts.may_create_schemas:
        yield Finding(
            "error",
            code,
            TARGET,
            f"{facts.role} may not make the schema {schema.name}",
            f"GRANT CREATE ON DATABASE {_name(facts.database)} TO {role}",
        )
    elif schema.lacks:
        yield Finding(
            "error",
            code,
            TARGET,
            f"{facts.role} lacks {' and '.join(schema.lacks)} on the schema {schema.name}",
            f"GRANT {', '.join(schema.lacks)} ON SCHEMA {name} TO {role}",
        )
    elif schema.closed_tables:
        yield Finding(
            "error",
            code,
            TARGET,
            f"{facts.role} may not read and write {', '.join(schema.closed_tables)} in the schema"
            f" {schema.name}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}",
        )
    else:
        done = "use" if schema.exists else "make"
        yield Finding("ok", code, TARGET, f"{facts.role} may {done} the schema {schema.name}")


def _tables(facts: TargetFacts) -> Iterator[Finding]:
    for table in facts.tables:
        name = f"{_name(table.schema)}.{_name(table.name)}"
        if not table.ours:
            yield Finding(
                "error",
                "table_taken",
                table.stream,
                f"{table.schema}.{table.name} exists, and landbridge did not make it",
                f"ALTER TABLE {name} RENAME TO {_name(table.name + '_before')}; or give it to"
                " landbridge by --take-over",
            )
        elif not table.owned:
            yield Finding(
                "warning",
                "table_owner",
                table.stream,
                f"{table.schema}.{table.name} belongs to {table.owner}: {facts.role} cannot give"
                " it new columns",
                f"ALTER TABLE {name} OWNER TO {_name(facts.role)}",
            )


# -- limits -------------------------------------------------------------------------------


def _connections(facts: TargetFacts, needed: int) -> Iterator[Finding]:
    if facts.connections_left >= needed:
        yield Finding("ok", "connections", TARGET, f"{facts.connections_left} connections are free")
        return
    wanted = facts.connections_max + needed - facts.connections_left
    match facts.connections_limit:
        case "max_connections":
            fix = f"ALTER SYSTEM SET max_connections = {wanted}; then restart the server"
        case "role":
            fix = f"ALTER ROLE {_name(facts.role)} CONNECTION LIMIT {wanted}"
        case _:
            fix = f"ALTER DATABASE {_name(facts.database)} CONNECTION LIMIT {wanted}"
    limit = {
        "max_connections": "max_connections",
        "role": f"the connection limit of {facts.role}",
        "database": f"the connection limit of {facts.database}",
    }[facts.connections_limit]
    yield Finding(
        "warning",
        "connections",
        TARGET,
        f"a run opens up to {needed} connections, and {limit} leaves {facts.connections_left};"
        " --jobs 1 takes fewer",
        fix,
    )


def _timeouts(facts: TargetFacts, load_bytes: int) -> Iterator[Finding]:
    wanted = max(LONG_SECONDS, 3 * load_bytes / LOAD_BYTES_A_SECOND_MIN)
    for name, meaning in _TIMEOUTS.items():
        seconds = _number(facts, name)
        if 0 < seconds < wanted:
            yield _timeout(facts, name, seconds, meaning)
    seconds = _number(facts, "lock_timeout")
    if 0 < seconds < LOCK_SECONDS_WANTED:
        yield _timeout(facts, "lock_timeout", seconds, "a stream that waits longer starts over")


def _timeout(facts: TargetFacts, name: str, seconds: float, meaning: str) -> Finding:
    return Finding(
        "warning",
        name,
        TARGET,
        f"{name} is {duration(seconds)}: {meaning}",
        "take it out of the options in --to"
        if facts.settings[name].source == "client"
        else _role_setting(facts, name, "0"),
    )


def _durability(facts: TargetFacts) -> Iterator[Finding]:
    for name, danger in _UNSAFE.items():
        if _word(facts, name) == "off":
            yield Finding(
                "warning",
                name,
                TARGET,
                f"{name} is off: {danger}",
                f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()",
            )
    commit = _word(facts, "synchronous_commit")
    if commit == "off":
        yield Finding(
            "info",
            "synchronous_commit",
            TARGET,
            "synchronous_commit is off: a crash may undo the last commits of a run, rows and"
            " position together, and the next run does them again",
        )
    elif commit != "local" and _word(facts, "synchronous_standby_names"):
        yield Finding(
            "info",
            "synchronous_commit",
            TARGET,
            "each commit waits for a standby, which makes many small collections slow",
        )


def _wal(facts: TargetFacts, load_bytes: int) -> Iterator[Finding]:
    wal = _number(facts, "max_wal_size")
    if load_bytes > LARGE_BYTES and 0 < wal < WAL_BYTES_WANTED:
        yield Finding(
            "warning",
            "max_wal_size",
            TARGET,
            f"max_wal_size is {size(int(wal))}: a load of about {size(load_bytes)} makes the"
            " server write a checkpoint again and again",
            f"ALTER SYSTEM SET max_wal_size = '{WAL_SIZE_ADVISED}'; SELECT pg_reload_conf()",
        )


def _pooler(facts: TargetFacts) -> Iterator[Finding]:
    if facts.pooling == "none":
        return
    unit = "transaction" if facts.pooling == "transaction" else "session"
    yield Finding(
        "info",
        "pooler",
        TARGET,
        f"a pooler by {unit}s stands before the server: nothing of a run breaks on it, and its"
        " own limits hold beside those of the server",
    )


def _room(facts: TargetFacts, load_bytes: int) -> Iterator[Finding]:
    wanted = size(load_bytes * ROOM_TIMES_WANTED)
    load = f"a load of about {size(load_bytes)} wants {wanted}"
    if facts.free_bytes is None:
        unknown = "the room on the server's disk cannot be known from here"
        message = f"{unknown}; {load}" if load_bytes else unknown
        yield Finding("info", "disk_space", TARGET, message)
    elif facts.free_bytes < load_bytes * ROOM_TIMES_WANTED:
        yield Finding(
            "error" if facts.free_bytes < load_bytes else "warning",
            "disk_space",
            TARGET,
            f"the server's disk has {size(facts.free_bytes)} left, and {load}",
            "make room on the disk, or copy fewer collections by --select",
        )
    else:
        yield Finding(
            "ok", "disk_space", TARGET, f"the server's disk has {size(facts.free_bytes)} left"
        )


# -- words --------------------------------------------------------------------------------


def _number(facts: TargetFacts, name: str) -> float:
    value = facts.settings.get(name, Setting(0.0)).value
    return value if isinstance(value, float) else 0.0


def _word(facts: TargetFacts, name: str) -> str:
    return str(facts.settings.get(name, Setting("")).value)


def _role_setting(facts: TargetFacts, name: str, value: str) -> str:
    """Return the statement that wins over whatever set it for the role, database or server."""
    role, database = _name(facts.role), _name(facts.database)
    return f"ALTER ROLE {role} IN DATABASE {database} SET {name} = {value}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
