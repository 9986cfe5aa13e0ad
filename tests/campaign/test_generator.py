"""The load keeps a true record, on a server that lives and on one that dies under it."""

from __future__ import annotations

import random
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest
from bson import Int64
from tests.campaign import compare, ids, writes
from tests.campaign.generator import COLLECTIONS, MARK, Generator, client_of
from tests.campaign.record import Slot

from landbridge.embedded import Mongod, MongoServer

SECONDS_MAX = 30


def written(generator: Generator, writes: int) -> None:
    """Return when so many writes were acknowledged."""
    deadline = time.monotonic() + SECONDS_MAX
    while generator.record.acknowledged < writes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert generator.record.acknowledged >= writes


def differences(generator: Generator, uri: str, database: str) -> list[compare.Difference]:
    with client_of(uri) as mongo:
        found = []
        for kept in COLLECTIONS:
            documents = compare.source_of(mongo, database, kept.name)
            found += compare.against_record(generator.record, kept.name, documents)
        return found


def test_the_record_is_what_the_source_holds(mongo_uri: str) -> None:
    database = urlsplit(mongo_uri).path[1:]
    with Generator(mongo_uri, database, 1, rate=1000) as generator:
        generator.fill(60)
        generator.start()
        written(generator, 900)
        record = generator.stop()
        assert record.unknown == 0
        assert differences(generator, mongo_uri, database) == []
    for kept in COLLECTIONS:
        slots = record.of(kept.name)
        assert MARK in slots
        assert any(slot.state is None for slot in slots.values())


def test_a_mongod_that_dies_leaves_doubts_and_no_lies() -> None:
    with Mongod() as mongod:
        with Generator(mongod.uri, "load", 2, rate=400) as generator:
            generator.start()
            for writes_before in (100, 250, 400):
                written(generator, writes_before)
                mongod.kill()
                mongod.start()
            record = generator.stop()
            assert differences(generator, mongod.uri, "load") == []
        assert record.acknowledged >= 400


def test_the_same_seed_gives_the_same_writes(mongod: MongoServer, mongo_uri: str) -> None:
    names = []
    for number in range(2):
        database = urlsplit(mongo_uri).path[1:]
        with client_of(mongo_uri) as client:
            client.drop_database(database)
        with Generator(mongo_uri, database, 3, writers=1, rate=1000) as generator:
            generator.start()
            written(generator, 200 + 50 * number)
            record = generator.stop()
        made = [who for kept in COLLECTIONS for who in record.of(kept.name) if who != MARK]
        names.append(sorted(made, key=lambda who: int(who.split()[1])))
    common = min(len(each) for each in names)
    assert common > 20
    assert names[0][:common] == names[1][:common]


@pytest.mark.parametrize("kind", ids.ALL_KINDS)
def test_every_write_foresees_what_it_makes(kind: str, mongo_uri: str) -> None:
    """Its states are computed here, and the server must agree."""
    chance = random.Random(kind)
    seen: Counter[str] = Counter()
    with client_of(mongo_uri) as client:
        collection = client.get_default_database()[kind]
        slot = Slot(kind, f"{kind} 5", ids.make_id(kind, 5), turns=True)
        for version in range(1, 60):
            choices = [writes.insert, writes.insert]
            if slot.state is not None:
                choices = [writes.update, writes.replace, writes.insert_again, writes.churn]
                choices += [writes.delete] if chance.random() < 0.3 else []
            write = chance.choice(choices)(slot, version, chance)
            collection.bulk_write(list(write.operations))
            slot.states = (write.states[-1],)
            found = collection.find_one({})
            assert compare._same(found, slot.state), (found, slot.state)
            seen[type(write.operations[0]).__name__] += 1
    assert len(seen) == 4


def test_ids_of_all_kinds_stay_apart_and_numbers_may_turn() -> None:
    made = [ids.make_id(kind, number) for kind in ids.ALL_KINDS for number in range(50)]
    assert len({(type(each).__name__, str(each)) for each in made}) == len(made)
    assert type(ids.other_type(5)) is float
    assert type(ids.other_type(5.0)) is Int64
    assert ids.other_type("5") == "5"
