"""What stands in the MongoDB databases that the pages speak of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from bson import Decimal128, ObjectId
from pymongo.database import Database
from tests.realestate import data as realestate

from landbridge.embedded import carbon

Document = dict[str, Any]
INDEXED = "updatedAt"  # in every collection
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


REALTY = "realty"
MAPPING_PLACE = "server/scripts/etl/mapping.yml"


def fill(database: Database[Document]) -> None:
    """Write what stands in a database of that name."""
    name = database.name
    if name == REALTY:
        realestate.fill(database, scale=60)
        return
    for collection, documents in collections_of(name):
        database[collection].insert_many(documents)
        database[collection].create_index(INDEXED)


def prepare(target: psycopg.Connection[Any], folder: Path) -> None:
    """Make the tables of the real-estate application, and the mapping that a person ends with."""
    files = Path(realestate.__file__).parent
    target.execute((files / "schema.sql").read_bytes())
    place = folder / MAPPING_PLACE
    place.parent.mkdir(parents=True)
    place.write_bytes((files / "mapping.yml").read_bytes())


def collections_of(database: str) -> Iterator[tuple[str, list[Document]]]:
    """Yield the collections of a database: the demo's sample data under its name, else a shop."""
    return carbon.collections(scale=0.05) if database == carbon.DATABASE else shop()


def shop() -> Iterator[tuple[str, list[Document]]]:
    """Yield customers and orders; one order holds what PostgreSQL's text can't."""
    customers = [
        {
            "_id": ObjectId(),
            "name": f"Customer {number}",
            "address": {"city": ("Lyon", "Porto", "Graz")[number % 3], "postCode": f"{number:05}"},
            "createdAt": START + timedelta(days=number),
        }
        for number in range(30)
    ]
    yield "customers", customers
    orders = [
        {
            "_id": number,
            "customerId": customers[number % 30]["_id"],
            "total": Decimal128(f"{number}.90"),
            "lines": [{"sku": f"A{line}", "quantity": line + 1} for line in range(number % 4)],
            "status": ("open", "paid", "shipped")[number % 3],
            "note": "left at the door\0" if number == 7 else "",
            "updatedAt": START + timedelta(hours=number),
        }
        for number in range(200)
    ]
    yield "orders", orders
