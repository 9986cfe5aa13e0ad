"""Hashing: 128 bits that tell one version of a document from another.

For       `_lb_hash`, by which a later load sees what changed without comparing columns.
Touches   Nothing.
Promises  MurmurHash3 x64 128 as published, its two halves seeded apart. Fast and well spread; not
          a defence against someone who makes collisions on purpose.
"""

from __future__ import annotations

from struct import Struct

_HALVES = Struct("<QQ")
_MASK = (1 << 64) - 1
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F


def murmur3_128(seed: bytes, data: bytes) -> bytes:
    """Return 16 bytes; `seed` is 16 bytes too."""
    h1, h2 = _HALVES.unpack(seed)
    whole = len(data) - len(data) % 16
    for k1, k2 in _HALVES.iter_unpack(data[:whole]):
        h1 = (_rotated(h1 ^ _mixed_first(k1), 27) + h2) & _MASK
        h1 = (h1 * 5 + 0x52DCE729) & _MASK
        h2 = (_rotated(h2 ^ _mixed_second(k2), 31) + h1) & _MASK
        h2 = (h2 * 5 + 0x38495AB5) & _MASK
    # The published code skips a half without bytes; zero mixes to zero, so none is needed here.
    k1, k2 = _HALVES.unpack(data[whole:].ljust(16, b"\0"))
    h1 ^= _mixed_first(k1) ^ len(data)
    h2 ^= _mixed_second(k2) ^ len(data)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    h1, h2 = _finished(h1), _finished(h2)
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return _HALVES.pack(h1, h2)


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _mixed_first(k: int) -> int:
    return _rotated(k * _C1 & _MASK, 31) * _C2 & _MASK


def _mixed_second(k: int) -> int:
    return _rotated(k * _C2 & _MASK, 33) * _C1 & _MASK


def _finished(h: int) -> int:
    h = (h ^ h >> 33) * 0xFF51AFD7ED558CCD & _MASK
    h = (h ^ h >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return h ^ h >> 33
