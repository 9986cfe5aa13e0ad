"""Changes: events of the log, taken together to what they leave behind.

For       `log`, which reads a document once however often it was changed.
Touches   Nothing.
Promises  The last event of a document decides: what it left, that it is to be read, or that it is
          gone. Two ids that MongoDB takes for one are one.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from landbridge.codec import batch_of, canonical_key, id_document
from landbridge.model.batch import Batch, Constants
from landbridge.model.log import DDL, Event

_POSTGRES_EPOCH_SECONDS = 946_684_800
_STRING, _SYMBOL, _INT32, _INT64 = 0x02, 0x0E, 0x10, 0x12
# Bytes of these are equal exactly where MongoDB finds the values equal.
_PLAIN = frozenset({0x02, 0x05, 0x07, 0x08, 0x09, 0x11})
_DOCUMENTS_A_BATCH = 2_000


@dataclass(slots=True)
class Changes:
    """What some events leave behind; each id stands once."""

    documents: list[bytes] = field(default_factory=list)  # as the log holds them
    unread: list[bytes] = field(default_factory=list)  # ids of those that it does not hold
    gone: list[bytes] = field(default_factory=list)  # ids


def segments(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cut events at those that concern a whole collection, each of which stands alone."""
    part: list[Event] = []
    for event in events:
        if event.operation in DDL:
            if part:
                yield part
            yield [event]
            part = []
        else:
            part.append(event)
    if part:
        yield part


def coalesced(events: Iterable[Event]) -> Changes:
    """Return what the last event of each document says of it."""
    last: dict[object, Event] = {}
    for event in events:
        if event.id is not None:
            last[identity(event.id)] = event
    changes = Changes()
    for event in last.values():
        assert event.id is not None
        if event.operation == "delete":
            changes.gone.append(id_document(event.id[0], event.id[1:]))
        elif event.document is not None:
            changes.documents.append(event.document)
        else:
            changes.unread.append(id_document(event.id[0], event.id[1:]))
    return changes


def identity(value: bytes) -> object:
    """Return what is equal for two ids, type byte and value bytes, where they are one."""
    kind = value[0]
    if kind in _PLAIN:
        return value
    if kind == _SYMBOL:
        return bytes((_STRING,)) + value[1:]
    if kind == _INT32:
        return struct.unpack("<i", value[1:])[0]
    if kind == _INT64:
        return struct.unpack("<q", value[1:])[0]
    if kind == 0x01:
        number = struct.unpack("<d", value[1:])[0]
        if number.is_integer() and abs(number) < 2**63:
            return int(number)
    return _by_key(kind, value)


def _by_key(kind: int, value: bytes) -> object:
    key = canonical_key(kind, value[1:])
    if kind == 0x13:  # a decimal that is whole is the same as that integer
        from landbridge.codec import id_of_key

        found = id_of_key(key)
        if found is not None and found[0] == _INT64:
            return struct.unpack("<q", found[1])[0]
    return key


def batches_of(documents: Sequence[bytes]) -> Iterator[Batch]:
    """Yield documents as batches."""
    for start in range(0, len(documents), _DOCUMENTS_A_BATCH):
        yield batch_of(documents[start : start + _DOCUMENTS_A_BATCH])


def versions_of_one(events: Iterable[Event]) -> int:
    """Return how many versions the document has that changed most often."""
    many = Counter(identity(event.id) for event in events if event.id is not None)
    return max(many.values(), default=0)


def history(events: Iterable[Event], found: dict[object, bytes], sequence: int) -> Iterator[Batch]:
    """Yield each event as a version of its document, with its operation and its time.

    Args:
        events: in order.
        found: documents that the log does not hold, by `identity`; a document that is not among
            them either was deleted since, and the event that says so follows.
        sequence: the first `_sdc_sequence`; versions of one document get one each.

    """
    seen: dict[object, int] = {}
    for event in events:
        assert event.id is not None
        key = identity(event.id)
        document = event.document
        if event.operation == "delete":
            document = id_document(event.id[0], event.id[1:])
        elif document is None:
            document = found.get(key)
        if document is None:
            continue
        seen[key] = number = seen.get(key, -1) + 1
        # The increment counts writes within a second: as microseconds it keeps their order.
        moment = (event.time.seconds - _POSTGRES_EPOCH_SECONDS) * 1_000_000 + event.time.increment
        stamp = struct.pack(">q", moment)
        own: Constants = {
            "_lb_operation": event.operation.encode(),
            "_lb_cluster_time": stamp,
            "_sdc_sequence": struct.pack(">q", sequence + number),
        }
        if event.operation == "delete":
            own["_sdc_deleted_at"] = stamp
        batch = batch_of([document])
        yield Batch(batch.data, batch.offset, batch.bytes, own)
