"""One write of each kind, and what it makes of a document, worked out before it is sent.

For       The generator.
Touches   Nothing: a write is an operation for pymongo beside the states that follow from it.
Promises  The states are computed here, by rules that a reader can check, never read back.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import DeleteOne, InsertOne, ReplaceOne, UpdateOne

from .ids import other_type
from .record import Document, Slot, State

Operation = InsertOne[Document] | ReplaceOne[Document] | UpdateOne | DeleteOne

NUL_EVERY = 97  # documents that can't become rows
LATE_EVERY = 150  # writes between two that bring a field nobody has seen


@dataclass(frozen=True, slots=True)
class Write:
    """Operations on one slot, in order, and what it holds after each."""

    slot: Slot
    operations: tuple[Operation, ...]
    states: tuple[State, ...]


def document(slot: Slot, version: int, chance: random.Random) -> Document:
    """Return a new content of a slot."""
    made: Document = {
        "_id": slot.id,
        "who": slot.who,
        "version": version,
        "count": chance.randrange(1000),
        "name": f"{slot.who} in version {version}" + " ." * chance.randrange(40),
        "price": chance.randrange(10**6) / 8,
        "at": now(),
        "nested": {"a": version % 13, "b": [version, {"deep": slot.who}]},
        "tags": [chance.randrange(9) for _ in range(chance.randrange(4))],
    }
    if chance.random() < 0.5:
        made["opt"] = chance.choice(["yes", "no", None])
    if chance.random() < 0.3:
        made["loose"] = chance.choice([version, f"loose {version}", version / 4, True])
    if version % LATE_EVERY == 0:
        made[f"late{version // LATE_EVERY}"] = version
    if version % NUL_EVERY == 0:
        made["note"] = "a\0b"
    return made


def now() -> datetime:
    """Return the time, in the milliseconds that BSON keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def insert(slot: Slot, version: int, chance: random.Random) -> Write:
    """A document where there is none."""
    made = document(slot, version, chance)
    return Write(slot, (InsertOne(copy.deepcopy(made)),), (made,))


def replace(slot: Slot, version: int, chance: random.Random) -> Write:
    """Another document in its place; an id that is a number may change its type."""
    before = slot.id
    if slot.turns and chance.random() < 0.3:
        slot.id = other_type(slot.id)
    made = document(slot, version, chance)
    return Write(slot, (ReplaceOne({"_id": before}, copy.deepcopy(made)),), (made,))


def delete(slot: Slot, version: int, chance: random.Random) -> Write:
    """The document goes."""
    return Write(slot, (DeleteOne({"_id": slot.id}),), (None,))


def insert_again(slot: Slot, version: int, chance: random.Random) -> Write:
    """The document goes, and another one of the same id comes at once."""
    made = document(slot, version, chance)
    gone = DeleteOne({"_id": slot.id})
    return Write(slot, (gone, InsertOne(copy.deepcopy(made))), (None, made))


def update(slot: Slot, version: int, chance: random.Random) -> Write:
    """Some fields change, by the operators that people use most."""
    assert slot.state is not None
    made = copy.deepcopy(slot.state)
    moment, step, tag = now(), chance.randrange(1, 9), chance.randrange(9)
    changes: dict[str, dict[str, Any]] = {"$set": {"version": version, "at": moment}}
    made |= {"version": version, "at": moment}
    if chance.random() < 0.5:
        changes["$inc"] = {"count": step}
        made["count"] += step
    if chance.random() < 0.3:
        changes["$unset"] = {"opt": ""}
        made.pop("opt", None)
    if chance.random() < 0.3:
        changes["$push"] = {"tags": tag}
        made["tags"].append(tag)
    if chance.random() < 0.3:
        changes["$set"]["nested.a"] = version
        made["nested"]["a"] = version
    if chance.random() < 0.2:
        changes["$set"]["loose"] = made["loose"] = chance.choice([version, f"loose {version}"])
    return Write(slot, (UpdateOne({"_id": slot.id}, changes),), (made,))


def churn(slot: Slot, version: int, chance: random.Random) -> Write:
    """Three writes of one id; in a transaction they share one time."""
    first, then = update(slot, version, chance), insert_again(slot, version, chance)
    return Write(slot, first.operations + then.operations, first.states + then.states)


Kind = Callable[[Slot, int, random.Random], Write]
