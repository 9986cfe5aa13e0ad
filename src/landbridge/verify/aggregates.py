"""Aggregates: every column's figures on both sides, and how often each of its few values comes.

For       The mode `aggregate`.
Touches   Both ends, by aggregating; nothing of a document leaves its server but the figures.
Promises  What can't be compared without a false alarm is shown and not judged, or left out by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.tables import TableName
from landbridge.model.verification import Aggregate, StreamVerdict
from landbridge.mongo.connect import Connection
from landbridge.postgres.catalog import check_columns
from landbridge.verify import answers, cardinality, counts, figures, rows
from landbridge.verify.columns import Asked, asked_of
from landbridge.verify.expressions import value_at
from landbridge.verify.judging import judged
from landbridge.verify.named import NamedAggregate
from landbridge.verify.pairs import Pair

LEFT_OUT_MAX = 10_000  # documents in quarantine that an aggregation is told to pass over


def compare(
    mongo: Connection,
    target: psycopg.Connection[Any],
    pair: Pair,
    named: Sequence[NamedAggregate] = (),
) -> StreamVerdict:
    """Count on both sides, and ask both for the figures of each column and what is named."""
    with target.transaction():
        # All figures of the target are of one moment.
        target.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        verdict = replace(counts.compare(mongo, target, pair), mode="aggregate")
        if pair.plan is None or not rows.exists(target, pair.table):
            return verdict
        check_columns(target, pair.table, pair.plan.main.columns)
        held = rows.held_documents(target, pair)
        if held.unreadable or len(held.ids) > LEFT_OUT_MAX:
            note = f"{verdict.quarantined:,} documents are in quarantine: only counts are compared"
            return replace(verdict, notes=(*verdict.notes, note))
        found, notes = _columns(mongo, target, pair, verdict, named, list(held.ids))
        found += _arrays(mongo, target, pair, list(held.ids))
    return replace(verdict, aggregates=tuple(found), notes=(*verdict.notes, *notes))


def _columns(
    mongo: Connection,
    target: psycopg.Connection[Any],
    pair: Pair,
    verdict: StreamVerdict,
    named: Sequence[NamedAggregate],
    left_out: list[Any],
) -> tuple[list[Aggregate], list[str]]:
    assert pair.plan is not None
    relation, asked = rows.current_rows(pair), asked_of(pair.plan)
    escaped, by_bytes = pair.settings.nul == "escape", figures.by_bytes(pair.collection)
    documents = verdict.source_count - verdict.quarantined
    moved = _moved(target, relation) if pair.plan.main.rest >= 0 else frozenset()
    here = figures.ask_source(mongo, pair.collection, asked, left_out)
    there = figures.ask_target(target, relation, asked)
    found: list[Aggregate] = []
    counted = []
    for one, left, right in zip(asked, here, there, strict=True):
        reliable = one.path[0] not in moved
        found += judged(
            one,
            left,
            right,
            documents,
            verdict.target_count,
            escaped=escaped,
            by_bytes=by_bytes,
            reliable=reliable,
        )
        # A double and a decimal that are written alike are two values there, and one here.
        exact = reliable and not (one.shape == "numeric" and left["doubles"])
        exact = exact and (by_bytes or one.shape != "text")
        counted.append(cardinality.Counted(one, left["count"], right["count"], exact))
    found += cardinality.compare(
        mongo, target, pair.collection, relation, counted, left_out, escaped=escaped
    )
    for wanted in named:
        paths = [*wanted.group, *(one.path for one in wanted.match), wanted.of or ""]
        reliable = by_bytes and moved.isdisjoint(path.split(".")[0] for path in paths)
        found += answers.answer(
            mongo, target, pair.collection, relation, asked, wanted, left_out, reliable=reliable
        )
    notes = []
    if moved:
        notes.append(f"not judged, as _rest holds some of their values: {_listed(asked, moved)}")
    return found, notes


def _moved(target: psycopg.Connection[Any], relation: sql.Composable) -> frozenset[str]:
    """Return the first names of the paths of which some values lie in `_rest`."""
    found = target.execute(
        sql.SQL("SELECT DISTINCT jsonb_object_keys(t._rest) FROM {}").format(relation)
    )
    return frozenset(name for (name,) in found)


def _listed(asked: list[Asked], moved: frozenset[str]) -> str:
    return ", ".join(one.name for one in asked if one.path[0] in moved) or "no column"


def _arrays(
    mongo: Connection, target: psycopg.Connection[Any], pair: Pair, left_out: list[Any]
) -> Iterator[Aggregate]:
    """Yield how many elements each array has that is a table of its own."""
    assert pair.plan is not None
    for plan, table in zip(pair.plan.tables[1:], pair.tables()[1:], strict=True):
        check_columns(target, table, plan.columns)
        at = value_at(plan.array_path)
        size = {"$cond": [{"$isArray": [at]}, {"$size": at}, 0]}
        stages = [{"$group": {"_id": None, "n": {"$sum": size}}}]
        here = figures.aggregate(mongo, pair.collection, stages, left_out)
        row = target.execute(_elements(pair, table)).fetchone()
        source, there = (here[0]["n"] if here else 0), (row[0] if row else 0)
        yield Aggregate(table.name, {}, "count", source, there)


def _elements(pair: Pair, table: TableName) -> sql.Composed:
    count = sql.SQL("SELECT count(*) FROM {}").format(rows.identifier(table))
    if not rows.marks_deleted(pair) or pair.plan is None:
        return count
    return sql.SQL("{} WHERE _parent_id IN (SELECT {} FROM {})").format(
        count, sql.Identifier(pair.plan.key_column or "_id"), rows.current_rows(pair)
    )
