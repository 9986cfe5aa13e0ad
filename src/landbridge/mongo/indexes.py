"""Indexes on a replication key: which the server can read by, and what they leave out.

For       `incremental`, which reads by one, and `doctor`, which says what is missing.
Touches   The server's catalog, and the plan of a read that is not made.
Promises  No document is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pymongo.errors import OperationFailure

from landbridge.model.replication import KeyIndex
from landbridge.model.stream import Collection
from landbridge.mongo.catalog import SIMPLE
from landbridge.mongo.connect import Connection


def key_indexes(connection: Connection, collection: Collection, key: str) -> tuple[KeyIndex, ...]:
    """Return the indexes whose first field is the key; a view has none of its own.

    Raises pymongo's errors.
    """
    if collection.kind == "view":
        return ()
    if key == "_id" and collection.id_indexed:
        return (KeyIndex("_id_"),)
    found = []
    for index in connection.source[collection.name].list_indexes():
        path, order = next(iter(index["key"].items()))
        if path == key:
            flaw = _flaw(index, order, collection)
            multikey = not flaw and _is_multikey(connection, collection, index["name"], key)
            found.append(KeyIndex(index["name"], flaw, bool(index.get("sparse")), multikey))
    return tuple(found)


def _flaw(index: Mapping[str, Any], order: Any, collection: Collection) -> str:
    """Return why the server cannot read in the order of the key by this index."""
    if isinstance(order, str):
        return order  # hashed, text, 2dsphere
    if "partialFilterExpression" in index:
        return "partial"
    if index.get("hidden"):
        return "hidden"
    collated = index.get("collation", {}).get("locale", SIMPLE) != SIMPLE
    return "of another collation" if collated and not collection.collated else ""


def _is_multikey(connection: Connection, collection: Collection, index: str, key: str) -> bool:
    """Whether some document has an array at the key, as the plan of a read by the index says."""
    if collection.kind != "collection":
        return False  # a time series keeps its values in buckets
    find = {"find": collection.name, "hint": index, "limit": 1}
    with suppress(OperationFailure):  # not on every hosted server
        plan = connection.source.command("explain", find, verbosity="queryPlanner")
        scan = _index_scan(plan.get("queryPlanner", plan))
        paths = scan.get("multiKeyPaths")
        return bool(paths[key] if paths and key in paths else scan.get("isMultiKey"))
    return False


def _index_scan(plan: Any) -> Mapping[str, Any]:
    """Return the stage that reads an index, wherever in the plan it stands."""
    if isinstance(plan, Mapping):
        if plan.get("stage") == "IXSCAN":
            return plan
        parts = list(plan.values())
    else:
        parts = plan if isinstance(plan, list) else []
    return next(filter(None, map(_index_scan, parts)), {})
