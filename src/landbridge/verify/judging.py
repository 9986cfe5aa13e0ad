"""Judging: whether the figures of two servers are the same, as far as figures can tell.

For       The mode `aggregate`.
Touches   Nothing.
Promises  No false alarm: what depends on the order of adding up, or on an estimate, is held
          against a column only beyond what that explains.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from landbridge.model.verification import Aggregate
from landbridge.verify.columns import Asked
from landbridge.verify.figures import Figures, plain
from landbridge.verify.shown import exact, fraction, shown, time_text, uuid_text

RELATIVE_TOLERANCE = Fraction(1, 10**9)
ROUNDING = Fraction(1, 2**50)  # what adding one double to others may cost, of the sum of sizes
DIGITS_EXACT = 34  # of decimal128, which the source adds up in


def judged(
    one: Asked,
    source: Figures,
    target: Figures,
    documents: int,
    rows: int,
    *,
    escaped: bool = False,
    by_bytes: bool = True,
    reliable: bool = True,
) -> Iterator[Aggregate]:
    """Yield a column's figures, compared.

    `documents`, `rows`: how many there are on each side. `escaped`: NUL in strings is written
    otherwise. `by_bytes`: the source sorts strings so. `reliable`: False where some values may lie
    elsewhere; then nothing is judged.
    """

    def figure(
        metric: str, left: Any, right: Any, *, sure: bool = True, close: bool = False
    ) -> Aggregate:
        return Aggregate(one.name, {}, metric, left, right, sure and reliable, close)

    yield figure("count", source["count"], target["count"])
    yield figure("nulls", documents - source["count"], rows - target["count"])
    if not source["count"] and not target["count"]:
        return
    match one.shape:
        case "whole" | "real" | "numeric":
            yield from _numbers(one, source, target, figure)
        case "text":
            for metric in ("min", "max"):
                left, right = shown(source[metric]), shown(target[metric])
                yield figure(metric, left, right, sure=by_bytes and not escaped)
            yield figure("bytes", source["bytes"], int(target["bytes"]), sure=not escaped)
        case "time":
            for metric in ("min", "max"):
                there = target[metric]
                yield figure(
                    metric, shown(source[metric]), None if there is None else time_text(there)
                )
        case "hex":
            for metric in ("min", "max"):
                yield figure(metric, shown(source[metric]), target[metric])
        case "uuid":
            for metric in ("min", "max"):
                here = source[metric]
                yield figure(metric, None if here is None else uuid_text(here), target[metric])
        case "bytes" | "json" | "bool":
            metric = {"bytes": "bytes", "json": "elements", "bool": "true"}[one.shape]
            yield figure(metric, source[metric], int(target[metric]))


def _numbers(one: Asked, source: Figures, target: Figures, figure: Any) -> Iterator[Aggregate]:
    if source.get("nan") or target.get("nan"):
        yield figure("nan", source["nan"], target["nan"])
    doubles = bool(source.get("doubles"))
    for metric in ("min", "max"):
        left, right = source[metric], target[metric]
        if one.shape == "numeric" and isinstance(left, float) and math.isfinite(left):
            left = Decimal(repr(left))  # as the column has it
        # Where a double and a decimal are written alike, the source takes them for two.
        close = one.shape == "numeric" and doubles and _near(left, right)
        yield figure(metric, shown(left), shown(right), close=close)
    rounded = exact(source.get("rounded", 0))
    left = Fraction(0)
    total = source.get("sum") or 0
    if isinstance(total, float):  # integers whose sum is past int64: the source rounds it
        rounded = exact(total)
    else:
        left = Fraction(total)
    right = Fraction(target["sum"]) + Fraction(target.get("huge", 0))
    sizes = Fraction(target.get("sizes", 0)) + Fraction(target.get("huge_sizes", 0))
    if not isinstance(rounded, Fraction):  # the doubles' sum is past what a double holds
        yield figure("sum", shown(rounded), fraction(right), sure=False)
        return
    inexact = doubles or one.shape == "real" or isinstance(total, float)
    inexact = inexact or (one.shape == "numeric" and _digits(sizes, target["sum"]) > DIGITS_EXACT)
    allowed = min(RELATIVE_TOLERANCE, ROUNDING * (target["count"] + 16)) * sizes
    close = inexact and abs(left + rounded - right) <= allowed
    yield figure("sum", fraction(left + rounded), fraction(right), close=close)


def _near(left: Any, right: Any) -> bool:
    one, other = exact(plain(left)), exact(plain(right))
    if isinstance(one, Fraction) and isinstance(other, Fraction):
        return abs(one - other) <= RELATIVE_TOLERANCE * max(abs(one), abs(other))
    return one == other


def _digits(sizes: Fraction, total: Any) -> int:
    """Return how many digits an exact sum may take on its way."""
    scale = 0
    if isinstance(total, Decimal):
        exponent = total.as_tuple().exponent
        scale = max(0, -exponent) if isinstance(exponent, int) else 0
    return int(int(sizes).bit_length() * math.log10(2)) + 1 + scale
