"""Lines: each document of a batch as one line of canonical extended JSON, as mongoimport reads it.

For       `export`; the specification of the compiled writer, and why a document has no line.
Touches   Nothing.
Promises  A line reads back as the same document: keys in their order, repeated ones too, NUL as
          `\\u0000`. What JSON can't hold, text that is not UTF-8 and keys that extended JSON
          takes for its own, has no line and is named. Of NaN only the value is kept, not its bits.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted
from typing import Protocol

from landbridge.codec.binaries import payload
from landbridge.codec.json import JsonWriter
from landbridge.codec.text import utf8
from landbridge.codec.walk import Element, Refused, documents, elements, int32, malformed
from landbridge.model.batch import Problem
from landbridge.model.kinds import Kind
from landbridge.model.plan import Path

# An object with one of these keys would be read as a value of another kind.
RESERVED_KEYS = frozenset(
    b"$" + name
    for name in (
        b"oid", b"symbol", b"numberInt", b"numberLong", b"numberDouble", b"numberDecimal",
        b"binary", b"uuid", b"code", b"timestamp", b"regularExpression", b"regex",
        b"dbPointer", b"date", b"minKey", b"maxKey", b"undefined",
    )
)  # fmt: skip

OLD_BINARY = 2  # its payload begins with a length of its own, which extended JSON leaves out
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Lines:
    """The outcome of writing one batch; `text` lives until the writer's next call."""

    documents: int
    text: memoryview
    refused: tuple[tuple[int, int], ...]  # (offset, length) in the batch's data, in order
    last: tuple[int, int] | None = None  # (offset, length) of the last document, refused or not


class LineWriter(Protocol):
    """BSON to lines; one instance a thread."""

    def write(self, data: bytes, offset: int) -> Lines:
        """Write the BSON array at `data[offset:]`; documents without a line are told.

        Raises `CodecError` where the array itself is malformed.
        """


class PureLineWriter:
    """The twin of the compiled line writer."""

    def write(self, data: bytes, offset: int) -> Lines:
        """Write the BSON array at `data[offset:]`; documents without a line are told."""
        writer = _Writer()
        spans = documents(data, offset)
        lines: list[str] = []
        refused = []
        for start, end in spans:
            try:
                lines.append(writer.document(data, start, end) + "\n")
            except Refused:
                refused.append((start, end - start))
        last = (spans[-1][0], spans[-1][1] - spans[-1][0]) if spans else None
        return Lines(len(spans), memoryview("".join(lines).encode()), tuple(refused), last)


def unwritable(document: bytes) -> tuple[Path, str] | None:
    """Return the field that keeps a document from being a line, and why; None where none does."""
    writer = _Writer()
    try:
        writer.document(document, 0, len(document))
    except Refused as refused:
        return _place(writer, document, 0, len(document), 1, str(refused))
    return None


def _place(
    writer: _Writer, data: bytes, start: int, end: int, level: int, reason: str
) -> tuple[Path, str]:
    """Go down to the innermost value that is refused."""
    try:
        for element in elements(data, start, end, level):
            name = element.key.decode(errors="backslashreplace")
            try:
                writer.key(element.key)
                writer.value(element)
            except Refused as refused:
                why = str(refused)
                if element.kind not in (Kind.OBJECT, Kind.ARRAY):
                    return (name,), why
                inside = (element.data, element.start, element.end, element.level + 1)
                path, why = _place(writer, *inside, why)
                return (name, *path), why
    except Refused as refused:
        reason = str(refused)
    return (), reason


class _Writer(JsonWriter):
    def __init__(self) -> None:
        super().__init__("extended", "quarantine")

    def key(self, raw: bytes) -> str:
        if raw in RESERVED_KEYS:
            detail = f"the key {raw.decode()} means a type in extended JSON"
            raise Refused(Problem.RESERVED_KEY, detail)
        return quoted(utf8(raw))

    def string(self, raw: bytes) -> str:
        return quoted(utf8(raw))

    def binary(self, element: Element) -> str:
        data = payload(element)
        if element.subtype == OLD_BINARY:
            if int32(data, 0, len(data)) != len(data) - _LENGTH_BYTES:
                raise malformed("a binary of subtype 2 whose two lengths disagree")
            data = data[_LENGTH_BYTES:]
        return b64encode(data).decode()
