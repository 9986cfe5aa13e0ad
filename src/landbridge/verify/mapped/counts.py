"""Counts through a mapping: documents and their rows, elements of arrays and theirs.

For       The mode `count` through a mapping, and the first line of `aggregate`.
Touches   Both ends, by counting.
Promises  Of a table that held rows before, those are counted that an import made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bson
from bson import json_util
from psycopg import sql

from landbridge.model.amounts import count_of
from landbridge.model.verification import Aggregate, StreamVerdict
from landbridge.mongo.connect import Connection as MongoConnection
from landbridge.verify.counts import count_documents
from landbridge.verify.expressions import value_at
from landbridge.verify.figures import aggregate
from landbridge.verify.mapped import found
from landbridge.verify.mapped.batches import MappedPair
from landbridge.verify.mapped.expected import ITSELF, Filled
from landbridge.verify.rows import identifier

LEFT_OUT_MAX = 10_000


def compare(
    mongo: MongoConnection, connection: found.Connection, pair: MappedPair
) -> StreamVerdict:
    """Count on both sides: the collection and its table, each array and its table."""
    documents = count_documents(mongo, pair.collection)
    held = _held_ids(pair)
    quarantined = _still_there(mongo, pair, held)
    rows = _count(connection, imported_rows(pair))
    notes = []
    if not pair.imported:
        notes.append(f"{pair.rule.collection} was never imported: run landbridge import")
    others = _count(connection, sql.SQL("{} AS t").format(identifier(pair.main.table.name))) - rows
    if others:
        were = "was" if others == 1 else "were"
        what = count_of(others, "row")
        notes.append(f"{what} of {pair.main.table.name} {were} not imported: not looked at")
    arrays = () if len(held) > LEFT_OUT_MAX else tuple(_arrays(mongo, connection, pair, held))
    return StreamVerdict(
        pair.collection.database,
        pair.collection.name,
        str(pair.main.table.name),
        "count",
        source_count=documents,
        target_count=rows,
        quarantined=quarantined,
        aggregates=arrays,
        notes=tuple(notes),
    )


def imported_rows(pair: MappedPair) -> sql.Composed:
    """Return what to write after FROM: the rows that an import made of a collection, as `t`."""
    return sql.SQL(
        "(SELECT r.* FROM {table} AS r JOIN landbridge.id_map AS m ON m.target_id = r.{key}::text"
        " WHERE m.target_schema = {schema} AND m.collection = {collection}) AS t"
    ).format(
        table=identifier(pair.main.table.name),
        key=sql.Identifier(pair.rule.key.column),
        schema=sql.Literal(pair.schema.name),
        collection=sql.Literal(pair.rule.collection),
    )


def rows_of_elements(pair: MappedPair, filled: Filled) -> sql.Composed:
    """Return what to write after FROM: the rows of an array of imported documents, as `t`."""
    assert filled.child is not None
    return sql.SQL(
        "(SELECT r.* FROM {table} AS r JOIN landbridge.id_map AS m"
        " ON m.target_id = r.{parent}::text"
        " WHERE m.target_schema = {schema} AND m.collection = {collection}) AS t"
    ).format(
        table=identifier(filled.table.name),
        parent=sql.Identifier(filled.child.parent),
        schema=sql.Literal(pair.schema.name),
        collection=sql.Literal(pair.rule.collection),
    )


def _arrays(
    mongo: MongoConnection, connection: found.Connection, pair: MappedPair, held: list[Any]
) -> Iterator[Aggregate]:
    for filled in pair.tables[1:]:
        child = filled.child
        assert child is not None
        at = value_at(tuple(child.source.split(".")))
        elements: Any = at
        if child.key is None and child.ordinal is None and _only_itself(filled):
            elements = {"$setUnion": [at, []]}  # its key keeps one from standing there twice
        size = {"$cond": [{"$isArray": [at]}, {"$size": elements}, 0]}
        stages = [{"$group": {"_id": None, "n": {"$sum": size}}}]
        answer = aggregate(mongo, pair.collection, stages, held)
        there = _count(connection, rows_of_elements(pair, filled))
        name = f"{child.source} → {filled.table.name.name}"
        yield Aggregate(name, {}, "count", answer[0]["n"] if answer else 0, there)


def _only_itself(filled: Filled) -> bool:
    return all(rule.source in (None, ITSELF) for rule in filled.rules)


def _count(connection: found.Connection, rows: sql.Composable) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(rows)).fetchone()
    return int(row[0]) if row else 0


def _held_ids(pair: MappedPair) -> list[Any]:
    ids = []
    for name in pair.held:
        try:
            ids.append(json_util.loads(name, json_options=json_util.CANONICAL_JSON_OPTIONS))
        except (ValueError, TypeError, bson.errors.BSONError):
            continue
    return ids


def _still_there(mongo: MongoConnection, pair: MappedPair, held: list[Any]) -> int:
    total = 0
    with mongo.translated(f"cannot look up documents of {pair.collection.stream}"):
        for at in range(0, len(held), LEFT_OUT_MAX):
            wanted = {"_id": {"$in": held[at : at + LEFT_OUT_MAX]}}
            total += mongo.source[pair.collection.name].count_documents(wanted)
    return total
