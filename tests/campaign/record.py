"""What must be in the source: a record of writes, kept by whoever makes them.

For       Deciding loss, duplication and resurrection without trusting what is tested.
Touches   Nothing.
Promises  A slot's states are all that it may hold: one after an acknowledged write, several after
          a write whose acknowledgement never came. Such a slot is not written again, since the
          lost write may still arrive.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
State = Document | None  # None: there is no such document


@dataclass(slots=True)
class Slot:
    """A place for one document, which bears its name in the field `who`."""

    collection: str
    who: str
    id: Any
    turns: bool = False  # whether an id that is a number may change its type in place
    states: tuple[State, ...] = (None,)

    @property
    def certain(self) -> bool:
        """Whether all its writes were acknowledged."""
        return len(self.states) == 1

    @property
    def state(self) -> State:
        """What it holds, where that is certain."""
        [state] = self.states
        return state


@dataclass(slots=True)
class Record:
    """All slots of all writers."""

    _slots: dict[tuple[str, str], Slot] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    acknowledged: int = 0
    unknown: int = 0

    def acknowledge(self, slot: Slot, state: State) -> None:
        """Write down what a slot holds now."""
        with self._lock:
            self._slots[slot.collection, slot.who] = slot
            slot.states = (state,)
            self.acknowledged += 1

    def doubt(self, slot: Slot, *possible: State) -> None:
        """Write down that a slot holds what it held, or one of `possible`."""
        with self._lock:
            self._slots[slot.collection, slot.who] = slot
            slot.states = (*slot.states, *possible)
            self.unknown += 1

    def of(self, collection: str) -> dict[str, Slot]:
        """Return the slots of a collection, by name."""
        with self._lock:
            return {who: slot for (name, who), slot in self._slots.items() if name == collection}

    @property
    def collections(self) -> Iterable[str]:
        """Return the names of the collections that were written to."""
        with self._lock:
            return sorted({name for name, _ in self._slots})
