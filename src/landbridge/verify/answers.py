"""Answers: a named aggregate as both servers have it, group by group.

For       The mode `aggregate`, with a file of named aggregates.
Touches   Both ends, by one aggregation and one SELECT each.
Promises  Both sides answer the same question: a condition or a group that the columns can't answer
          exactly is refused by name. A field that is null counts as one that is absent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import psycopg
from bson import ObjectId
from bson.datetime_ms import DatetimeMS
from psycopg import sql

from landbridge.errors import UnsupportedError
from landbridge.model.stream import Collection
from landbridge.model.verification import Aggregate
from landbridge.mongo.connect import Connection
from landbridge.verify.columns import Asked, Shape
from landbridge.verify.expressions import Expression, is_a, value_at
from landbridge.verify.figures import (
    accumulators,
    aggregate,
    comparable,
    from_source,
    of_target,
)
from landbridge.verify.judging import judged
from landbridge.verify.named import Condition, NamedAggregate, Operand
from landbridge.verify.shown import exact, fraction, shown, time_text

GROUPS_MAX = 10_000
NUMBERS: tuple[Shape, ...] = ("whole", "real", "numeric")

_SCALARS: tuple[Shape, ...] = (*NUMBERS, "text", "bool", "time", "hex", "uuid")
_BOUNDED: tuple[Shape, ...] = (*NUMBERS, "text", "time")
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_NUMBER_TYPES = ("int", "long", "double", "decimal")
_MINUS_INFINITY = float("-inf")

Key = tuple[Any, ...]


def answer(
    mongo: Connection,
    target: psycopg.Connection[Any],
    collection: Collection,
    rows: sql.Composable,
    asked: Sequence[Asked],
    named: NamedAggregate,
    left_out: Sequence[Any],
    *,
    reliable: bool = True,
) -> Iterator[Aggregate]:
    """Yield a named aggregate's groups, the largest first, as both sides have them.

    Raises:
        UnsupportedError: the columns can't answer it exactly.

    """
    of = measured(asked, named)
    keys = [scalars(asked, path, named, "group") for path in named.group]
    here = _ask_source(mongo, collection, named, of, left_out)
    there = ask_target(target, rows, asked, named, keys, of)
    yield from together(named, of, here, there, reliable=reliable)


def together(
    named: NamedAggregate,
    of: Asked | None,
    here: dict[Key, dict[str, Any]],
    there: dict[Key, dict[str, Any]],
    *,
    reliable: bool,
) -> Iterator[Aggregate]:
    """Yield the groups of both sides, the largest first."""
    order = sorted({*here, *there}, key=lambda key: (-_size(here.get(key)), str(key)))
    for key in order:
        group = dict(zip(named.group, (value for _, value in key), strict=True))
        yield _judged(named, group, of, here.get(key), there.get(key), reliable)


def _size(figures: dict[str, Any] | None) -> int:
    return 0 if figures is None else int(figures["n"])


def _judged(
    named: NamedAggregate,
    group: dict[str, Any],
    of: Asked | None,
    here: dict[str, Any] | None,
    there: dict[str, Any] | None,
    reliable: bool,
) -> Aggregate:
    if of is None:
        counts = (_size(here), _size(there))
        return Aggregate(named.name, group, named.label, *counts, judged=reliable)
    if here is None or there is None:
        sides = (None if here is None else here["count"], None if there is None else there["count"])
        return Aggregate(named.name, group, f"values of {named.of}", *sides, judged=reliable)
    wanted = "sum" if named.metric == "avg" else named.metric
    figures = judged(of, here, there, here["n"], there["n"], reliable=reliable)
    found = next((one for one in figures if one.metric == wanted), None)
    left, right = (None, None) if found is None else (found.source, found.target)
    if named.metric == "avg":
        left, right = _mean(left, here["count"]), _mean(right, there["count"])
    same = found is None or (found.close and here["count"] == there["count"])
    return Aggregate(named.name, group, named.label, left, right, reliable, same)


def _mean(total: Any, count: int) -> Any:
    if total is None or not count:
        return None
    try:
        return float(Fraction(str(total)) / count)
    except ValueError:  # NaN, or an infinity
        return total


# -- which columns ----------------------------------------------------------------------------


def _at(asked: Sequence[Asked], path: str, named: NamedAggregate, role: str) -> list[Asked]:
    wanted = tuple(path.split("."))
    found = [one for one in asked if one.path == wanted]
    if found:
        return found
    inside = [one for one in asked if wanted[: len(one.path)] == one.path and one.shape == "json"]
    why = f"{role}: no column holds the field {path}"
    if inside:
        why = f"{role}: {path} lies inside the jsonb column {inside[0].name}"
    raise unanswerable(named, why)


def scalars(asked: Sequence[Asked], path: str, named: NamedAggregate, role: str) -> list[Asked]:
    """Return the columns of a field, all of which can be compared and grouped by."""
    found = _at(asked, path, named, role)
    for one in found:
        if one.shape not in _SCALARS:
            raise unanswerable(named, f"{role}: {path} holds objects, arrays or bytes as well")
    return found


def measured(asked: Sequence[Asked], named: NamedAggregate) -> Asked | None:
    """Return the column that is added up, or whose bounds are looked for; None for a count."""
    if named.of is None:
        return None
    shapes = NUMBERS if named.metric in ("sum", "avg") else _BOUNDED
    found = [one for one in _at(asked, named.of, named, "metric") if one.shape in shapes]
    if len(found) != 1:
        what = "no number" if not found else "values of several kinds"
        raise unanswerable(named, f"metric: the field {named.of} holds {what}")
    return found[0]


def unanswerable(named: NamedAggregate, why: str) -> UnsupportedError:
    """Return the error of an aggregate that the table can't answer."""
    return UnsupportedError(
        f"the aggregate {named.name} ({named.place}) cannot be answered by the table",
        why=why,
        fix="name a field that has a column of its own: see the columns that verify lists",
    )


