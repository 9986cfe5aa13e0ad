"""Documents as the driver decodes them, to learn what a collection holds.

For       The profile that a proposed mapping rests on.
Touches   The collections, reading only.
Promises  Every document of a small collection, a random part of a large one. What Python can't
          express (a date in the year 300,000, text that isn't UTF-8) doesn't end the reading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bson import CodecOptions
from bson.codec_options import DatetimeConversion

from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection
from landbridge.mongo.ranges import RANDOM_SHARE_MAX

IDS_EACH = 5000  # looked up by one command

READABLE: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


def survey(
    connection: Connection, collection: Collection, documents: int
) -> Iterator[Mapping[str, Any]]:
    """Yield about `documents` of a collection's documents, all of them where it has no more."""
    source = connection.source.get_collection(collection.name, codec_options=READABLE)
    total = collection.documents
    with connection.translated(f"cannot read {collection.stream}"):
        if total is None or total <= documents:
            with source.find(limit=documents) as cursor:
                yield from cursor
            return
        share = documents / total
        # By a random cursor where the server has a cheap one, else by a throw for each document.
        part: dict[str, Any] = {"$match": {"$sampleRate": share}}
        if share <= RANDOM_SHARE_MAX and collection.kind == "collection" and not collection.capped:
            part = {"$sample": {"size": documents}}
        with source.aggregate([part], allowDiskUse=True) as cursor:
            yield from cursor


def known_ids(
    connection: Connection, collection: Collection, values: Sequence[Any]
) -> Iterator[Any]:
    """Yield those of some values that are ids of a collection."""
    source = connection.source.get_collection(collection.name, codec_options=READABLE)
    for start in range(0, len(values), IDS_EACH):
        wanted = {"_id": {"$in": list(values[start : start + IDS_EACH])}}
        with connection.translated(f"cannot look up ids of {collection.stream}"):
            for document in source.find(wanted, {"_id": 1}):
                yield document["_id"]
