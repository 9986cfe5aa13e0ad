"""The ids of collections in little room, to find out what a field refers to.

For       Telling references from other values that look like ids.
Touches   Nothing.
Promises  An id that was added is always found; another one rarely is (1 in 100 while there are no
          more than was said).
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from bson import Binary, Int64, ObjectId

from landbridge.mapping.profile import format_of

BITS_PER_ID = 10
BYTES_MIN, BYTES_MAX = 1 << 10, 1 << 21
HASHES = 3


class KnownIds:
    """A set of ids that forgets which they are."""

    def __init__(self, expected: int) -> None:
        size = max(BYTES_MIN, min(BYTES_MAX, expected * BITS_PER_ID // 8))
        self._bits = bytearray(size)

    def add(self, value: Any) -> None:
        """Add an id; one of a kind that nothing refers to is left out."""
        for byte, bit in self._places(value):
            self._bits[byte] |= bit

    def __contains__(self, value: Any) -> bool:
        places = self._places(value)
        return bool(places) and all(self._bits[byte] & bit for byte, bit in places)

    def _places(self, value: Any) -> list[tuple[int, int]]:
        identity = _identity(value)
        if identity is None:
            return []
        digest = hashlib.blake2b(identity, digest_size=8 * HASHES).digest()
        numbers = (int.from_bytes(digest[at : at + 8], "big") for at in range(0, 8 * HASHES, 8))
        bits = 8 * len(self._bits)
        return [(place >> 3, 1 << (place & 7)) for place in (number % bits for number in numbers)]


def shares(candidates: Iterable[Any], known: Mapping[str, KnownIds]) -> dict[str, float]:
    """Return which part of some values are ids of each collection, where any is."""
    values = list(candidates)
    if not values:
        return {}
    found = {
        collection: sum(value in ids for value in values) / len(values)
        for collection, ids in known.items()
    }
    return {collection: share for collection, share in found.items() if share}


def _identity(value: Any) -> bytes | None:
    """Return the same bytes for an id and for its text."""
    match value:
        case bool():
            return None
        case ObjectId():
            return b"o" + value.binary
        case uuid.UUID():
            return b"u" + value.bytes
        case Binary():
            return b"u" + bytes(value)
        case int() | Int64():
            return b"i" + str(int(value)).encode()
        case str():
            form = format_of(value)
            if form == "hex24":
                return b"o" + bytes.fromhex(value)
            if form == "uuid":
                return b"u" + uuid.UUID(value).bytes
            return b"s" + value.encode("utf-8", "surrogatepass")
        case _:
            return None