# -- the source -------------------------------------------------------------------------------


def _ask_source(
    mongo: Connection,
    collection: Collection,
    named: NamedAggregate,
    of: Asked | None,
    left_out: Sequence[Any],
) -> dict[Key, dict[str, Any]]:
    project: dict[str, Expression] = {
        f"k{i}": {"$ifNull": [value_at(tuple(path.split("."))), None]}
        for i, path in enumerate(named.group)
    }
    group: dict[str, Expression] = {
        "_id": {f"k{i}": f"$k{i}" for i in range(len(named.group))},
        "n": {"$sum": 1},
    }
    if of is not None:
        project["c0"] = of.source
        group |= accumulators([of])
    stages: list[Expression] = []
    if named.match:
        stages.append({"$match": {"$expr": {"$and": [_holds(one) for one in named.match]}}})
    stages += [{"$project": {"_id": 0} | (project or {"k": {"$literal": 1}})}, {"$group": group}]
    stages.append({"$limit": GROUPS_MAX + 1})
    found = {}
    for row in aggregate(mongo, collection, stages, left_out):
        key = tuple(group_key(row["_id"].get(f"k{i}")) for i in range(len(named.group)))
        found[key] = {"n": row["n"]} | ({} if of is None else from_source(row, 0, of.shape))
    if len(found) > GROUPS_MAX:
        raise unanswerable(named, f"group: there are more than {GROUPS_MAX:,} groups")
    return found


def group_key(value: Any) -> tuple[str, Any]:
    """Return a value of a group as both sides have it: a class of values, and what is shown."""
    if value is None:
        return "", None
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, DatetimeMS):
        return "time", time_text(int(value))
    if isinstance(value, ObjectId | str):
        return ("hex" if isinstance(value, ObjectId) else "text"), shown(value)
    if isinstance(value, bytes):
        return "uuid", shown(value)
    try:
        number = exact(value)
    except (TypeError, ValueError):
        return "other", shown(value)
    return "number", fraction(number) if isinstance(number, Fraction) else shown(number)


def _holds(one: Condition) -> Expression:
    """Return whether a document meets a condition."""
    value = value_at(tuple(one.path.split(".")))
    nothing = is_a(value, ["missing", "null", "undefined"])
    match one.operator:
        case "exists":
            return {"$not": [nothing]} if one.operands[0] else nothing
        case "eq" | "in" | "ne" | "nin":
            listed = [_literal(o) for o in one.operands if o is not None]
            held: list[Expression] = [{"$in": [value, listed]}]
            if None in one.operands:
                held.append(nothing)
            among: Expression = {"$or": held}
            return {"$not": [among]} if one.operator in ("ne", "nin") else among
    operand = one.operands[0]
    types = _NUMBER_TYPES if isinstance(operand, int | float) else (_type_of(operand),)
    number = {"$gte": [value, _MINUS_INFINITY]} if types is _NUMBER_TYPES else True  # no NaN
    return {"$and": [is_a(value, types), number, {f"${one.operator}": [value, _literal(operand)]}]}


