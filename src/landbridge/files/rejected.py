"""The documents of an archive that have no line: read from the file beside theirs.

For       `source`, so that an archive gives back every document that was exported.
Touches   That file.
Promises  A document is as it was, byte for byte; what is none is told of by its line.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import NamedTuple

from landbridge.files.line_chunks import LongLine, whole_lines
from landbridge.files.reading import chunks
from landbridge.files.store import Store

_LENGTH_BYTES = 4
_DOCUMENT_BYTES_MIN = 5


class Kept(NamedTuple):
    """A line, and the document that it holds; None where it holds none."""

    number: int
    line: bytes
    document: bytes | None


def rejected_documents(store: Store, name: str) -> Iterator[Kept]:
    """Yield what the lines of the file hold."""
    number = 0
    for chunk in whole_lines(chunks(store, name)):
        if isinstance(chunk, LongLine):
            number += 1
            yield Kept(number, chunk.beginning, None)
            continue
        for line in chunk.splitlines():
            number += 1
            yield Kept(number, line, _document_of(line))


def _document_of(line: bytes) -> bytes | None:
    try:
        document = b64decode(json.loads(line)["bson"], validate=True)
    except (ValueError, KeyError, TypeError):
        return None
    length = int.from_bytes(document[:_LENGTH_BYTES], "little", signed=True)
    whole = len(document) >= _DOCUMENT_BYTES_MIN and length == len(document) and not document[-1]
    return document if whole else None
