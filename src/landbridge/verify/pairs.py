"""Pairs: which collection is to be held against which table, and what is known of the two.

For       Every mode, before it reads.
Touches   The source's catalog; landbridge.stream.
Promises  A collection that was asked for and has no table is an error; one that is gone from the
          source and has a table is compared with nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from landbridge.config import selection
from landbridge.model.plan import Plan
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.tables import TableName
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.state import migrate, streams
from landbridge.state.plans import plan_from_json


@dataclass(frozen=True, slots=True)
class Pair:
    """A collection, and the table that landbridge fills from it."""

    collection: Collection
    table: TableName
    plan: Plan | None  # None: nothing was ever loaded
    stream_id: int | None
    generation: int = 0
    method: str = "full"

    @property
    def settings(self) -> Settings:
        """What the table was loaded with."""
        return Settings() if self.plan is None else self.plan.settings

    def tables(self) -> list[TableName]:
        """Return the table, and those of its arrays, in the order of the plan."""
        if self.plan is None:
            return []
        separator = self.settings.separator
        return [
            self.table
            if not one.suffix
            else TableName(self.table.schema, f"{self.table.name}{separator}{one.suffix}")
            for one in self.plan.tables
        ]


def again(target: psycopg.Connection[Any], pair: Pair) -> Pair:
    """Return a pair as a run may have changed it meanwhile."""
    known = streams.loaded(target, pair.table.schema)
    record = known.get((pair.collection.database, pair.collection.name))
    return pair if record is None else _pair(pair.collection, pair.table.schema, record)


def _pair(collection: Collection, schema: str, record: streams.LoadedStream) -> Pair:
    settings = Settings.from_json(record.settings)
    plan = None if record.plan is None else plan_from_json(record.plan, settings)
    table = TableName(schema, record.table)
    return Pair(collection, table, plan, record.id, record.generation, record.method)


def pairs(
    mongo: Connection,
    target: psycopg.Connection[Any],
    schema: str,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> list[Pair]:
    """Return what there is to compare: the collections chosen, each with its table.

    Raises:
        UsageError, SourceMissingError: the selection names nothing.

    """
    known = streams.loaded(target, schema) if migrate.is_installed(target) else {}
    mine = {one.collection: one for one in known.values() if one.database == mongo.database}
    there = catalog.collections(mongo)
    names = {one.name for one in there}
    gone = [Collection(mongo.database, name) for name in sorted(mine) if name not in names]
    chosen = selection.select([*there, *gone], select, exclude)
    found = []
    for collection in chosen:
        record = mine.get(collection.name)
        if record is None:
            found.append(Pair(collection, TableName(schema, ""), None, None))
            continue
        found.append(_pair(collection, schema, record))
    return found
