"""The second look: documents that differ are read again before they are called different.

For       Telling a difference from a document that was being written while both sides were read.
Touches   Single documents and rows, reading only; landbridge.stream, where a stream is followed.
Promises  What is called different was so in two looks, some time apart, between which neither
          side changed; and, where a run follows the source, after that run had come past the
          first of them. What never stands still is not judged, and told of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from typing import Any

import psycopg

from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.verification import Difference
from landbridge.mongo.connect import Connection
from landbridge.state import quarantine
from landbridge.verify import identity, reading, records
from landbridge.verify.bson import Value, id_of, members
from landbridge.verify.expected import key_of_document
from landbridge.verify.found import Found, add_row, differing
from landbridge.verify.pairs import Pair
from landbridge.verify.shape import Shape

TOGETHER = 1_000  # documents looked at by one query
PAUSE_SECONDS = 1.0  # between two looks at what does not stand still
PATIENCE_SECONDS = 15.0
FOLLOWED_SECONDS = 30.0  # a run that follows and does not come past a look is not waited for


@dataclass(slots=True)
class Settled:
    """What became of the documents that differed at first."""

    equal: int = 0
    source_sum: int = 0  # of the digests of all documents that were looked at
    target_sum: int = 0  # of their rows
    missing: list[Value | None] = field(default_factory=list)
    extra: list[Value | None] = field(default_factory=list)
    different: list[tuple[Value | None, tuple[str, ...]]] = field(default_factory=list)
    restless: list[Value | None] = field(default_factory=list)  # being written all the while


@dataclass(frozen=True, slots=True)
class Looked:
    """One document and its rows, as they were at one look."""

    documents: tuple[bytes, ...]
    rows: tuple[tuple[int, tuple[bytes | None, ...]], ...]  # table, fields

    def found(self, shape: Shape) -> Found:
        """Return what the rows hold."""
        found = Found()
        for table, fields in self.rows:
            add_row(shape, found, table, fields)
        return found

    @property
    def mark(self) -> bytes:
        """Bytes that tell this look from any that saw something else."""
        return blake2b(repr((self.documents, self.rows)).encode(), digest_size=16).digest()

    @property
    def in_table(self) -> bool:
        """Whether there is a row."""
        return bool(self.rows)


@dataclass(slots=True)
class Looker:
    """Looks at documents by the keys of their records; `as_it_is` tells of the table's columns."""

    mongo: Connection
    connection: psycopg.Connection[Any]
    as_it_is: Callable[[], tuple[Pair, Shape]]
    pair: Pair
    shape: Shape

    def settle(self, keys: Iterable[bytes], stopping: Callable[[], None]) -> Settled:
        """Look at documents until it is plain whether they differ."""
        settled = Settled()
        before: dict[bytes, bytes] = dict.fromkeys(keys, b"")
        began = time.monotonic()
        while before:
            looked = time.monotonic()
            self._wait_for_follower(stopping)
            self.pair, self.shape = self.as_it_is()  # a run may have changed the columns
            before = {self._key_now(key): mark for key, mark in before.items()}
            last = looked - began > PATIENCE_SECONDS
            before = {
                key: mark
                for some in _portions(before)
                for key, mark in self._unsettled(some, before, settled, last, stopping)
            }
            if before:
                time.sleep(max(0.0, looked + PAUSE_SECONDS - time.monotonic()))
        return settled

    def _key_now(self, key: bytes) -> bytes:
        """Return the key by which a document is known now, if no row could have its id before."""
        value = identity.of_key(self.shape, key)
        if value is None or identity.split_key(key) is not None:
            return key
        return key_of_document(self.shape, identity.id_document(value))

    def _unsettled(
        self,
        keys: list[bytes],
        before: Mapping[bytes, bytes],
        settled: Settled,
        last: bool,
        stopping: Callable[[], None],
    ) -> Iterator[tuple[bytes, bytes]]:
        """Look at some documents; yield those that are to be looked at again, with a mark each."""
        stopping()
        looks = self.look(keys)
        known = self._set_aside(looks.values())
        for key in keys:
            now = looks[key]
            if self._is_equal(key, now, settled):
                continue
            mark = now.mark
            if now in known or before[key] == mark:
                if now not in known:  # what is in quarantine is no part of either side's hash
                    self._add_to_sums(now, settled)
                self._differs(key, now, settled)
            elif last:
                settled.restless.append(self._id(key, now))
            else:
                yield key, mark

    def _set_aside(self, looks: Iterable[Looked]) -> set[Looked]:
        """Return those whose documents are in quarantine: nobody need wait for their rows."""
        lacking = {
            identity.words(id_of(one.documents[0])): one
            for one in looks
            if one.documents and not one.rows
        }
        if not lacking or self.pair.stream_id is None:
            return set()
        found = quarantine.set_aside(self.connection, self.pair.stream_id, list(lacking))
        return {lacking[name] for name in found}

    def look(self, keys: Sequence[bytes]) -> dict[bytes, Looked]:
        """Read documents and rows of these keys, the documents first."""
        shape = self.shape
        parts = {key: identity.split_key(key) for key in keys}
        ids = [value for key in keys for value in identity.all_of_key(shape, key)]
        documents: dict[bytes, list[bytes]] = {key: [] for key in keys}
        for batch in reading.documents_of(self.mongo, self.pair.collection, ids):
            for _, one in members(batch):
                documents.setdefault(key_of_document(shape, one.raw), []).append(one.raw)
        rows: dict[bytes, list[tuple[int, tuple[bytes | None, ...]]]] = {key: [] for key in keys}
        for column in sorted({part[0] for part in parts.values() if part}):
            contents = [part[1] for part in parts.values() if part and part[0] == column]
            for table in range(len(shape.tables)):
                for fields in reading.rows_of(self.connection, shape, table, column, contents):
                    found = Found()
                    add_row(shape, found, table, fields)
                    if found.key in rows:
                        rows[found.key].append((table, tuple(fields)))
        return {
            key: Looked(tuple(sorted(documents[key])), tuple(sorted(rows[key], key=repr)))
            for key in keys
        }

    def _is_equal(self, key: bytes, now: Looked, settled: Settled) -> bool:
        if not now.documents and not now.in_table:
            # Gone from both sides since; unless it could not be asked for.
            return identity.of_key(self.shape, key) is not None
        if not self.shape.keyed or len(now.documents) > 1:
            return self._as_many_are_equal(now, settled)
        if not now.documents or not now.in_table:
            return False
        document = now.documents[0]
        found = now.found(self.shape)
        if sum(table == 0 for table, _ in now.rows) != 1 or len(now.rows) != 1 + len(found.rows):
            return False  # a row that stands there twice says nothing else than once
        if differing(self.shape, document, found):
            return False
        settled.equal += 1
        digest = _digest(records.of_document(self.shape, document))
        settled.source_sum += digest
        settled.target_sum += digest
        return True

    def _as_many_are_equal(self, now: Looked, settled: Settled) -> bool:
        """Compare documents that share a key, as a view's may, with as many rows."""
        wanted = sorted(records.of_document(self.shape, one) for one in now.documents)
        copies = [_copied(fields) for table, fields in now.rows if table == 0]
        if wanted != sorted(records.of_rows(self.shape, 0, one) for one in copies):
            return False
        settled.equal += len(wanted)
        settled.source_sum += sum(map(_digest, wanted))
        settled.target_sum += sum(map(_digest, wanted))
        return True

    def _add_to_sums(self, now: Looked, settled: Settled) -> None:
        for one in now.documents:
            settled.source_sum += _digest(records.of_document(self.shape, one))
        for table, content in now.rows:
            settled.target_sum += _digest(records.of_rows(self.shape, table, _copied(content)))

    def _differs(self, key: bytes, now: Looked, settled: Settled) -> None:
        value = self._id(key, now)
        rows = sum(table == 0 for table, _ in now.rows)
        if not now.documents and not now.rows:
            settled.missing.append(value)
        elif not now.documents:
            settled.extra += [value] * max(1, rows)
        elif not rows and not now.rows:
            settled.missing += [value] * len(now.documents)
        elif not rows:
            settled.different.append((value, ("the row of the document itself",)))
        elif len(now.documents) > rows:
            settled.missing += [value] * (len(now.documents) - rows)
        elif len(now.documents) < rows:
            settled.extra += [value] * (rows - len(now.documents))
        else:
            fields = differing(self.shape, now.documents[0], now.found(self.shape))
            settled.different.append((value, tuple(fields) or ("the document",)))

    def _id(self, key: bytes, now: Looked) -> Value | None:
        # The document tells the kind of its id; a row tells one that MongoDB takes for the same.
        return id_of(now.documents[0]) if now.documents else identity.of_key(self.shape, key)

    def _wait_for_follower(self, stopping: Callable[[], None]) -> None:
        """Let a run that follows the source come past this moment."""
        if self.pair.method != "log":
            return
        now = self._operation_time()
        ends = time.monotonic() + FOLLOWED_SECONDS
        while now is not None and time.monotonic() < ends:
            stopping()
            row = self.connection.execute(
                "SELECT s.position FROM landbridge.stream s JOIN landbridge.lease l"
                " ON l.stream_id = s.id AND l.expires_at > now() WHERE s.id = %s",
                (self.pair.stream_id,),
            ).fetchone()
            position = LogPosition.from_json(row[0]) if row else None
            if position is None or not position.token or position.reached >= now:
                return
            time.sleep(0.2)

    def _operation_time(self) -> ClusterTime | None:
        with self.mongo.translated("cannot ask what time it is"):
            found = self.mongo.client.admin.command("ping").get("operationTime")
        return None if found is None else ClusterTime(found.time, found.inc)


def _digest(record: bytes) -> int:
    return int.from_bytes(record[-17:-1], "little")


def _copied(fields: Sequence[bytes | None]) -> bytes:
    """Return a row as the tuple of a binary COPY."""
    return len(fields).to_bytes(2) + b"".join(
        b"\xff\xff\xff\xff" if one is None else len(one).to_bytes(4) + one for one in fields
    )


def _portions(keys: Iterable[bytes]) -> Iterator[list[bytes]]:
    left = iter(keys)
    while some := list(islice(left, TOGETHER)):
        yield some


def named(differences: Iterable[tuple[Value | None, tuple[str, ...]]]) -> tuple[Difference, ...]:
    """Return differences as reports name them."""
    return tuple(Difference(identity.words(value), fields) for value, fields in differences)
