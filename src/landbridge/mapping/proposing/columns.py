"""Which field fills which column of a table, and how sure that is.

For       Proposing a mapping.
Touches   Nothing.
Promises  Deterministic: the best pairs first, equal ones in the order of columns and fields. A
          field fills one column at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from landbridge.mapping.profile import FieldProfile
from landbridge.mapping.proposing import suitability, wording
from landbridge.mapping.rules import Cast, ColumnRule, Dangling
from landbridge.model.relational import RelationalColumn, RelationalTable

CONFIDENCE_MIN = 0.5
CONFIDENCE_SURE = 0.8  # below it a comment says what was seen
NAME_MIN = 0.6
NAMESAKE = 0.9
REFERENCE_SHARE = 0.5  # of the values that are ids of a collection
ONLY_REFERENCE = 0.6  # a field with another name, and the only one that refers there
UNMAPPED_SHOWN = 10
EXAMPLES_SHOWN = 3

ID_KINDS = ("objectId", "uuid", "int", "long", "string")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a table's columns are matched in.

    `collections` says which collection fills a table, and by which column its rows are known;
    `refers` returns, for the path of a field, which part of its values are ids of collections.
    """

    collections: Mapping[str, tuple[str, str]]  # table -> (collection, key column)
    refers: Callable[[str], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Match:
    """A field for a column."""

    column: RelationalColumn
    field: FieldProfile
    cast: Cast
    confidence: float
    to: str = ""  # as: id


@dataclass(frozen=True, slots=True)
class Filled:
    """The rules of a table's columns, what is to be said of each, and what is open."""

    rules: tuple[ColumnRule, ...]
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # column -> lines
    points: tuple[str, ...] = ()
    missing: tuple[RelationalColumn, ...] = ()  # have to be filled, and nothing fills them
    unfilled: tuple[RelationalColumn, ...] = ()  # may stay empty, or have a default
    unsuitable: Mapping[str, str] = field(default_factory=dict)  # column -> why nothing does
    taken: tuple[str, ...] = ()  # paths


def fill(
    table: RelationalTable,
    leave: Sequence[str],
    fields: Sequence[FieldProfile],
    around: Surroundings,
) -> Filled:
    """Return the rules for a table's columns but those in `leave`."""
    columns = [
        one
        for one in table.columns
        if one.name not in leave and suitability.cast_of(one) is not None
    ]
    matches = match(table, columns, fields, around)
    rules, comments, points = [], {}, []
    for column in columns:
        found = matches.get(column.name)
        if found is None:
            continue
        rule, lines, open_points = _rule(found)
        rules.append(rule)
        points += [f"{column.name}: {point}" for point in open_points]
        if lines or open_points:
            comments[column.name] = (*lines, *open_points)
    empty = [one for one in columns if one.name not in matches and not one.identity]
    missing = tuple(one for one in empty if not one.nullable and one.default is None)
    return Filled(
        rules=tuple(rules),
        comments=comments,
        points=(*points, *(f"{one.name}: needs a source or a default" for one in missing)),
        missing=missing,
        unfilled=tuple(one for one in empty if one not in missing),
        unsuitable=_homeless_references(table, empty, around) | _unsuitable(empty, fields),
        taken=tuple(found.field.path for found in matches.values()),
    )


def _homeless_references(
    table: RelationalTable, empty: Sequence[RelationalColumn], around: Surroundings
) -> dict[str, str]:
    """Return the columns that refer to tables which no collection fills."""
    return {
        key.columns[0]: f"refers to {key.target.name}, which no collection fills"
        for key in table.foreign_keys
        if key.columns[0] in {one.name for one in empty}
        and key.target.name not in around.collections
    }


def _unsuitable(
    empty: Sequence[RelationalColumn], fields: Sequence[FieldProfile]
) -> dict[str, str]:
    """Return what the fields hold that are called as columns are, and can't fill them."""
    found: dict[str, str] = {}
    for column in empty:
        for one in fields:
            if one.present and wording.field_likeness(one.path, column.name) >= NAMESAKE:
                why = f"{one.path} holds {suitability.seen(one)}, which {column.type} doesn't take"
                found.setdefault(column.name, why)
    return found


def match(
    table: RelationalTable,
    columns: Sequence[RelationalColumn],
    fields: Sequence[FieldProfile],
    around: Surroundings,
) -> dict[str, Match]:
    """Return the field for each column that one was found for."""
    targets = {one.name: _target(table, one, around) for one in columns}
    candidates = []
    for place, column in enumerate(columns):
        for order, one in enumerate(fields):
            found = _judge(column, one, targets[column.name], around)
            if found is not None and found.confidence >= CONFIDENCE_MIN:
                candidates.append((-found.confidence, place, order, found))
    candidates += _only_references(columns, fields, targets, around)
    candidates.sort(key=lambda each: each[:3])
    chosen: dict[str, Match] = {}
    for *_, found in candidates:
        if found.column.name in chosen or any(
            _overlap(found.field.path, other.field.path) for other in chosen.values()
        ):
            continue
        chosen[found.column.name] = found
    return chosen


def _overlap(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is within the other."""
    return one == other or one.startswith(other + ".") or other.startswith(one + ".")


def _target(table: RelationalTable, column: RelationalColumn, around: Surroundings) -> str | None:
    """Return the collection whose rows a column refers to, None where there is none."""
    for key in table.foreign_keys:
        if key.columns == (column.name,):
            collection, key_column = around.collections.get(key.target.name, ("", ""))
            if collection and key.target_columns == (key_column,):
                return collection
    return None


def _judge(
    column: RelationalColumn, one: FieldProfile, target: str | None, around: Surroundings
) -> Match | None:
    cast = suitability.cast_of(column)
    if cast is None:
        return None
    if target is not None and not column.array:
        return _judge_reference(column, one, target, around)
    likeness = wording.field_likeness(one.path, column.name, reference=_is_id(column))
    if likeness < NAME_MIN:
        return None
    share = suitability.fit(one, column, cast)
    if share < 0.5 and not (likeness >= NAMESAKE and share > 0):
        return None
    return Match(column, one, cast, round(likeness * share, 2))


def _judge_reference(
    column: RelationalColumn, one: FieldProfile, target: str, around: Surroundings
) -> Match | None:
    likeness = wording.field_likeness(one.path, column.name, reference=True)
    if likeness < NAME_MIN:
        return None
    kinds = one.share(*ID_KINDS)
    if kinds < 0.5:
        return None
    shares = around.refers(one.path)
    if shares.get(target, 0) >= REFERENCE_SHARE:
        return Match(column, one, "id", round(likeness * kinds, 2), target)
    if one.present and one.share("objectId", "uuid") < 0.5:
        return None  # neither the ids of that collection nor a kind that ids have
    return Match(column, one, "id", round(likeness * 0.6, 2), target)


def _only_references(
    columns: Sequence[RelationalColumn],
    fields: Sequence[FieldProfile],
    targets: Mapping[str, str | None],
    around: Surroundings,
) -> list[tuple[float, int, int, Match]]:
    """Return pairs whose names differ, where one field alone refers to what one column does."""
    found = []
    for place, column in enumerate(columns):
        target = targets[column.name]
        if target is None or list(targets.values()).count(target) != 1:
            continue
        referring = [
            (order, one)
            for order, one in enumerate(fields)
            if one.share("objectId", "uuid", "string") >= 0.5
            and around.refers(one.path).get(target, 0) >= REFERENCE_SHARE
        ]
        if len(referring) == 1:
            order, one = referring[0]
            found.append(
                (-ONLY_REFERENCE, place, order, Match(column, one, "id", ONLY_REFERENCE, target))
            )
    return found


def _is_id(column: RelationalColumn) -> bool:
    return wording.words(column.name)[-1:] == ("id",) and len(wording.words(column.name)) > 1


def _rule(found: Match) -> tuple[ColumnRule, list[str], list[str]]:
    """Return the rule of a match, what was seen, and what a person has to look at."""
    column, one = found.column, found.field
    default = suitability.default_of(column) if not column.nullable else None
    rule = ColumnRule(
        column=column.name,
        source=one.path or ".",
        cast=found.cast,
        default=default,
        required=not column.nullable and default is None,
        confidence=found.confidence,
    )
    lines: list[str] = []
    points: list[str] = []
    if found.cast == "id":
        dangling: Dangling = "null" if column.nullable else "quarantine"
        rule = replace(rule, to=found.to, dangling=dangling)
    elif found.cast == "array":
        element = replace(column, array=False)
        rule = replace(rule, of=suitability.element_cast(element))
        inner = one.element
        if column.enum is not None and inner is not None:
            values, unmapped = suitability.value_map(inner, column.enum)
            rule = replace(rule, values=values)
            points += _unmapped(unmapped, inner)
    elif found.cast == "enum" and column.enum is not None:
        values, unmapped = suitability.value_map(one, column.enum)
        rule = replace(rule, values=values)
        points += _unmapped(unmapped, one)
    elif found.cast != "json" and (wrong := suitability.misfits(one, found.cast)):
        points.append("doesn't fit: " + ", ".join(wrong[:EXAMPLES_SHOWN]))
    points += suitability.bounds(one, column)
    if rule.required and one.present and (gaps := one.nulls + one.absent):
        points.append(f"{gaps} without a value, and the column needs one")
    if found.confidence < CONFIDENCE_SURE:
        lines.append(f"seen: {suitability.seen(one)}" if one.present else "seen: no value")
    return rule, lines, points


def _unmapped(unmapped: Sequence[tuple[str, int]], one: FieldProfile) -> list[str]:
    if one.values is None:
        return ["too many different values to map them"]
    if not unmapped:
        return []
    shown = ", ".join(f"{value} ({count})" for value, count in unmapped[:UNMAPPED_SHOWN])
    more = len(unmapped) - UNMAPPED_SHOWN
    return [f"unmapped: {shown}" + (f" and {more} more" if more > 0 else "")]
