"""Where to cut a collection into ranges of its `_id`.

For       Reads that are large enough to be committed piece by piece.
Touches   The index on `_id`, or a few random documents.
Promises  The ranges together cover the whole BSON order, MinKey and MaxKey included, and no two
          overlap, whatever kinds of ids there are: the first has no `low`, the last no `high`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from landbridge.model.stream import Collection, IdRange
from landbridge.mongo.catalog import with_sizes
from landbridge.mongo.connect import Connection

RANGES_MAX = 10_000
SAMPLES_EACH = 20  # of every range, so that most come out within a third of the wanted size
RANDOM_SHARE_MAX = 0.05  # beyond it `$sample` reads the whole collection and sorts it
NO_RANDOM_DOCUMENT = 28799  # `$sample` met the same documents again and again


def split(connection: Connection, collection: Collection, bytes_each: int) -> list[IdRange]:
    """Cut a collection into ranges of about `bytes_each`; an empty one gives one open range."""
    if collection.bytes is None:
        collection = with_sizes(connection, collection)
    wanted = min(-(-(collection.bytes or 0) // bytes_each), RANGES_MAX)
    cuts: list[bytes] = []
    if wanted > 1:
        with connection.translated(f"cannot cut {collection.stream} into ranges"):
            cuts = _cuts(connection, collection, wanted)
    bounds = [None, *cuts, None]
    return [IdRange(number, low, high) for number, (low, high) in enumerate(pairwise(bounds))]


def _cuts(connection: Connection, collection: Collection, wanted: int) -> list[bytes]:
    """Return at most about `wanted` - 1 different ids in BSON order."""
    documents = collection.documents or 0
    if wanted * SAMPLES_EACH <= documents * RANDOM_SHARE_MAX:
        try:
            ids = _random_ids(connection, collection, wanted * SAMPLES_EACH)
        except OperationFailure as error:
            if error.code != NO_RANDOM_DOCUMENT:
                raise
        else:
            parts = min(wanted, len(ids))
            return [ids[part * len(ids) // parts] for part in range(1, parts)]
    every = max(1, -(-documents // wanted))
    return list(islice(_ids(connection, collection), every, None, every))


def _random_ids(connection: Connection, collection: Collection, size: int) -> list[bytes]:
    # The server sorts them and drops those that it takes for equal: only it knows how.
    pipeline: list[dict[str, Any]] = [
        {"$sample": {"size": size}},
        {"$group": {"_id": "$_id"}},
        {"$sort": {"_id": 1}},
    ]
    source = connection.raw_collection(collection.name)
    return [_bytes(document) for document in source.aggregate(pipeline, allowDiskUse=True)]


def _ids(connection: Connection, collection: Collection) -> Iterator[bytes]:
    source = connection.raw_collection(collection.name)
    with source.find(projection={"_id": 1}, sort={"_id": 1}, hint={"_id": 1}) as cursor:
        for document in cursor:
            yield _bytes(document)


def _bytes(document: RawBSONDocument) -> bytes:
    return bytes(document.raw)
