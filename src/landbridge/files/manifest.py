"""The manifest as a file: read with care, written last.

For       `export`, which ends with it; `import`, which begins with it.
Touches   `manifest.json` of a store.
Promises  What is returned is a manifest of a format that this version knows.
"""

from __future__ import annotations

import json

from landbridge.errors import ArchiveError
from landbridge.files.store import Store
from landbridge.model.archive import MANIFEST_NAME, Manifest


def read_manifest(store: Store) -> Manifest | None:
    """Return the manifest of an archive, None where there is none.

    Raises:
        ArchiveError: there is one that can't be understood.

    """
    data = store.read(MANIFEST_NAME)
    if data is None:
        return None
    try:
        stored = json.loads(data)
        if not isinstance(stored, dict):
            raise ValueError("it is no object")
        return Manifest.from_json(stored)
    except ValueError as error:
        raise ArchiveError(
            f"cannot understand {MANIFEST_NAME} in {store.place}",
            why=str(error),
            fix="use the version of landbridge that wrote it, or remove it to import without "
            "checksums",
        ) from error


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Say that an archive is whole."""
    store.write(MANIFEST_NAME, json.dumps(manifest.to_json(), indent=2).encode() + b"\n")
