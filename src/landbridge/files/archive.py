"""What there is to import at a place: an archive with its manifest, or a folder of lines.

For       `import`, before it touches anything.
Touches   The place, by listing it and reading its manifest.
Promises  Files that are missing, or not of the size that the manifest says, are told before any is
          read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from landbridge.errors import ArchiveError, ArchiveMissingError
from landbridge.files.compression import compression_of
from landbridge.files.manifest import read_manifest
from landbridge.files.names import collection_of
from landbridge.files.progress import PROGRESS_NAME
from landbridge.files.reading import checksum
from landbridge.files.store import Store
from landbridge.model.archive import MANIFEST_NAME, ArchiveFile, Manifest
from landbridge.model.stream import Collection

NAMES_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of lines; `expected` is what the manifest says of it."""

    name: str
    collection: str
    bytes: int
    expected: ArchiveFile | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """What a place holds."""

    store: Store
    manifest: Manifest | None
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def collections(self, database: str) -> list[Collection]:
        """Return the collections as something to select from, in the order of their names."""
        names = sorted({entry.collection for entry in self.entries})
        return [self._collection(database, name) for name in names]

    def files_of(self, collection: str) -> list[Entry]:
        """Return the files of one collection, in the order that they are read in."""
        return [entry for entry in self.entries if entry.collection == collection]

    def check(self, collections: Sequence[Collection]) -> None:
        """Look whether the files of these collections are there, and whole by their size.

        Raises:
            ArchiveMissingError: one is not there.
            ArchiveError: one has another size.

        """
        for collection in collections:
            for entry in self.files_of(collection.name):
                self._check(entry)

    def _check(self, entry: Entry) -> None:
        expected = entry.expected
        size = self.store.size(entry.name)
        if size is None:
            raise self._missing(entry.name, entry.collection)
        beside = expected.rejected_name if expected is not None and expected.rejected else None
        if beside is not None and self.store.size(beside) is None:
            raise self._missing(beside, entry.collection)
        if expected is not None and size != expected.bytes:
            why = f"it has {size:,} bytes, and {MANIFEST_NAME} says {expected.bytes:,}"
            raise self.another(entry.name, why)

    def confirm(self, collections: Sequence[Collection]) -> None:
        """Read the files of these collections, and hold their checksums against the manifest.

        For a load that commits as it reads: what a read confirms at its end comes too late there.

        Raises:
            ArchiveError: one is not the file that was exported.

        """
        for collection in collections:
            for entry in self.files_of(collection.name):
                if entry.expected is not None:
                    found = checksum(self.store, entry.name)
                    if found != entry.expected.sha256:
                        raise self.other_checksum(entry, found)

    def other_checksum(self, entry: Entry, found: str) -> ArchiveError:
        """Return the error of a file whose checksum is not the manifest's."""
        said = entry.expected.sha256 if entry.expected else ""
        return self.another(entry.name, f"its SHA-256 is {found}, and the manifest says {said}")

    def another(self, name: str, why: str) -> ArchiveError:
        """Return the error of a file that is not what the manifest says."""
        return ArchiveError(
            f"{name} in {self.store.place} is not the file that was exported",
            why=why,
            fix="copy the file again, or export it again",
        )

    def _missing(self, name: str, collection: str) -> ArchiveMissingError:
        return ArchiveMissingError(
            f"{name} is not in {self.store.place}",
            why=f"{MANIFEST_NAME} names it, for the collection {collection}",
            fix=f"copy the whole archive, or leave it out: --exclude {collection}",
        )

    def _collection(self, database: str, name: str) -> Collection:
        entries = self.files_of(name)
        known = [entry.expected for entry in entries if entry.expected is not None]
        plain = all(compression_of(entry.name) == "none" for entry in entries)
        documents = size = None
        if len(known) == len(entries):
            documents = sum(file.documents + file.rejected for file in known)
            size = sum(file.bytes_plain for file in known)
        elif plain:
            size = sum(entry.bytes for entry in entries)
        return Collection(
            database, name, id_indexed=False, documents=documents, bytes=size, versions=True
        )


def look_at(store: Store) -> Archive:
    """Return what there is to import.

    Raises:
        ArchiveMissingError: there is nothing.
        ArchiveError: an export that has not ended, or a manifest that can't be understood.

    """
    names = store.names()
    manifest = read_manifest(store) if MANIFEST_NAME in names else None
    if manifest is not None:
        return _with_manifest(store, manifest, names)
    if PROGRESS_NAME in names:
        raise ArchiveError(
            f"the archive in {store.place} is not finished",
            why=f"the export that writes it has not ended: {PROGRESS_NAME} is there",
            fix=f"run the same export again with --out {store.place}; it goes on where it stopped",
        )
    entries = []
    for name in names:
        collection = collection_of(name)
        if collection is not None and not collection.endswith(".metadata"):  # mongodump's
            entries.append(Entry(name, collection, store.size(name) or 0))
    if not entries:
        raise _nothing(store, names)
    note = (
        f"no {MANIFEST_NAME}: each file is taken for the collection of its name, and nothing says"
        " whether it is whole"
    )
    return Archive(store, None, tuple(entries), (note,))


def _with_manifest(store: Store, manifest: Manifest, names: Sequence[str]) -> Archive:
    entries = tuple(Entry(file.name, file.collection, file.bytes, file) for file in manifest.files)
    counts = Counter(entry.name for entry in entries)
    twice = [name for name, count in counts.items() if count > 1]
    if twice or any("/" in entry.name or entry.name.startswith(".") for entry in entries):
        raise ArchiveError(
            f"cannot understand {MANIFEST_NAME} in {store.place}",
            why=f"it names {', '.join(sorted(twice)) or 'files elsewhere'}"
            + (" more than once" if twice else ""),
            fix="export again, or remove it to import without checksums",
        )
    known = {entry.name for entry in entries}
    others = [name for name in names if collection_of(name) and name not in known]
    others = [name for name in others if name not in (MANIFEST_NAME, PROGRESS_NAME)]
    notes = []
    if others:
        more = f" and {len(others) - NAMES_SHOWN_MAX} more" if len(others) > NAMES_SHOWN_MAX else ""
        shown = ", ".join(others[:NAMES_SHOWN_MAX])
        notes.append(f"{shown}{more}: not in {MANIFEST_NAME}, and left alone")
    return Archive(store, manifest, entries, tuple(notes))


def _nothing(store: Store, names: Sequence[str]) -> ArchiveMissingError:
    if any(name.endswith((".bson", ".bson.gz")) for name in names):
        return ArchiveMissingError(
            f"there are no lines of JSON in {store.place}",
            why="it is what mongodump writes, which is BSON",
            fix="restore it with mongorestore and import with --from, or export with landbridge",
        )
    why = "it is missing, or no file is directly in it"
    if names:
        why = f"it holds {len(names)} other files"
    return ArchiveMissingError(
        f"there is no archive in {store.place}",
        why=f"{why}; an archive holds .jsonl or .json files, also .gz or .zst",
        fix="check the path: it is the folder of one export, such as output/2026-01-15T09-00-00Z",
    )
