"""Resume tokens: one text that sorts as the log does, and what the server takes it as.

For       Events, replies, and opening a stream again.
Touches   Nothing.
Promises  What the server gave is what it gets back. A token has type bits where an `_id` is a
          number that its digits alone do not give the type of; without them the server refuses
          its own token.
"""

from __future__ import annotations

from typing import Any

from bson.binary import Binary

_SEPARATOR = "."  # sorts before every digit, and equal digits have equal type bits


def token_text(data: str, type_bits: bytes) -> str:
    """Return the text of a token with that `_data` and those `_typeBits`."""
    return data + _SEPARATOR + type_bits.hex() if type_bits else data


def token_document(text: str) -> dict[str, Any]:
    """Return the token that a text stands for."""
    data, _, type_bits = text.partition(_SEPARATOR)
    document: dict[str, Any] = {"_data": data}
    if type_bits:
        document["_typeBits"] = Binary(bytes.fromhex(type_bits))
    return document
