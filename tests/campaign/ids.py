"""Ids of many kinds for one collection, each of them one that no other slot has.

For       The generator, which keeps every document in a slot of its own.
Touches   Nothing.
Promises  Two slots never have ids that MongoDB takes for one. Texts that look like an id of
          another kind are among them: "5" beside 5, and the digits of an ObjectId beside it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Binary, Int64, ObjectId

Id = Any

EPOCH = datetime(2001, 1, 1, tzinfo=UTC)
ONE_KIND = ("int",)
ALL_KINDS = ("int", "string", "objectid", "double", "date", "int64", "uuid", "object", "digits")

_MAKE: dict[str, Callable[[int], Id]] = {
    "int": lambda number: number,
    "int64": lambda number: Int64(2**40 + number),
    "double": lambda number: number + 0.5,
    "string": str,
    "digits": lambda number: f"{number:024x}",
    "objectid": lambda number: ObjectId(f"{number:024x}"),
    "date": lambda number: EPOCH + timedelta(milliseconds=number),
    "uuid": lambda number: Binary.from_uuid(uuid.UUID(int=number)),
    "object": lambda number: {"region": number % 7, "number": number},
}


def make_id(kind: str, number: int) -> Id:
    """Return the id of that kind and number."""
    return _MAKE[kind](number)


def other_type(found: Id) -> Id:
    """Return an id of another BSON type that MongoDB takes for the same, or the id itself."""
    if isinstance(found, Int64):
        return float(found)
    if isinstance(found, int):
        return float(found)
    if isinstance(found, float) and found.is_integer():
        return Int64(found)
    return found
