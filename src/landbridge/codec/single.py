"""Single values: what `pick` found, as JSON, as its members, as an id.

For       Whoever handles a few values of a document by themselves, such as a mapping's columns.
Touches   Nothing.
Promises  A value is its type byte and then its bytes, as `pick` gives it; all of it is checked.
"""

from __future__ import annotations

from landbridge.codec.ids import id_document, id_text
from landbridge.codec.json import JsonWriter
from landbridge.codec.walk import Element, element_of


def plain_json(value: bytes) -> str:
    """Return a value as plain JSON, as it stands in a `jsonb` column.

    Raises `Refused` where it is malformed, holds NUL, or nests too deep.
    """
    return JsonWriter("plain", "quarantine").value(_element(value))


def extended_value(value: bytes) -> str:
    """Return a value as canonical extended JSON, for people; never fails."""
    return id_text(id_document(value[0], value[1:]))


def members(value: bytes) -> list[bytes]:
    """Return the members of an array, in their order.

    Raises `Refused` where it is malformed.
    """
    found = []
    for element in _element(value).elements():
        found.append(bytes((element.type_byte,)) + element.value)
    return found


def _element(value: bytes) -> Element:
    return element_of(value[0], value[1:])
