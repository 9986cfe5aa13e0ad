"""Tallies: the figures of a column, added up from what documents should have become.

For       The mode `aggregate` through a mapping, where the source can't be asked for them.
Touches   Nothing.
Promises  The figures are those that `judging` takes of the source; memory is bounded.
"""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

from psycopg import sql

from landbridge.model.relational import RelationalColumn
from landbridge.verify.columns import Asked, Shape
from landbridge.verify.figures import BRIEF_BYTES, BRIEF_CHARACTERS
from landbridge.verify.mapped.casts import FLOAT_TYPES, NEGATIVE_ZERO, TIME_TYPES, WHOLE_TYPES
from landbridge.verify.shown import shown, time_text

DISTINCT_MAX = 10_000
_TEXTS = frozenset({"text", "character varying", "character", "name", "citext"})
_DAY_MS = 86_400_000


def shape_of(column: RelationalColumn) -> Shape:
    """Return which figures a column has."""
    if column.array:
        return "opaque"
    base = column.base
    if base in WHOLE_TYPES:
        return "whole"
    if base in FLOAT_TYPES:
        return "real"
    if base in TIME_TYPES:
        return "time"
    if column.enum is not None or base in _TEXTS:
        return "text"
    shapes: dict[str, Shape] = {
        "numeric": "numeric",
        "boolean": "bool",
        "date": "hex",  # sorts as its text does
        "uuid": "uuid",
    }
    return shapes.get(base, "opaque")


def asked_of(column: RelationalColumn, source: str) -> Asked:
    """Return a column as the target is asked for it; `source` is its path in the document."""
    shape = shape_of(column)
    form = "{}::text" if shape in ("text", "hex") else "{}"
    if column.base == "date":
        form = "to_char({}, 'YYYY-MM-DD')"
    if shape == "real":
        form = "{}::double precision"
    value = sql.SQL(form).format(sql.Identifier("t", column.name))
    return Asked(column.name, tuple(source.split(".")), shape, None, value)


def in_figures(shape: Shape, value: Any) -> Any:
    """Return a derived value as the figures of its shape have it."""
    match shape:
        case "time" if isinstance(value, int):
            return Decimal(value) / 1000
        case "hex" if isinstance(value, int):
            return time_text(value * _DAY_MS)[:10]
        case "real" if value == NEGATIVE_ZERO:
            return -0.0  # grouped and added up it is 0
        case "uuid":
            return UUID(str(value)).bytes
    return value


class Tally:
    """The figures of one column, so far."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.judged = True  # False once a row holds what the table itself sets
        self.figures: dict[str, Any] = {"count": 0, "min": None, "max": None}
        self.figures |= dict.fromkeys(("nan", "doubles", "bytes", "true"), 0)
        self.figures |= {"sum": Decimal(0), "rounded": 0.0}
        self.values: Counter[Any] | None = None if shape == "opaque" else Counter()
        self._sum = Fraction(0)

    def add(self, value: Any) -> None:
        """Count one value; nothing is none."""
        if value is None:
            return
        figures = self.figures
        figures["count"] += 1
        if self.shape == "opaque":
            return
        value = in_figures(self.shape, value)
        if self.values is not None:
            self.values[value] += 1
            if len(self.values) > DISTINCT_MAX:
                self.values = None
        match self.shape:
            case "bool":
                figures["true"] += value is True
                return
            case "text":
                size = len(value.encode())
                figures["bytes"] += size
                value = value if size <= BRIEF_BYTES else value[:BRIEF_CHARACTERS]
            case "whole" | "real" | "numeric":
                if isinstance(value, str):
                    figures["nan"] += value == "NaN"
                    if value == "NaN":
                        return
                    value = float(value)
                elif isinstance(value, float):
                    figures["doubles"] += 1
                    figures["rounded"] += value if math.isfinite(value) else 0.0
                else:
                    self._sum += Fraction(value)
        figures["min"] = value if figures["min"] is None else min(figures["min"], value)
        figures["max"] = value if figures["max"] is None else max(figures["max"], value)

    def taken(self) -> dict[str, Any]:
        """Return the figures."""
        figures = self.figures | {"sum": self._sum}
        if self.shape == "time":
            for bound in ("min", "max"):
                figures[bound] = written(self.shape, figures[bound])
        return figures


def written(shape: Shape, value: Any) -> Any:
    """Return a value of the figures as it is shown."""
    if shape == "time" and isinstance(value, Decimal):
        return time_text(value)
    return shown(value)
