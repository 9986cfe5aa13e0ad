"""The order in which collections are imported: those that are referred to come first.

For       The import, and the check of a mapping.
Touches   Nothing.
Promises  A row never comes before one that it must refer to. Where collections refer to each
          other, columns that may be NULL are set in a second pass; where none may, that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from landbridge.mapping.rules import CollectionRule, ColumnRule, Mapping
from landbridge.mapping.shape import LateColumn
from landbridge.model.relational import ForeignKey, RelationalSchema, RelationalTable


@dataclass(frozen=True, slots=True)
class Group:
    """Collections that refer to each other, in order; one by itself is a group of its own.

    `together`: foreign keys that can be deferred, and columns that can't be NULL, make it one
    transaction.
    """

    collections: tuple[str, ...]
    together: bool = False


@dataclass(slots=True)
class Order:
    """Groups in the order of their import, and what is set in a second pass."""

    groups: list[Group] = field(default_factory=list)
    late: set[LateColumn] = field(default_factory=set)
    kept: set[LateColumn] = field(default_factory=set)  # late, in a group that is together
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Edge:
    """A column of one collection that refers to another."""

    source: str
    target: str
    table: str
    column: str
    must: bool  # it can't be NULL, or is no reference that could be set later
    deferrable: bool
    path: str


def order_of(mapping: Mapping, schema: RelationalSchema) -> Order:
    """Return the order of a mapping whose tables and columns are known to be there."""
    edges = [edge for rule in mapping.collections for edge in _edges(mapping, rule, schema)]
    names = [rule.collection for rule in mapping.collections]
    order = Order()
    for group in _components(names, lambda name: _targets(edges, name)):
        inside = [edge for edge in edges if edge.source in group and edge.target in group]
        must = [edge for edge in inside if edge.must]
        sequence = _sequence(group, must)
        if sequence is None:
            stuck = [edge for edge in must if not edge.deferrable]
            if _sequence(group, stuck) is None:
                order.problems.extend(
                    f"{edge.path}: {edge.source} and {edge.target} need each other's rows first:"
                    f" let {edge.table}.{edge.column} be NULL, or make its foreign key DEFERRABLE"
                    for edge in stuck
                )
            order.groups.append(Group(tuple(group), together=True))
            columns = {(edge.source, edge.table, edge.column) for edge in inside}
            order.late |= columns
            order.kept |= columns
            order.problems.extend(
                f"{edge.path}: {edge.target} takes its keys from a sequence, which is not known yet"
                f" when {edge.table}.{edge.column} must be there: take another form of key"
                for edge in must
                if (rule := mapping.of(edge.target)) and rule.key.form == "serial"
            )
            continue
        order.groups.append(Group(tuple(sequence)))
        place = {name: number for number, name in enumerate(sequence)}
        for edge in inside:
            if place[edge.target] >= place[edge.source]:
                order.late.add((edge.source, edge.table, edge.column))
    return order


def _targets(edges: Iterable[_Edge], name: str) -> list[str]:
    return [edge.target for edge in edges if edge.source == name]


def _edges(mapping: Mapping, rule: CollectionRule, schema: RelationalSchema) -> list[_Edge]:
    place = f"collections.{rule.collection}"
    found: list[_Edge] = []
    parts: list[tuple[str, tuple[ColumnRule, ...], str]] = [(rule.table, rule.columns, place)]
    parts += [
        (child.table, child.columns, f"{place}.children.{child.source}") for child in rule.children
    ]
    own = {name for name, _, _ in parts}
    for name, columns, path in parts:
        table = schema.table(name)
        if table is None:
            continue
        referring = set()
        for column in columns:
            if column.cast == "id" and column.source is not None:
                referring.add(column.column)
                target = column.to or rule.collection
                if mapping.of(target) is None:
                    continue
                known = table.column(column.column)
                found.append(
                    _Edge(
                        rule.collection,
                        target,
                        name,
                        column.column,
                        must=column.required or (known is not None and not known.nullable),
                        deferrable=_deferrable(table, column.column),
                        path=f"{path}.columns.{column.column}",
                    )
                )
        # Foreign keys whose columns are filled otherwise: their targets come first.
        filled = {column.column for column in columns} - referring
        for key in table.foreign_keys:
            if not filled.intersection(key.columns):
                continue
            for other in mapping.collections:
                tables = {other.table, *(child.table for child in other.children)}
                if key.target.name in tables and key.target.schema == schema.name:
                    if other.collection == rule.collection and key.target.name in own:
                        continue
                    found.append(_plain_edge(rule.collection, other.collection, name, key, path))
    return found


def _plain_edge(source: str, target: str, table: str, key: ForeignKey, path: str) -> _Edge:
    column = key.columns[0]
    return _Edge(source, target, table, column, True, key.deferrable, f"{path}.columns.{column}")


def _deferrable(table: RelationalTable, column: str) -> bool:
    keys = [key for key in table.foreign_keys if column in key.columns]
    return all(key.deferrable for key in keys)


def _sequence(group: Iterable[str], edges: Iterable[_Edge]) -> list[str] | None:
    """Return an order in which every edge leads back, or None where there is none."""
    waiting = list(group)
    needs = {name: {edge.target for edge in edges if edge.source == name} for name in waiting}
    found: list[str] = []
    while waiting:
        ready = [name for name in waiting if needs[name] <= set(found)]
        if not ready:
            return None
        found.append(ready[0])
        waiting.remove(ready[0])
    return found


def _components(names: Iterable[str], targets: Callable[[str], Iterable[str]]) -> list[list[str]]:
    """Return the strongly connected parts, those that are referred to first (Tarjan's order)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in targets(name):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            cut = stack.index(name)
            found.append(stack[cut:])
            del stack[cut:]

    for name in names:
        if name not in index:
            visit(name)
    return found
