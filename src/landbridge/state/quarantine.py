"""Quarantine: documents that could not become rows, whole, with the reason.

For       Losing nothing, and being able to try again.
Touches   landbridge.quarantine.
Promises  An entry counts when its generation is published, in the same transaction.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from landbridge.model.report import QuarantineEntry
from landbridge.state.streams import StreamKey

Connection = psycopg.Connection[Any]

_SHOWN = """
    SELECT q.id, s.database || '.' || s.collection, s.target_schema || '.' || s.target_table,
           q.document_id, q.path, q.problem, q.reason, q.replaced, q.run_id::text, q.at,
           q.document_json, q.document
    FROM landbridge.quarantine q JOIN landbridge.stream s ON s.id = q.stream_id
    WHERE q.generation <= s.generation
"""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A document to set aside."""

    document: bytes
    document_id: str  # canonical extended JSON
    document_json: str
    path: str
    problem: str
    reason: str


def add(
    connection: Connection,
    stream_id: int,
    generation: int,
    run: str,
    rejected: Iterable[Rejected],
    chunk: int | None = None,
) -> None:
    """Set documents aside under a generation that is not published yet."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO landbridge.quarantine (stream_id, generation, chunk, run_id, document_id,"
            " path, problem, reason, document, document_json)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    stream_id,
                    generation,
                    chunk,
                    run,
                    storable(r.document_id),
                    storable(r.path),
                    r.problem,
                    storable(r.reason),
                    r.document,
                    storable(r.document_json),
                )
                for r in rejected
            ],
        )


def storable(text: str) -> str:
    """Return `text` as PostgreSQL can hold it; the document beside it is kept as it is."""
    return text.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode()


def discard_unpublished(connection: Connection, stream_id: int, published: int) -> None:
    """Forget what a load that was never published had set aside."""
    connection.execute(
        "DELETE FROM landbridge.quarantine WHERE stream_id = %s AND generation > %s",
        (stream_id, published),
    )


def forget_repeated(connection: Connection, stream_id: int, generation: int) -> int:
    """Keep the last of several entries that one load made for one document; count the others."""
    return connection.execute(
        "DELETE FROM landbridge.quarantine q USING landbridge.quarantine last"
        " WHERE q.stream_id = %(stream)s AND q.generation = %(generation)s"
        " AND last.stream_id = q.stream_id AND last.generation = q.generation"
        " AND last.document_id = q.document_id AND last.id > q.id",
        {"stream": stream_id, "generation": generation},
    ).rowcount


def forget(connection: Connection, entries: Sequence[int]) -> None:
    """Forget entries of a load that is not published yet."""
    connection.execute("DELETE FROM landbridge.quarantine WHERE id = ANY(%s)", (list(entries),))


def supersede(
    connection: Connection, stream_id: int, generation: int, batch: int | None = None
) -> None:
    """Let a full read have the last word: older entries end, unchanged ones keep their id.

    Where one run publishes several times, older are those of its other batches as well.
    """
    connection.execute(
        """
        WITH entry AS (
            SELECT id, document, reason,
                   generation = %(generation)s
                   AND (%(batch)s::int IS NULL OR chunk IS NOT DISTINCT FROM %(batch)s) AS fresh
            FROM landbridge.quarantine WHERE stream_id = %(stream)s),
        same AS (
            SELECT DISTINCT ON (new.id) new.id AS new_id, old.id AS old_id
            FROM entry new JOIN entry old
              ON old.document = new.document AND old.reason = new.reason
            WHERE new.fresh AND NOT old.fresh
            ORDER BY new.id, old.id),
        kept AS (
            UPDATE landbridge.quarantine SET generation = %(generation)s
            WHERE id IN (SELECT old_id FROM same)),
        again AS (
            DELETE FROM landbridge.quarantine WHERE id IN (SELECT new_id FROM same))
        DELETE FROM landbridge.quarantine
        WHERE id IN (SELECT id FROM entry WHERE NOT fresh)
          AND id NOT IN (SELECT old_id FROM same)
        """,
        {"stream": stream_id, "generation": generation, "batch": batch},
    )


def join_published(connection: Connection, stream_id: int, published: int) -> None:
    """Add what a load set aside that did not come to its end to what is published."""
    connection.execute(
        """
        WITH fresh AS (
            UPDATE landbridge.quarantine SET generation = %(published)s
            WHERE stream_id = %(stream)s AND generation > %(published)s RETURNING document_id)
        DELETE FROM landbridge.quarantine q USING fresh
        WHERE q.stream_id = %(stream)s AND q.generation <= %(published)s
          AND q.document_id = fresh.document_id AND q.document_id <> ''
        """,
        {"stream": stream_id, "published": published},
    )


def settle(connection: Connection, stream_id: int, generation: int, retried: Sequence[int]) -> None:
    """End the entries of a retry whose documents became rows; the others stay as they were."""
    connection.execute(
        """
        WITH again AS (
            DELETE FROM landbridge.quarantine
            WHERE stream_id = %s AND generation = %s RETURNING document)
        DELETE FROM landbridge.quarantine
        WHERE id = ANY(%s) AND document NOT IN (SELECT document FROM again)
        """,
        (stream_id, generation, list(retried)),
    )


@dataclass(frozen=True, slots=True)
class Held:
    """What one stream holds in quarantine, with the settings it was last loaded with."""

    key: StreamKey
    settings: dict[str, Any]
    keyed: bool
    documents: list[tuple[int, bytes]]  # (entry, document)


def waiting(
    connection: Connection, *, stream: str | None = None, ids: Sequence[int] = ()
) -> list[Held]:
    """Return the published entries by stream, for a retry.

    A line that is no document can't become a row; a document that a later one of its file has
    replaced becomes one only when it is named.
    """
    rows = connection.execute(
        """
        SELECT s.database, s.collection, s.target_schema, s.target_table, s.settings,
               coalesce((s.plan->>'keyed')::boolean, true),
               array_agg(q.id ORDER BY q.id), array_agg(q.document ORDER BY q.id)
        FROM landbridge.quarantine q JOIN landbridge.stream s ON s.id = q.stream_id
        WHERE q.generation <= s.generation AND s.method <> 'import'
          AND q.problem <> 'line'
          AND (q.problem <> 'repeated' OR %(ids)s::bigint[] IS NOT NULL)
          AND (%(stream)s::text IS NULL OR %(stream)s IN (
               s.database || '.' || s.collection, s.target_schema || '.' || s.target_table,
               s.collection))
          AND (%(ids)s::bigint[] IS NULL OR q.id = ANY(%(ids)s))
        GROUP BY s.id ORDER BY s.id
        """,
        {"stream": stream, "ids": list(ids) or None},
    )
    return [
        Held(
            StreamKey(*row[:4]),
            row[4],
            row[5],
            [(number, bytes(document)) for number, document in zip(row[6], row[7], strict=True)],
        )
        for row in rows
    ]


def of_imports(connection: Connection, *, stream: str | None = None) -> int:
    """Return how many published entries are of imports by a mapping, which no retry loads."""
    row = connection.execute(
        "SELECT count(*) FROM landbridge.quarantine q"
        " JOIN landbridge.stream s ON s.id = q.stream_id"
        " WHERE q.generation <= s.generation AND s.method = 'import'"
        " AND (%(stream)s::text IS NULL OR %(stream)s IN (s.database || '.' || s.collection,"
        " s.target_schema || '.' || s.target_table, s.collection))",
        {"stream": stream},
    ).fetchone()
    return int(row[0]) if row else 0


def documents_of(
    connection: Connection, stream_id: int, generation: int, chunk: int | None = None
) -> list[tuple[int, bytes]]:
    """Return (entry, document) of everything set aside under one generation, or one chunk of it.

    Without the documents that a later one has replaced, and without lines that are none.
    """
    rows = connection.execute(
        "SELECT id, document FROM landbridge.quarantine WHERE problem NOT IN ('line', 'repeated')"
        " AND stream_id = %s AND generation = %s AND (%s::int IS NULL OR chunk = %s) ORDER BY id",
        (stream_id, generation, chunk, chunk),
    )
    return [(entry, bytes(document)) for entry, document in rows]


def set_aside(connection: Connection, stream_id: int, document_ids: Sequence[str]) -> set[str]:
    """Return those of some documents, named by canonical extended JSON, that are in quarantine."""
    rows = connection.execute(
        "SELECT DISTINCT document_id FROM landbridge.quarantine"
        " WHERE stream_id = %s AND document_id = ANY(%s)",
        (stream_id, [storable(one) for one in document_ids]),
    )
    found = {text for (text,) in rows}
    return {one for one in document_ids if storable(one) in found}


def others_of(
    connection: Connection, stream_id: int, generation: int, chunk: int | None = None
) -> list[tuple[int, bytes]]:
    """Return (entry, document) of a stream's entries that `documents_of` does not return."""
    rows = connection.execute(
        "SELECT id, document FROM landbridge.quarantine WHERE stream_id = %s"
        " AND NOT (generation = %s AND (%s::int IS NULL OR chunk IS NOT DISTINCT FROM %s))",
        (stream_id, generation, chunk, chunk),
    )
    return [(entry, bytes(document)) for entry, document in rows]


