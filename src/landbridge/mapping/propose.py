"""A mapping for a person to edit, made of what the tables demand and what the documents hold.

For       `landbridge mapping propose`.
Touches   Nothing.
Promises  The same schema and the same profiles give the same proposal. What was guessed has a
          confidence, what was left out is named with its reason; nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from landbridge.mapping import check
from landbridge.mapping.profile import CollectionProfile, FieldProfile
from landbridge.mapping.proposing import children, columns, keys, wording
from landbridge.mapping.proposing.columns import Filled, Surroundings
from landbridge.mapping.rules import CollectionRule, KeyRule
from landbridge.mapping.rules import Mapping as Rules
from landbridge.model.relational import RelationalColumn, RelationalSchema, RelationalTable

TABLE_MIN = 0.55
NAME_WEIGHT = 0.65
NO_COLUMN_SHOWN = 20
# Written by frameworks for themselves.
INTERNAL_FIELDS = ("__v", "_class")
INTERNAL_TABLES = ("_prisma_migrations", "schema_migrations", "flyway_schema_history")

Place = tuple[str, ...]  # path of keys in the file
# (collection, path of a field, `[]` after an array) -> collection -> share of its ids among them
References = Mapping[tuple[str, str], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class CollectionProposal:
    """What was proposed for one collection, as the summary shows it."""

    collection: str
    table: str | None
    documents: int  # that were looked at
    mapped: int = 0  # columns that are filled, those of child tables and keys among them
    columns: int = 0  # that could be
    lowest: float | None = None  # confidence
    points: tuple[str, ...] = ()  # for a person to look at

    def to_json(self) -> dict[str, Any]:
        """Return the collection's object of the JSON report."""
        return {
            "collection": self.collection,
            "table": self.table,
            "documents": self.documents,
            "mapped": self.mapped,
            "columns": self.columns,
            "lowest_confidence": self.lowest,
            "open_points": list(self.points),
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """A mapping, the comments that its file has, and a summary."""

    mapping: Rules
    comments: Mapping[Place, tuple[str, ...]]
    collections: tuple[CollectionProposal, ...]
    tables_left: tuple[str, ...] = ()  # that nothing fills
    problems: tuple[str, ...] = ()  # for which an import would refuse it


@dataclass(slots=True)
class _Draft:
    """What has been proposed so far."""

    comments: dict[Place, tuple[str, ...]] = field(default_factory=dict)
    rules: list[CollectionRule] = field(default_factory=list)
    reports: list[CollectionProposal] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  # tables
    skip: list[str] = field(default_factory=list)


def propose(
    schema: RelationalSchema,
    profiles: Sequence[CollectionProfile],
    references: References,
    generators: Mapping[tuple[str, str], str] | None = None,
) -> Proposal:
    """Return a mapping of collections to the tables of a schema.

    Args:
        schema: the tables that there are, or will be.
        profiles: what the documents of each collection hold.
        references: what fields refer to.
        generators: columns that an application fills by itself, and how.

    """
    profiles = sorted(profiles, key=lambda profile: profile.name)
    generators = generators or {}
    tables = [one for one in schema.tables if one.name.name not in INTERNAL_TABLES]
    assigned = _assign(tables, profiles)
    prisma = keys.is_prisma(schema)
    found_keys = {
        profile.name: keys.key_of(
            assigned[profile.name], profile.field("_id"), generators, prisma=prisma
        )
        for profile in profiles
        if profile.name in assigned
    }
    known = {
        assigned[name].name.name: (name, key.rule.column)
        for name, key in found_keys.items()
        if key.rule is not None
    }
    draft = _Draft(used={table.name.name for table in assigned.values()})
    for profile in profiles:
        table = assigned.get(profile.name)
        around = _surroundings(profile, known, references)
        if table is None:
            _leave_out(draft, profile, None, "no table is like it")
            continue
        key = found_keys[profile.name]
        if key.rule is None:
            _leave_out(draft, profile, table, key.point)
            continue
        free = [one for one in tables if one.name.name not in draft.used]
        if key.comment:
            draft.comments["collections", profile.name, "key"] = (key.comment,)
        _collection(draft, profile, table, key.rule, free, around, generators)
    left = tuple(one.name.name for one in tables if one.name.name not in draft.used)
    mapping = Rules(schema.name, tuple(draft.rules), tuple(draft.skip))
    problems = tuple(check.problems(mapping, schema))
    ends = [f"tables that nothing fills: {', '.join(left)}"] if left else []
    if problems:
        ends += ["until these are mended, an import refuses it:", *problems]
    draft.comments["end",] = tuple(ends)
    return Proposal(mapping, draft.comments, tuple(draft.reports), left, problems)


def _surroundings(
    profile: CollectionProfile,
    known: Mapping[str, tuple[str, str]],
    references: References,
) -> Surroundings:
    return Surroundings(known, lambda path: references.get((profile.name, path), {}))


def _leave_out(
    draft: _Draft, profile: CollectionProfile, table: RelationalTable | None, why: str
) -> None:
    draft.skip.append(profile.name)
    draft.comments["skip", profile.name] = (f"{why} ({profile.documents} documents)",)
    name = table.name.name if table else None
    draft.reports.append(CollectionProposal(profile.name, name, profile.documents, points=(why,)))


def _assign(
    tables: Sequence[RelationalTable], profiles: Sequence[CollectionProfile]
) -> dict[str, RelationalTable]:
    """Return the table of each collection that one was found for, the likeliest pairs first."""
    scored = []
    for order, profile in enumerate(profiles):
        spellings = _spellings(profile)
        for place, table in enumerate(tables):
            name = wording.table_likeness(profile.name, table.name.name)
            score = NAME_WEIGHT * name + (1 - NAME_WEIGHT) * _overlap(table, spellings)
            if name == 1 or score >= TABLE_MIN:
                scored.append((-score, order, place, profile, table))
    scored.sort(key=lambda each: each[:3])
    found: dict[str, RelationalTable] = {}
    for *_, profile, table in scored:
        if profile.name not in found and table not in found.values():
            found[profile.name] = table
    return found


def _overlap(table: RelationalTable, spellings: frozenset[str]) -> float:
    """Return which part of a table's columns a collection has a field for, by name."""
    primary = table.primary.columns if table.primary else ()
    wanted = [one.name for one in table.columns if one.name not in primary and not one.generated]
    if not wanted:
        return 0.0
    return sum(bool(wording.spellings(name) & spellings) for name in wanted) / len(wanted)


def _spellings(profile: CollectionProfile) -> frozenset[str]:
    """Return how a collection's fields may be called, by their paths or the ends of them."""
    found: set[str] = set()
    for one in profile.root.walk():
        if one.path != "_id":
            found |= wording.spellings(one.path) | wording.spellings(one.name)
    return frozenset(found)


def _collection(
    draft: _Draft,
    profile: CollectionProfile,
    table: RelationalTable,
    key: KeyRule,
    free: Sequence[RelationalTable],
    around: Surroundings,
    generators: Mapping[tuple[str, str], str],
) -> None:
    """Add a collection's rule, and what is to be said of it."""
    fields = [one for one in profile.root.walk() if not _internal(one.path)]
    filled = columns.fill(table, (key.column,), fields, around)
    taken = set(filled.taken)
    arrays = [one for one in fields if one.share("array") >= 0.5 and not _covered(one.path, taken)]
    found = children.children_of(profile.name, table, arrays, free, around, generators)
    taken |= {child.rule.source for child in found}
    rest = _uncovered(profile.root, taken)
    place = ("collections", profile.name)
    points = list(filled.points)
    _say(draft, place, table, filled)
    for child in found:
        below = (*place, "children", child.rule.source)
        _say(draft, below, child.table, child.filled)
        points += [f"{child.rule.source}: {point}" for point in child.filled.points]
        draft.used.add(child.rule.table)
        unused = _uncovered_element(child.rule.source, child.filled, arrays)
        if unused:
            points.append(f"{child.rule.source}: no column for {', '.join(unused)}")
            draft.comments[below] = (f"no column for {', '.join(unused)}",)
    homeless = [one for one in rest if not _internal(one.path)]
    if homeless:
        shown = ", ".join(one.path for one in homeless[:NO_COLUMN_SHOWN])
        points.append(f"no column for {shown}")
        draft.comments[(*place, "ignore")] = (f"no column for {shown}",)
    if not profile.whole:
        of = f" of {profile.total:,}" if profile.total is not None else ""
        draft.comments[place] = (f"looked at {profile.documents:,}{of} documents",)
    if profile.unreadable:
        points.append(f"{profile.unreadable} documents can't be decoded")
    if profile.unnamed:
        points.append(f"no path leads to fields of these names: {list(profile.unnamed)}")
    if profile.truncated:
        points.append("it has more fields than were looked at")
    draft.rules.append(
        CollectionRule(
            collection=profile.name,
            table=table.name.name,
            key=key,
            columns=filled.rules,
            children=tuple(child.rule for child in found),
            ignore=tuple(one.path for one in rest),
        )
    )
    draft.reports.append(_report(profile, table, filled, found, points))


def _say(draft: _Draft, place: Place, table: RelationalTable, filled: Filled) -> None:
    """Note what is to be said of columns, those that nothing fills last."""
    for column, lines in filled.comments.items():
        draft.comments[(*place, "columns", column)] = lines
    ends = [
        f"{one.name}: needs a source or a default ({_why_empty(one, table, filled)})"
        for one in filled.missing
    ]
    ends += [
        f"{one.name}: {filled.unsuitable[one.name]}"
        for one in filled.unfilled
        if one.name in filled.unsuitable
    ]
    silent = [one.name for one in filled.unfilled if one.name not in filled.unsuitable]
    if silent:
        ends.append(f"without a source: {', '.join(silent)}")
    if ends:
        draft.comments[(*place, "columns", "")] = tuple(ends)


def _why_empty(column: RelationalColumn, table: RelationalTable, filled: Filled) -> str:
    trigger = table.insert_trigger
    reason = filled.unsuitable.get(column.name)
    if reason is None and trigger is not None:
        reason = f"unless the trigger {trigger.name} fills it"
    return f"{column.type}; {reason}" if reason else column.type


def _report(
    profile: CollectionProfile,
    table: RelationalTable,
    filled: Filled,
    found: Sequence[children.Child],
    points: Sequence[str],
) -> CollectionProposal:
    parts = [filled, *(child.filled for child in found)]
    mapped = sum(len(part.rules) for part in parts) + 1
    empty = sum(len(part.missing) + len(part.unfilled) for part in parts)
    for child in found:
        mapped += 1 + (child.rule.key is not None) + (child.rule.ordinal is not None)
    sure = [rule.confidence for part in parts for rule in part.rules if rule.confidence is not None]
    return CollectionProposal(
        collection=profile.name,
        table=table.name.name,
        documents=profile.documents,
        mapped=mapped,
        columns=mapped + empty,
        lowest=min(sure, default=None),
        points=tuple(points),
    )


def _internal(path: str) -> bool:
    return path == "_id" or path.startswith("_id.") or path in INTERNAL_FIELDS


def _covered(path: str, taken: set[str]) -> bool:
    return any(path == one or path.startswith(one + ".") for one in taken)


def _uncovered(root: FieldProfile, taken: set[str]) -> list[FieldProfile]:
    """Return the outermost fields that nothing takes a value from."""
    found = []
    for one in root.fields:
        if one.path == "_id" or _covered(one.path, taken):
            continue
        if any(path.startswith(one.path + ".") for path in taken):
            found += _uncovered(one, taken)
        else:
            found.append(one)
    return found


def _uncovered_element(source: str, filled: Filled, arrays: Sequence[FieldProfile]) -> list[str]:
    array = next(one for one in arrays if one.path == source)
    if array.element is None or not array.element.fields:
        return []
    return [
        one.path for one in _uncovered(array.element, set(filled.taken)) if not _internal(one.path)
    ]
