"""Replication keys: where the largest values are, and filters for what is at or past them.

For       Reading what is new without reading the rest.
Touches   The index on the key by a few seeks; the whole collection, once, where there is none.
Promises  MongoDB compares within one bracket of types: every bracket is asked for by itself, and
          what belongs to none is always read.

https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bson import BSON, ObjectId, Timestamp, decode
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument

from landbridge.codec import canonical_key
from landbridge.model.position import Bookmark
from landbridge.model.replication import BRACKETS, KeyFacts, KeyIndex, KeyRange
from landbridge.model.stream import Collection
from landbridge.mongo.connect import Connection
from landbridge.mongo.indexes import key_indexes
from landbridge.mongo.reply import id_element

ID = "_id"
# Types without an order to go on from. `array` is not among them: an index has its elements.
UNORDERED = (
    *("object", "binData", "bool", "regex", "javascript", "javascriptWithScope"),
    *("dbPointer", "minKey", "maxKey", "undefined"),
)
_MISSING = ("missing", "null")
_AS_SENT: CodecOptions[dict[str, Any]] = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_MS
)


def facts(connection: Connection, collection: Collection, key: str) -> KeyFacts:
    """Look up what there is of a key, now; the largest values are none past the server's clock."""
    clock = _server_clock(connection)
    found = _facts(connection, collection, key)
    return replace(
        found, largest=_capped(found.largest, clock), largest_id=_capped(found.largest_id, clock)
    )


def _facts(connection: Connection, collection: Collection, key: str) -> KeyFacts:
    with connection.translated(f"cannot look up the key {key} of {collection.stream}"):
        usable = [one for one in key_indexes(connection, collection, key) if not one.flaw]
        if not usable:
            return _scanned(connection, collection, key)
        index = min(usable, key=lambda one: one.sparse)  # one that has all documents, if any
        if index.multikey:
            return KeyFacts(key, True, index.sparse, arrays=True)
        largest = _largest(connection, collection, key)
        others = {}
        missing = 0
        if key != ID:
            many = _count(connection, collection, {key: {"$type": list(UNORDERED)}}, index)
            others = {"a kind without an order": many} if many else {}
            missing = 0 if index.sparse else _count(connection, collection, {key: None}, index)
        ids = _largest(connection, collection, ID) if missing else {}
        return KeyFacts(key, True, index.sparse, largest, others, missing, ids)


def _largest(connection: Connection, collection: Collection, key: str) -> dict[str, bytes]:
    source = connection.raw_collection(collection.name)
    found = {}
    for bracket, types in BRACKETS.items():
        pipeline: list[dict[str, Any]] = [
            {"$match": {key: {"$type": list(types)}}},
            {"$sort": {key: -1}},
            {"$limit": 1},
            {"$project": {"_id": 0, "v": f"${key}"}},
        ]
        for document in source.aggregate(pipeline):
            found[bracket] = bytes(document.raw)
    return found


def _count(
    connection: Connection, collection: Collection, condition: dict[str, Any], index: KeyIndex
) -> int:
    source = connection.source[collection.name]
    return source.count_documents(condition, hint=index.name)


def _scanned(connection: Connection, collection: Collection, key: str) -> KeyFacts:
    """Look at every document: there is no index to ask."""
    value = f"${key}"
    pipeline = [{"$group": {"_id": {"$type": value}, "n": {"$sum": 1}, "v": {"$max": value}}}]
    largest: dict[str, bytes] = {}
    others: dict[str, int] = {}
    missing, arrays = 0, False
    for document in connection.raw_collection(collection.name).aggregate(pipeline):
        kind, many = document["_id"], int(document["n"])
        bracket = next((name for name, types in BRACKETS.items() if kind in types), None)
        if bracket is not None:
            _keep_larger(largest, bracket, _value_of(document))
        elif kind == "array":
            arrays = True
        elif kind in _MISSING:
            missing += many
        else:
            others[kind] = many
    ids = {}
    if missing and collection.kind == "collection":
        ids = _largest(connection, collection, ID)
    return KeyFacts(key, False, False, largest, others, missing, ids, arrays)


