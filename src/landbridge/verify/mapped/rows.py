"""Rows: every document held against its rows, and rows that no document explains.

For       The mode `full` through a mapping.
Touches   Both ends, reading only.
Promises  What differs is looked at again before it is called different. A row that was in the
          table before the import, and that no document became, is nobody's mistake.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from bson import json_util
from bson.raw_bson import RawBSONDocument

from landbridge.model.verification import (
    Checked,
    Difference,
    StreamVerdict,
    VerifyObserver,
)
from landbridge.mongo.connect import Connection as MongoConnection
from landbridge.postgres.connect import Target
from landbridge.verify.bson import Value, document, id_of
from landbridge.verify.comparing import NAMED_MAX, note_of_unnamed
from landbridge.verify.identity import CANONICAL
from landbridge.verify.mapped import batches, found
from landbridge.verify.mapped.batches import MappedPair
from landbridge.verify.mapped.casts import Comparable
from landbridge.verify.mapped.expected import ANYTHING, Cells, Expected, Filled, path_of
from landbridge.verify.mapped.keys import canonical
from landbridge.verify.trees import words_of

LOOKS = 3  # at what seems different
LOOK_SECONDS = 0.5
AGAIN_AT_ONCE = 200
ENTRIES_AT_ONCE = 1000
MISSING = "the row"  # stands for the fields of a document that has none

Fields = tuple[str, ...]


def compare(
    mongo: MongoConnection,
    target: Target,
    pair: MappedPair,
    *,
    observer: VerifyObserver,
    stopping: Callable[[], bool],
) -> StreamVerdict:
    """Compare every document of a collection with its rows."""
    documents = rows = quarantined = nameless = unnamed = 0
    suspects: list[Value] = []  # ids
    with target.session() as session:
        connection = session.connection
        for batch, without_id in batches.batches(mongo, pair, stopping):
            documents += len(batch) + without_id
            nameless += without_id
            batches.solve(connection, pair, batch)
            differing, there, set_aside = _differing(connection, pair, batch)
            rows += there
            quarantined += set_aside
            named = differing[: NAMED_MAX - len(suspects)]
            suspects += [one.identity for one, _ in named]
            unnamed += len(differing) - len(named)
            total = pair.collection.documents
            observer(Checked(pair.collection.stream, documents, total, len(suspects) + unnamed))
        missing, different = _looked_at_again(mongo, connection, pair, suspects)
        extras = _extra(mongo, connection, pair)
        extra = list(islice(extras, NAMED_MAX))
        more = sum(1 for _ in extras)
    unnamed += more + max(0, nameless - pair.held_nameless)
    return StreamVerdict(
        pair.collection.database,
        pair.collection.name,
        str(pair.main.table.name),
        "full",
        source_count=documents,
        target_count=rows + len(extra) + more,
        quarantined=quarantined + min(nameless, pair.held_nameless),
        missing=tuple(missing),
        extra=tuple(extra),
        different=tuple(different),
        unnamed=unnamed,
        rechecked=len(suspects),
        notes=(note_of_unnamed(unnamed),) if unnamed else (),
    )


def _differing(
    connection: found.Connection, pair: MappedPair, batch: Sequence[Expected]
) -> tuple[list[tuple[Expected, Fields]], int, int]:
    """Return the documents whose rows are not as they should be.

    And how many have a row, and how many have none because they are in quarantine.
    """
    keys = [one.key for one in batch if one.key is not None]
    mains = found.main_rows(connection, pair.main, pair.rule.key.column, keys)
    children = [found.child_rows(connection, filled, keys) for filled in pair.tables[1:]]
    differing: list[tuple[Expected, Fields]] = []
    set_aside = 0
    for one in batch:
        row = None if one.key is None else mains.get(one.key)
        if row is None:
            if one.name in pair.held:
                set_aside += 1
            else:
                differing.append((one, (MISSING,)))
            continue
        if one.unfit:
            differing.append((one, tuple(dict.fromkeys(one.unfit))))
            continue
        fields = list(_fields(pair.main, one.main, row))
        for filled, expected, by_parent in zip(
            pair.tables[1:], one.children, children, strict=True
        ):
            fields += _child_fields(filled, expected, by_parent.get(one.key or "", []))
        if fields:
            differing.append((one, tuple(dict.fromkeys(fields))))
    return differing, len(mains), set_aside


def _fields(filled: Filled, expected: Cells, row: found.Found, place: str = "") -> Iterator[str]:
    for rule in filled.rules:
        wanted = expected.get(rule.column)
        if wanted is not ANYTHING and not same(wanted, row[rule.column]):
            yield path_of(rule, place)


def same(wanted: Any, there: Comparable) -> bool:
    """Return whether a value is what it should be: true is not 1, text is no number."""
    return wanted == there and (isinstance(wanted, bool) is isinstance(there, bool))


def _child_fields(
    filled: Filled, expected: Sequence[Cells], rows: Sequence[found.Found]
) -> Iterator[str]:
    child = filled.child
    assert child is not None
    told_by = child.key.column if child.key else child.ordinal
    if told_by is None:
        yield from _unordered(filled, expected, rows)
        return
    by_key: dict[Any, found.Found] = {row[told_by]: row for row in rows}
    twice = len(by_key) < len(rows)
    for ordinal, cells in enumerate(expected):
        row = by_key.pop(cells[told_by], None)
        place = f"{child.source}.{ordinal}"
        if row is None:
            yield place
            continue
        if child.ordinal is not None and row[child.ordinal] != cells[child.ordinal]:
            yield place
        yield from _fields(filled, cells, row, place)
    if by_key or twice:
        yield child.source


def _unordered(
    filled: Filled, expected: Sequence[Cells], rows: Sequence[found.Found]
) -> Iterator[str]:
    """Compare elements that have neither a key nor a place: how often each is there."""
    assert filled.child is not None
    names = [rule.column for rule in filled.rules]
    if any(cells[name] is ANYTHING for cells in expected for name in names):
        names = [n for n in names if all(cells[n] is not ANYTHING for cells in expected)]
    wanted = Counter(tuple(cells[name] for name in names) for cells in expected)
    there = Counter(tuple(row[name] for name in names) for row in rows)
    if _is_a_set(filled):
        wanted = Counter(dict.fromkeys(wanted, 1))
    if wanted != there:
        yield filled.child.source


def _is_a_set(filled: Filled) -> bool:
    """Whether a key of the table keeps an element from standing there twice."""
    assert filled.child is not None
    filling = {filled.child.parent, *(rule.column for rule in filled.rules)}
    return any(filling.issuperset(key.columns) for key in filled.table.keys)


def _looked_at_again(
    mongo: MongoConnection,
    connection: found.Connection,
    pair: MappedPair,
    suspects: Sequence[Value],
) -> tuple[list[str], list[Difference]]:
    """Look again at what seems different: it may have been written to at that moment."""
    open_: dict[Value, Fields] = dict.fromkeys(suspects, ())
    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_SECONDS)
        still: dict[Value, Fields] = {}
        for part in _parts(list(open_)):
            now = batches.again(mongo, pair, [_for_query(one) for one in part])
            batches.solve(connection, pair, now)
            still |= {one.identity: fields for one, fields in _differing(connection, pair, now)[0]}
        settled = still == open_
        open_ = still
        if settled or not open_:
            break
    missing = [words_of(one, False) for one, fields in open_.items() if fields == (MISSING,)]
    different = [
        Difference(words_of(one, False), fields)
        for one, fields in open_.items()
        if fields != (MISSING,)
    ]
    return missing, different


def _parts(ids: list[Value]) -> Iterator[list[Value]]:
    for at in range(0, len(ids), AGAIN_AT_ONCE):
        yield ids[at : at + AGAIN_AT_ONCE]


def _for_query(identity: Value) -> Any:
    return RawBSONDocument(document([(b"v", identity)]))["v"]


def _extra(mongo: MongoConnection, connection: found.Connection, pair: MappedPair) -> Iterator[str]:
    """Yield the ids of rows that an import made and whose document is gone."""
    with connection.transaction(), connection.cursor("landbridge_ids") as cursor:
        cursor.execute(
            "SELECT source_id, target_id FROM landbridge.id_map"
            " WHERE target_schema = %s AND collection = %s",
            (pair.schema.name, pair.rule.collection),
        )
        while entries := cursor.fetchmany(ENTRIES_AT_ONCE):
            gone = _gone(mongo, pair, [name for name, _ in entries])
            keys = {key: name for name, key in entries if name in gone}
            column = pair.main.column(pair.rule.key.column)
            there = found.existing(connection, pair.main.table.name, column, keys)
            yield from (keys[key] for key in sorted(there))


def _gone(mongo: MongoConnection, pair: MappedPair, names: Sequence[str]) -> set[str]:
    """Return which of these canonical ids the source does not have."""
    ids = {}
    for name in names:
        try:
            ids[name] = json_util.loads(name, json_options=CANONICAL)
        except (ValueError, TypeError):
            continue  # it can't be asked for
    source = mongo.raw_collection(pair.collection.name)
    with mongo.translated(f"cannot look up documents of {pair.collection.stream}"):
        there = set()
        for one in source.find({"_id": {"$in": list(ids.values())}}, {"_id": 1}):
            identity = id_of(bytes(one.raw))
            if identity is not None:
                there.add(canonical(identity))
    return set(ids) - there
