"""Hashing: the published vectors, and seeds that matter."""

from __future__ import annotations

import pytest

from landbridge.model.hashing import murmur3_128


@pytest.mark.parametrize(
    ("data", "halves"),
    [
        (b"", (0, 0)),
        (b"hello", (0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19)),
        (b"hello, world", (0x342FAC623A5EBC8E, 0x4CDCBC079642414D)),
        (b"The quick brown fox jumps over the lazy dog.", (0xCD99481F9EE902C9, 0x695DA1A38987B6E7)),
    ],
)
def test_the_published_vectors(data: bytes, halves: tuple[int, int]) -> None:
    expected = b"".join(half.to_bytes(8, "little") for half in halves)
    assert murmur3_128(bytes(16), data) == expected


def test_each_half_of_the_seed_matters() -> None:
    seeds = (bytes(16), b"\1" + bytes(15), bytes(15) + b"\1")
    assert len({murmur3_128(seed, b"a document") for seed in seeds}) == 3
