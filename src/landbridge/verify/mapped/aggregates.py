"""Aggregates through a mapping: what documents should add up to, and what the tables do.

For       The mode `aggregate` through a mapping.
Touches   Both ends: every document is read once; the tables are aggregated by their server.
Promises  Conditions and groups of named aggregates are over values as the mapping makes them, so
          that both sides speak of the same labels.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from bson import ObjectId
from psycopg import sql

from landbridge.mapping.rules import ColumnRule
from landbridge.model.verification import Aggregate, Checked, StreamVerdict, VerifyObserver
from landbridge.mongo.connect import Connection as MongoConnection
from landbridge.verify import answers, cardinality, figures
from landbridge.verify.columns import Asked
from landbridge.verify.judging import judged
from landbridge.verify.mapped import batches, counts, found
from landbridge.verify.mapped.batches import MappedPair
from landbridge.verify.mapped.casts import MICRO
from landbridge.verify.mapped.expected import ANYTHING, Cells, Expected
from landbridge.verify.mapped.tally import Tally, asked_of, in_figures, written
from landbridge.verify.named import Condition, NamedAggregate, Operand
from landbridge.verify.shown import shown


@dataclass(slots=True)
class _Question:
    """A named aggregate, over columns."""

    named: NamedAggregate  # its operands as the mapping makes them
    keys: list[list[Asked]]
    of: Asked | None
    groups: dict[answers.Key, tuple[list[int], Tally]] = field(default_factory=dict)


def compare(
    mongo: MongoConnection,
    connection: found.Connection,
    pair: MappedPair,
    named: Sequence[NamedAggregate],
    *,
    observer: VerifyObserver,
    stopping: Callable[[], bool],
) -> StreamVerdict:
    """Count on both sides, and compare figures of each column and what is named."""
    verdict = counts.compare(mongo, connection, pair)
    rules = [rule for rule in pair.rule.columns if rule.source != "."]
    asked = [asked_of(pair.main.column(rule.column), rule.source or "") for rule in rules]
    questions = [_question(pair, asked, one) for one in named]
    tallies = [Tally(one.shape) for one in asked]
    documents = seen = 0
    for batch, _ in batches.batches(mongo, pair, stopping):
        batches.solve(connection, pair, batch)
        for one in batch:
            if one.name in pair.held or one.unfit:
                continue
            documents += 1
            _count(one, asked, tallies, questions)
        seen += len(batch)
        observer(Checked(pair.collection.stream, seen, pair.collection.documents))
    relation = counts.imported_rows(pair)
    there = figures.ask_target(connection, relation, asked)
    aggregates = list(verdict.aggregates)
    for column, tally, right in zip(asked, tallies, there, strict=True):
        aggregates += judged(
            column, tally.taken(), right, documents, verdict.target_count, reliable=tally.judged
        )
    for column, tally in zip(asked, tallies, strict=True):
        aggregates += _distinct(connection, relation, column, tally)
    for question in questions:
        aggregates += _answered(connection, relation, asked, question)
    return replace(verdict, mode="aggregate", aggregates=tuple(aggregates))


def _count(
    one: Expected, asked: Sequence[Asked], tallies: Sequence[Tally], questions: Sequence[_Question]
) -> None:
    for column, tally in zip(asked, tallies, strict=True):
        value = one.main[column.name]
        if value is ANYTHING:
            tally.judged = False
        else:
            tally.add(value)
    for question in questions:
        if not all(_holds(condition, asked, one.main) for condition in question.named.match):
            continue
        key = tuple(_key(members, one.main) for members in question.keys)
        shape = question.of.shape if question.of else "opaque"
        number, tally = question.groups.setdefault(key, ([0], Tally(shape)))
        number[0] += 1
        if question.of is not None and one.main[question.of.name] is not ANYTHING:
            tally.add(one.main[question.of.name])
        if len(question.groups) > answers.GROUPS_MAX:
            what = f"group: there are more than {answers.GROUPS_MAX:,} groups"
            raise answers.unanswerable(question.named, what)


def _key(members: Sequence[Asked], row: Cells) -> tuple[str, Any]:
    for one in members:
        value = row[one.name]
        if value is None or value is ANYTHING:
            continue
        if one.shape in answers.NUMBERS or one.shape == "bool":
            return answers.group_key(value)
        return one.shape, written(one.shape, in_figures(one.shape, value))
    return "", None


def _distinct(
    connection: found.Connection, relation: sql.Composable, one: Asked, tally: Tally
) -> Iterator[Aggregate]:
    """Yield how many values a column has, and how often each of a few comes."""
    if tally.values is None or not tally.values:
        return
    values = {shown(value): count for value, count in tally.values.items()}
    short = all(len(str(value).encode()) <= cardinality.GROUPED_BYTES_MAX for value in tally.values)
    grouped = cardinality.tells_groups(len(values), sum(values.values()))
    if one.shape in ("text", "bool") and grouped and short:
        there = {shown(v): n for v, n in cardinality.groups_of(connection, relation, one)}
        if len(there) <= cardinality.GROUPED_MAX:
            yield Aggregate(one.name, {}, "distinct", len(values), len(there), tally.judged)
            for value in dict.fromkeys([*sorted(values, key=lambda v: -values[v]), *there]):
                sides = (values.get(value, 0), there.get(value, 0))
                yield Aggregate(one.name, {one.name: value}, "count", *sides, tally.judged)
            return
    number = cardinality.distinct_of(connection, relation, one)
    yield Aggregate(one.name, {}, "distinct", len(tally.values), number, tally.judged)


# -- named aggregates -----------------------------------------------------------------------


def _question(pair: MappedPair, asked: Sequence[Asked], named: NamedAggregate) -> _Question:
    rules = {rule.source: rule for rule in pair.rule.columns if rule.source}
    conditions = tuple(_mapped(pair, rules, one, named) for one in named.match)
    named = replace(named, match=conditions)
    keys = [answers.scalars(asked, path, named, "group") for path in named.group]
    for one in conditions:
        answers.scalars(asked, one.path, named, "match")
    return _Question(named, keys, answers.measured(asked, named))


def _mapped(
    pair: MappedPair, rules: dict[str, ColumnRule], one: Condition, named: NamedAggregate
) -> Condition:
    """Return a condition whose operands are as the mapping makes them of the source's values."""
    rule = rules.get(one.path)
    if rule is None or one.operator == "exists" or not rule.values:
        return one
    operands = tuple(
        rule.values.get(operand, operand) if isinstance(operand, str) else operand
        for operand in one.operands
    )
    return replace(one, operands=operands)


