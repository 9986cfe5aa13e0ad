"""What the documents of a collection hold, path by path: kinds, formats, values, gaps.

For       Proposing a mapping, and saying in it what was seen.
Touches   Nothing: documents are handed in.
Promises  Every document that is added counts. Memory is bounded: few distinct values, few
          examples and a limited number of paths are kept, whatever comes.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from bson import Binary, DatetimeMS, Decimal128, Int64, ObjectId
from bson.binary import UUID_SUBTYPE
from bson.dbref import DBRef

VALUES_MAX = 200  # distinct strings of a path, beyond which it is no enum
VALUE_LENGTH_MAX = 80
CANDIDATES_MAX = 100  # values of a path that are looked up among the ids of collections
PATHS_MAX = 2000
FIELDS_MAX = 300  # of one object: more are keys that are data
DEPTH_MAX = 8
UNNAMED_MAX = 20
EXAMPLE_LENGTH_MAX = 40

# What whole numbers may stand for: 1990 to 2100, in seconds and in milliseconds.
_EPOCH_SECONDS = (631_152_000, 4_102_444_800)
_EPOCH_MILLISECONDS = (631_152_000_000, 4_102_444_800_000)

NUMBERS = ("int", "long", "double", "decimal")
_FORMAT = re.compile(
    r"""
    (?P<hex24>[0-9a-fA-F]{24})
  | (?P<integer>[+-]?\d+)
  | (?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?)
  | (?P<grouped>[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?)
  | (?P<day>\d{4}-\d\d-\d\d)
  | (?P<moment>\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?\s?(?:Z|[+-]\d\d(?::?\d\d)?)?)
  | (?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})
  | (?P<boolean>(?i:true|false|yes|no))
  | (?P<email>[^@\s]+@[^@\s]+\.[^@\s]+)
  | (?P<url>https?://\S+)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class FieldProfile:
    """What was seen at one path.

    `kinds` counts values by BSON kind; `formats` counts strings by what they look like; `marks`
    counts numbers that may be something else: `seconds` and `milliseconds` since 1970, `flag`
    (0 and 1), `fraction` (not whole).
    """

    path: str
    absent: int  # in how many documents, or elements of an array, it isn't
    kinds: Mapping[str, int]
    formats: Mapping[str, int]
    marks: Mapping[str, int]
    values: Mapping[str, int] | None  # distinct strings, None where there are many
    examples: Mapping[str, str]  # by kind and by format of strings
    decimals: Mapping[int, int]  # numbers, also in strings, by how many digits follow the point
    low: float | None  # of the numbers
    high: float | None
    longest: int  # characters
    candidates: tuple[Any, ...]  # values that may be ids
    fields: tuple[FieldProfile, ...] = ()  # of objects
    element: FieldProfile | None = None  # of arrays

    @property
    def present(self) -> int:
        """How many values there are, nulls left out."""
        return sum(count for kind, count in self.kinds.items() if kind != "null")

    @property
    def nulls(self) -> int:
        """How many values are null."""
        return self.kinds.get("null", 0)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]

    def share(self, *kinds: str) -> float:
        """Which part of the values is of these kinds, 0 to 1."""
        return sum(self.kinds.get(kind, 0) for kind in kinds) / self.present if self.present else 0

    def walk(self) -> Iterator[FieldProfile]:
        """Yield the fields below, outer ones first; not into arrays."""
        for one in self.fields:
            yield one
            yield from one.walk()


