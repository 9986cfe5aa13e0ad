"""The fastest thing a good engineer writes by hand: pymongo's documents into a binary COPY.

For       `bench.command`, which runs it as a process of its own: SOURCE TARGET COLLECTION SHAPE.
Touches   One collection, and the table `peer.<collection>`, made anew with its primary key.
Promises  Nothing of landbridge in it. Columns and their types are declared by hand, per shape.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql
from pymongo import MongoClient

Convert = Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


def _decimal(value: Any) -> Any:
    return value.to_decimal()


# field: (type, conversion)
NARROW: dict[str, tuple[str, Convert]] = {
    "_id": ("text", str),
    "name": ("text", _same),
    "site": ("text", _same),
    "value": ("float8", _same),
    "count": ("int4", _same),
    "serial": ("int8", _same),
    "ok": ("bool", _same),
    "at": ("timestamptz", _same),
}
MEASURES = (
    *("quantity", "total", "co2", "ch4", "n2o", "wtt"),
    *("biogenic", "market", "location", "lower", "upper", "loss"),
)
EMISSIONS: dict[str, tuple[str, Convert]] = {
    "_id": ("text", str),
    "siteId": ("text", str),
    **dict.fromkeys(
        ("siteName", "scope", "category", "activity", "unit", "evidence", "note"), ("text", _same)
    ),
    **dict.fromkeys(MEASURES, ("float8", _same)),
    **dict.fromkeys(("year", "month"), ("int4", _same)),
    "meter": ("int8", _same),
    "cost": ("numeric", _decimal),
    **dict.fromkeys(("verified", "estimated"), ("bool", _same)),
    **dict.fromkeys(("createdAt", "updatedAt"), ("timestamptz", _same)),
    **dict.fromkeys(("address", "factor", "tags", "lines"), ("jsonb", json.dumps)),
}
COLUMNS = {"narrow": NARROW, "emissions": EMISSIONS}


def main(source: str, target: str, collection: str, shape: str) -> None:
    """Copy the collection."""
    columns = COLUMNS[shape]
    table = sql.Identifier("peer", collection)
    definitions = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, (kind, _) in columns.items()
    )
    with MongoClient[Any](source, tz_aware=True) as client, psycopg.connect(target) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS peer")
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (_id))").format(table, definitions)
        )
        fields = [(name, convert) for name, (_, convert) in columns.items()]
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(table)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([kind for kind, _ in columns.values()])
            for document in client.get_default_database()[collection].find():
                copy.write_row(
                    [
                        convert(value) if (value := document.get(name)) is not None else None
                        for name, convert in fields
                    ]
                )


if __name__ == "__main__":
    main(*sys.argv[1:])