def _holds(one: Condition, asked: Sequence[Asked], row: Cells) -> bool:
    """Return whether a row that should be there meets a condition, as SQL has it."""
    column = next(c for c in asked if c.path == tuple(one.path.split(".")))
    value = row[column.name]
    if value is ANYTHING:
        value = None
    match one.operator:
        case "exists":
            return (value is not None) is one.operands[0]
        case "eq" | "in" | "ne" | "nin":
            among = any(
                value is None if operand is None else _equal(column, value, operand)
                for operand in one.operands
            )
            return among is (one.operator in ("eq", "in"))
    operand = _comparable(column, one.operands[0])
    if value is None or operand is None or value == "NaN":
        return False
    here: Any = value
    match one.operator:
        case "gt":
            return bool(here > operand)
        case "gte":
            return bool(here >= operand)
        case "lt":
            return bool(here < operand)
        case _:
            return bool(here <= operand)


def _equal(column: Asked, value: Any, operand: Operand) -> bool:
    wanted = _comparable(column, operand)
    return (
        wanted is not None
        and value == wanted
        and isinstance(value, bool) is (isinstance(wanted, bool))
    )


def _comparable(column: Asked, operand: Operand) -> Any:
    """Return an operand as derived values have it; None where its class is another one."""
    match operand:
        case bool():
            return operand if column.shape == "bool" else None
        case int() | float():
            if column.shape not in answers.NUMBERS:
                return None
            if column.shape == "real":
                return float(operand)
            return Decimal(repr(operand)) if isinstance(operand, float) else operand
        case str():
            return operand if column.shape == "text" else None
        case dt.datetime():
            return round(operand.timestamp() * MICRO) if column.shape == "time" else None
        case ObjectId():
            return None
    return None


def _answered(
    connection: found.Connection,
    relation: sql.Composable,
    asked: Sequence[Asked],
    question: _Question,
) -> Iterator[Aggregate]:
    there = answers.ask_target(
        connection, relation, asked, question.named, question.keys, question.of
    )
    here = {
        key: {"n": number[0]} | tally.taken() for key, (number, tally) in question.groups.items()
    }
    yield from answers.together(question.named, question.of, here, there, reliable=True)
