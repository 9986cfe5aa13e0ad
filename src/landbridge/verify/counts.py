"""Counts: how many documents there are, how many rows, and whether the difference is known.

For       The mode `count`, and the first line of every other.
Touches   Both ends, by counting.
Promises  Counts are exact. Documents in quarantine that the source still has are expected to be
          missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.stream import Collection
from landbridge.model.verification import StreamVerdict
from landbridge.mongo.connect import Connection
from landbridge.verify import rows
from landbridge.verify.pairs import Pair

IDS_AT_ONCE = 10_000
IDENTITY_INDEX = "_id_"


def compare(mongo: Connection, target: psycopg.Connection[Any], pair: Pair) -> StreamVerdict:
    """Count on both sides."""
    there = pair.plan is not None and rows.exists(target, pair.table)
    held = rows.held_documents(target, pair) if there else rows.Held()
    before = count_documents(mongo, pair.collection)
    found = count_rows(target, pair) if there else 0
    quarantined = count_held(mongo, pair.collection, held)
    notes = [] if there else [no_table(pair)]
    if found - before + quarantined:
        after = count_documents(mongo, pair.collection)
        if after != before:
            notes.append(
                f"the source is being written to: {before:,} documents, {after:,} a moment later"
            )
        notes += explained(pair, found - before + quarantined)
    return StreamVerdict(
        pair.collection.database,
        pair.collection.name,
        str(pair.table) if pair.table.name else "",
        "count",
        source_count=before,
        target_count=found,
        quarantined=quarantined,
        notes=tuple(notes),
    )


def count_documents(mongo: Connection, collection: Collection) -> int:
    """Count the documents of a collection."""
    source = mongo.source[collection.name]
    options: dict[str, Any] = {}
    if collection.kind == "collection" and collection.id_indexed and not collection.clustered:
        options["hint"] = IDENTITY_INDEX  # the index alone is enough
    with mongo.translated(f"cannot count the documents of {collection.stream}"):
        return source.count_documents({}, **options)


def count_held(mongo: Connection, collection: Collection, held: rows.Held) -> int:
    """Count the documents in quarantine that the source still has."""
    total = held.unreadable
    with mongo.translated(f"cannot look up documents of {collection.stream}"):
        for ids in _groups(held.ids):
            total += mongo.source[collection.name].count_documents({"_id": {"$in": ids}})
    return total


def count_rows(target: psycopg.Connection[Any], pair: Pair) -> int:
    """Count the rows that stand for documents."""
    query = sql.SQL("SELECT count(*) FROM {}").format(rows.current_rows(pair))
    row = target.execute(query).fetchone()
    return int(row[0]) if row else 0


def no_table(pair: Pair) -> str:
    """Say that there are no rows to look at, and what makes some."""
    name = pair.collection.name
    if pair.plan is None:
        return (
            f"{name} was never loaded into the schema {pair.table.schema}: run landbridge sync, or"
            " name the mapping of an import with --mapping"
        )
    return f"the table {pair.table} is gone: run landbridge sync with --full-refresh"


def explained(pair: Pair, unexplained: int) -> list[str]:
    """Say what the way a table is loaded has to do with rows that are too many."""
    if unexplained < 0:
        return []
    settings = pair.settings
    if pair.plan is not None and pair.plan.key_column is None:
        return ["rows have no identity here: an update adds a row, and deletes are not seen"]
    if settings.load == "append" and not settings.keeps_history:
        return ["with --load append, rows of documents that are gone stay and are not marked"]
    return []


def _groups(ids: Sequence[Any]) -> list[list[Any]]:
    return [list(ids[at : at + IDS_AT_ONCE]) for at in range(0, len(ids), IDS_AT_ONCE)]
