"""Columns as figures are asked of them: which values they hold, on either side.

For       The aggregates of every column, and the named ones.
Touches   Nothing.
Promises  A column is paired with exactly those values of its path that its plan sends there. Where
          numbers of one path stand in several columns, they are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from landbridge.model.kinds import NUMBERS, Kind
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, TablePlan
from landbridge.verify.expressions import Expression, of_kinds, value_at, when

Shape = Literal[
    "whole",  # bigint
    "real",  # double precision
    "numeric",
    "text",
    "bool",
    "time",
    "hex",  # the digits of an ObjectId
    "uuid",
    "bytes",
    "json",
    "opaque",  # only whether there is a value can be asked
]

_NUMBER_OPS = (Op.INT8, Op.FLOAT8, Op.INT_FLOAT8, Op.NUMERIC)
_NUMBER_SHAPES: dict[str, Shape] = {
    "bigint": "whole",
    "double precision": "real",
    "numeric": "numeric",
}
_SHAPES: dict[Op, Shape] = {
    Op.INT8: "whole",
    Op.FLOAT8: "real",
    Op.INT_FLOAT8: "real",
    Op.NUMERIC: "numeric",
    Op.TEXT: "text",
    Op.TEXT_KEY: "text",
    Op.BOOL: "bool",
    Op.TIMESTAMP: "time",
    Op.OID_TEXT: "hex",
    Op.OID_BYTES: "hex",
    Op.UUID: "uuid",
    Op.BYTES: "bytes",
    Op.JSON: "json",
    Op.EXTENDED: "json",
    Op.COUNT: "whole",
    Op.PLAIN_TEXT: "opaque",
    Op.EXTENDED_TEXT: "opaque",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One column, or the columns of one path's numbers: its values on both sides."""

    name: str
    path: Path
    shape: Shape
    source: Expression
    target: sql.Composable  # over the row `t`


def asked_of(plan: Plan) -> list[Asked]:
    """Return the columns of a stream's own table that hold values of documents."""
    main = plan.main
    fields = dict(main.walk())
    ids = [i for i, column in enumerate(main.columns) if column.role is Role.ID]
    found: list[Asked] = []
    done: set[Path] = set()  # of numbers
    for index, column in enumerate(main.columns):
        if column.role not in (Role.VALUE, Role.ID) or (column.role is Role.ID and len(ids) > 1):
            continue  # a column of mixed ids may keep what another has a place for now
        field = fields.get(column.path)
        ops = {slot.op for slot in field.slots if slot.column == index} if field else set()
        shapes = {_SHAPES[op] for op in ops if op in _SHAPES}
        if field is None or not shapes:
            continue
        if column.family == "number" and column.role is Role.VALUE:
            if column.path not in done:
                done.add(column.path)
                found.append(_numbers(main, field, column.path))
            continue
        kinds = {slot.kind for slot in field.slots if slot.column == index}
        if Kind.BINARY in kinds and _has_other_binaries(main, column):
            continue  # the source can't tell subtypes apart
        at = value_at(column.path)
        value = of_kinds(at, kinds, only_empty=field.descend)
        if Op.COUNT in ops:
            value = when({"$isArray": [at]}, {"$size": at})
        shape = shapes.pop() if len(shapes) == 1 else "opaque"
        there: sql.Composable = _plain(column)
        if Op.OID_BYTES in ops:
            there = sql.SQL("encode({}, 'hex')").format(there)
        found.append(Asked(column.name, column.path, shape, value, there))
    return found


def _numbers(table: TablePlan, field: Field, path: Path) -> Asked:
    """Take the columns of one path's numbers as one: an older row may keep them in any."""
    columns = [c for c in table.columns if c.path == path and c.family == "number"]
    name = columns[0].name
    if len(columns) == 1:
        kinds = {slot.kind for slot in field.slots if slot.op in _NUMBER_OPS}
        shape = _NUMBER_SHAPES[columns[0].type]
        return Asked(name, path, shape, of_kinds(value_at(path), kinds), _plain(columns[0]))
    together = sql.SQL("coalesce({})").format(sql.SQL(", ").join(map(_exact_number, columns)))
    return Asked(name, path, "numeric", of_kinds(value_at(path), NUMBERS), together)


def _exact_number(column: Column) -> sql.Composed:
    # By way of text: the direct cast keeps fifteen digits.
    form = "{}::text::numeric" if column.type == "double precision" else "{}::numeric"
    return sql.SQL(form).format(_plain(column))


def _plain(column: Column) -> sql.Identifier:
    return sql.Identifier("t", column.name)


def _has_other_binaries(table: TablePlan, column: Column) -> bool:
    families = {c.family for c in table.columns if c.path == column.path}
    return sum(family == "binary" or family.startswith("binary_") for family in families) > 1
