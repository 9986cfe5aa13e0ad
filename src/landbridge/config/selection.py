"""Which collections a run is about: names and patterns against what there is.

For       `--select` and `--exclude`, and their like in a project file.
Touches   Nothing.
Promises  A name is meant literally and must exist; a pattern (`*` any characters, `?` one) takes
          what it finds, never a system collection.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from landbridge.errors import SourceMissingError
from landbridge.model.stream import Collection

WILDCARDS = frozenset("*?")
SYSTEM_PREFIX = "system."
NAMES_SHOWN_MAX = 10


def select(
    available: Sequence[Collection], include: Sequence[str], exclude: Sequence[str] = ()
) -> list[Collection]:
    """Return what `include` names less what `exclude` names, in the order of `available`.

    Nothing included means everything. Raises `SourceMissingError` where an included name does
    not exist, or where nothing is left.
    """
    names = [collection.name for collection in available]
    for name in include:
        if not WILDCARDS & set(name) and name not in names:
            raise _missing(name, names)
    chosen = [
        collection
        for collection in available
        if _any_takes(include or ("*",), collection.name)
        and not _any_takes(exclude, collection.name)
    ]
    if not chosen:
        raise SourceMissingError(
            "no collection is selected",
            why=f"nothing matches {_listed(include or ('*',))}"
            + (f" less {_listed(exclude)}" if exclude else ""),
            fix=_there_is(names),
        )
    return chosen


def _any_takes(patterns: Sequence[str], name: str) -> bool:
    return any(_takes(pattern, name) for pattern in patterns)


def _takes(pattern: str, name: str) -> bool:
    if not WILDCARDS & set(pattern):
        return pattern == name
    if name.startswith(SYSTEM_PREFIX):
        return False
    # Not fnmatch: a bracket is an ordinary character in a collection's name.
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return re.fullmatch("".join(parts), name, re.DOTALL) is not None


def _missing(name: str, names: Sequence[str]) -> SourceMissingError:
    if name.startswith(SYSTEM_PREFIX):
        return SourceMissingError(
            f"collection {name} can't be selected",
            why="system collections belong to the server and are not copied",
            fix="leave it out",
        )
    by_lower = {known.lower(): known for known in names}
    near = [by_lower[found] for found in get_close_matches(name.lower(), by_lower, n=3)]
    return SourceMissingError(
        f"collection {name} does not exist",
        why="the source has none of that name; names are case-sensitive",
        fix=f"did you mean {_listed(near)}?" if near else _there_is(names),
    )


def _there_is(names: Sequence[str]) -> str:
    if not names:
        return "the source has no collections: check the database in the URI"
    more = len(names) - NAMES_SHOWN_MAX
    shown = _listed(names[:NAMES_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return f"choose from {shown}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
