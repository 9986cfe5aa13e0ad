"""History: runs, what each stream of a run did, and what changed in a table's shape.

For       Answering "what happened, when, and why" from SQL.
Touches   landbridge.run, landbridge.run_stream, landbridge.schema_change, landbridge.column_map.
Promises  A stream's history row commits with its rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from landbridge.model.batch import PathProfile, Profile
from landbridge.model.plan import Plan
from landbridge.model.summary import SchemaChange, StreamSummary

Connection = psycopg.Connection[Any]


def start(connection: Connection, run: str, command: str, version: str, host: str) -> None:
    """Write that a run has begun."""
    connection.execute(
        "INSERT INTO landbridge.run (id, command, version, host) VALUES (%s, %s, %s, %s)",
        (run, command, version, host),
    )


def finish(connection: Connection, run: str, status: str, error: dict[str, str] | None) -> None:
    """Write how a run ended."""
    connection.execute(
        "UPDATE landbridge.run SET finished_at = clock_timestamp(), status = %s, error = %s"
        " WHERE id = %s",
        (status, None if error is None else Jsonb(error), run),
    )


def record_stream(
    connection: Connection,
    run: str,
    stream_id: int,
    summary: StreamSummary,
    *,
    layout: str | None,
    bytes_read: int,
) -> None:
    """Write what one stream of a run did, added to what it did before in the same run."""
    tally = asdict(summary.tally)
    connection.execute(
        """
        INSERT INTO landbridge.run_stream AS r (run_id, stream_id, method, load, layout, read,
            inserted,
            updated, unchanged, deleted, quarantined, discarded, by_value, events, without_key,
            bytes, seconds, consistent_at, error)
        VALUES (%(run)s, %(stream)s, %(method)s, %(load)s, %(layout)s, %(read)s, %(inserted)s,
            %(updated)s, %(unchanged)s, %(deleted)s, %(quarantined)s, %(discarded)s, %(by_value)s,
            %(events)s, %(without_key)s, %(bytes)s, %(seconds)s, %(consistent_at)s, %(error)s)
        ON CONFLICT (run_id, stream_id) DO UPDATE
        SET read = r.read + excluded.read, inserted = r.inserted + excluded.inserted,
            updated = r.updated + excluded.updated, unchanged = r.unchanged + excluded.unchanged,
            deleted = r.deleted + excluded.deleted,
            quarantined = r.quarantined + excluded.quarantined,
            discarded = r.discarded + excluded.discarded, by_value = r.by_value + excluded.by_value,
            events = r.events + excluded.events, without_key = excluded.without_key,
            bytes = r.bytes + excluded.bytes, seconds = r.seconds + excluded.seconds,
            consistent_at = excluded.consistent_at, error = excluded.error,
            finished_at = now()
        """,
        {
            **tally,
            "run": run,
            "stream": stream_id,
            "method": summary.method,
            "load": summary.load,
            "layout": layout,
            "events": summary.events,
            "without_key": summary.without_key,
            "bytes": bytes_read,
            "seconds": summary.seconds,
            "consistent_at": summary.consistent_at,
            "error": None if summary.error is None else Jsonb(summary.error),
        },
    )


def record_failure(connection: Connection, run: str, summary: StreamSummary) -> None:
    """Write that a stream of a run failed; nothing is written for one that was never made."""
    connection.execute(
        """
        INSERT INTO landbridge.run_stream (run_id, stream_id, method, load, seconds, error)
        SELECT %s, id, %s, %s, %s, %s FROM landbridge.stream
        WHERE target_schema = %s AND target_table = %s AND database = %s AND collection = %s
          AND (method = 'import') = (%s = 'import')
        ON CONFLICT (run_id, stream_id) DO UPDATE SET error = excluded.error
        """,
        (
            run,
            summary.method,
            summary.load,
            summary.seconds,
            Jsonb(summary.error),
            summary.target_schema,
            summary.target_table,
            summary.database,
            summary.collection,
            summary.method,
        ),
    )


def record_changes(
    connection: Connection, run: str, stream_id: int, changes: Iterable[SchemaChange]
) -> None:
    """Write what changed in a table's shape."""
    rows = [(stream_id, run, c.change, c.column, c.type, c.path, c.decision) for c in changes]
    if not rows:
        return
    connection.execute(
        "INSERT INTO landbridge.schema_change"
        " (stream_id, run_id, change, column_name, type, path, decision)"
        " SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::text[])",
        [list(column) for column in zip(*rows, strict=True)],
    )


