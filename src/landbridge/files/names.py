"""Names of an archive's files: safe on every disk and bucket, and back to the collection.

For       `export`, which names files; `import`, which finds collections without a manifest.
Touches   Nothing.
Promises  Two collections never share a file, not even where case doesn't count. No name climbs
          out of its folder, is hidden, or is one of landbridge's own. Names that are not too long
          for a disk can be turned back.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import unquote

from landbridge.files.compression import EXTENSIONS
from landbridge.model.archive import LINES_EXTENSION, REJECTED_EXTENSION, Compression

STEM_BYTES_MAX = 200  # disks end at 255; the extension and `.part` come after it

_UNSAFE = re.compile(rb"[^A-Za-z0-9_.-]")
_OTHERS_EXTENSION = ".json"  # mongoexport's habit
_REJECTED = REJECTED_EXTENSION.removesuffix(LINES_EXTENSION)


def archive_names(collections: Iterable[str], compression: Compression) -> dict[str, str]:
    """Return the file name of each collection."""
    wanted = list(collections)
    meeting = Counter(name.lower() for name in wanted)
    extension = LINES_EXTENSION + EXTENSIONS[compression]
    return {name: _stem(name, meeting[name.lower()] > 1) + extension for name in wanted}


def collection_of(name: str) -> str | None:
    """Return the collection that a file of that name holds; None where it is no such file."""
    for extension in EXTENSIONS.values():
        name = name.removesuffix(extension) if extension else name
    if name.endswith(REJECTED_EXTENSION):
        return None
    for extension in (LINES_EXTENSION, _OTHERS_EXTENSION):
        if name.endswith(extension) and name != extension:
            return unquote(name.removesuffix(extension))
    return None


def _stem(collection: str, meets_another: bool) -> str:
    raw = collection.encode()
    stem = _UNSAFE.sub(lambda match: b"%%%02X" % match[0][0], raw).decode()
    if stem.startswith("."):
        stem = "%2E" + stem[1:]
    if meets_another:
        stem = re.sub(r"%[0-9A-F]{2}|[A-Z]", _without_capitals, stem)
    if stem.lower().endswith(_REJECTED):
        stem = f"{stem[: -len(_REJECTED)]}%2E{stem[1 - len(_REJECTED) :]}"
    if len(stem) > STEM_BYTES_MAX:
        digest = hashlib.sha256(raw).hexdigest()[:16]
        stem = re.sub(r"%.?$", "", stem[: STEM_BYTES_MAX - 17]) + "-" + digest
    return stem


def _without_capitals(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith("%") else f"%{ord(match[0]):02X}"
