"""A load of seeded writes that goes on while servers die, and keeps a record of what must be.

For       The campaign: something changes at the source all the time.
Touches   Its own collections, from a thread for each writer.
Promises  The same seed and collections give the same sequence of writes (their times differ).
          Every write asks for a majority. One whose answer was lost is recorded as in doubt.
          `stop` returns when no write is under way, and each collection ends with a mark.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pymongo
from bson import ObjectId
from pymongo import WriteConcern
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DuplicateKeyError,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from . import ids, writes
from .record import Document, Record, Slot
from .writes import Kind, Write

ANSWER_MS_MAX = 8_000
ALIVE_MAX = 400  # documents of a writer in a collection: above it more is deleted than inserted
PAUSE_SECONDS = 0.2  # while no server answers
STOP_SECONDS_MAX = 60
DUPLICATE_KEY = 11000
MARK = "the end"
MARK_ID = -1


@dataclass(frozen=True, slots=True)
class Kept:
    """A collection that is written to, and which kinds of ids it gets."""

    name: str
    kinds: tuple[str, ...]


COLLECTIONS = (
    Kept("orders", ids.ONE_KIND),
    Kept("things", ("objectid",)),
    Kept("mixed", ids.ALL_KINDS),
)


class Generator:
    """Some writers under way, as a context manager; each works on slots of its own."""

    def __init__(
        self,
        uri: str,
        database: str,
        seed: int,
        *,
        collections: Sequence[Kept] = COLLECTIONS,
        writers: int = 2,
        rate: float = 150.0,  # writes a second, of each writer
        transactions: bool = True,
    ) -> None:
        self.record = Record()
        self.collections = tuple(collections)
        self._uri, self._database, self._seed = uri, database, seed
        self._writers = [
            _Writer(self, number, rate=rate, transactions=transactions) for number in range(writers)
        ]
        self._stopped = False

    def __enter__(self) -> Generator:
        return self

    def __exit__(self, *error: object) -> None:
        self.halt()

    def fill(self, documents: int) -> None:
        """Write that many documents a collection before anything else."""
        for writer in self._writers:
            writer.fill(documents // len(self._writers))

    def start(self) -> None:
        """Begin to write."""
        for writer in self._writers:
            writer.start()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Hold the writers up between two writes."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.enter_context(writer.turn)
            yield

    def emptied(self, name: str, made: Sequence[Document] = ()) -> None:
        """Write down, while all is quiet, that a collection holds `made` and nothing else."""
        for slot in self.record.of(name).values():
            self.record.acknowledge(slot, None)
        for writer in self._writers:
            writer.emptied(name)
        for document in made:
            slot = Slot(name, document["who"], document["_id"])
            self.record.acknowledge(slot, document)

    def halt(self) -> None:
        """End the writers; nothing is under way afterwards."""
        for writer in self._writers:
            writer.ended.set()
        for writer in self._writers:
            if writer.is_alive():
                writer.join(STOP_SECONDS_MAX)
        for writer in self._writers:
            if writer.failure is not None:
                raise writer.failure

    def stop(self) -> Record:
        """End the writers, and mark the end of each collection; the server must be up."""
        self.halt()
        if not self._stopped:
            self._stopped = True
            with client_of(self._uri) as client:
                for kept in self.collections:
                    self._mark(client, kept)
        return self.record

    def _mark(self, client: pymongo.MongoClient[Document], kept: Kept) -> None:
        id_ = ObjectId("f" * 24) if "objectid" in kept.kinds else MARK_ID
        slot = Slot(kept.name, MARK, id_)
        made = writes.document(slot, 1, random.Random(self._seed))
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while True:
            try:
                collection_of(client, self._database, kept.name).replace_one(
                    {"_id": id_}, made, upsert=True
                )
                break
            except AutoReconnect:  # the same again is the same
                if time.monotonic() > deadline:
                    raise
        self.record.acknowledge(slot, made)

    def writer_inputs(self) -> tuple[str, str, int]:
        """Return the URI, the database and the seed."""
        return self._uri, self._database, self._seed


def client_of(uri: str) -> pymongo.MongoClient[Document]:
    """Return a client that gives up in seconds and never sends a write twice by itself."""
    return pymongo.MongoClient(
        uri,
        retryWrites=False,
        serverSelectionTimeoutMS=2_000,
        connectTimeoutMS=2_000,
        socketTimeoutMS=ANSWER_MS_MAX,
        heartbeatFrequencyMS=500,
        tz_aware=True,
    )


def collection_of(client: pymongo.MongoClient[Document], database: str, name: str) -> Any:
    """Return a collection whose writes are acknowledged by a majority."""
    return client[database].get_collection(
        name, write_concern=WriteConcern("majority", wtimeout=ANSWER_MS_MAX, j=True)
    )


class _Writer(threading.Thread):
    """One thread of writes, with slots that no other thread has."""

    def __init__(self, whole: Generator, number: int, *, rate: float, transactions: bool) -> None:
        super().__init__(name=f"writer {number}", daemon=True)
        self.ended = threading.Event()
        self.turn = threading.Lock()  # held during a write
        self.failure: BaseException | None = None
        self._record = whole.record
        self._collections = whole.collections
        self._uri, self._database, seed = whole.writer_inputs()
        self._number, self._rate, self._transactions = number, rate, transactions
        self._chance = random.Random(f"{seed} writer {number}")
        self._version = 0
        self._slots: dict[str, list[Slot]] = {kept.name: [] for kept in whole.collections}
        self._alive = dict.fromkeys(self._slots, 0)

    def fill(self, documents: int) -> None:
        """Insert into every collection, many at once."""
        with client_of(self._uri) as client:
            for kept in self._collections:
                made = [self._new(kept) for _ in range(documents)]
                self._send(client, [writes.insert(*self._next(slot)) for slot in made])

    def emptied(self, name: str) -> None:
        """Take note that none of its documents of a collection is there."""
        self._alive[name] = 0

    def run(self) -> None:
        """Write until told to end; what was not foreseen ends it at once."""
        try:
            with client_of(self._uri) as client:
                began, done = time.monotonic(), 0
                while not self.ended.is_set():
                    with self.turn:
                        self._step(client)
                    done += 1
                    ahead = began + done / self._rate - time.monotonic()
                    if ahead > 0:
                        self.ended.wait(ahead)
                    elif ahead < -1:  # no burst after an outage
                        began = time.monotonic() - done / self._rate
        except BaseException as error:
            self.failure = error

    def _step(self, client: pymongo.MongoClient[Document]) -> None:
        draw = self._chance.random()
        if draw < 0.06 and self._transactions:
            self._together(client, [self._one() for _ in range(self._chance.randint(2, 4))])
        elif draw < 0.12:
            self._send(client, [self._one() for _ in range(self._chance.randint(2, 12))])
        else:
            self._send(client, [self._one()])

    def _one(self) -> Write:
        """Choose a slot, and a write that it can take."""
        kept = self._chance.choice(self._collections)
        slots = self._slots[kept.name]
        draw = self._chance.random()
        crowded = self._alive[kept.name] > ALIVE_MAX
        if not slots or (draw < 0.2 and not crowded):
            return writes.insert(*self._next(self._new(kept)))
        slot = self._chance.choice(slots)
        slots.remove(slot)  # until its write is done
        if slot.state is None:
            return writes.insert(*self._next(slot))
        kinds: list[Kind] = [
            writes.update, writes.replace, writes.delete, writes.insert_again, writes.churn,
        ]  # fmt: skip
        weights = [50, 20, 45 if crowded else 15, 8, 4]
        [kind] = self._chance.choices(kinds, weights)
        return kind(*self._next(slot))

    def _new(self, kept: Kept) -> Slot:
        self._version += 1
        number = self._version * 10 + self._number
        kind = kept.kinds[self._version % len(kept.kinds)]
        turns = len(kept.kinds) > 1
        return Slot(kept.name, f"{kind} {number}", ids.make_id(kind, number), turns)

    def _next(self, slot: Slot) -> tuple[Slot, int, random.Random]:
        self._version += 1
        return slot, self._version * 10 + self._number, self._chance

    def _send(self, client: pymongo.MongoClient[Document], made: list[Write]) -> None:
        """Send writes of each collection in order, as one bulk or alone."""
        for name in dict.fromkeys(write.slot.collection for write in made):
            chosen = [write for write in made if write.slot.collection == name]
            operations = [each for write in chosen for each in write.operations]
            try:
                collection_of(client, self._database, name).bulk_write(operations)
            except PyMongoError as error:
                alone = len(operations) == 1 and isinstance(error, ServerSelectionTimeoutError)
                self._failed(error, chosen, sent=not alone)
            else:
                self._done(chosen)

    def _together(self, client: pymongo.MongoClient[Document], made: list[Write]) -> None:
        """Send writes in one transaction."""
        concern = WriteConcern("majority", wtimeout=ANSWER_MS_MAX)
        try:
            with (
                client.start_session() as session,
                session.start_transaction(write_concern=concern),
            ):
                for write in made:
                    collection = client[self._database][write.slot.collection]
                    collection.bulk_write(list(write.operations), session=session)
        except PyMongoError as error:
            self._failed(error, made, sent=True)
        else:
            self._done(made)

    def _done(self, made: list[Write]) -> None:
        for write in made:
            before = write.slot.state is not None
            after = write.states[-1]
            self._record.acknowledge(write.slot, after)
            self._alive[write.slot.collection] += (after is not None) - before
            self._slots[write.slot.collection].append(write.slot)

    def _failed(self, error: PyMongoError, made: list[Write], *, sent: bool) -> None:
        """Keep what is certain, which is little: a single write that found no server."""
        if _is_our_mistake(error):
            raise error
        for write in made:
            held = write.slot.state
            if sent:
                self._record.doubt(write.slot, *write.states)
                self._alive[write.slot.collection] -= held is not None
            else:
                if held is not None:
                    write.slot.id = held["_id"]  # one that was to change its type has not
                self._slots[write.slot.collection].append(write.slot)
        self.ended.wait(PAUSE_SECONDS)


def _is_our_mistake(error: PyMongoError) -> bool:
    """Whether the server refused a write because it already holds that id."""
    if isinstance(error, BulkWriteError):
        refused = error.details.get("writeErrors", [])
        return any(each["code"] == DUPLICATE_KEY for each in refused)
    return isinstance(error, DuplicateKeyError)
