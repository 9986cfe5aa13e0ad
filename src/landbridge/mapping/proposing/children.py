"""Which embedded arrays become the rows of tables of their own.

For       Proposing a mapping.
Touches   Nothing.
Promises  A child table refers to its parent's table by one column, and serves one array.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from landbridge.mapping.profile import FieldProfile
from landbridge.mapping.proposing import columns as matching
from landbridge.mapping.proposing import wording
from landbridge.mapping.proposing.columns import Filled, Surroundings
from landbridge.mapping.proposing.keys import key_of_child
from landbridge.mapping.rules import ChildRule
from landbridge.model.relational import RelationalColumn, RelationalTable

SCORE_MIN = 0.45
_PLACES = frozenset({"position", "ordinal", "order", "index", "idx", "sort", "seq", "rank", "no"})
_INTEGERS = ("smallint", "integer", "bigint")


@dataclass(frozen=True, slots=True)
class Child:
    """An array and the rule of its table."""

    rule: ChildRule
    filled: Filled
    table: RelationalTable
    score: float


def children_of(
    collection: str,
    parent: RelationalTable,
    arrays: Sequence[FieldProfile],
    tables: Sequence[RelationalTable],
    around: Surroundings,
    generators: Mapping[tuple[str, str], str],
) -> list[Child]:
    """Return the child tables of a collection's arrays; `tables` are those that are free."""
    candidates = []
    for order, array in enumerate(arrays):
        for place, table in enumerate(tables):
            child = _child(collection, parent, array, table, around, generators)
            if child is not None and child.score >= SCORE_MIN:
                candidates.append((-child.score, order, place, child))
    candidates.sort(key=lambda each: each[:3])
    chosen: list[Child] = []
    for *_, child in candidates:
        if all(
            child.rule.source != other.rule.source and child.table is not other.table
            for other in chosen
        ):
            chosen.append(child)
    return sorted(chosen, key=lambda child: child.rule.source)


def _child(
    collection: str,
    parent: RelationalTable,
    array: FieldProfile,
    table: RelationalTable,
    around: Surroundings,
    generators: Mapping[tuple[str, str], str],
) -> Child | None:
    element = array.element
    link = _link(collection, parent, table, around)
    if element is None or link is None:
        return None
    name = max(
        wording.table_likeness(array.name, table.name.name),
        wording.table_likeness(f"{wording.singular(collection)}_{array.name}", table.name.name),
        wording.table_likeness(f"{parent.name.name}_{array.name}", table.name.name),
    )
    key = key_of_child(table, link, generators)
    fields = list(element.walk())
    scalars = not fields
    leave = {link} | ({key.column} if key else set())
    within = replace(
        around, refers=lambda path: around.refers(f"{array.path}[]" + (f".{path}" if path else ""))
    )
    ordinal = _ordinal(table, leave, fields)
    if ordinal:
        leave.add(ordinal)
    if scalars:
        filled = _fill_scalar(table, leave, array, element, within)
    else:
        filled = matching.fill(table, tuple(leave), fields, within)
    if not filled.rules:
        return None
    wanted = len(filled.rules) + len(filled.missing) + len(filled.unfilled)
    score = 0.6 * name + 0.4 * len(filled.rules) / wanted - 0.3 * bool(filled.missing)
    rule = ChildRule(
        source=array.path,
        table=table.name.name,
        parent=link,
        columns=filled.rules,
        key=key,
        ordinal=ordinal,
    )
    return Child(rule, filled, table, round(score, 3))


def _link(
    collection: str, parent: RelationalTable, table: RelationalTable, around: Surroundings
) -> str | None:
    """Return the column by which a table refers to the parent's rows."""
    _, key_column = around.collections[parent.name.name]
    found = [
        key.columns[0]
        for key in table.foreign_keys
        if key.target == parent.name and key.target_columns == (key_column,)
    ]
    if len(found) > 1:  # the one that is named after the parent
        found.sort(key=lambda name: -wording.field_likeness(collection, name, reference=True))
    return found[0] if found else None


def _ordinal(table: RelationalTable, leave: set[str], fields: Sequence[FieldProfile]) -> str | None:
    """Return the column that numbers the elements, where no field of theirs fills it."""
    for column in table.columns:
        name = wording.words(column.name)
        if (
            column.name not in leave
            and column.base in _INTEGERS
            and not column.generated
            and name[-1:]
            and name[-1] in _PLACES
            and not any(key.columns == (column.name,) for key in table.foreign_keys)
            and not any(wording.field_likeness(one.path, column.name) >= 0.9 for one in fields)
        ):
            return column.name
    return None


def _fill_scalar(
    table: RelationalTable,
    leave: set[str],
    array: FieldProfile,
    element: FieldProfile,
    around: Surroundings,
) -> Filled:
    """Return the one rule of a table whose rows are the elements themselves."""
    named = replace(element, path="")
    rest = [one for one in table.columns if one.name not in leave]
    best: Filled | None = None
    for column in rest:
        # The element has no name of its own: it may be called like the array or like the column.
        for name, sure in ((array.name, 1.0), (column.name, 0.8)):
            tried = _try_scalar(table, column, replace(named, path=name), array, around)
            if tried is None:
                continue
            rules = tuple(
                replace(rule, source=".", confidence=round((rule.confidence or 0) * sure, 2))
                for rule in tried.rules
            )
            if best is None or (rules[0].confidence or 0) > (best.rules[0].confidence or 0):
                best = replace(tried, rules=rules)
    if best is None:
        return Filled(())
    others = [
        one
        for one in rest
        if one.name != best.rules[0].column and not one.generated and not one.identity
    ]
    missing = tuple(one for one in others if not one.nullable and one.default is None)
    return replace(
        best,
        points=(
            *best.points,
            *(f"{one.name}: needs a source or a default" for one in missing),
        ),
        missing=missing,
        unfilled=tuple(one for one in others if one not in missing),
    )


def _try_scalar(
    table: RelationalTable,
    column: RelationalColumn,
    element: FieldProfile,
    array: FieldProfile,
    around: Surroundings,
) -> Filled | None:
    leave = tuple(one.name for one in table.columns if one is not column)
    same = replace(around, refers=lambda _: around.refers(""))
    filled = matching.fill(table, leave, [element], same)
    return filled if filled.rules else None
