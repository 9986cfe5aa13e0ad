"""What stands in the MongoDB databases that the pages speak of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from bson import Decimal128, ObjectId

from landbridge.embedded import carbon

Document = dict[str, Any]
INDEXED = "updatedAt"  # in every collection
START = datetime(2026, 1, 5, 8, tzinfo=UTC)


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
