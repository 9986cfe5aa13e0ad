"""Streams: which collection fills which table, its plan and position, and who may write it now.

For       Opening a stream for a run, fencing out stale runs, and saving what a publish made true.
Touches   landbridge.stream, landbridge.lease.
Promises  One living holder a stream. `lock_for_publish` and `lock_for_chunk` fail where another
          run has raised the epoch since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from landbridge.errors import FencedError, RetryableError
from landbridge.model.settings import Settings

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class StreamKey:
    """What identifies a stream: its collection and the table that it fills."""

    database: str
    collection: str
    target_schema: str
    target_table: str


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A stream's row, as it was when this run took it."""

    id: int
    key: StreamKey
    settings: dict[str, Any]
    plan: dict[str, Any] | None
    epoch: int
    generation: int
    loading: dict[str, Any] | None
    position: dict[str, Any] | None
    pending: dict[str, Any] | None


_RECORD = (
    "database, collection, target_schema, target_table,"
    " settings, plan, epoch, generation, loading, position, pending"
)


@dataclass(frozen=True, slots=True)
class KnownStream:
    """What a dry run wants to know of a stream."""

    table: str
    settings: dict[str, Any]
    plan: dict[str, Any] | None
    position: dict[str, Any] | None


def known_streams(connection: Connection, target_schema: str) -> dict[tuple[str, str], KnownStream]:
    """Return the streams that fill tables of that schema, by (database, collection)."""
    rows = connection.execute(
        "SELECT database, collection, target_table, settings, plan, position"
        " FROM landbridge.stream WHERE target_schema = %s AND method <> 'import'",
        (target_schema,),
    )
    return {
        (database, collection): KnownStream(table, settings, plan, position)
        for database, collection, table, settings, plan, position in rows
    }


@dataclass(frozen=True, slots=True)
class LoadedStream:
    """A stream and the load that readers see, as a verification wants to know it."""

    id: int
    database: str
    collection: str
    table: str
    method: str
    settings: dict[str, Any]
    plan: dict[str, Any] | None
    generation: int


def loaded(connection: Connection, target_schema: str) -> dict[tuple[str, str], LoadedStream]:
    """Return the streams whose documents fill tables of that schema, by (database, collection)."""
    rows = connection.execute(
        "SELECT id, database, collection, target_table, method, settings, plan, generation"
        " FROM landbridge.stream WHERE target_schema = %s AND method <> 'import'",
        (target_schema,),
    )
    return {(row[1], row[2]): LoadedStream(*row) for row in rows}


def imported(connection: Connection, target_schema: str) -> dict[tuple[str, str], tuple[int, int]]:
    """Return id and generation of each import into a schema, by (database, collection)."""
    rows = connection.execute(
        "SELECT database, collection, id, generation FROM landbridge.stream"
        " WHERE target_schema = %s AND method = 'import'",
        (target_schema,),
    )
    return {(database, name): (number, last) for database, name, number, last in rows}


def table_names(connection: Connection, target_schema: str) -> dict[tuple[str, str], str]:
    """Return the table of every (database, collection) that has one in that schema."""
    rows = connection.execute(
        "SELECT database, collection, target_table FROM landbridge.stream"
        " WHERE target_schema = %s AND method <> 'import'",
        (target_schema,),
    )
    return {(database, collection): table for database, collection, table in rows}


def child_tables(connection: Connection, target_schema: str) -> set[str]:
    """Return the names of the tables that hold elements of arrays in that schema."""
    rows = connection.execute(
        "SELECT DISTINCT m.table_name FROM landbridge.column_map m"
        " JOIN landbridge.stream s ON s.id = m.stream_id"
        " WHERE s.target_schema = %s AND m.table_name <> s.target_table",
        (target_schema,),
    )
    return {name for (name,) in rows}


def enter(
    connection: Connection, key: StreamKey, *, source: str, method: str, settings: Settings
) -> int:
    """Return the id of the stream, made if it is new.

    Raises:
        RetryableError: another run has just given the table, or the collection, another partner.

    """
    query = """
        WITH made AS (
            INSERT INTO landbridge.stream (source, database, collection, target_schema,
                                           target_table, method, load, settings, fingerprint)
            VALUES (%(source)s, %(database)s, %(collection)s, %(schema)s, %(table)s, %(method)s,
                    %(load)s, %(settings)s, %(fingerprint)s)
            ON CONFLICT DO NOTHING
            RETURNING id)
        SELECT id FROM made
        UNION ALL
        SELECT id FROM landbridge.stream
        WHERE target_schema = %(schema)s AND target_table = %(table)s
          AND database = %(database)s AND collection = %(collection)s AND method <> 'import'
        """
    values = {
        "source": source,
        "database": key.database,
        "collection": key.collection,
        "schema": key.target_schema,
        "table": key.target_table,
        "method": method,
        "load": settings.load,
        "settings": Jsonb(asdict(settings)),
        "fingerprint": settings.fingerprint,
    }
    # A row that another run makes at this moment is waited for, but seen by the next query only.
    for _ in range(2):
        if row := connection.execute(query, values).fetchone():
            return int(row[0])
    raise RetryableError(
        f"cannot begin to load {key.target_schema}.{key.target_table}",
        why=f"another run has just begun to load it, or {key.database}.{key.collection}, otherwise",
        fix="start the same command again",
    )


