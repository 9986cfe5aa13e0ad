"""Rest: the one jsonb object that holds what found no column of its own.

For       `_rest`: fields past the number of columns, and what makes a row too wide for its page.
Touches   Nothing.
Promises  Every value stands under its whole path; an object is opened only for what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from json.encoder import encode_basestring as quoted

from landbridge.model.plan import Path


def rest_object(members: Iterable[tuple[Path, str]]) -> str:
    """Return the object of `members`, values as JSON with their paths, in document order."""
    parts = ["{"]
    opened: Path = ()
    first = True  # in the object that is open
    for path, value in members:
        parents = path[:-1]
        shared = _shared(opened, parents)
        parts.append("}" * (len(opened) - shared))
        for name in parents[shared:]:
            parts.append(f"{'' if first else ','}{quoted(name)}:{{")
            first = True
        parts.append(f"{'' if first else ','}{quoted(path[-1])}:{value}")
        first = False
        opened = parents
    parts.append("}" * (len(opened) + 1))
    return "".join(parts)


def _shared(one: Path, other: Path) -> int:
    """Return how many names two paths begin with together."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
