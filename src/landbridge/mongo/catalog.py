"""What there is to read: collections, their sizes, their indexes.

For       Choosing collections, and knowing before a read how large it will be.
Touches   The server's catalog. No document is read.
Promises  One command for all collections, one more for the sizes of each, and one for its
          indexes where they are asked for; sizes are the server's estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from pymongo.errors import OperationFailure

from landbridge.errors import SourceMissingError
from landbridge.model.stream import Collection, CollectionKind
from landbridge.mongo.connect import Connection, known_databases

SYSTEM_PREFIX = "system."
SIMPLE = "simple"


def collections(connection: Connection) -> list[Collection]:
    """Return the collections, views and time series of the database by name, without sizes.

    Raises `SourceMissingError` where there is no such database.
    """
    with connection.translated(f"cannot list the collections of {connection.database}"):
        described = list(connection.source.list_collections())
    if not described:
        raise SourceMissingError(
            f"database {connection.database} does not exist",
            why=known_databases(connection.client),
            fix="correct the database's name in the URI; case matters",
        )
    return sorted(
        (
            _collection(connection.database, one)
            for one in described
            if not one["name"].startswith(SYSTEM_PREFIX)
        ),
        key=lambda collection: collection.name,
    )


def uuid_of(connection: Connection, name: str) -> str | None:
    """Return the UUID of a collection, None where there is none of the name."""
    with connection.translated(f"cannot look up {connection.database}.{name}"):
        described = list(connection.source.list_collections(filter={"name": name}))
    return _uuid(described[0]) if described else None


def _uuid(described: Mapping[str, Any]) -> str | None:
    uuid = described.get("info", {}).get("uuid")
    return None if uuid is None else bytes(uuid).hex()


def with_sizes(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with what the server estimates; a view has no sizes of its own."""
    if collection.kind == "view":
        return collection
    with connection.translated(f"cannot look up the size of {collection.stream}"):
        documents, size = _sizes(connection, collection)
    average = size // documents if documents else None
    return replace(collection, documents=documents, bytes=size, document_bytes=average)


def with_indexes(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with the first field of each of its ordered or hashed indexes."""
    if collection.kind == "view":
        return collection
    with connection.translated(f"cannot list the indexes of {collection.stream}"):
        indexes = connection.source[collection.name].list_indexes()
        firsts = [next(iter(index["key"].items())) for index in indexes]
    paths = dict.fromkeys(
        path
        for path, order in firsts
        if path != "_id" and "$" not in path and (order == "hashed" or not isinstance(order, str))
    )
    return replace(collection, indexed_paths=tuple(paths))


def _collection(database: str, described: Mapping[str, Any]) -> Collection:
    options = described["options"]
    images = options.get("changeStreamPreAndPostImages", {})
    clustered = "clusteredIndex" in options
    return Collection(
        database=database,
        name=described["name"],
        kind=cast(CollectionKind, described["type"]),
        capped=bool(options.get("capped")),
        clustered=clustered,
        collated=options.get("collation", {}).get("locale", SIMPLE) != SIMPLE,
        id_indexed="idIndex" in described or clustered,
        uuid=_uuid(described),
        post_images=bool(images.get("enabled")),
    )


def _sizes(connection: Connection, collection: Collection) -> tuple[int | None, int]:
    database = connection.source
    if collection.kind == "collection":
        try:
            # Ten times cheaper than collStats, which asks the storage engine for everything.
            size = database.command("dataSize", collection.stream, estimate=True)
            return int(size["numObjects"]), int(size["size"])
        except OperationFailure:
            pass  # not on every hosted server; collStats has the last word
    stats = database.command("collStats", collection.name)
    # A time series knows the bytes of its buckets, not the number of its documents.
    return stats.get("count"), int(stats["size"])