def record_columns(
    connection: Connection,
    stream_id: int,
    tables: list[str],
    plan: Plan,
    profile: Profile,
    *,
    all_read: bool,
) -> None:
    """Write the map of paths and columns, with what a full read saw at each path.

    Where not all documents were read, the counts of earlier reads stay. Rows that would stay
    as they are are not written again.
    """
    rows = []
    for index, (name, table) in enumerate(zip(tables, plan.tables, strict=True)):
        columns: dict[tuple[str, ...], list[tuple[str, str | None, str | None]]] = {}
        for column in table.columns:
            if column.path:
                columns.setdefault(column.path, []).append(
                    (column.name, column.type, column.family)
                )
        for path, field in table.walk():
            seen = profile.get((index, path), PathProfile())
            places = columns.get(path) or ([] if field.fields else [("", None, None)])
            for column_name, column_type, family in places:
                rows.append(
                    {
                        "table_name": name,
                        "path": list(path),
                        "column_name": column_name,
                        "type": column_type,
                        "family": family,
                        "kinds": seen.counts,
                        "minimum": _finite(seen.minimum),
                        "maximum": _finite(seen.maximum),
                        "by_value": seen.by_value,
                        "escaped": seen.escaped,
                    }
                )
    connection.execute(
        """
        WITH r AS (
            SELECT * FROM jsonb_to_recordset(%(rows)s) AS r(
                table_name text, path text[], column_name text, type text, family text,
                kinds jsonb, minimum jsonb, maximum jsonb, by_value bigint, escaped bigint)),
        gone AS (
            DELETE FROM landbridge.column_map m WHERE stream_id = %(stream)s AND NOT EXISTS (
                SELECT FROM r WHERE (r.table_name, r.path, r.column_name)
                                  = (m.table_name, m.path, m.column_name)))
        INSERT INTO landbridge.column_map AS m (stream_id, table_name, path, column_name, type,
                                                family, kinds, minimum, maximum, by_value, escaped)
        SELECT %(stream)s, r.* FROM r
        ON CONFLICT (stream_id, table_name, path, column_name) DO UPDATE
        SET type = excluded.type, family = excluded.family, kinds = excluded.kinds,
            minimum = excluded.minimum, maximum = excluded.maximum,
            by_value = excluded.by_value, escaped = excluded.escaped
        WHERE %(all_read)s
          AND (m.type, m.family, m.kinds, m.minimum, m.maximum, m.by_value, m.escaped)
           IS DISTINCT FROM (excluded.type, excluded.family, excluded.kinds, excluded.minimum,
                             excluded.maximum, excluded.by_value, excluded.escaped)
        """,
        {"stream": stream_id, "rows": Jsonb(rows), "all_read": all_read},
    )


def _finite(extremes: dict[str, float | int]) -> dict[str, float | int]:
    return {str(kind): value for kind, value in extremes.items()}


@dataclass(frozen=True, slots=True)
class PastLoad:
    """The last load of a whole collection by one command."""

    collection: str
    command: str
    seconds: float
    read: int
    quarantined: int
    finished_at: datetime
    run: str
    run_seconds: float | None  # of all collections of its run, which go side by side


def last_loads(connection: Connection, database: str, target_schema: str) -> list[PastLoad]:
    """Return the last whole load of each collection into that schema, by each command."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON (s.id, r.command) s.collection, r.command, x.seconds, x.read,
               x.quarantined, x.finished_at, r.id::text,
               extract(epoch FROM r.finished_at - r.started_at)::float8
        FROM landbridge.run_stream x
        JOIN landbridge.stream s ON s.id = x.stream_id
        JOIN landbridge.run r ON r.id = x.run_id
        WHERE s.database = %s AND s.target_schema = %s AND x.error IS NULL
          AND x.seconds IS NOT NULL AND x.method IN ('full', 'import')
        ORDER BY s.id, r.command, x.finished_at DESC
        """,
        (database, target_schema),
    )
    return [PastLoad(*row) for row in rows]