def raise_epoch(connection: Connection, stream_id: int) -> StreamRecord:
    """Take the stream over: from now on commits under an older epoch are refused."""
    row = connection.execute(
        f"UPDATE landbridge.stream SET epoch = epoch + 1 WHERE id = %s RETURNING {_RECORD}",
        (stream_id,),
    ).fetchone()
    assert row is not None
    return StreamRecord(stream_id, StreamKey(*row[:4]), *row[4:])


def read_again(connection: Connection, stream: StreamRecord) -> StreamRecord:
    """Return a stream as its own run has published it.

    Raises:
        FencedError: another run has taken the stream.

    """
    row = connection.execute(
        f"SELECT {_RECORD} FROM landbridge.stream WHERE id = %s AND epoch = %s",
        (stream.id, stream.epoch),
    ).fetchone()
    if row is None:
        raise fenced_error(stream)
    return StreamRecord(stream.id, StreamKey(*row[:4]), *row[4:])


def lock_for_chunk(connection: Connection, stream: StreamRecord) -> None:
    """Hold the stream's row in share mode until this chunk commits.

    Raises:
        FencedError: another run has taken the stream.

    """
    _require(
        connection.execute(
            "SELECT 1 FROM landbridge.stream WHERE id = %s AND epoch = %s FOR SHARE",
            (stream.id, stream.epoch),
        ),
        stream,
    )


def lock_for_publish(connection: Connection, stream: StreamRecord) -> None:
    """Hold the stream's row alone: waits for chunks under way, and lets no other run in.

    Raises:
        FencedError: another run has taken the stream.

    """
    _require(
        connection.execute(
            # Rows that refer to it may be made meanwhile: another run that finds it taken.
            "SELECT 1 FROM landbridge.stream WHERE id = %s AND epoch = %s FOR NO KEY UPDATE",
            (stream.id, stream.epoch),
        ),
        stream,
    )


def fenced(connection: Connection, stream: StreamRecord) -> FencedError | None:
    """Return the error of a run whose stream another one has taken; waits for nobody."""
    query = "SELECT 1 FROM landbridge.stream WHERE id = %s AND epoch = %s"
    held = connection.execute(query, (stream.id, stream.epoch)).fetchone()
    return None if held else fenced_error(stream)


def _require(cursor: psycopg.Cursor[Any], stream: StreamRecord) -> None:
    if cursor.fetchone() is None:
        raise fenced_error(stream)


def fenced_error(stream: StreamRecord) -> FencedError:
    """Return the error of a run whose stream another one has taken."""
    return FencedError(
        f"this run no longer holds {stream.key.database}.{stream.key.collection}",
        why="another run has taken the stream over since",
        fix="nothing was lost: wait for the other run, or start this command again",
    )


def save_loading(
    connection: Connection, stream: StreamRecord, loading: dict[str, Any] | None
) -> None:
    """Remember a load by ranges that can be resumed, or that there is none.

    Raises:
        FencedError: another run has taken the stream.

    """
    cursor = connection.execute(
        "UPDATE landbridge.stream SET loading = %s WHERE id = %s AND epoch = %s RETURNING 1",
        (None if loading is None else Jsonb(loading), stream.id, stream.epoch),
    )
    _require(cursor, stream)


def save_pending(connection: Connection, stream: StreamRecord, position: dict[str, Any]) -> None:
    """Remember where following begins once the copy that starts now is published.

    Raises:
        FencedError: another run has taken the stream.

    """
    cursor = connection.execute(
        "UPDATE landbridge.stream SET pending = %s WHERE id = %s AND epoch = %s RETURNING 1",
        (Jsonb(position), stream.id, stream.epoch),
    )
    _require(cursor, stream)


@dataclass(frozen=True, slots=True)
class Reached:
    """A place that a stream's rows have come to without changing."""

    stream: StreamRecord
    position: dict[str, Any]
    consistent_at: str | None


def save_reached(connection: Connection, reached: Sequence[Reached]) -> set[int]:
    """Save where streams are; return the ids of those that this run still holds."""
    rows = connection.execute(
        "UPDATE landbridge.stream s SET position = p.position, consistent_at = p.consistent_at,"
        " last_success_at = now()"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::jsonb[], %s::text[])"
        " AS p (id, epoch, position, consistent_at)"
        " WHERE s.id = p.id AND s.epoch = p.epoch RETURNING s.id",
        (
            [one.stream.id for one in reached],
            [one.stream.epoch for one in reached],
            [Jsonb(one.position) for one in reached],
            [one.consistent_at for one in reached],
        ),
    )
    return {number for (number,) in rows}


def save_published(
    connection: Connection,
    stream: StreamRecord,
    *,
    source: str,
    method: str,
    settings: Settings,
    plan: dict[str, Any],
    generation: int,
    consistent_at: str | None,
    position: dict[str, Any] | None,
) -> None:
    """Make a load the one that readers see; belongs in the transaction that shows its rows."""
    unchanged = plan == stream.plan
    connection.execute(
        """
        UPDATE landbridge.stream
        SET source = %s, method = %s, load = %s, settings = %s, fingerprint = %s,
            plan = CASE WHEN %s THEN plan ELSE %s END,
            generation = %s, loading = NULL, consistent_at = %s,
            position = coalesce(%s, position), pending = NULL,
            last_success_at = now()
        WHERE id = %s
        """,
        (
            source,
            method,
            settings.load,
            Jsonb(asdict(settings)),
            settings.fingerprint,
            unchanged,
            None if unchanged else Jsonb(plan),
            generation,
            consistent_at,
            None if position is None else Jsonb(position),
            stream.id,
        ),
    )
