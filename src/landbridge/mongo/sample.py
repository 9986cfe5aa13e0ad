"""A look at some documents of a collection before it is read.

For       The first plan of a stream, and the plan that a dry run shows.
Touches   The collection, for a bounded time.
Promises  At most 16 MB or one document. It is only a sample: nothing may rely on it being
          complete.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from bson.raw_bson import RawBSONDocument
from pymongo.errors import ExecutionTimeout

from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection
from landbridge.mongo.ranges import RANDOM_SHARE_MAX

SAMPLE_BYTES_MAX = 16_000_000
BATCH_DOCUMENTS = 100  # small, so that the clock is looked at


def read_sample(
    connection: Connection, collection: Collection, documents: int, seconds: float
) -> list[bytes]:
    """Return up to `documents` of them: the first, and where that is cheap random ones too."""
    random = documents // 2 if _random_is_cheap(collection, documents // 2) else 0
    source = connection.raw_collection(collection.name)
    parts = 2 if random else 1
    milliseconds = max(1, int(seconds * 1000 / parts))
    with connection.translated(f"cannot read {collection.stream}"):
        with source.find(
            limit=documents - random, batch_size=BATCH_DOCUMENTS, max_time_ms=milliseconds
        ) as first:
            found = _take(first, seconds / parts, SAMPLE_BYTES_MAX // parts)
        if random:
            pipeline = [{"$sample": {"size": random}}]
            with source.aggregate(
                pipeline, batchSize=BATCH_DOCUMENTS, maxTimeMS=milliseconds
            ) as spread:
                found += _take(spread, seconds / parts, SAMPLE_BYTES_MAX // parts)
    return found


def _random_is_cheap(collection: Collection, wanted: int) -> bool:
    """Whether the server picks random documents without reading all."""
    return (
        collection.kind == "collection"
        and not collection.capped
        and wanted <= (collection.documents or 0) * RANDOM_SHARE_MAX
    )


def _take(cursor: Iterable[RawBSONDocument], seconds: float, bytes_max: int) -> list[bytes]:
    deadline = time.monotonic() + seconds
    taken: list[bytes] = []
    try:
        for document in cursor:
            bytes_max -= len(document.raw)
            if taken and bytes_max < 0:
                break
            taken.append(bytes(document.raw))
            if time.monotonic() > deadline:
                break
    except ExecutionTimeout:
        pass
    return taken