@dataclass(frozen=True, slots=True)
class CollectionProfile:
    """What was seen of a collection."""

    name: str
    documents: int  # that were looked at
    total: int | None  # that there are, None where that is not known
    root: FieldProfile
    truncated: bool = False  # it has more paths than are kept
    unnamed: tuple[str, ...] = ()  # fields that no path leads to: empty names, names with a dot
    unreadable: int = 0  # documents that the driver can't decode

    @property
    def whole(self) -> bool:
        """Whether every document was looked at."""
        return self.total is not None and self.documents + self.unreadable >= self.total

    def candidates(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Yield the values that may be ids, with their paths; `[]` stands after an array's."""
        for one in self.root.walk():
            if one.path == "_id":
                continue
            if one.candidates:
                yield one.path, one.candidates
            if one.element is not None:
                if one.element.candidates:
                    yield f"{one.path}[]", one.element.candidates
                for inner in one.element.walk():
                    if inner.candidates:
                        yield f"{one.path}[].{inner.path}", inner.candidates

    def field(self, path: str) -> FieldProfile | None:
        """Return what was seen at a path outside of arrays."""
        return next((one for one in self.root.walk() if one.path == path), None)


@dataclass(slots=True)
class _Node:
    """What has been seen at a path so far."""

    kinds: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    values: dict[str, int] | None = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    decimals: Counter[int] = field(default_factory=Counter)
    low: float | None = None
    high: float | None = None
    longest: int = 0
    candidates: dict[Any, None] = field(default_factory=dict)
    fields: dict[str, _Node] = field(default_factory=dict)
    element: _Node | None = None


class Profiler:
    """Looks at the documents of one collection, one after another."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._root = _Node()
        self._paths = 0
        self._documents = 0
        self._unreadable = 0
        self._truncated = False
        self._unnamed: dict[str, None] = {}

    def add(self, document: Mapping[str, Any] | None) -> None:
        """Look at a document, decoded by the driver; None for one that it can't decode."""
        if document is None:
            self._unreadable += 1
            return
        self._documents += 1
        self._root.kinds["object"] += 1
        self._object(self._root, document, 0)

    def result(self, total: int | None) -> CollectionProfile:
        """Return what was seen; `total` is how many documents there are."""
        root = _frozen(self._root, "", self._documents)
        unnamed = tuple(sorted(self._unnamed))
        return CollectionProfile(
            self._name, self._documents, total, root, self._truncated, unnamed, self._unreadable
        )

    def _value(self, node: _Node, value: Any, depth: int) -> None:
        if isinstance(value, DBRef):
            value = value.as_doc()
        kind = kind_of(value)
        node.kinds[kind] += 1
        if kind == "string":
            self._string(node, value)
        elif kind == "object":
            self._object(node, value, depth)
        elif kind == "array":
            self._array(node, value, depth)
        elif kind in NUMBERS:
            _number(node, value)
        elif kind == "objectId" or kind == "uuid":
            _candidate(node, value)
        if kind not in node.examples and kind not in ("null", "object", "array"):
            node.examples[kind] = shortened(value)

    def _string(self, node: _Node, text: str) -> None:
        form = format_of(text)
        node.formats[form] += 1
        if form in ("number", "grouped"):
            node.decimals[_decimals_of(text)] += 1
        if form not in node.examples:
            node.examples[form] = shortened(text)
        node.longest = max(node.longest, len(text))
        if len(text) > VALUE_LENGTH_MAX:
            node.values = None
            return
        if node.values is not None:
            node.values[text] = node.values.get(text, 0) + 1
            if len(node.values) > VALUES_MAX:
                node.values = None
        _candidate(node, ObjectId(text) if form == "hex24" else text)

    def _object(self, node: _Node, value: Mapping[str, Any], depth: int) -> None:
        if depth >= DEPTH_MAX:
            return
        for name, below in value.items():
            if not name or "." in name:
                if len(self._unnamed) < UNNAMED_MAX:
                    self._unnamed[name] = None
                continue
            found = node.fields.get(name)
            if found is None:
                if len(node.fields) >= FIELDS_MAX or self._paths >= PATHS_MAX:
                    self._truncated = True
                    continue
                found = node.fields[name] = _Node()
                self._paths += 1
            self._value(found, below, depth + 1)

    def _array(self, node: _Node, value: list[Any], depth: int) -> None:
        if node.element is None:
            node.element = _Node()
        for one in value:
            self._value(node.element, one, depth + 1)


def kind_of(value: Any) -> str:
    """Return the BSON kind of a value that the driver decoded, in the words of a profile."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, Binary):
        return "uuid" if value.subtype == UUID_SUBTYPE else "binary"
    if isinstance(value, Mapping):
        return "object"
    return "other"


_KINDS: dict[type, str] = {
    str: "string",
    bool: "bool",
    int: "int",
    Int64: "long",
    float: "double",
    Decimal128: "decimal",
    dt.datetime: "date",
    DatetimeMS: "date",
    ObjectId: "objectId",
    uuid.UUID: "uuid",
    bytes: "binary",
    list: "array",
    dict: "object",
    type(None): "null",
}


def format_of(text: str) -> str:
    """Return what a string looks like: the name of a group above, or `text`."""
    return _format_of(text) if len(text) <= VALUE_LENGTH_MAX else _look(text)


def _look(text: str) -> str:
    match = _FORMAT.fullmatch(text)
    return match.lastgroup or "text" if match else "text"


# Of short strings many come again and again.
_format_of = lru_cache(maxsize=4096)(_look)


def shortened(value: Any) -> str:
    """Return a value as an example shows it: one short line."""
    text = value.isoformat() if isinstance(value, dt.datetime) else str(value)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= EXAMPLE_LENGTH_MAX else text[: EXAMPLE_LENGTH_MAX - 1] + "…"


def _number(node: _Node, value: Any) -> None:
    number = _float_of(value) if isinstance(value, Decimal128) else value
    if isinstance(number, float) and not math.isfinite(number):
        node.marks["fraction"] += 1
        return
    node.low = number if node.low is None else min(node.low, number)
    node.high = number if node.high is None else max(node.high, number)
    if number != int(number):
        node.marks["fraction"] += 1
        node.decimals[_decimals_of(str(value))] += 1
    elif _EPOCH_SECONDS[0] <= number < _EPOCH_SECONDS[1]:
        node.marks["seconds"] += 1
    elif _EPOCH_MILLISECONDS[0] <= number < _EPOCH_MILLISECONDS[1]:
        node.marks["milliseconds"] += 1
    elif number in (0, 1):
        node.marks["flag"] += 1
    if isinstance(value, int):
        _candidate(node, int(value))


def _decimals_of(text: str) -> int:
    """Return how many digits follow the point of a number."""
    mantissa, _, exponent = text.lower().partition("e")
    digits = len(mantissa.partition(".")[2].rstrip("0"))
    return max(0, digits - int(exponent or 0))


def _float_of(value: Decimal128) -> float:
    number = value.to_decimal()
    return math.nan if number.is_nan() else float(number)


def _candidate(node: _Node, value: Any) -> None:
    if len(node.candidates) < CANDIDATES_MAX:
        node.candidates[value] = None


def _frozen(node: _Node, path: str, possible: int) -> FieldProfile:
    """Return what is known of a node; `possible` is how many documents or elements there are."""
    prefix = f"{path}." if path else ""
    return FieldProfile(
        path=path,
        absent=max(0, possible - sum(node.kinds.values())),
        kinds=dict(node.kinds),
        formats=dict(node.formats),
        marks=dict(node.marks),
        values=node.values,
        examples=node.examples,
        decimals=dict(node.decimals),
        low=node.low,
        high=node.high,
        longest=node.longest,
        candidates=tuple(node.candidates),
        fields=tuple(
            _frozen(below, prefix + name, possible) for name, below in node.fields.items()
        ),
        # Within an element paths begin anew.
        element=None
        if node.element is None
        else _frozen(node.element, "", node.element.kinds.total()),
    )
