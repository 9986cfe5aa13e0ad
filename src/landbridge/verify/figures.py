"""Figures: what is asked of each column of both servers, in one pass of each.

For       The mode `aggregate`.
Touches   Both ends, by one aggregation and one SELECT for every hundred columns.
Promises  The same figures of both sides, as exact numbers where they are. NaN and the infinities
          are in no sum; NaN is no minimum and no maximum, since the servers sort it differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from bson import Decimal128
from psycopg import sql
from pymongo.collation import Collation

from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection
from landbridge.verify.columns import Asked, Shape
from landbridge.verify.expressions import Expression, when
from landbridge.verify.rows import LENIENT

COLUMNS_AT_ONCE = 100
BRIEF_BYTES, BRIEF_CHARACTERS = 800, 200  # a longer text is compared by its beginning
HUGE = 1e280  # a sum of larger doubles may overflow, which PostgreSQL takes for an error

Figures = dict[str, Any]  # by metric

_NAN, _INFINITY = float("nan"), float("inf")
# Metrics of numbers that may be NaN, an infinity, or too large to add up.
_NUMBERS = {
    "min": "min({0}) FILTER (WHERE {0} <> 'NaN')",
    "max": "max({0}) FILTER (WHERE {0} <> 'NaN')",
    "nan": "count(*) FILTER (WHERE {0} = 'NaN')",
}
_SMALL = "FILTER (WHERE {0} > -{huge} AND {0} < {huge})"
_LARGE = "FILTER (WHERE abs({0}) >= {huge} AND {0} > '-Infinity' AND {0} < 'Infinity')"
_FINITE = "FILTER (WHERE {0} > '-Infinity' AND {0} < 'Infinity')"
_REALS = {
    "sum": f"coalesce(sum({{0}}) {_SMALL}, 0)::text::numeric",
    "sizes": f"coalesce(sum(abs({{0}})) {_SMALL}, 0)::text::numeric",
    "huge": f"coalesce(sum({{0}}::numeric) {_LARGE}, 0)",
    "huge_sizes": f"coalesce(sum(abs({{0}}::numeric)) {_LARGE}, 0)",
}
_NUMERICS = {
    "sum": f"coalesce(sum({{0}}) {_FINITE}, 0)",
    "sizes": f"coalesce(sum(abs({{0}})) {_FINITE}, 0)",
}
_BOUNDS = ("min", "max")
# The source sorts NaN before all numbers.
_FINITE_THERE = {"$and": [{"$gt": ["$v", -_INFINITY]}, {"$lt": ["$v", _INFINITY]}]}
_BOUNDS_OF_NUMBERS: dict[str, tuple[str, Expression]] = {
    "min": ("$min", when({"$gte": ["$v", -_INFINITY]}, "$v")),
    "max": ("$max", "$v"),
    "nan": ("$sum", when({"$eq": ["$v", _NAN]}, 1, 0)),
}
_ORDERED: tuple[Shape, ...] = ("text", "time", "hex", "uuid")


def ask_source(
    mongo: Connection, collection: Collection, asked: Sequence[Asked], left_out: Sequence[Any]
) -> list[Figures]:
    """Return the figures of each column over the documents but those with the ids left out."""
    found: list[Figures] = []
    for at in range(0, len(asked), COLUMNS_AT_ONCE):
        part = asked[at : at + COLUMNS_AT_ONCE]
        stages = [
            {"$project": {"_id": 0} | {f"c{i}": one.source for i, one in enumerate(part)}},
            {"$group": {"_id": None} | accumulators(part)},
        ]
        rows = aggregate(mongo, collection, stages, left_out)
        answer = rows[0] if rows else {}
        for i, one in enumerate(part):
            found.append(from_source(answer, i, one.shape))
    return found


def aggregate(
    mongo: Connection,
    collection: Collection,
    stages: Sequence[Expression],
    left_out: Sequence[Any] = (),
) -> list[dict[str, Any]]:
    """Run an aggregation over a collection; strings sort and group by their bytes."""
    pipeline = list(stages)
    if left_out:
        pipeline.insert(0, {"$match": {"_id": {"$nin": list(left_out)}}})
    options: dict[str, Any] = {}
    if by_bytes(collection):
        options["collation"] = Collation("simple")
    source = mongo.source.get_collection(collection.name, codec_options=LENIENT)
    with mongo.translated(f"cannot aggregate {collection.stream}"):
        return list(source.aggregate(pipeline, allowDiskUse=True, **options))


def by_bytes(collection: Collection) -> bool:
    """Whether strings can be told apart by their bytes; a view's own collation can't be changed."""
    return not (collection.kind == "view" and collection.collated)


def plain(value: Any) -> Any:
    """Return a number of the driver as Python's own."""
    return value.to_decimal() if isinstance(value, Decimal128) else value


