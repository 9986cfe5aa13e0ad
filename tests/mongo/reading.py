"""Short ways to make a source and to see what a read brings."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

import bson
from bson.codec_options import CodecOptions, DatetimeConversion

from landbridge.codec import documents_in
from landbridge.model.stream import Read
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.mongo.source import CollectionSource

ANY_DATE = CodecOptions[dict[str, Any]](datetime_conversion=DatetimeConversion.DATETIME_MS)


def source_of(connection: Connection, name: str) -> CollectionSource:
    """The source of a collection, as the catalog describes it."""
    [found] = [one for one in catalog.collections(connection) if one.name == name]
    return CollectionSource(connection, catalog.with_sizes(connection, found))


def with_database(uri: str) -> str:
    """A server's URI with a database that nobody else uses."""
    return urlsplit(uri)._replace(path=f"/test_{uuid.uuid4().hex[:12]}").geturl()


def raw_in(read: Read) -> list[bytes]:
    """Every document of a read."""
    return [document for batch in read for document in documents_in(batch)]


def ids_in(read: Read) -> list[Any]:
    """The `_id` of every document of a read."""
    return [bson.decode(document, ANY_DATE)["_id"] for document in raw_in(read)]
