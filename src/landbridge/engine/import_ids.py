"""Ids that stand more than once: in files nothing keeps a document from being there twice.

For       The import of an archive, before it writes a row.
Touches   A temporary file on the local disk; the archive, by reading all of it once.
Promises  The last document of an id is the one that counts; the others are set aside, not lost.
          What is wrong with the files themselves is told here, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

from landbridge.codec import documents_in, id_of
from landbridge.engine.scratch import scratch
from landbridge.mapping.ids import Unfit, canonical
from landbridge.model.importing import Fault, Mapped, StreamShape
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, Progress

DIGEST_BYTES = 16


def repeated_ids(source: Source, observer: Observer) -> dict[bytes, int]:
    """Read a whole source; return how often ids stand in it that stand there more than once.

    The ids are digests of their canonical text.
    """
    collection, count = source.collection, 0
    with scratch("CREATE TABLE id (digest BLOB)") as database:
        with source.read(snapshot=False) as read:
            for batch in read:
                digests = [
                    (digest,)
                    for document in documents_in(batch)
                    if (digest := _digest_of(document)) is not None
                ]
                count += len(digests)
                database.execute("BEGIN")
                database.executemany("INSERT INTO id VALUES (?)", digests)
                database.execute("COMMIT")
                observer(Progress(collection.stream, "waiting", count, collection.documents))
        found = database.execute("SELECT digest, count(*) FROM id GROUP BY 1 HAVING count(*) > 1")
        return dict(found.fetchall())


def digest(source_id: str) -> bytes:
    """Return what stands for a canonical id."""
    return blake2b(source_id.encode(), digest_size=DIGEST_BYTES).digest()


def _digest_of(document: bytes) -> bytes | None:
    found = id_of(document)
    if found is None:
        return None
    try:
        return digest(canonical(bytes((found[0],)) + found[1]))
    except Unfit:
        return None


class Repeated:
    """Tells, along one read, which documents have a later one of their id."""

    def __init__(self, repeated: Mapping[bytes, int], shape: StreamShape) -> None:
        self._left = dict(repeated)
        self._table = shape.main.table.name.name
        self._column = shape.key

    def judged(self, documents: Iterable[Mapped]) -> Iterator[Mapped]:
        """Yield the documents; those that are not the last of their id with that fault."""
        if not self._left:
            yield from documents
            return
        for document in documents:
            name = digest(document.source_id)
            left = self._left.get(name, 0)
            if document.text or left == 0:
                yield document
                continue
            self._left[name] = left - 1
            if left == 1:
                yield document
                continue
            reason = "a later document of the collection has the same _id"
            yield document.faulty(Fault("repeated", self._table, self._column, "_id", reason))
