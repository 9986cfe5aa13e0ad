"""Some documents of a collection, or all of them, to learn what it holds.

For       The profile that a proposed mapping rests on.
Touches   The collections, reading only.
Promises  Every document of a small collection, a random part of a large one, as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection
from landbridge.mongo.ranges import RANDOM_SHARE_MAX

IDS_EACH = 5000  # looked up by one command


def survey(connection: Connection, collection: Collection, documents: int) -> Iterator[bytes]:
    """Yield about `documents` of a collection's documents, all of them where it has no more."""
    source = connection.raw_collection(collection.name)
    total = collection.documents
    with connection.translated(f"cannot read {collection.stream}"):
        if total is None or total <= documents:
            with source.find(limit=documents) as cursor:
                yield from (bytes(document.raw) for document in cursor)
            return
        share = documents / total
        # By a random cursor where the server has a cheap one, else by a throw for each document.
        part: dict[str, Any] = {"$match": {"$sampleRate": share}}
        if share <= RANDOM_SHARE_MAX and collection.kind == "collection" and not collection.capped:
            part = {"$sample": {"size": documents}}
        with source.aggregate([part], allowDiskUse=True) as cursor:
            yield from (bytes(document.raw) for document in cursor)


def known_ids(
    connection: Connection, collection: Collection, values: Sequence[Any]
) -> Iterator[bytes]:
    """Yield those of some values that are ids of a collection, as documents `{_id: …}`."""
    source = connection.raw_collection(collection.name)
    for start in range(0, len(values), IDS_EACH):
        wanted = {"_id": {"$in": list(values[start : start + IDS_EACH])}}
        with connection.translated(f"cannot look up ids of {collection.stream}"):
            for document in source.find(wanted, {"_id": 1}):
                yield bytes(document.raw)
