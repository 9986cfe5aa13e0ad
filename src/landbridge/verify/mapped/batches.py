"""Batches: documents as they come, with the rows that they should have become, references solved.

For       The comparison of rows, and the figures of columns, through a mapping.
Touches   Both ends, reading only.
Promises  A reference is what the import had to make of it: the key of a row that is there, or
          nothing. A few hundred documents are in memory at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from landbridge.mapping.rules import CollectionRule, Mapping
from landbridge.model.relational import RelationalSchema
from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection as MongoConnection
from landbridge.verify.mapped import found
from landbridge.verify.mapped.casts import from_text
from landbridge.verify.mapped.expected import Cells, Deriver, Expected, Filled, Referred

BATCH = 500


@dataclass(frozen=True, slots=True)
class MappedPair:
    """A collection, the tables that its rule fills, and what the import set aside of it."""

    collection: Collection
    mapping: Mapping
    rule: CollectionRule
    schema: RelationalSchema
    tables: tuple[Filled, ...]  # the collection's own first
    held: frozenset[str] = frozenset()  # canonical ids of documents in quarantine
    held_nameless: int = 0  # documents in quarantine that have no such id
    imported: bool = True  # False: no import of this collection is known

    @property
    def main(self) -> Filled:
        """The collection's own table."""
        return self.tables[0]

    def deriver(self) -> Deriver:
        """Return what derives rows from documents."""
        return Deriver(self.mapping, self.rule, self.tables, self.collection.database)


def batches(
    mongo: MongoConnection, pair: MappedPair, stopping: Callable[[], bool]
) -> Iterator[tuple[list[Expected], int]]:
    """Yield documents with what they should have become, and how many have no id to go by."""
    deriver = pair.deriver()
    source = mongo.raw_collection(pair.collection.name)
    with mongo.translated(f"cannot read {pair.collection.stream}"), source.find() as cursor:
        while documents := list(islice(cursor, BATCH)):
            if stopping():
                return
            derived = (deriver.derive(bytes(document.raw)) for document in documents)
            found = [one for one in derived if one is not None]
            yield found, len(documents) - len(found)


def again(mongo: MongoConnection, pair: MappedPair, ids: Sequence[Any]) -> list[Expected]:
    """Return what single documents should have become, as they are now."""
    deriver = pair.deriver()
    source = mongo.raw_collection(pair.collection.name)
    with mongo.translated(f"cannot read {pair.collection.stream}"):
        documents = list(source.find({"_id": {"$in": list(ids)}}))
    derived = (deriver.derive(bytes(document.raw)) for document in documents)
    return [one for one in derived if one is not None]


def solve(connection: found.Connection, pair: MappedPair, documents: Sequence[Expected]) -> None:
    """Put in each reference's place the key of the row that it means, or nothing."""
    _own_keys(connection, pair, documents)
    cells = [(pair.main, one.main) for one in documents]
    for one in documents:
        for filled, elements in zip(pair.tables[1:], one.children, strict=True):
            cells += [(filled, members) for members in elements]
    means: dict[str, set[str]] = {}
    for _, members in cells:
        for cell in members.values():
            if isinstance(cell, Referred):
                means.setdefault(cell.to, set()).update(cell.means)
    known = {to: _known(connection, pair, to, wanted) for to, wanted in means.items()}
    for filled, members in cells:
        _solve(filled, members, known)


def _own_keys(
    connection: found.Connection, pair: MappedPair, documents: Sequence[Expected]
) -> None:
    if pair.rule.key.form != "serial":
        return
    names = [one.name for one in documents]
    keys = found.mapped_ids(connection, pair.schema.name, pair.rule.collection, names)
    for one in documents:
        one.key = keys.get(one.name)


def _known(
    connection: found.Connection, pair: MappedPair, to: str, wanted: set[str]
) -> dict[str, str]:
    """Return the keys of rows that are there, by what refers to them."""
    rule = pair.mapping.of(to)
    table = None if rule is None else pair.schema.table(rule.table)
    column = None if rule is None or table is None else table.column(rule.key.column)
    if rule is None or table is None or column is None:
        return {}
    keys = {one: one for one in wanted}
    if rule.key.form == "serial":
        keys = found.mapped_ids(connection, pair.schema.name, to, sorted(wanted))
    there = found.existing(connection, table.name, column, set(keys.values()))
    return {name: key for name, key in keys.items() if key in there}


def _solve(filled: Filled, members: Cells, known: dict[str, dict[str, str]]) -> None:
    for name, cell in members.items():
        if isinstance(cell, Referred):
            keys = [known[cell.to][one] for one in cell.means if one in known[cell.to]]
            members[name] = from_text(keys[0], filled.column(name)) if keys else None
