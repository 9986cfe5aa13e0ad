"""Binaries: ObjectId, UUID and BSON binary to PostgreSQL bytes and text.

For       Values that are bytes and nothing more.
Touches   Nothing.
Promises  Every byte of the payload arrives, in its order.
"""

from __future__ import annotations

from uuid import UUID

from landbridge.codec.walk import Element

_LENGTH_AND_SUBTYPE_BYTES = 5


def object_id(element: Element) -> bytes:
    """Return an ObjectId's 12 bytes."""
    return element.value


def object_id_text(element: Element) -> bytes:
    """Return an ObjectId's 24 hexadecimal digits."""
    return element.value.hex().encode()


def payload(element: Element) -> bytes:
    """Return what a binary or UUID holds."""
    return element.data[element.start + _LENGTH_AND_SUBTYPE_BYTES : element.end]


def uuid_text(element: Element) -> str:
    """Return a UUID with its hyphens."""
    return str(UUID(bytes=payload(element)))
