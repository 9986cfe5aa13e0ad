"""Hypothesis strategies for BSON: documents of every kind, well-formed and not.

Documents are raw bytes, written here and not by a driver, so that repeated keys, broken UTF-8 and
odd decimals are among them. A value is a pair of its type byte and its bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Value = tuple[int, bytes]
Member = tuple[bytes, Value]

INT64_EDGES = (0, 1, -1, 2**31, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63))
DATE_EDGES = (
    0,
    -1,
    -210_866_803_200_000,
    -210_866_803_200_001,
    9_224_318_015_999_999,
    9_224_318_016_000_000,
    -62_167_219_200_000,
    -62_167_219_200_001,
    253_402_300_799_999,
    253_402_300_800_000,
    2**63 - 1,
    -(2**63),
)
DOUBLE_EDGES = (0.0, -0.0, 0.1, 1e15, 1e16, 1e22, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308)
HOSTILE_NAMES = (
    "",
    "_id",
    "_ID",
    "$id",
    "a.b",
    "a b",
    'a"b',
    "a'b",
    "select",
    "a; drop table x --",
    "ümlaut",
    "u\u0308mlaut",
    "名前",
    "🚒",
    "1st",
    "userId",
    "x" * 70,
    "␀",
    "\x01\t",
    "_rest",
    "value",
)


def document(members: Iterable[Member]) -> bytes:
    """Return a BSON document, or an array, of `members`."""
    body = b"".join(
        [bytes((type_byte,)) + key + b"\0" + value for key, (type_byte, value) in members]
    )
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def string(raw: bytes) -> bytes:
    """Return the bytes of a string value."""
    return struct.pack("<i", len(raw) + 1) + raw + b"\0"


def code_with_scope(code: bytes, scope: bytes) -> bytes:
    """Return the bytes of a code-with-scope value."""
    body = string(code) + scope
    return struct.pack("<i", len(body) + 4) + body


def binary(payload: bytes, subtype: int) -> bytes:
    """Return the bytes of a binary value."""
    return struct.pack("<iB", len(payload), subtype) + payload


T = TypeVar("T")

_ONE_IN_25 = (*[False] * 24, True)


def mostly(common: SearchStrategy[T], rare: SearchStrategy[T]) -> SearchStrategy[T]:
    """Make nearly always `common`, so that documents that fit are not the exception."""
    return st.sampled_from(_ONE_IN_25).flatmap(lambda is_rare: rare if is_rare else common)


def names() -> SearchStrategy[bytes]:
    """Make keys: mostly few, so that they meet; sometimes hostile."""
    return st.one_of(
        st.sampled_from(list("abcdef")),
        st.sampled_from(HOSTILE_NAMES),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    ).map(str.encode)


def texts(nul: bool = True) -> SearchStrategy[bytes]:
    """Make the content of strings, UTF-8, at times with the sign of NUL, rarely with NUL."""
    special = st.sampled_from('"\\\b\f\n\r\t\x01\x1f\x7f/é␀01🚒\u2028')
    without = st.text(
        special | st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12
    )
    text = mostly(without, st.text(special | st.just("\0"))) if nul else without
    return text.map(str.encode)


def broken_texts() -> SearchStrategy[bytes]:
    """Make bytes that are no UTF-8: cut, overlong, surrogates, too high, stray."""
    return st.tuples(
        st.sampled_from((b"", b"a", "é".encode(), b"eight by")),
        st.sampled_from(
            (
                b"\x80",
                b"\xc3",
                b"\xc0\x80",
                b"\xc1\xbf",
                b"\xe2\x90",
                b"\xe0\x80\x80",
                b"\xed\xa0\x80",
                b"\xf0\x80\x80\x80",
                b"\xf4\x90\x80\x80",
                b"\xf5\x80\x80\x80",
                b"\xff",
            )
        ),
        st.sampled_from((b"", b"z")),
    ).map(b"".join)


def int32s() -> SearchStrategy[Value]:
    """Make ints."""
    return st.integers(-(2**31), 2**31 - 1).map(lambda n: (0x10, struct.pack("<i", n)))


def int64s() -> SearchStrategy[Value]:
    """Make longs."""
    numbers = st.sampled_from(INT64_EDGES) | st.integers(-(2**63), 2**63 - 1)
    return numbers.map(lambda n: (0x12, struct.pack("<q", n)))


def doubles() -> SearchStrategy[Value]:
    """Make doubles: edges, short ones, any finite, any bits."""
    short = st.tuples(st.integers(-9999, 9999), st.integers(-8, 25)).map(
        lambda pair: float(f"{pair[0]}e{pair[1]}")
    )
    numbers = st.one_of(st.sampled_from(DOUBLE_EDGES), short, st.floats())
    bits = st.binary(min_size=8, max_size=8)
    return st.one_of(numbers.map(lambda x: struct.pack("<d", x)), bits).map(lambda raw: (0x01, raw))


def decimal128(negative: bool, coefficient: int, exponent: int) -> bytes:
    """Return the bytes of a decimal128 whose coefficient is below 2^113."""
    high = int(negative) << 63 | (exponent + 6176) << 49 | coefficient >> 64
    return struct.pack("<QQ", coefficient & (1 << 64) - 1, high)


def decimals() -> SearchStrategy[Value]:
    """Make decimals: any finite one, zeros, trailing zeros, specials, any bits."""
    coefficients = st.one_of(
        st.integers(0, 10**34 - 1),
        st.integers(0, 99_999),
        st.tuples(st.integers(0, 9999), st.integers(0, 30)).map(lambda p: p[0] * 10 ** p[1]),
        st.integers(10**34, 2**113 - 1),
    )
    exponents = st.integers(-6176, 6111) | st.integers(-40, 10)
    finite = st.builds(decimal128, st.booleans(), coefficients, exponents)
    high = st.sampled_from((0x78, 0xF8, 0x7C, 0xFC, 0x7E, 0xFE, 0x60, 0xE0, 0x6C))
    special = high.map(lambda byte: bytes(15) + bytes((byte,)))
    return st.one_of(finite, special, st.binary(min_size=16, max_size=16)).map(
        lambda raw: (0x13, raw)
    )


def dates() -> SearchStrategy[Value]:
    """Make dates, also those no calendar of ours writes."""
    ms = mostly(
        st.integers(-62_167_219_200_000, 253_402_300_799_999),
        st.sampled_from(DATE_EDGES) | st.integers(-(2**63), 2**63 - 1),
    )
    return ms.map(lambda n: (0x09, struct.pack("<q", n)))


def binaries() -> SearchStrategy[Value]:
    """Make binaries, uuids among them, and subtype 4 of other lengths."""
    uuids = st.binary(min_size=16, max_size=16).map(lambda raw: (0x05, binary(raw, 4)))
    any_binary = st.tuples(
        st.binary(max_size=20), st.sampled_from((0, 1, 2, 3, 4, 5, 128, 255))
    ).map(lambda pair: (0x05, binary(*pair)))
    return uuids | any_binary


def strings() -> SearchStrategy[Value]:
    """Make strings, some long enough for every limit."""
    long = st.tuples(texts(), st.integers(90, 400)).map(lambda pair: pair[0] * pair[1])
    return mostly(texts() | long, broken_texts()).map(lambda raw: (0x02, string(raw)))


def numbers() -> SearchStrategy[Value]:
    """Make numbers of every kind."""
    return st.one_of(int32s(), int64s(), doubles(), decimals())


def scalars() -> SearchStrategy[Value]:
    """Make values of every kind that holds no other."""
    text = mostly(texts(), broken_texts())
    no_nul = mostly(texts(nul=False), broken_texts())
    object_ids = st.binary(min_size=12, max_size=12)
    return st.one_of(
        numbers(),
        strings(),
        dates(),
        binaries(),
        st.sampled_from(((0x08, b"\0"), (0x08, b"\1"))),
        st.sampled_from((0x06, 0x0A, 0x7F, 0xFF)).map(lambda type_byte: (type_byte, b"")),
        object_ids.map(lambda raw: (0x07, raw)),
        st.tuples(no_nul, no_nul).map(lambda pair: (0x0B, b"%b\0%b\0" % pair)),
        st.tuples(text, object_ids).map(lambda pair: (0x0C, string(pair[0]) + pair[1])),
        st.tuples(st.sampled_from((0x0D, 0x0E)), text.map(string)),
        st.binary(min_size=8, max_size=8).map(lambda raw: (0x11, raw)),
    )


def members(inner: SearchStrategy[Value], max_size: int = 6) -> SearchStrategy[list[Member]]:
    """Make the members of a document; rarely, keys repeat."""
    pairs = st.tuples(names(), inner)
    return mostly(
        st.lists(pairs, max_size=max_size, unique_by=lambda pair: pair[0]),
        st.lists(pairs, max_size=max_size),
    )


def _containers(inner: SearchStrategy[Value]) -> SearchStrategy[Value]:
    objects = members(inner).map(document)
    arrays = st.lists(inner, max_size=5).map(array)
    scoped = st.builds(code_with_scope, mostly(texts(), broken_texts()), objects)
    return st.one_of(
        objects.map(lambda raw: (0x03, raw)),
        arrays.map(lambda raw: (0x04, raw)),
        scoped.map(lambda raw: (0x0F, raw)),
    )


def array(values: Iterable[Value]) -> bytes:
    """Return the bytes of an array."""
    return document((str(i).encode(), value) for i, value in enumerate(values))


def values() -> SearchStrategy[Value]:
    """Make values of every kind, nested a few levels."""
    return st.recursive(scalars(), _containers, max_leaves=12)


def nests(levels: SearchStrategy[int]) -> SearchStrategy[Value]:
    """Make an object or array that nests to a number of levels, some past every limit."""

    def nest(count: int, type_byte: int) -> Value:
        inner = document([])
        for _ in range(count - 1):
            inner = document([(b"a", (type_byte, inner))])
        return type_byte, inner

    return st.builds(nest, levels, st.sampled_from((0x03, 0x04)))


def documents(deep: bool = True) -> SearchStrategy[bytes]:
    """Make well-formed documents, most with an `_id` in front."""
    inner = values()
    if deep:
        inner = mostly(inner, nests(st.integers(197, 203)))
    body = members(inner, max_size=8)
    with_id = st.tuples(values(), body).map(lambda pair: [(b"_id", pair[0]), *pair[1]])
    return st.one_of(with_id, with_id, with_id, body).map(document)


@st.composite
def mutated(draw: st.DrawFn, source: SearchStrategy[bytes]) -> bytes:
    """Make bytes that were a document once: flipped, cut, stretched, spliced."""
    raw = bytearray(draw(source))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw) - 1)) if raw else 0
        match draw(st.sampled_from(("flip", "set", "cut", "insert", "length"))):
            case "flip" if raw:
                raw[place] ^= 1 << draw(st.integers(0, 7))
            case "set" if raw:
                raw[place] = draw(st.sampled_from((0, 1, 2, 3, 4, 5, 15, 0x7F, 0x80, 0xFF)))
            case "cut":
                del raw[place : place + draw(st.integers(1, 4))]
            case "insert":
                raw[place:place] = draw(st.binary(min_size=1, max_size=4))
            case "length" if len(raw) >= 4:
                place = min(place, len(raw) - 4)
                length = draw(st.integers(-2, 300) | st.integers(-(2**31), 2**31 - 1))
                raw[place : place + 4] = struct.pack("<i", length)
    return bytes(raw)


def framed(raw: bytes) -> bytes:
    """Return `raw` with the length and the last byte of a document, so that a batch can hold it."""
    body = raw[4:].ljust(1, b"\0")
    return struct.pack("<i", len(body) + 4) + body


def broken_documents() -> SearchStrategy[bytes]:
    """Make documents whose own length is right and whose inside need not be."""
    return mutated(documents(deep=False)).map(framed)
