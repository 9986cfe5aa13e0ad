"""What documents hold, wherever they lie: in a MongoDB, or in the files of an archive.

For       Proposing a mapping.
Touches   The source, by reading only.
Promises  Memory does not grow with the collections. Of ids as much is kept as it takes to tell
          references: those that some field may refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import bson
from bson import CodecOptions, ObjectId
from bson.codec_options import DatetimeConversion
from bson.errors import InvalidBSON

from landbridge.codec import documents_in, id_document, id_of
from landbridge.files import Archive, FileSource, look_at, open_store
from landbridge.mapping.known_ids import KnownIds
from landbridge.mapping.profile import CollectionProfile, Profiler
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, Phase, Progress
from landbridge.mongo import catalog, survey
from landbridge.mongo.connect import Connection, connect

TELL_EVERY = 1000  # documents
BYTES_MAX = 2 << 30  # of a collection that are read from a server: large documents say much
IDS_EXPECTED = 1_000_000  # of a file that doesn't tell how many documents it has
_READABLE: CodecOptions[dict[str, Any]] = CodecOptions(
    document_class=dict,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)
MONGODB = ("mongodb://", "mongodb+srv://")


class Survey(Protocol):
    """A source that is looked at."""

    def collections(self) -> list[Collection]:
        """Return what there is, by name."""

    def look(self, collection: Collection, documents: int, observer: Observer) -> CollectionProfile:
        """Return what a collection holds, by at most about so many of its documents."""

    def known(
        self, chosen: Sequence[Collection], profiles: Sequence[CollectionProfile]
    ) -> Mapping[str, KnownIds]:
        """Return the ids of each collection, as far as a field that was seen may refer to them."""


@contextmanager
def opened(source: str) -> Iterator[Survey]:
    """Open a MongoDB by its URI, or an archive by its place."""
    if source.startswith(MONGODB):
        with connect(source) as mongo:
            yield _Mongo(mongo)
    else:
        yield _Files(look_at(open_store(source)))


class _Mongo:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def collections(self) -> list[Collection]:
        return catalog.collections(self._connection)

    def look(self, collection: Collection, documents: int, observer: Observer) -> CollectionProfile:
        collection = catalog.with_sizes(self._connection, collection)
        if collection.document_bytes:
            documents = max(1, min(documents, BYTES_MAX // collection.document_bytes))
        profiler = Profiler(collection.name)
        total = collection.documents
        expected = documents if total is None else min(total, documents)
        read = 0
        for document in survey.survey(self._connection, collection, documents):
            profiler.add(decoded(document))
            read += 1
            _tell(observer, collection, read, expected)
        if total is None and read == documents:
            return profiler.result(None)  # a view: there may be more
        # An estimate may be off: what was read to its end is whole.
        sampled = total is not None and total > documents
        return profiler.result(total if sampled else read)

    def known(
        self, chosen: Sequence[Collection], profiles: Sequence[CollectionProfile]
    ) -> Mapping[str, KnownIds]:
        values: dict[Any, None] = {}
        for profile in profiles:
            for _, candidates in profile.candidates():
                for value in candidates:
                    values[value] = None
                    if isinstance(value, ObjectId):
                        values[str(value)] = None  # an id may be kept as its digits
        found = {}
        for collection in chosen:
            ids = found[collection.name] = KnownIds(len(values))
            if not collection.id_indexed:
                continue  # each look-up would read it whole
            for document in survey.known_ids(self._connection, collection, list(values)):
                ids.add(_id_of(document))
        return found


class _Files:
    """An archive: each file is read once, all of it, as nothing looks an id up in it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[str, KnownIds] = {}

    def collections(self) -> list[Collection]:
        manifest = self._archive.manifest
        return self._archive.collections(manifest.database if manifest else "")

    def look(self, collection: Collection, documents: int, observer: Observer) -> CollectionProfile:
        self._archive.check([collection])
        total = collection.documents
        every = max(1, -(-(total or 0) // documents))
        profiler = Profiler(collection.name)
        ids = self._known[collection.name] = KnownIds(total or IDS_EXPECTED)
        read = looked = 0
        with FileSource(self._archive, collection, "continue").read(snapshot=False) as batches:
            for batch in batches:
                for document in documents_in(batch):
                    wanted = read % every == 0 and looked < documents
                    if wanted:
                        profiler.add(decoded(document))
                        looked += 1
                    ids.add(_id_of(document))
                    read += 1
                    _tell(observer, collection, read, total)
        return profiler.result(read)

    def known(
        self, chosen: Sequence[Collection], profiles: Sequence[CollectionProfile]
    ) -> Mapping[str, KnownIds]:
        return {one.name: self._known[one.name] for one in chosen}


def decoded(document: bytes) -> Mapping[str, Any] | None:
    """Return a document as the driver decodes it, None where it can't."""
    try:
        return bson.decode(document, _READABLE)
    except (InvalidBSON, ValueError, RecursionError):
        return None


def _id_of(document: bytes) -> Any:
    """Return the `_id` of a document, None where it has none that the driver can decode."""
    identity = id_of(document)
    found = None if identity is None else decoded(id_document(*identity))
    return None if found is None else found["_id"]


def _tell(observer: Observer, collection: Collection, read: int, total: int | None) -> None:
    if read % TELL_EVERY == 0 or read == total:
        phase: Phase = "done" if read == total else "reading"
        observer(Progress(collection.stream, phase, read, total))