def _literal(operand: Operand) -> Expression:
    return {"$literal": operand}


def _type_of(operand: Operand) -> str:
    match operand:
        case str():
            return "string"
        case dt.datetime():
            return "date"
    return "objectId"


# -- the target -------------------------------------------------------------------------------


def ask_target(
    target: psycopg.Connection[Any],
    rows: sql.Composable,
    asked: Sequence[Asked],
    named: NamedAggregate,
    keys: Sequence[Sequence[Asked]],
    of: Asked | None,
) -> dict[Key, dict[str, Any]]:
    """Return the figures of each group as the table has them."""
    columns = [comparable(one) for members in keys for one in members]
    metrics = {} if of is None else of_target(of)
    conditions = [_condition(asked, one, named) for one in named.match]
    query = sql.SQL("SELECT {items} FROM {rows} WHERE {where} {group} LIMIT {limit}").format(
        items=sql.SQL(", ").join([*columns, sql.SQL("count(*)"), *metrics.values()]),
        rows=rows,
        where=sql.SQL(" AND ").join(conditions) if conditions else sql.SQL("true"),
        # By their places, as an expression of a literal would be another one there.
        group=sql.SQL("GROUP BY {}").format(
            sql.SQL(", ").join([sql.Literal(i + 1) for i in range(len(columns))])
        )
        if columns
        else sql.SQL(""),
        limit=sql.Literal(GROUPS_MAX + 1),
    )
    found: dict[Key, dict[str, Any]] = {}
    for row in target.execute(query):
        values = iter(row)
        key = tuple(_printed_key([(one, next(values)) for one in members]) for members in keys)
        count = next(values)
        if count or columns:
            found[key] = {"n": count} | dict(zip(metrics, values, strict=True))
    if len(found) > GROUPS_MAX:
        raise unanswerable(named, f"group: there are more than {GROUPS_MAX:,} groups")
    return found


def _printed_key(values: Sequence[tuple[Asked, Any]]) -> tuple[str, Any]:
    for one, value in values:
        if value is None:
            continue
        if one.shape in NUMBERS or one.shape == "bool":
            return group_key(value)
        return one.shape, time_text(value) if one.shape == "time" else shown(value)
    return "", None


def _condition(asked: Sequence[Asked], one: Condition, named: NamedAggregate) -> sql.Composable:
    columns = scalars(asked, one.path, named, "match")
    nothing = sql.SQL(" AND ").join(
        [sql.SQL("({}) IS NULL").format(column.target) for column in columns]
    )
    match one.operator:
        case "exists":
            return sql.SQL("NOT ({})" if one.operands[0] else "({})").format(nothing)
        case "eq" | "in" | "ne" | "nin":
            parts = [_compared(columns, "=", o) for o in one.operands if o is not None]
            if None in one.operands:
                parts.append(nothing)
            among = sql.SQL(" OR ").join(parts) if parts else sql.SQL("false")
            negated = one.operator in ("ne", "nin")
            return sql.SQL("NOT ({})" if negated else "({})").format(among)
    return sql.SQL("({})").format(_compared(columns, _COMPARISONS[one.operator], one.operands[0]))


def _compared(columns: Sequence[Asked], sign: str, operand: Operand) -> sql.Composable:
    """Compare the columns whose values are of the operand's class; never NULL."""
    shapes, literal = _class_of(operand)
    parts = []
    for column in columns:
        if column.shape in shapes:
            value = comparable(column)
            form = "coalesce({v} {sign} {o}, false)"
            if column.shape in ("real", "numeric"):
                form += " AND ({v}) <> 'NaN'"
            parts.append(
                sql.SQL("({})").format(
                    sql.SQL(form).format(v=value, sign=sql.SQL(sign), o=sql.Literal(literal))
                )
            )
    return sql.SQL(" OR ").join(parts) if parts else sql.SQL("false")


def _class_of(operand: Operand) -> tuple[tuple[Shape, ...], Any]:
    match operand:
        case bool():
            return ("bool",), operand
        case int() | float():
            return NUMBERS, operand
        case str():
            return ("text",), operand
        case dt.datetime():
            return ("time",), round(operand.timestamp() * 1000)
    return ("hex",), str(operand)
