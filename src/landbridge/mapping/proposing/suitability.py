"""How well the values of a field suit a column: the cast, the share it takes, what is in the way.

For       Proposing a mapping.
Touches   Nothing.
Promises  What is said of the values comes from counts of a profile, never from their names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from landbridge.mapping.profile import NUMBERS, FieldProfile
from landbridge.mapping.proposing.wording import label_key
from landbridge.mapping.rules import Cast
from landbridge.model.relational import Enumeration, RelationalColumn

INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63, "oid": 32}  # bits of the value
FRACTIONS = ("numeric", "real", "double precision", "money")
TEXTS = ("text", "character varying", "character", "citext", "name")

_CASTS: dict[str, Cast] = {
    **dict.fromkeys(INTEGERS, "integer"),
    **dict.fromkeys(FRACTIONS, "number"),
    **dict.fromkeys(TEXTS, "text"),
    "boolean": "boolean",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
    "date": "date",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "json",
    "bytea": "bytes",
}
# What PostgreSQL makes by itself or what no document holds.
_NEVER = ("tsvector", "tsquery", "xid", "pg_lsn")

# Cast -> the kinds it takes whole, and the formats of strings.
_KINDS: dict[Cast, tuple[str, ...]] = {
    "text": ("string", "objectId", "uuid", "int", "long", "double", "decimal", "bool", "date"),
    "integer": ("int", "long", "double", "decimal"),
    "number": NUMBERS,
    "boolean": ("bool",),
    "timestamp": ("date",),
    "date": ("date",),
    "uuid": ("uuid",),
    "bytes": ("binary",),
}
_FORMATS: dict[Cast, tuple[str, ...]] = {
    "integer": ("integer", "grouped"),
    "number": ("integer", "number", "grouped"),
    "boolean": ("boolean",),
    "timestamp": ("moment", "day"),
    "date": ("moment", "day"),
    "uuid": ("uuid",),
}

_QUOTED = re.compile(r"'((?:[^']|'')*)'(?:::.+)?", re.DOTALL)
_NUMBER = re.compile(r"\(?(-?\d+(?:\.\d+)?)\)?(?:::.+)?")
_EMPTY_ARRAY = re.compile(r"ARRAY\[\](?:::.+)?|'\{\}'::.+\[\]")
_TIMES = ("seconds", "milliseconds")
_WORDS = {
    "date": "date",
    "objectId": "ObjectId",
    "uuid": "UUID",
    "hex24": "string of 24 hex digits",
    "moment": "string with a date and time",
    "day": "string with a date",
    "integer": "string with a number",
    "number": "string with a number",
    "grouped": "string with a number and commas",
    "boolean": "string with a truth value",
    "text": "string",
}


def cast_of(column: RelationalColumn) -> Cast | None:
    """Return what a value becomes in a column, None where nothing can be written to it."""
    if column.generated or column.base in _NEVER:
        return None
    if column.array:
        return "array"
    return element_cast(column)


def element_cast(column: RelationalColumn) -> Cast:
    """Return the cast of a column without regard to its being an array."""
    return "enum" if column.enum else _CASTS.get(column.base, "text")


def fit(field: FieldProfile, column: RelationalColumn, cast: Cast) -> float:
    """Return which part of the values that a field has the cast takes, 0 to 1."""
    if not field.present:
        return 0.5  # nothing speaks against it
    if cast == "json":
        return 1.0
    if cast == "array":
        if field.element is None:
            return field.share("array")
        single = replace(column, array=False)
        inner = fit(field.element, single, element_cast(single))
        return field.share("array") * (inner if field.element.present else 1)
    if cast == "enum":
        return enum_fit(field, column.enum) if column.enum else 0.0
    taken = sum(field.kinds.get(kind, 0) for kind in _KINDS.get(cast, ()))
    taken += sum(field.formats.get(form, 0) for form in _FORMATS.get(cast, ()))
    if cast == "integer":
        taken -= field.marks.get("fraction", 0)
    if cast == "boolean":
        taken += field.marks.get("flag", 0)
    if cast in ("timestamp", "date"):
        taken += sum(field.marks.get(mark, 0) for mark in _TIMES)
    share = max(0, taken) / field.present
    if cast == "text":
        # A number in a text column is possible, and seldom what is meant.
        share *= 0.6 + 0.4 * field.share("string", "objectId", "uuid")
    return share


def enum_fit(field: FieldProfile, enum: Enumeration) -> float:
    """Return which part of the values is a label, in any spelling."""
    if field.values is None:
        return 0.0
    labels = {label_key(label) for label in enum.labels}
    taken = sum(count for value, count in field.values.items() if label_key(value) in labels)
    return taken / field.present


def value_map(
    field: FieldProfile, enum: Enumeration
) -> tuple[dict[str, str], list[tuple[str, int]]]:
    """Return value -> label of an enum, the labels themselves among them, and what has no label."""
    by_key: dict[str, str] = {}
    for label in enum.labels:
        by_key.setdefault(label_key(label), label)
    found = {label: label for label in enum.labels}
    unmapped: list[tuple[str, int]] = []
    for value, count in (field.values or {}).items():
        known = by_key.get(label_key(value))
        if known is None:
            unmapped.append((value, count))
        else:
            found.setdefault(value, known)
    order = {label: place for place, label in enumerate(enum.labels)}
    values = sorted(found, key=lambda value: (order[found[value]], value))
    unmapped.sort(key=lambda each: (-each[1], each[0]))
    return {value: found[value] for value in values}, unmapped


def default_of(column: RelationalColumn) -> Any:
    """Return the value that a column's default is, None where it is an expression or none."""
    text = column.default
    if text is None:
        return None
    if _EMPTY_ARRAY.fullmatch(text):
        return []
    if text in ("true", "false"):
        return text == "true"
    if match := _QUOTED.fullmatch(text):
        value = match[1].replace("''", "'")
        if element_cast(column) in ("integer", "number") and _NUMBER.fullmatch(value):
            return _number(value)
        return value if element_cast(column) in ("text", "enum") and not column.array else None
    if match := _NUMBER.fullmatch(text):
        return _number(match[1])
    return None


