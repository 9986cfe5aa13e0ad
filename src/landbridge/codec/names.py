"""Names: paths of documents to names of columns, collections to names of tables.

For       Names that can be typed without quotes and still tell every field from every other.
Touches   Nothing.
Promises  A name is valid, at most 63 bytes, not taken and not one of our own. The same path,
          settings and names taken give the same name, on any machine and in any run.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection
from hashlib import blake2b

from landbridge.model.plan import Path
from landbridge.model.settings import Names, Settings

NAME_BYTES_MAX = 63

_RESERVED = frozenset(
    {
        # PostgreSQL's system columns
        "tableoid",
        "oid",
        "ctid",
        "xmin",
        "xmax",
        "cmin",
        "cmax",
        # our own
        "_id",
        "_key",
        "_rest",
        "_lb_hash",
        "_source_bson",
        "_source_document",
        "_imported_at",
        "_parent_id",
        "_ordinal",
    }
)
_RESERVED_PREFIX = "_sdc_"
_ID_PATH = ("_id",)
_HASH_DIGITS = 8


def column_name(path: Path, settings: Settings, taken: Collection[str] = ()) -> str:
    """Return the name of the column for `path`, beside the names `taken`.

    `_id` keeps its name; another field that cleans to it gets a hash.
    """
    if path == _ID_PATH and "_id" not in taken:
        return "_id"
    name = settings.separator.join([_cleaned(part, settings.names) for part in path])
    refused = name in taken or name in _RESERVED or name.startswith(_RESERVED_PREFIX)
    return _told_apart(name, path, taken, refused)


def table_name(collection: str, settings: Settings, taken: Collection[str] = ()) -> str:
    """Return the name of a collection's table, beside the names `taken`."""
    name = _cleaned(collection, settings.names)
    return _told_apart(name, (collection,), taken, name in taken)


def child_table_name(
    table: str, path: Path, settings: Settings, taken: Collection[str] = ()
) -> str:
    """Return the name of the table for the array at `path`: that of its parent, and the path."""
    parts = [table, *(_cleaned(part, settings.names) for part in path)]
    name = settings.separator.join(parts)
    return _told_apart(name, (table, *path), taken, name in taken)


def variant_name(name: str, family: str, taken: Collection[str] = ()) -> str:
    """Return the name of the column for values of another `family` than that of column `name`."""
    variant = f"{name}__{family}"
    return _told_apart(variant, (name, family), taken, variant in taken)


def _cleaned(part: str, names: Names) -> str:
    if names == "preserve":
        return part or "_"
    if names == "snake":
        part = _snake(part)
    name = "".join([char if _is_plain(char) else "_" for char in part.lower()]) or "_"
    return f"_{name}" if name[0].isdecimal() else name


def _is_plain(char: str) -> bool:
    """Whether `char` is a letter, a mark on one, a digit or `_`."""
    return (
        char == "_"
        or char.isalpha()
        or char.isdecimal()
        or unicodedata.category(char) in ("Mn", "Mc")
    )


def _snake(part: str) -> str:
    """Put `_` where a word begins: userId, HTTPServer -> user_Id, HTTP_Server."""
    out = []
    for before, char, after in zip(" " + part, part, part[1:] + " ", strict=False):
        begins = before.islower() or before.isdecimal() or (before.isupper() and after.islower())
        if char.isupper() and begins:
            out.append("_")
        out.append(char)
    return "".join(out)


def _told_apart(name: str, seed: Path, taken: Collection[str], refused: bool) -> str:
    """Return `name` as it is, or shortened with as much of a hash of `seed` as it takes."""
    if not refused and len(name.encode()) <= NAME_BYTES_MAX:
        return name
    digest = blake2b("\0".join(seed).encode()).hexdigest()
    for digits in range(_HASH_DIGITS, NAME_BYTES_MAX - 1):
        tail = "_" + digest[:digits]
        candidate = _cut(name, NAME_BYTES_MAX - len(tail)) + tail
        if candidate not in taken:
            return candidate
    raise AssertionError(f"no name is left for {seed}")


def _cut(name: str, size: int) -> str:
    """Return the longest beginning of `name` that takes at most `size` bytes."""
    return name.encode()[:size].decode(errors="ignore")
