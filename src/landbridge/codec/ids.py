"""Ids: the `_id` of a document, found, and as text where kinds of ids share one column.

For       Naming a document in messages and quarantine, and the `text` column of mixed ids.
Touches   Nothing.
Promises  `id_text` and `extended_json` never fail: they are for people, who need them most where
          a document is broken.
"""

from __future__ import annotations

from landbridge.codec.binaries import payload, uuid_text
from landbridge.codec.json import JsonWriter, LenientWriter
from landbridge.codec.key import canonical_key
from landbridge.codec.marks import Marks
from landbridge.codec.numbers import decimal, decimal_text, double, double_text, integer
from landbridge.codec.text import raw_string, written
from landbridge.codec.times import iso, milliseconds
from landbridge.codec.walk import Element, Refused, elements
from landbridge.model.kinds import Kind
from landbridge.model.settings import Nul

ID_KEY = b"_id"


def plain_text(element: Element, nul: Nul, marks: Marks) -> bytes:
    """Encode a value of the kind that came first in a column of mixed ids."""
    return _plain_text(element, nul, marks).encode()


def extended_text(element: Element, nul: Nul, marks: Marks) -> bytes:
    """Encode a value of any later kind: canonical extended JSON, as text."""
    writer = JsonWriter("extended", nul)
    text = writer.value(element)
    marks.escaped |= writer.marks.escaped  # text keeps the order of keys
    return text.encode()


def id_of(document: bytes) -> tuple[int, bytes] | None:
    """Return the type byte and the value bytes of a document's `_id`, None where it has none."""
    element = _id_element(document)
    return None if element is None else (element.type_byte, element.value)


def key_of(identity: tuple[int, bytes] | None) -> bytes | None:
    """Return the canonical key of what `id_of` returned; None where there is none."""
    try:
        return None if identity is None else canonical_key(*identity)
    except Refused:
        return None


def id_document(type_byte: int, value: bytes) -> bytes:
    """Return the BSON document `{_id: …}` for what `id_of` returned."""
    body = bytes([type_byte]) + ID_KEY + b"\0" + value + b"\0"
    return (len(body) + 4).to_bytes(4, "little") + body


def id_text(document: bytes) -> str:
    """Return the `_id` as canonical extended JSON; empty where there is none to read."""
    element = _id_element(document)
    try:
        return "" if element is None else LenientWriter().value(element)
    except Refused:
        return ""


def extended_json(document: bytes) -> str:
    """Return a document as canonical extended JSON; empty where it is malformed."""
    try:
        return LenientWriter().document(document, 0, len(document))
    except Refused:
        return ""


def _id_element(document: bytes) -> Element | None:
    try:
        members = elements(document, 0, len(document), 1)
        return next((element for element in members if element.key == ID_KEY), None)
    except Refused:
        return None


def _plain_text(element: Element, nul: Nul, marks: Marks) -> str:
    match element.kind:
        case Kind.STRING:
            return written(raw_string(element), nul, marks)
        case Kind.OBJECT_ID:
            return element.value.hex()
        case Kind.INT | Kind.LONG:
            return str(integer(element))
        case Kind.DOUBLE:
            return double_text(double(element))
        case Kind.DECIMAL:
            return decimal_text(decimal(element))
        case Kind.BOOL:
            return "true" if element.data[element.start] else "false"
        case Kind.DATE:
            ms = milliseconds(element)
            return iso(ms) or str(ms)
        case Kind.UUID:
            return uuid_text(element)
        case Kind.BINARY:
            return payload(element).hex()
        case _:
            return extended_text(element, nul, marks).decode()