def _number(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def seen(field: FieldProfile) -> str:
    """Return what a field holds: `97 % date, 3 % string like 2021-…`."""
    parts: list[tuple[int, str, str]] = []
    for kind, count in field.kinds.items():
        if kind == "null":
            continue
        if kind == "string":
            parts += [
                (number, _WORDS.get(form, "string"), field.examples.get(form, ""))
                for form, number in field.formats.items()
            ]
        else:
            parts.append((count, _WORDS.get(kind, kind), field.examples.get(kind, "")))
    parts.sort(key=lambda part: (-part[0], part[1]))
    if len(parts) == 1:
        return parts[0][1]
    shown = []
    for place, (count, kind, example) in enumerate(parts):
        like = f" like {example}" if example and place and kind != "date" else ""
        shown.append(f"{percent(count / field.present)} {kind}{like}")
    return ", ".join(shown)


def percent(share: float) -> str:
    """Return a share as people write it: `97 %`, `< 1 %`."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share * 100:.0f} %"


def bounds(field: FieldProfile, column: RelationalColumn) -> list[str]:
    """Return what is too long or too large for the column."""
    found = []
    if column.length is not None and field.longest > column.length:
        found.append(f"the longest has {field.longest} characters, the column {column.length}")
    bits = INTEGERS.get(column.base)
    if bits is not None and not column.array and field.high is not None and field.low is not None:
        highest = (1 << bits) - 1
        if field.high > highest or field.low < -highest - 1:
            worst = field.high if field.high > highest else field.low
            found.append(f"{worst:.0f} is out of the range of {column.base}")
    if column.base == "numeric" and column.precision is not None and field.high is not None:
        digits = column.precision - (column.scale or 0)
        if max(abs(field.high), abs(field.low or 0)) >= 10**digits:
            found.append(f"{field.high:g} has more digits than {column.type}")
    if column.base == "numeric" and column.precision is not None:
        scale = column.scale or 0
        if longer := sum(count for digits, count in field.decimals.items() if digits > scale):
            found.append(f"{longer} with more than {scale} decimals, and nothing is rounded")
    return found


def misfits(field: FieldProfile, cast: Cast) -> Sequence[str]:
    """Return examples of what a cast doesn't take."""
    own = _KINDS.get(cast, ())
    forms = _FORMATS.get(cast, ())
    found = []
    for kind, count in sorted(field.kinds.items()):
        if kind in ("null", "string") or kind in own:
            continue
        if cast in ("boolean", "timestamp", "date") and kind in NUMBERS:
            continue
        found.append(f"{count} {_WORDS.get(kind, kind)}")
    meant = {"boolean": ("flag",), "timestamp": _TIMES, "date": _TIMES}.get(cast)
    if meant is not None:
        numbers = sum(field.kinds.get(kind, 0) for kind in NUMBERS)
        if other := numbers - sum(field.marks.get(mark, 0) for mark in meant):
            found.append(f"{other} other numbers")
    if cast == "integer" and (broken := field.marks.get("fraction", 0)):
        found.append(f"{broken} not whole")
    if cast != "text" and forms:
        found += [
            f"{count} like “{field.examples.get(form, '')}”"
            for form, count in sorted(field.formats.items())
            if form not in forms
        ]
    return found
