"""A replication key as the source knows it: which values it has, and how they can be found.

For       The method `incremental`, which goes on from the largest values that it has read.
Touches   Nothing.
Promises  A value keeps its BSON type. Values of one bracket compare; those of two never do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# The types of one bracket compare with each other, by the words of `$type`.
BRACKETS: Mapping[str, tuple[str, ...]] = {
    "number": ("double", "int", "long", "decimal"),
    "string": ("string", "symbol"),
    "objectid": ("objectId",),
    "date": ("date",),
    "timestamp": ("timestamp",),
}
TIMED = ("objectid", "date", "timestamp")  # brackets whose values hold a time


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """An index whose first field is the key of an incremental read."""

    name: str
    flaw: str = ""  # why the server cannot read by it: "hidden", "partial"
    sparse: bool = False
    multikey: bool = False  # the key of some document is an array


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What the source says of a key before a read begins."""

    key: str
    indexed: bool
    sparse: bool  # the index leaves out documents without the key
    largest: dict[str, bytes] = field(default_factory=dict)  # by bracket: a BSON document {v: …}
    others: dict[str, int] = field(default_factory=dict)  # kinds without an order -> documents
    missing: int = 0  # documents without the key, as far as the index tells
    largest_id: dict[str, bytes] = field(default_factory=dict)  # the same for `_id`
    arrays: bool = False  # some values are arrays, or lie within arrays


@dataclass(frozen=True, slots=True)
class KeyRange:
    """What to read: values at or past `lows`, and all of what has no low.

    `missing`: also documents without the key, those with `_id` at or past `id_lows`.
    """

    key: str
    lows: dict[str, bytes]
    missing: bool
    id_lows: dict[str, bytes]
    indexed: bool
