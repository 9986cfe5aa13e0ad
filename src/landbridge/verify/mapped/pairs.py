"""Pairs: the collections of a mapping, and the tables that they fill.

For       Every mode of a verification through a mapping, before it reads.
Touches   The source's catalog, the target's catalog, landbridge.stream and quarantine.
Promises  A table or a column that the mapping names and that is not there is an error before
          anything is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg

from landbridge.config import selection
from landbridge.errors import MappingError, StopError
from landbridge.mapping.rules import ChildRule, CollectionRule, Mapping
from landbridge.model.relational import RelationalSchema
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.postgres.relational import read_schema
from landbridge.state import streams
from landbridge.verify import bson
from landbridge.verify.mapped.batches import MappedPair
from landbridge.verify.mapped.casts import Unfit
from landbridge.verify.mapped.expected import Filled
from landbridge.verify.mapped.keys import canonical


def mapped_pairs(
    mongo: Connection,
    target: psycopg.Connection[Any],
    mapping: Mapping,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> tuple[list[MappedPair], list[str]]:
    """Return what there is to compare, and notes on what goes nowhere.

    Raises:
        MappingError: the mapping is not as the tables are.
        SourceMissingError: the selection names nothing.

    """
    if not _has_id_map(target):
        raise StopError(
            "there is nothing to compare",
            why="nothing was imported into this database: it has no landbridge.id_map",
            fix="run landbridge import --mapping first",
        )
    schema = read_schema(target, mapping.schema)
    if schema is None:
        raise MappingError(
            "the mapping cannot be used with this database",
            [f"schema: there is no schema {mapping.schema}"],
            fix="name another database, or correct the schema in the mapping",
        )
    known = streams.imported(target, mapping.schema)
    found, notes = [], []
    for collection in selection.select(catalog.collections(mongo), select, exclude):
        rule = mapping.of(collection.name)
        if rule is None:
            notes.append(f"{collection.name}: not compared, because the mapping leaves it out")
            continue
        stream = known.get((collection.database, collection.name))
        held, nameless = (frozenset[str](), 0) if stream is None else _held(target, *stream)
        found.append(
            MappedPair(
                catalog.with_sizes(mongo, collection),
                mapping,
                rule,
                schema,
                _filled(rule, schema),
                held,
                nameless,
                stream is not None,
            )
        )
    return found, notes


def _has_id_map(target: psycopg.Connection[Any]) -> bool:
    row = target.execute("SELECT to_regclass('landbridge.id_map') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _filled(rule: CollectionRule, schema: RelationalSchema) -> tuple[Filled, ...]:
    problems: list[str] = []
    place = f"collections.{rule.collection}"

    def table(name: str, columns: Sequence[str | None], where: str) -> Any:
        found = schema.table(name)
        if found is None:
            problems.append(f"{where}.table: there is no table {name} in {schema.name}")
            return None
        for column in columns:
            if column is not None and found.column(column) is None:
                problems.append(f"{where}: the table {name} has no column {column}")
        return found

    names = [rule.key.column, *(one.column for one in rule.columns)]
    filled = [(table(rule.table, names, place), rule.columns, None)]
    children: list[tuple[Any, Any, ChildRule | None]] = []
    for child in rule.children:
        key = child.key.column if child.key else None
        names_of_child = [child.parent, child.ordinal, key, *(one.column for one in child.columns)]
        where = f"{place}.children.{child.source}"
        children.append((table(child.table, names_of_child, where), child.columns, child))
    if problems:
        raise MappingError(
            "the mapping does not agree with the tables",
            problems,
            fix="mend the mapping, or the tables",
        )
    return tuple(Filled(*parts) for parts in [*filled, *children])


def _held(
    target: psycopg.Connection[Any], stream_id: int, generation: int
) -> tuple[frozenset[str], int]:
    """Return the canonical ids of the documents that an import set aside.

    And how many have none to be found by.
    """
    names, nameless = set(), 0
    with target.transaction(), target.cursor("landbridge_held") as cursor:
        cursor.execute(
            "SELECT document FROM landbridge.quarantine"
            " WHERE stream_id = %s AND generation <= %s AND problem <> 'line'",
            (stream_id, generation),
        )
        for (document,) in cursor:
            name = None
            with suppress(bson.Broken, Unfit):
                identity = bson.id_of(bytes(document))
                name = None if identity is None else canonical(identity)
            if name is None:
                nameless += 1
            else:
                names.add(name)
    return frozenset(names), nameless