def _of_source(shape: Shape) -> dict[str, tuple[str, Expression]]:
    """Return accumulator and argument of each metric; `$v` stands for the value."""
    there = {"count": ("$sum", when({"$ne": [{"$type": "$v"}, "missing"]}, 1, 0))}
    if shape in _ORDERED:
        bound = _brief("$v") if shape == "text" else "$v"
        there |= {"min": ("$min", bound), "max": ("$max", bound)}
    match shape:
        case "text":
            there["bytes"] = ("$sum", _if_there({"$strLenBytes": "$v"}))
        case "bytes":
            there["bytes"] = ("$sum", _if_there({"$binarySize": "$v"}))
        case "bool":
            there["true"] = ("$sum", when({"$eq": ["$v", True]}, 1, 0))
        case "json":
            there["elements"] = ("$sum", when({"$isArray": ["$v"]}, {"$size": "$v"}, 0))
        case "whole":
            there |= {"min": ("$min", "$v"), "max": ("$max", "$v")}
            there["sum"] = ("$sum", "$v")
        case "real":
            there |= _BOUNDS_OF_NUMBERS
            there["rounded"] = ("$sum", when(_FINITE_THERE, "$v", 0))
        case "numeric":
            double = {"$eq": [{"$type": "$v"}, "double"]}
            there |= _BOUNDS_OF_NUMBERS
            there["doubles"] = ("$sum", when(double, 1, 0))
            there["rounded"] = ("$sum", when({"$and": [_FINITE_THERE, double]}, "$v", 0))
            exactly = {"$and": [_FINITE_THERE, {"$not": [double]}]}
            there["sum"] = ("$sum", when(exactly, {"$toDecimal": "$v"}, 0))
    return there


def _brief(text: Expression) -> Expression:
    """Return a text, a long one by its beginning: an answer has room for only so much."""
    length = {"$strLenBytes": {"$ifNull": [text, ""]}}
    return when({"$lte": [length, BRIEF_BYTES]}, text, {"$substrCP": [text, 0, BRIEF_CHARACTERS]})


def _if_there(size: Expression) -> Expression:
    return when({"$ne": [{"$type": "$v"}, "missing"]}, size, 0)


def from_source(answer: dict[str, Any], place: int, shape: Shape) -> Figures:
    """Return the figures of the column at a place from what the source answered."""
    given = {
        metric: plain(answer.get(f"{place}_{metric}", None if metric in _BOUNDS else 0))
        for metric in _of_source(shape)
    }
    if given.get("max") != given.get("max"):  # there is nothing but NaN
        given["max"] = None
    return given


def accumulators(part: Sequence[Asked]) -> dict[str, Expression]:
    """Return what to group with, over fields `c0`, `c1` and so on that hold the values."""
    return {
        f"{i}_{metric}": {operator: _at(argument, f"$c{i}")}
        for i, one in enumerate(part)
        for metric, (operator, argument) in _of_source(one.shape).items()
    }


def _at(expression: Expression, field: str) -> Expression:
    """Return the expression with `$v` as the field."""
    if isinstance(expression, dict):
        return {name: _at(value, field) for name, value in expression.items()}
    if isinstance(expression, list):
        return [_at(value, field) for value in expression]
    return field if expression == "$v" else expression


def ask_target(
    target: psycopg.Connection[Any], rows: sql.Composable, asked: Sequence[Asked]
) -> list[Figures]:
    """Return the figures of each column over the rows."""
    found: list[Figures] = []
    for at in range(0, len(asked), COLUMNS_AT_ONCE):
        part = asked[at : at + COLUMNS_AT_ONCE]
        wanted = [of_target(one) for one in part]
        items = [item for metrics in wanted for item in metrics.values()]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(items), rows)
        row = iter(target.execute(query).fetchone() or ())
        found += [{metric: next(row) for metric in metrics} for metrics in wanted]
    return found


def comparable(one: Asked) -> sql.Composable:
    """Return the value of a column in a form that sorts and groups as it does at the source."""
    match one.shape:
        case "text":
            form = '{} COLLATE "C"'
        case "hex" | "uuid":
            form = '{}::text COLLATE "C"'
        case "time":
            form = "(extract(epoch FROM {}) * 1000)"
        case _:
            form = "{}"
    return sql.SQL(form).format(one.target)


def of_target(one: Asked) -> dict[str, sql.Composable]:
    """Return the expression of each metric of a column, over the rows `t`."""
    value = comparable(one)

    def item(text: str) -> sql.Composable:
        return sql.SQL(text).format(
            one.target,
            v=value,
            huge=sql.Literal(HUGE),
            brief=sql.Literal(BRIEF_BYTES),
            start=sql.Literal(BRIEF_CHARACTERS),
        )

    metrics = {"count": item("count({0})")}
    if one.shape in _ORDERED:
        bound = "{v}"
        if one.shape == "text":
            bound = "(CASE WHEN octet_length({0}) <= {brief} THEN {0} ELSE left({0}, {start}) END)"
            bound += ' COLLATE "C"'
        metrics |= {"min": item(f"min({bound})"), "max": item(f"max({bound})")}
    match one.shape:
        case "text" | "bytes":
            metrics["bytes"] = item("coalesce(sum(octet_length({0})), 0)")
        case "bool":
            metrics["true"] = item("count(*) FILTER (WHERE {0})")
        case "json":
            metrics["elements"] = item(
                "coalesce(sum(CASE WHEN jsonb_typeof({0}) = 'array'"
                " THEN jsonb_array_length({0}) END), 0)"
            )
        case "whole":
            metrics |= {"min": item("min({0})"), "max": item("max({0})")}
            metrics["sum"] = item("coalesce(sum({0}), 0)")
            metrics["sizes"] = item("coalesce(sum(abs({0}::numeric)), 0)")
        case "real":
            metrics |= {metric: item(text) for metric, text in (_NUMBERS | _REALS).items()}
        case "numeric":
            metrics |= {metric: item(text) for metric, text in (_NUMBERS | _NUMERICS).items()}
    return metrics
