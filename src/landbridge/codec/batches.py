"""Batches: documents put into a BSON array, and taken out of one.

For       Whoever holds single documents and needs a batch, or the other way round.
Touches   Nothing.
Promises  Documents are not looked into and not changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from struct import Struct

from landbridge.codec.walk import documents
from landbridge.model.batch import Batch

_LENGTH = Struct("<i")
_ELEMENT = b"\x03\x00"  # a document under the empty key: keys of a batch are ignored


def batch_of(documents: Sequence[bytes]) -> Batch:
    """Return a batch of whole BSON documents, in their order."""
    body = b"".join([_ELEMENT + document for document in documents])
    length = _LENGTH.size + len(body) + 1
    return Batch(_LENGTH.pack(length) + body + b"\0", 0, length)


def documents_in(batch: Batch) -> Iterator[bytes]:
    """Yield each document of a batch; raises `CodecError` where the batch is malformed."""
    for start, end in documents(batch.data, batch.offset):
        yield batch.data[start:end]
