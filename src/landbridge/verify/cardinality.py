"""Cardinality: how many distinct values a column has, and how often each of a few.

For       The mode `aggregate`.
Touches   Both ends: a sample of every column; one more pass for those with few values.
Promises  A count is compared only where it is exact on both sides; an estimate is shown and held
          against nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.stream import Collection
from landbridge.model.verification import Aggregate
from landbridge.mongo.connect import Connection
from landbridge.verify.columns import Asked
from landbridge.verify.expressions import Expression, when
from landbridge.verify.figures import aggregate, comparable
from landbridge.verify.shown import shown

SAMPLE = 20_000  # documents, and rows
COUNTED_MAX = 2_000  # distinct values of a sample, up to which all are counted
GROUPED_MAX = 50  # distinct values, up to which each is counted
FEW = 10  # distinct values that are counted, however seldom they come
GROUPED_BYTES_MAX = 200  # longer texts are no group
PIPELINES_AT_ONCE = 50
_COUNTABLE = ("whole", "real", "numeric", "text", "bool", "time", "hex", "uuid")
_GROUPED = ("text", "bool")
_SIGN_OF_NUL = "\N{SYMBOL FOR NULL}"


def tells_groups(distinct: int, values: int) -> bool:
    """Whether the values of a column are few enough, and come often enough, to count each."""
    return distinct <= GROUPED_MAX and (distinct <= FEW or 2 * distinct <= values)


_Groups = dict[Any, tuple[int | None, int | None]]  # value: how often, on both sides


@dataclass(frozen=True, slots=True)
class Sample:
    """What a part of a column's values says: how many, how many distinct, and seen once."""

    values: int
    distinct: int
    once: int

    def estimate(self, total: int) -> int:
        """Return about how many distinct values a column with so many values has."""
        if not self.values or total <= self.values:
            return self.distinct
        unseen = self.once * (1 - self.values / total)
        return min(total, round(self.values * self.distinct / max(self.values - unseen, 1)))


@dataclass(frozen=True, slots=True)
class Counted:
    """A column, how many values it has on both sides, and whether it may be judged by them."""

    asked: Asked
    source_values: int
    target_values: int
    exact: bool = True


