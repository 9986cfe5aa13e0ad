"""Expressions: a value of a document, as the source's aggregation writes it.

For       The figures that MongoDB is asked for.
Touches   Nothing.
Promises  A path leads through objects only, as columns do: what lies in an array is not at it. A
          value that is not of the wanted kinds is missing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary

from landbridge.model.kinds import Kind
from landbridge.model.plan import Path

Expression = Any  # what stands in a pipeline: a string, a number, a document

REMOVE = "$$REMOVE"
_UUIDS = (Binary(b"\x00" * 16, UUID_SUBTYPE), Binary(b"\xff" * 16, UUID_SUBTYPE))
# Kinds by the names that `$type` gives; those not named here are called the same.
_TYPE_NAMES = {
    Kind.BINARY: "binData",
    Kind.UUID: "binData",
    Kind.OBJECT_ID: "objectId",
    Kind.DB_POINTER: "dbPointer",
    Kind.CODE: "javascript",
    Kind.CODE_WITH_SCOPE: "javascriptWithScope",
    Kind.MIN_KEY: "minKey",
    Kind.MAX_KEY: "maxKey",
}


def value_at(path: Path) -> Expression:
    """Return the value at a path, missing where one of its parents is no object."""
    value: Expression = "$$ROOT"
    plain = True
    for level, name in enumerate(path):
        plain = plain and _is_plain(name)
        if plain:
            here: Expression = "$" + ".".join(path[: level + 1])
        else:
            here = {"$getField": {"field": {"$literal": name}, "input": value}}
        value = here if level == 0 else when(is_a(value, ["object"]), here)
    return value


def _is_plain(name: str) -> bool:
    """Whether a field can be named in a dotted path."""
    return bool(name) and "." not in name and not name.startswith("$")


def when(condition: Expression, value: Expression, otherwise: Expression = REMOVE) -> Expression:
    """Return the value where the condition holds, else nothing."""
    return {"$cond": [condition, value, otherwise]}


def is_a(value: Expression, names: Collection[str]) -> Expression:
    """Return whether a value is of one of these types."""
    return {"$in": [{"$type": value}, list(names)]}


def of_kinds(value: Expression, kinds: Collection[Kind], *, only_empty: bool = False) -> Expression:
    """Return the value where it is of one of these kinds, else nothing.

    `only_empty`: an object counts where nothing is in it; others are flattened.
    """
    names = sorted({_TYPE_NAMES.get(kind, kind.value) for kind in kinds})
    wanted: list[Expression] = [is_a(value, names)]
    in_range = {"$and": [{"$gte": [value, _UUIDS[0]]}, {"$lte": [value, _UUIDS[1]]}]}
    if Kind.UUID in kinds and Kind.BINARY not in kinds:
        # Binaries sort by length, then by subtype: nothing else lies between these two.
        wanted.append({"$or": [{"$ne": [{"$type": value}, "binData"]}, in_range]})
    elif Kind.BINARY in kinds and Kind.UUID not in kinds:
        wanted.append({"$not": [in_range]})
    if only_empty and Kind.OBJECT in kinds:
        empty = {"$eq": [value, {"$literal": {}}]}
        wanted.append({"$or": [{"$ne": [{"$type": value}, "object"]}, empty]})
    condition = wanted[0] if len(wanted) == 1 else {"$and": wanted}
    return when(condition, value)
