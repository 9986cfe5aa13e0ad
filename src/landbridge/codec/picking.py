"""Picking: a few values out of each document of a batch, by path, the rest left unread.

For       Events of a change stream, which are told apart by some fields and carry a document.
Touches   Nothing.
Promises  A value is its type byte and then its bytes, as they were sent. The compiled kernel's
          `pick` does the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from landbridge.codec.walk import Element, Refused, documents, elements
from landbridge.errors import CodecError
from landbridge.model.kinds import Kind

Paths = Sequence[Sequence[bytes]]
Picked = tuple[bytes | None, ...]
Pick = Callable[[bytes, int, Paths], list[Picked]]


def pick(data: bytes, offset: int, paths: Paths) -> list[Picked]:
    """Return, for each document of the BSON array at `data[offset:]`, the value at each path.

    Raises:
        CodecError: the array or one of its documents is malformed.

    """
    return [_picked(data, start, end, paths) for start, end in documents(data, offset)]


def _picked(data: bytes, start: int, end: int, paths: Paths) -> Picked:
    found: list[bytes | None] = [None] * len(paths)
    try:
        _look(elements(data, start, end, 1), 0, range(len(paths)), paths, found)
    except Refused as refused:
        raise unreadable() from refused
    return tuple(found)


def unreadable() -> CodecError:
    """Return the error of a document that can't be walked."""
    return CodecError(
        "cannot read an event of the change stream",
        why="its document is not BSON",
        fix="check what stands between us and the server",
    )


def _look(
    members: Iterator[Element],
    level: int,
    wanted: Sequence[int],
    paths: Paths,
    found: list[bytes | None],
) -> None:
    for element in members:
        deeper = []
        for number in wanted:
            path = paths[number]
            if path[level] != element.key:
                continue
            if len(path) == level + 1:
                found[number] = bytes((element.type_byte,)) + element.value
            elif element.kind is Kind.OBJECT:
                deeper.append(number)
        if deeper:
            _look(element.elements(), level + 1, deeper, paths, found)
