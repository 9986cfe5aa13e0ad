"""The bytes of a cursor's reply: where its documents lie, without looking into them.

For       Handing a reply on as it came from the wire.
Touches   Nothing.
Promises  The cost doesn't depend on the number of documents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from
from typing import NamedTuple

from landbridge.errors import CodecError
from landbridge.mongo.tokens import token_text

STRING, DOCUMENT, ARRAY, BINARY, TIMESTAMP, INT64 = 0x02, 0x03, 0x04, 0x05, 0x11, 0x12
_FIXED_LENGTHS = {
    0x01: 8,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    TIMESTAMP: 8,
    INT64: 8,
    0x13: 16,
}
_PREFIXED_LENGTHS = {STRING: 4, DOCUMENT: 0, ARRAY: 0, BINARY: 5}
_EMPTY_ARRAY_BYTES = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """What a cursor's reply says beside its documents."""

    place: bytes | None  # a scan's token for after this batch, a BSON document
    cursor_id: int  # 0: there are no more
    offset: int  # of the array of documents
    bytes: int  # of the array
    at_cluster_time: str | None  # `seconds:increment`, where it was a snapshot read
    resume_token: str | None  # a change stream's token for after this batch, as text

    @property
    def empty(self) -> bool:
        """Whether it brought no document."""
        return self.bytes == _EMPTY_ARRAY_BYTES


class _Element(NamedTuple):
    kind: int
    key: bytes
    offset: int
    bytes: int


def read_reply(data: bytes) -> Reply:
    """Find cursor, documents and cluster time in the reply to `find`, `aggregate`, `getMore`."""
    cursor = next((e for e in _elements(data, 0) if e.key == b"cursor"), None)
    if cursor is None:
        raise _malformed("it holds no cursor")
    found = {element.key: element for element in _elements(data, cursor.offset)}
    documents = found.get(b"nextBatch") or found.get(b"firstBatch")
    cursor_id = found.get(b"id")
    if documents is None or cursor_id is None:
        raise _malformed("its cursor holds no batch")
    at_cluster_time = None
    if time := found.get(b"atClusterTime"):
        increment, seconds = unpack_from("<II", data, time.offset)
        at_cluster_time = f"{seconds}:{increment}"
    token = found.get(b"postBatchResumeToken")
    (number,) = unpack_from("<q", data, cursor_id.offset)
    return Reply(
        place=None if token is None else data[token.offset : token.offset + token.bytes],
        cursor_id=number,
        offset=documents.offset,
        bytes=documents.bytes,
        at_cluster_time=at_cluster_time,
        resume_token=None if token is None else _token(data, token),
    )


def _token(data: bytes, token: _Element) -> str | None:
    parts = {element.key: element for element in _elements(data, token.offset)}
    held, bits = parts.get(b"_data"), parts.get(b"_typeBits")
    if held is None or held.kind != STRING:
        return None
    return token_text(
        data[held.offset + 4 : held.offset + held.bytes - 1].decode(),
        b"" if bits is None else data[bits.offset + 5 : bits.offset + bits.bytes],
    )


def id_element(document: bytes) -> tuple[int, bytes]:
    """Return type and value bytes of the only field of a document `{_id: …}`."""
    key_end = document.index(0, 5)
    return document[4], document[key_end + 1 : -1]


def _elements(data: bytes, offset: int) -> Iterator[_Element]:
    (length,) = unpack_from("<i", data, offset)
    position, end = offset + 4, offset + length - 1
    while position < end:
        kind = data[position]
        key_end = data.index(0, position + 1)
        value = key_end + 1
        if kind in _PREFIXED_LENGTHS:
            size: int = unpack_from("<i", data, value)[0] + _PREFIXED_LENGTHS[kind]
        elif kind in _FIXED_LENGTHS:
            size = _FIXED_LENGTHS[kind]
        else:
            raise _malformed(f"it holds a value of type {kind:#04x}")
        yield _Element(kind, data[position + 1 : key_end], value, size)
        position = value + size


def _malformed(why: str) -> CodecError:
    return CodecError(
        "cannot read a reply of MongoDB", why=why, fix="check what stands between us and the server"
    )
