"""Events: what a change stream's reply holds, as the engine speaks of it.

For       `log`, which hands in replies as they came.
Touches   Nothing.
Promises  An event that the server split is whole again before it is handed on, and bears the
          token of its last part: a place between two parts is no place to go on from.

https://www.mongodb.com/docs/manual/reference/operator/aggregation/changeStreamSplitLargeEvent/
"""

from __future__ import annotations

import struct

from landbridge.codec import pick
from landbridge.errors import CodecError
from landbridge.model.log import Event
from landbridge.model.position import ClusterTime
from landbridge.mongo.tokens import token_text

_PATHS = (
    (b"_id", b"_data"),
    (b"operationType",),
    (b"ns", b"coll"),
    (b"to", b"coll"),
    (b"clusterTime",),
    (b"documentKey", b"_id"),
    (b"fullDocument",),
    (b"splitEvent", b"fragment"),
    (b"splitEvent", b"of"),
    (b"_id", b"_typeBits"),
)
_OBJECT = 0x03

_Picked = tuple[bytes | None, ...]


class Assembler:
    """Turns replies into events, and parts of an event into one."""

    def __init__(self) -> None:
        self._parts: list[_Picked] = []
        self._names: dict[bytes, str] = {}  # a few names, decoded once

    @property
    def within(self) -> bool:
        """Whether parts of an event are held that has not ended."""
        return bool(self._parts)

    def events(self, data: bytes, offset: int) -> list[Event]:
        """Return the events of the BSON array at `data[offset:]` that are whole.

        Raises:
            CodecError: what the server sent is no event.

        """
        found = []
        for picked in pick(data, offset, _PATHS):
            whole = picked if picked[7] is None and not self._parts else self._joined(picked)
            if whole is not None:
                found.append(self._event(whole))
        return found

    def _joined(self, part: _Picked) -> _Picked | None:
        """Take in one part of an event; return the event with its last part."""
        number, of = _int32(part[7]), _int32(part[8])
        if number != len(self._parts) + 1 or number > of:
            raise _malformed(f"part {number} of {of} follows part {len(self._parts)}")
        self._parts.append(part)
        if number < of:
            return None
        merged = list(self._parts[-1])  # its token is the event's
        for earlier in self._parts[:-1]:
            merged = [
                mine if mine is not None else held
                for mine, held in zip(merged, earlier, strict=True)
            ]
        self._parts = []
        return tuple(merged)

    def _event(self, picked: _Picked) -> Event:
        token, operation, collection, renamed_to, time, identity, document = picked[:7]
        if token is None or operation is None or time is None:
            raise _malformed("it lacks its token, its kind or its time")
        type_bits = b"" if picked[9] is None else picked[9][6:]
        increment, seconds = struct.unpack_from("<II", time, 1)
        return Event(
            token_text(token[5:-1].decode(), type_bits),
            self._name(operation),
            "" if collection is None else self._name(collection),
            ClusterTime(seconds, increment),
            identity,
            document[1:] if document is not None and document[0] == _OBJECT else None,
            None if renamed_to is None else self._name(renamed_to),
        )

    def _name(self, value: bytes) -> str:
        name = self._names.get(value)
        if name is None:
            name = self._names[value] = value[5:-1].decode()
        return name


def _int32(value: bytes | None) -> int:
    return 0 if value is None else int.from_bytes(value[1:5], "little")


def _malformed(why: str) -> CodecError:
    return CodecError(
        "cannot read an event of the change stream",
        why=why,
        fix="check what stands between us and the server",
    )
