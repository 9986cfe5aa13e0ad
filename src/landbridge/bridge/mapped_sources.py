"""What an import by a mapping reads: collections of a MongoDB, or the files of an archive.

For       `import --mapping`.
Touches   The source's catalog, or the archive's list of files.
Promises  What the mapping does not name is told of, and left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from landbridge.config import selection
from landbridge.errors import UsageError
from landbridge.files import FileSource, look_at, open_store
from landbridge.mapping.rules import Mapping
from landbridge.model.importing import OnError
from landbridge.model.stream import Source
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.mongo.source import CollectionSource

_log = logging.getLogger("landbridge")


@contextmanager
def opened(
    mapping: Mapping,
    *,
    place: str | None,
    uri: str | None,
    select: Sequence[str],
    exclude: Sequence[str],
    on_error: OnError,
) -> Iterator[tuple[dict[str, Source], list[str]]]:
    """Open what is read from; yield the collections that the mapping names, and notes."""
    if place is not None:
        archive = look_at(open_store(place))
        database = archive.manifest.database if archive.manifest else mapping.schema
        chosen = selection.select(archive.collections(database), select, exclude)
        files = [one for one in chosen if mapping.of(one.name) is not None]
        archive.check(files)
        archive.confirm(files)  # before a batch is committed
        notes = [
            *archive.notes,
            *_unknown(mapping, [one.name for one in chosen], bool(select or exclude)),
        ]
        if archive.manifest is None:
            notes.append(
                f"without a manifest, keys of rows are made as of a database {database}, the schema"
            )
        yield {one.name: FileSource(archive, one, on_error) for one in files}, notes
        return
    if uri is None:
        raise UsageError(
            "there is nothing to import",
            why="neither an archive nor a MongoDB is named",
            fix="give input, a folder, or source, a URI",
        )
    with connect(uri) as mongo:
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        sources: dict[str, Source] = {}
        for collection in chosen:
            if mapping.of(collection.name) is not None:
                described = catalog.with_sizes(mongo, collection)
                sources[collection.name] = CollectionSource(mongo, described)
        yield sources, _unknown(mapping, [one.name for one in chosen], bool(select or exclude))


def _unknown(mapping: Mapping, names: Sequence[str], picked: bool) -> list[str]:
    """Say which collections go nowhere, and which rules have nothing to read."""
    notes = []
    for name in names:
        if name in mapping.skip:
            notes.append(f"{name}: skipped, as the mapping says")
        elif mapping.of(name) is None:
            notes.append(f"{name}: skipped, because the mapping does not name it")
            _log.warning("the collection %s is not in the mapping: skipped", name)
    if not picked:
        for rule in mapping.collections:
            if rule.collection not in names:
                notes.append(f"{rule.collection}: the source has no such collection")
    return notes
