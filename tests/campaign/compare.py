"""The independent comparison: the record, the source by pymongo, and the table by psycopg.

For       Deciding whether every acknowledged write is in PostgreSQL once.
Touches   Reads both databases; uses nothing of landbridge.
Promises  Each difference is named by its kind and its document: lost, doubled, resurrected, made
          up, stale, or another value.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import pymongo
from bson import Binary, Int64, json_util
from psycopg import sql
from psycopg.rows import dict_row
from pymongo.read_concern import ReadConcern

from .record import Document, Record, State

SHOWN_MAX = 6

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One document that is not as it must be."""

    kind: str
    collection: str
    who: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.collection} {self.who!r} {self.detail}".rstrip()


def told(differences: list[Difference]) -> str:
    """Return a line that names the first few."""
    shown = "; ".join(str(each) for each in differences[:SHOWN_MAX])
    more = len(differences) - SHOWN_MAX
    return f"{shown}; and {more} more" if more > 0 else shown


def source_of(mongo: pymongo.MongoClient[Document], database: str, name: str) -> list[Document]:
    """Return the documents of a collection that a majority has."""
    found = mongo[database].get_collection(name, read_concern=ReadConcern("majority"))
    return list(found.find())


def against_record(record: Record, name: str, documents: list[Document]) -> list[Difference]:
    """Compare a collection with what its writers recorded: is the source itself right?"""
    held = {document["who"]: document for document in documents}
    found = []
    for who, slot in record.of(name).items():
        state = held.pop(who, None)
        if not any(_same(state, possible) for possible in slot.states):
            found.append(Difference("source and record disagree", name, who, f"{state}"))
    return found + [Difference("unknown in the source", name, who) for who in held]


def _same(state: State, possible: State) -> bool:
    if state is None or possible is None:
        return state is possible
    return state == possible and type(state["_id"]) is type(possible["_id"])


def rows_of(postgres: psycopg.Connection[Any], schema: str, name: str) -> list[Row]:
    """Return the rows of a table; none where there is no table."""
    table = sql.Identifier(schema, name)
    query = sql.SQL("SELECT * FROM {}").format(table)
    with postgres.cursor(row_factory=dict_row) as cursor:
        try:
            return cursor.execute(query, prepare=False).fetchall()
        except psycopg.errors.UndefinedTable:
            return []


def against_source(
    name: str, documents: list[Document], rows: list[Row], record: Record | None = None
) -> list[Difference]:
    """Compare a table with its collection, field by field."""
    wanted = {document["who"]: document for document in documents if fits(document)}
    aside = {document["who"] for document in documents} - wanted.keys()
    held: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        held[str(row["who"])].append(row)
    found = []
    for who, document in wanted.items():
        match held.pop(who, []):
            case []:
                found.append(Difference("lost", name, who, f"version {document['version']}"))
            case [row]:
                found += list(_differences(name, document, row))
            case many:
                found.append(Difference("doubled", name, who, f"{len(many)} rows"))
    known = record.of(name) if record else {}
    for who, many in held.items():
        if who in aside:
            kind = "still a row, must be set aside"
        else:
            kind = "resurrected" if who in known else "made up"
        found.append(Difference(kind, name, who, f"version {many[0]['version']}"))
    return found


def fits(document: Document) -> bool:
    """Whether the document can be a row at all."""
    return "\0" not in str(document.get("note", ""))


def aside(
    name: str, documents: list[Document], ids: list[str], *, deleted_stay: bool = False
) -> list[Difference]:
    """Compare what can't be a row with the ids in quarantine, which are extended JSON.

    With `deleted_stay` entries of documents that are gone are passed over.
    """
    options = json_util.CANONICAL_JSON_OPTIONS
    held = {_named(json_util.loads(each, json_options=options)) for each in ids}
    wanted = {_named(each["_id"]): each["who"] for each in documents if not fits(each)}
    found = [
        Difference("not in quarantine", name, who) for key, who in wanted.items() if key not in held
    ]
    wrong = held - wanted.keys()
    if deleted_stay:
        wrong &= {_named(each["_id"]) for each in documents}
    return found + [Difference("wrongly in quarantine", name, key) for key in sorted(wrong)]


def _named(value: Any) -> str:
    return f"{_kind(value)} {_plain(value)}"


def _differences(name: str, document: Document, row: Row) -> Iterator[Difference]:
    who = document["who"]
    if row["version"] != document["version"]:
        detail = f"version {row['version']}, must be {document['version']}"
        yield Difference("stale", name, who, detail)
        return
    values = dict(document)
    values |= {f"nested_{field}": value for field, value in values.pop("nested").items()}
    known = set()
    for field, value in values.items():
        columns = _columns_of(field, row)
        known |= columns.keys()
        present = [found for found in columns.values() if found is not None]
        if field == "_id":
            right = len(present) == 1 and _is_id(present[0], value)
        elif value is None:
            right = not present
        else:
            right = len(present) == 1 and _equal(present[0], value)
        if not right:
            yield Difference("other value", name, who, f"{field} is {present}, must be {value!r}")
    for column, found in row.items():
        if column in known or found is None or column.startswith("_lb_") or column == "_key":
            continue
        yield Difference("other value", name, who, f"{column} is {found!r}, must be absent")


def _columns_of(field: str, row: Row) -> dict[str, Any]:
    """Return the columns of a field: its own, and one for each other kind of value."""
    return {
        column: found
        for column, found in row.items()
        if column == field or column.startswith(f"{field}__")
    }


def _equal(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return found is value
    return bool(found == value)


def _is_id(found: Any, value: Any) -> bool:
    """Whether a key column holds that id: in its own type, as plain text, or as extended JSON."""
    if not isinstance(found, str):
        return bool(_plain(found) == _plain(value))
    if found == _text(value):
        return True
    try:
        read = json_util.loads(found, json_options=json_util.CANONICAL_JSON_OPTIONS)
    except ValueError:
        return False
    return bool(_plain(read) == _plain(value)) and _kind(read) == _kind(value)


def _text(value: Any) -> str:
    """Return how an id of the kind that came first stands in a text column."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03}Z"
    return json.dumps(value) if isinstance(value, dict) else str(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, Binary):
        return value.as_uuid() if value.subtype == 4 else bytes(value)
    if isinstance(value, UUID):
        return value
    if isinstance(value, datetime):
        return value.timestamp()
    return value


def _kind(value: Any) -> str:
    if isinstance(value, Int64):
        return "long"
    return "binary" if isinstance(value, Binary | UUID) else type(value).__name__