def _value_of(document: RawBSONDocument) -> bytes:
    """Return `{v: …}` of a document that has more, its value as the server sent it."""
    return BSON.encode({"v": decode(bytes(document.raw), _AS_SENT)["v"]})


def _keep_larger(largest: dict[str, bytes], bracket: str, value: bytes) -> None:
    held = largest.get(bracket)
    if held is None or _order(value) > _order(held):
        largest[bracket] = value


def _capped(largest: Mapping[str, bytes], seconds: float) -> dict[str, bytes]:
    """Put the moment `seconds` (since 1970) in the place of values past it."""
    kept = {}
    for bracket, value in largest.items():
        limit = _at(bracket, seconds)
        past = limit is not None and _order(value) > _order(limit)
        kept[bracket] = limit if past and limit is not None else value
    return kept


def _order(value: bytes) -> bytes:
    return canonical_key(*id_element(value))


def range_from(
    found: KeyFacts, bookmark: Bookmark, lookback_seconds: float, *, missing: bool
) -> KeyRange:
    """Return what is at or past a bookmark, less the look-back."""
    lows = {
        name: _earlier(name, value, lookback_seconds) for name, value in bookmark.values.items()
    }
    ids = {name: _earlier(name, value, lookback_seconds) for name, value in bookmark.by_id.items()}
    return KeyRange(bookmark.key, lows, missing, ids, found.indexed)


def _earlier(bracket: str, value: bytes, seconds: float) -> bytes:
    """Return the value that lies that many seconds before; the value where it holds no time."""
    held = decode(value, _AS_SENT)["v"]
    if bracket == "date":
        return BSON.encode({"v": type(held)(int(held) - round(seconds * 1000))})
    if bracket == "objectid":
        (moment,) = struct.unpack(">I", held.binary[:4])
        return _at(bracket, max(0, moment - seconds)) or value
    if bracket == "timestamp":
        return BSON.encode({"v": Timestamp(max(0, held.time - round(seconds)), 0)})
    return value


def _at(bracket: str, seconds: float) -> bytes | None:
    whole = max(0, int(seconds))
    if bracket == "date":
        return BSON.encode({"v": DatetimeMS(round(seconds * 1000))})
    if bracket == "objectid":
        return BSON.encode({"v": ObjectId(struct.pack(">I", whole) + bytes(8))})
    if bracket == "timestamp":
        return BSON.encode({"v": Timestamp(whole, 0)})
    return None


def _server_clock(connection: Connection) -> float:
    """Return the server's wall clock, in seconds since 1970."""
    with connection.translated("cannot ask for the server's clock"):
        hello = connection.client.admin.command("hello", codec_options=_AS_SENT)
    local = hello.get("localTime")
    return int(local) / 1000 if local is not None else time.time()


def filter_of(wanted: KeyRange) -> dict[str, Any]:
    """Return the filter that finds what is to be read."""
    branches: list[dict[str, Any]] = list(_branches(wanted.key, wanted.lows))
    if wanted.missing and wanted.key != ID:
        if wanted.id_lows:
            branches += [
                {"$and": [{wanted.key: None}, branch]} for branch in _branches(ID, wanted.id_lows)
            ]
        else:
            branches.append({wanted.key: None})
    return branches[0] if len(branches) == 1 else {"$or": branches}


def _branches(key: str, lows: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    whole = [*UNORDERED]
    for bracket, types in BRACKETS.items():
        low = lows.get(bracket)
        if low is None:
            whole += types
            continue
        yield {key: {"$gte": decode(low, _AS_SENT)["v"]}}
        if bracket == "number":
            yield {key: float("nan")}  # sorts below every number
    yield {key: {"$type": whole}}