def compare(
    mongo: Connection,
    target: psycopg.Connection[Any],
    collection: Collection,
    rows: sql.Composable,
    columns: Sequence[Counted],
    left_out: Sequence[Any],
    *,
    escaped: bool = False,
) -> Iterator[Aggregate]:
    """Yield the distinct counts of columns, and the groups of those with few values.

    `escaped`: NUL in strings is written otherwise.
    """
    chosen = [one for one in columns if one.asked.shape in _COUNTABLE and one.source_values]
    asked = [one.asked for one in chosen]
    if not chosen:
        return
    here = _sample_source(mongo, collection, asked, left_out)
    there = _sample_target(target, rows, asked)
    grouped, counted = [], []
    for i, one in enumerate(chosen):
        if one.asked.shape in _GROUPED and tells_groups(there[i].distinct, there[i].values):
            grouped.append(i)
        elif one.exact and there[i].distinct <= min(COUNTED_MAX, there[i].values // 4):
            counted.append(i)
    answers = _full_pass(mongo, collection, asked, grouped, counted, left_out)
    for i, one in enumerate(chosen):
        name = one.asked.name
        if i in counted:
            yield Aggregate(name, {}, "distinct", answers[i], distinct_of(target, rows, asked[i]))
            continue
        groups = None
        if i in grouped:
            there_too = groups_of(target, rows, asked[i])
            if escaped and one.asked.shape == "text":
                there_too = [(unescaped(value), count) for value, count in there_too]
            groups = _together(answers[i], there_too)
        if groups is not None:
            yield from _of_groups(one, groups)
            continue
        whole = one.source_values <= here[i].values and one.target_values <= there[i].values
        yield Aggregate(
            name,
            {},
            "distinct",
            here[i].estimate(one.source_values),
            there[i].estimate(one.target_values),
            judged=whole and one.exact,
        )


def _of_groups(one: Counted, groups: _Groups) -> Iterator[Aggregate]:
    """Yield how often each value comes, and how many there are."""
    name = one.asked.name
    here = sum(source is not None for source, _ in groups.values())
    there = sum(found is not None for _, found in groups.values())
    yield Aggregate(name, {}, "distinct", here, there, judged=one.exact)
    if len(groups) > 1 or one.asked.shape == "bool":
        for value, (source, found) in groups.items():
            yield Aggregate(name, {name: value}, "count", source or 0, found or 0, one.exact)


# -- the source ---------------------------------------------------------------------------


def _sample_source(
    mongo: Connection, collection: Collection, asked: Sequence[Asked], left_out: Sequence[Any]
) -> list[Sample]:
    def of(name: str) -> list[Expression]:
        each = {"$group": {"_id": f"${name}", "n": {"$sum": 1}}}
        once = {"$sum": {"$cond": [{"$eq": ["$n", 1]}, 1, 0]}}
        whole = {"_id": None, "n": {"$sum": "$n"}, "d": {"$sum": 1}, "o": once}
        return [{"$match": {name: {"$exists": True}}}, each, {"$group": whole}]

    found = []
    for part in _parts(list(range(len(asked)))):
        values = {f"c{i}": asked[i].source for i in part}
        stages = [
            {"$limit": SAMPLE},
            {"$project": {"_id": 0} | values},
            {"$facet": {name: of(name) for name in values}},
        ]
        answer = aggregate(mongo, collection, stages, left_out)[0]
        for name in values:
            one = answer[name][0] if answer[name] else {"n": 0, "d": 0, "o": 0}
            found.append(Sample(one["n"], one["d"], one["o"]))
    return found


def _full_pass(
    mongo: Connection,
    collection: Collection,
    asked: Sequence[Asked],
    grouped: Sequence[int],
    counted: Sequence[int],
    left_out: Sequence[Any],
) -> dict[int, Any]:
    """Read all documents once more: the groups of some columns, the distinct counts of others."""
    found: dict[int, Any] = {}
    for part in _parts([*grouped, *counted]):
        pipelines: dict[str, Expression] = {}
        values: dict[str, Expression] = {}
        for i in part:
            name, value = f"c{i}", asked[i].source
            values[name] = _short(value) if asked[i].shape == "text" and i in grouped else value
            there = {"$match": {name: {"$exists": True}}}
            if i in grouped:
                group = {"$group": {"_id": f"${name}", "n": {"$sum": 1}}}
                order = {"$sort": {"n": -1, "_id": 1}}
                pipelines[name] = [there, group, order, {"$limit": GROUPED_MAX + 1}]
            else:
                pipelines[name] = [there, {"$group": {"_id": f"${name}"}}, {"$count": "n"}]
        stages = [{"$project": {"_id": 0} | values}, {"$facet": pipelines}]
        answer = aggregate(mongo, collection, stages, left_out)[0]
        for i in part:
            rows = answer[f"c{i}"]
            if i in grouped:
                found[i] = [(row["_id"], row["n"]) for row in rows]
            else:
                found[i] = rows[0]["n"] if rows else 0
    return found


def _short(value: Expression) -> Expression:
    size = {"$strLenBytes": {"$ifNull": [value, ""]}}
    return when({"$lte": [size, GROUPED_BYTES_MAX]}, value)


# -- the target ---------------------------------------------------------------------------


def _sample_target(
    target: psycopg.Connection[Any], rows: sql.Composable, asked: Sequence[Asked]
) -> list[Sample]:
    found = []
    for part in _parts(list(range(len(asked)))):
        values = [
            sql.SQL("{} AS {}").format(_brief(asked[i]), sql.Identifier(f"c{i}")) for i in part
        ]
        counts = [
            sql.SQL(
                "SELECT {i}, coalesce(sum(n), 0)::bigint, count(*), count(*) FILTER (WHERE n = 1)"
                " FROM (SELECT count(*) AS n FROM part WHERE {c} IS NOT NULL GROUP BY {c}) AS g"
            ).format(i=sql.Literal(i), c=sql.Identifier(f"c{i}"))
            for i in part
        ]
        query = sql.SQL(
            "WITH part AS MATERIALIZED (SELECT {} FROM {} LIMIT {}) {} ORDER BY 1"
        ).format(
            sql.SQL(", ").join(values),
            rows,
            sql.Literal(SAMPLE),
            sql.SQL(" UNION ALL ").join(counts),
        )
        found += [Sample(*row[1:]) for row in target.execute(query)]
    return found


def _brief(one: Asked) -> sql.Composable:
    """Return the value, a long text by its hash: the server keeps the sample."""
    if one.shape != "text":
        return comparable(one)
    form = "CASE WHEN octet_length({0}) > {max} THEN md5({0}) ELSE {0} END"
    return sql.SQL(form).format(one.target, max=sql.Literal(GROUPED_BYTES_MAX))


def distinct_of(target: psycopg.Connection[Any], rows: sql.Composable, one: Asked) -> int:
    """Count the distinct values of a column."""
    query = sql.SQL(
        "SELECT count(*) FROM (SELECT DISTINCT {v} FROM {rows} WHERE {v} IS NOT NULL) AS d"
    ).format(v=one.target, rows=rows)
    row = target.execute(query).fetchone()
    return int(row[0]) if row else 0


def groups_of(
    target: psycopg.Connection[Any], rows: sql.Composable, one: Asked
) -> list[tuple[Any, int]]:
    """Return how often each value of a column comes, long texts left out, a few at most."""
    short: sql.Composable = sql.SQL("true")
    if one.shape == "text":
        short = sql.SQL("octet_length({}) <= {}").format(one.target, sql.Literal(GROUPED_BYTES_MAX))
    query = sql.SQL(
        "SELECT {v}, count(*) FROM {rows} WHERE {v} IS NOT NULL AND {short}"
        " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {limit}"
    ).format(v=comparable(one), rows=rows, short=short, limit=sql.Literal(GROUPED_MAX + 1))
    return list(target.execute(query))


def unescaped(text: str) -> str:
    """Return a text as the source has it, of one whose NUL is written otherwise."""
    return text.replace(f"{_SIGN_OF_NUL}0", "\0").replace(f"{_SIGN_OF_NUL}1", _SIGN_OF_NUL)


def _together(here: Sequence[tuple[Any, int]], there: Sequence[tuple[Any, int]]) -> _Groups | None:
    """Return the groups of both sides by value; None where there are too many to name."""
    if len(here) > GROUPED_MAX or len(there) > GROUPED_MAX:
        return None
    found: _Groups = {}
    for value, count in here:
        found[shown(value)] = (count, None)
    for value, count in there:
        found[shown(value)] = (found.get(shown(value), (None, None))[0], count)
    return found


def _parts(places: list[int]) -> list[list[int]]:
    return [places[at : at + PIPELINES_AT_ONCE] for at in range(0, len(places), PIPELINES_AT_ONCE)]
