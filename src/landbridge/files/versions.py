"""Versions: documents of one `_id` in the same files, of which the last one counts.

For       `source`, which is asked for documents that came more than once.
Touches   Nothing; the files are read by what it is given.
Promises  Of each id exactly one document is handed on, the last; every earlier one is set aside.
          Memory grows with the ids that repeat, not with their documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from landbridge.codec import (
    batch_of,
    documents_in,
    extended_json,
    id_of,
    id_text,
    key_of,
    pick,
)
from landbridge.model.batch import Aside, Batch, Problem

_BATCH_BYTES = 2 << 20
_REASON = "a later document of the same files has this _id"


def last_versions(read: Callable[[], Iterator[Batch]], ids: Sequence[bytes]) -> Iterator[Batch]:
    """Yield the documents with these ids, each a BSON document `{_id: …}`; `read` reads all."""
    last = dict.fromkeys(filter(None, (key_of(id_of(one)) for one in ids)), -1)
    for number, key, _ in _wanted(read, last):
        last[key] = number
    newest: list[bytes] = []
    earlier: list[Aside] = []
    size = 0
    for number, key, document in _wanted(read, last):
        size += len(document)
        if last[key] == number:
            newest.append(document)
        else:
            earlier.append(_set_aside(document))
        if size > _BATCH_BYTES:
            yield replace(batch_of(newest), aside=tuple(earlier))
            newest, earlier, size = [], [], 0
    yield replace(batch_of(newest), aside=tuple(earlier))


def _wanted(
    read: Callable[[], Iterator[Batch]], keys: dict[bytes, int]
) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield (number in the files, key, document) of each document that has one of the keys."""
    number = 0
    for batch in read():
        identities = pick(batch.data, batch.offset, [[b"_id"]])
        found = [key_of((raw[0], raw[1:]) if raw else None) for (raw,) in identities]
        if not keys.keys().isdisjoint(found):
            for place, (key, document) in enumerate(zip(found, documents_in(batch), strict=True)):
                if key is not None and key in keys:
                    yield number + place, key, document
        number += len(identities)


def _set_aside(document: bytes) -> Aside:
    text = extended_json(document)
    return Aside(document, id_text(document), text, Problem.REPEATED, _REASON)