def renew(connection: Connection, met: Sequence[int], new: Sequence[int]) -> None:
    """End entries whose documents a partial load has met again; unchanged ones keep their id.

    `new` are the entries that the load made itself.
    """
    connection.execute(
        """
        WITH same AS (
            SELECT DISTINCT ON (new.id) new.id AS new_id, old.id AS old_id
            FROM landbridge.quarantine new JOIN landbridge.quarantine old
              ON old.document = new.document AND old.reason = new.reason
            WHERE new.id = ANY(%(new)s) AND old.id = ANY(%(met)s)
            ORDER BY new.id, old.id)
        DELETE FROM landbridge.quarantine
        WHERE id IN (SELECT new_id FROM same)
           OR (id = ANY(%(met)s) AND id NOT IN (SELECT old_id FROM same))
        """,
        {"met": list(met), "new": list(new)},
    )


def mark_replaced(connection: Connection, entries: Sequence[int]) -> None:
    """Say that the old rows of these documents left their table."""
    connection.execute(
        "UPDATE landbridge.quarantine SET replaced = true WHERE id = ANY(%s)", (list(entries),)
    )


def entries(
    connection: Connection, *, stream: str | None = None, ids: Sequence[int] = (), limit: int = 100
) -> list[QuarantineEntry]:
    """Return published entries, the oldest first, without their documents."""
    rows = connection.execute(
        _SHOWN
        + """
        AND (%(stream)s::text IS NULL OR %(stream)s IN (
             s.database || '.' || s.collection, s.target_schema || '.' || s.target_table,
             s.collection))
        AND (%(ids)s::bigint[] IS NULL OR q.id = ANY(%(ids)s))
        ORDER BY q.id LIMIT %(limit)s
        """,
        {"stream": stream, "ids": list(ids) or None, "limit": limit},
    )
    return [_entry(row, whole=False) for row in rows]


def entry(connection: Connection, number: int) -> QuarantineEntry | None:
    """Return one published entry with its document."""
    row = connection.execute(_SHOWN + " AND q.id = %s", (number,)).fetchone()
    return None if row is None else _entry(row, whole=True)


def _entry(row: Sequence[Any], *, whole: bool) -> QuarantineEntry:
    number, stream, table, document_id, path, problem, reason, replaced, run, at = row[:10]
    return QuarantineEntry(
        number,
        stream,
        table,
        document_id,
        path,
        problem,
        reason,
        replaced,
        run,
        at.isoformat(),
        row[10] if whole else None,
        base64.b64encode(row[11]).decode() if whole else None,
    )
