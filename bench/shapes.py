"""The documents that are measured: two shapes, seeded, the same on every machine.

For       Filling collections, and handing encoded documents to the codec's benchmark.
Touches   The collections that are filled.
Promises  A shape and a number of documents give the same documents each time.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import bson
from bson import Decimal128, Int64, ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database

Document = dict[str, Any]

SEED = 20_240_229
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
INSERTED_AT_ONCE = 5_000
MISSING_SHARE = 0.2
# Making a document in Python takes longer than copying it, so a few thousand are made and
# the rest are these again with an _id and numbers of their own.
DISTINCT = 10_000

SITES = ("Aberdeen Harbour", "Bristol Depot", "Cardiff Mill", "Derby Works", "Exeter Yard")
SCOPES = ("Scope 1", "Scope 2", "Scope 3")
CATEGORIES = ("Stationary combustion", "Purchased electricity", "Business travel", "Freight")
UNITS = ("kWh", "litres", "tonne.km", "kg")
COUNTRIES = ("GB", "DE", "FR", "IE")
# Ten doubles that may be missing, beside two that are always there.
MEASURES = ("co2", "ch4", "n2o", "wtt", "biogenic", "market", "location", "lower", "upper", "loss")


def narrow(rng: random.Random) -> Document:
    """Eight scalars, about 130 bytes."""
    return {
        "_id": ObjectId(),
        "name": f"reading {rng.getrandbits(40):010x}",
        "site": rng.choice(SITES),
        "value": rng.random() * 1000,
        "count": rng.randrange(1_000_000),
        "serial": Int64(rng.getrandbits(50)),
        "ok": rng.random() < 0.5,
        "at": EPOCH + timedelta(seconds=rng.randrange(30_000_000)),
    }


def emissions(rng: random.Random) -> Document:
    """33 fields, nested, about 690 bytes; a fifth of the fields is missing."""
    at = EPOCH + timedelta(seconds=rng.randrange(30_000_000))
    document: Document = {
        "_id": ObjectId(),
        "siteId": ObjectId(rng.randbytes(12)),
        "siteName": rng.choice(SITES),
        "scope": rng.choice(SCOPES),
        "category": rng.choice(CATEGORIES),
        "activity": f"activity {rng.randrange(500)}",
        "unit": rng.choice(UNITS),
        "evidence": f"invoice-{rng.getrandbits(48):012x}.pdf",
        "note": "estimated from the meter of the month before" if rng.random() < 0.3 else "read",
        "quantity": rng.random() * 10_000,
        "total": rng.random() * 100,
    }
    document |= {name: rng.random() * 10 for name in MEASURES}
    document |= {
        "year": rng.randrange(2015, 2025),
        "month": rng.randrange(1, 13),
        "meter": Int64(rng.getrandbits(45)),
        "cost": Decimal128(Decimal(rng.randrange(10_000_000)).scaleb(-2)),
        "verified": rng.random() < 0.5,
        "estimated": rng.random() < 0.5,
        "createdAt": at,
        "updatedAt": at + timedelta(hours=rng.randrange(1000)),
        "address": {
            "city": rng.choice(SITES).split()[0],
            "country": rng.choice(COUNTRIES),
            "position": {"lat": rng.uniform(50, 58), "lng": rng.uniform(-5, 1)},
        },
        "factor": {"source": "DEFRA", "year": 2024, "value": rng.random()},
        "tags": [f"tag{rng.randrange(30)}" for _ in range(rng.randrange(4))],
        "lines": [{"code": rng.randrange(100), "share": rng.random()} for _ in range(2)],
    }
    optional = [name for name in document if name != "_id"]
    for name in rng.sample(optional, round(len(optional) * MISSING_SHARE)):
        del document[name]
    return document


SHAPES = {"narrow": narrow, "emissions": emissions}


def encoded(shape: str, count: int) -> Iterator[bytes]:
    """Yield that many BSON documents, each with an `_id` of its own."""
    rng = random.Random(SEED)
    make = SHAPES[shape]
    distinct = [bson.encode(make(rng)) for _ in range(min(count, DISTINCT))]
    for number in range(count):
        document = distinct[number % len(distinct)]
        at = document.index(b"\x07_id\0") + 5
        # As a driver makes them: a time that advances, and a counter.
        own_id = b"%b%b" % ((1_700_000_000 + number // 1000).to_bytes(4, "big"), bytes(5))
        yield document[:at] + own_id + (number % 2**24).to_bytes(3, "big") + document[at + 12 :]


def fill(collection: Collection[Any], shape: str, count: int) -> None:
    """Make the collection hold that many documents of the shape."""
    collection.drop()
    batch = []
    for document in encoded(shape, count):
        batch.append(RawBSONDocument(document))
        if len(batch) == INSERTED_AT_ONCE:
            collection.insert_many(batch, ordered=False)
            batch = []
    if batch:
        collection.insert_many(batch, ordered=False)


def take(database: Database[Any], source: str, name: str, count: int) -> None:
    """Make `name` hold the first documents of another collection."""
    database[name].drop()
    database[source].aggregate([{"$limit": count}, {"$out": name}])


def fill_large(collection: Collection[Any], count: int) -> None:
    """Documents of nearly 16 MB: text and numbers, as a badly modelled history grows."""
    rng = random.Random(SEED)
    collection.drop()
    for number in range(count):
        history = [{"at": i, "text": f"{rng.getrandbits(512):0128x}"} for i in range(92_000)]
        collection.insert_one({"_id": number, "name": f"large {number}", "history": history})
