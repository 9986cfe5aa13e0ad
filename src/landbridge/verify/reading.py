"""Reading: documents by a command loop, rows by binary COPY, both without looking inside.

For       The comparison, which is handed bytes.
Touches   One cursor, one connection, reading only.
Promises  Each document and each row of a range comes once, as the servers give them now.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from struct import unpack
from typing import Any

import psycopg
from bson import Int64, MaxKey
from bson.raw_bson import RawBSONDocument
from psycopg import sql
from pymongo.errors import OperationFailure

from landbridge.errors import CodecError
from landbridge.model.kinds import Kind
from landbridge.model.stream import Collection
from landbridge.model.tables import TableName
from landbridge.mongo.connect import RAW, Connection
from landbridge.verify.bson import Value, array, document, members
from landbridge.verify.shape import Form, Part, Shape

REPLY_BYTES = 3_500_000
DOCUMENTS_FIRST, DOCUMENTS_MAX = 1_000, 100_000
COPY_BYTES = 2_000_000  # handed on at a time
NO_MAJORITY, EMPTY_RANGE = 148, 51175  # as the server numbers its errors

_DAY_MICROSECONDS = 86_400_000_000
_MOMENTS = sql.SQL(
    "SELECT (timestamp '2000-01-01' + d * interval '1 day' + u * interval '1 microsecond')"
    " AT TIME ZONE 'UTC' FROM unnest(%s::int[], %s::bigint[]) AS t (d, u)"
)

_TYPE = {
    Form.TEXT: sql.SQL("text"),
    Form.BIGINT: sql.SQL("bigint"),
    Form.TIMESTAMP: sql.SQL("timestamptz"),
    Form.UUID: sql.SQL("uuid"),
}


@dataclass(frozen=True, slots=True)
class Bound:
    """An id that ranges meet at, as both sides name it."""

    document: bytes  # BSON `{_id: …}`
    text: str  # of the key's column
    form: Form


@dataclass(frozen=True, slots=True)
class Range:
    """The ids from `low`, up to and not including `high`; None is open."""

    low: Bound | None = None
    high: Bound | None = None


WHOLE = Range()


def documents(mongo: Connection, collection: Collection, part: Range) -> Iterator[bytes]:
    """Yield BSON arrays of the documents in a range; of all of them in the order they lie in."""
    command: dict[str, Any] = {"find": collection.name}
    if collection.kind == "view":
        command["allowDiskUse"] = True
    if part.low or part.high:
        command |= {"hint": {"_id": 1}, "sort": {"_id": 1}}
        if part.low:
            command["min"] = RawBSONDocument(part.low.document)
            # An open end leaves out an id that is MaxKey in some collections and not in others.
            command["max"] = {"_id": MaxKey()}
        if part.high:
            command["max"] = RawBSONDocument(part.high.document)
    size = collection.document_bytes
    wanted = max(1, min(REPLY_BYTES // size, DOCUMENTS_MAX)) if size else DOCUMENTS_FIRST
    yield from _find(mongo, collection, command, wanted)
    if part.low and not part.high:
        yield from _find(mongo, collection, {"find": collection.name, "filter": command["max"]}, 1)


def documents_of(
    mongo: Connection, collection: Collection, ids: Sequence[Value]
) -> Iterator[bytes]:
    """Yield BSON arrays of the documents with these ids."""
    listed = Value(Kind.OBJECT, document([(b"$in", array(ids))]))
    chosen = RawBSONDocument(document([(b"_id", listed)]))
    yield from _find(
        mongo, collection, {"find": collection.name, "filter": chosen}, DOCUMENTS_FIRST
    )


def _find(
    mongo: Connection, collection: Collection, command: dict[str, Any], wanted: int
) -> Iterator[bytes]:
    what = f"cannot read {collection.stream}"
    command = {**command, "batchSize": wanted, "readConcern": {"level": "majority"}}
    database = mongo.source
    with mongo.translated(what), mongo.client.start_session(causal_consistency=False) as session:
        cursor = 0
        try:
            try:
                reply = database.command(command, codec_options=RAW, session=session)
            except OperationFailure as error:
                if error.code == EMPTY_RANGE:
                    return
                if error.code != NO_MAJORITY:
                    raise
                command["readConcern"] = {"level": "local"}
                reply = database.command(command, codec_options=RAW, session=session)
            while True:
                cursor, batch = _cursor_of(bytes(reply.raw))
                del reply
                if len(batch) > 5:
                    yield batch
                if not cursor:
                    return
                more = {"getMore": Int64(cursor), "collection": collection.name}
                reply = database.command(
                    {**more, "batchSize": wanted}, codec_options=RAW, session=session
                )
        finally:
            if cursor:
                kill = {"killCursors": collection.name, "cursors": [Int64(cursor)]}
                database.command(kill, session=session)


def _cursor_of(reply: bytes) -> tuple[int, bytes]:
    """Return the id of the cursor in a reply, and the array of its documents."""
    cursor = next((value for name, value in members(reply) if name == b"cursor"), None)
    if cursor is None or cursor.kind is not Kind.OBJECT:
        raise CodecError(
            "cannot read a reply of MongoDB", why="it holds no cursor", fix="try again"
        )
    number, batch = 0, b""
    for name, value in cursor.members():
        if name == b"id":
            number = value.integer
        elif name in (b"firstBatch", b"nextBatch"):
            batch = value.raw
    return number, batch


def rows(
    connection: psycopg.Connection[Any], shape: Shape, table: int, part: Range
) -> Iterator[bytes]:
    """Yield binary COPY of the rows of a table in a range, whole tuples at a time."""
    query, values = rows_query(shape, table, part)
    copy = sql.SQL("COPY ({}) TO STDOUT (FORMAT binary)").format(query)
    parts: list[bytes] = []
    size = 0
    with connection.cursor() as cursor, cursor.copy(copy, values) as copied:
        for data in copied:
            parts.append(bytes(data))
            size += len(data)
            if size >= COPY_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
    if parts:
        yield b"".join(parts)


def rows_of(
    connection: psycopg.Connection[Any],
    shape: Shape,
    table: int,
    column: int,
    contents: Sequence[bytes],
) -> Iterator[list[bytes | None]]:
    """Yield the fields of the rows whose id stands in that column with one of these contents."""
    query, _ = rows_query(shape, table)
    of = shape.main.columns[column]
    name = sql.SQL("p.{}").format(sql.Identifier(of.name))
    if table and not shape.mixed and not shape.deleted:
        name = sql.SQL("c.{}").format(sql.Identifier(shape.tables[table].parent))
    query += sql.SQL(" AND " if shape.deleted else " WHERE ") + name + sql.SQL(" = ANY (")
    listed, values = _listed(of.form, contents)
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query + listed + sql.SQL(")"), values)
        result = cursor.pgresult
        assert result is not None
        for row in range(result.ntuples):
            yield [result.get_value(row, place) for place in range(result.nfields)]


def _listed(form: Form, contents: Sequence[bytes]) -> tuple[sql.SQL, list[Any]]:
    """Return an array of fields as SQL, with its parameters."""
    match form:
        case Form.TEXT:
            # What is not UTF-8, or holds NUL, no row can hold.
            texts = [one.decode(errors="replace").replace("\0", "\ufffd") for one in contents]
            return sql.SQL("%s::text[]"), [texts]
        case Form.BIGINT:
            return sql.SQL("%s::bigint[]"), [[int.from_bytes(one, signed=True) for one in contents]]
        case Form.UUID:
            return sql.SQL("%s::uuid[]"), [[one.hex() for one in contents]]
        case Form.BYTES:
            return sql.SQL("%s::bytea[]"), [list(contents)]
        case Form.BOOL:
            return sql.SQL("%s::boolean[]"), [[one == b"\1" for one in contents]]
        case Form.FLOAT8:
            return sql.SQL("%s::float8[]"), [[unpack(">d", one)[0] for one in contents]]
        case Form.TIMESTAMP:
            moments = [int.from_bytes(one, signed=True) for one in contents]
            days = [one // _DAY_MICROSECONDS for one in moments]
            rest = [one % _DAY_MICROSECONDS for one in moments]
            return _MOMENTS, [days, rest]
    return sql.SQL("%s::text[]"), [[]]  # numbers and jsonb name nothing that could be asked for


def rows_query(shape: Shape, table: int, part: Range = WHOLE) -> tuple[sql.Composed, list[str]]:
    """Return the query of a table's rows, with its parameters."""
    source, key, columns = _selected(shape, table)
    conditions: list[sql.Composable] = []
    values: list[str] = []
    for bound, sign in ((part.low, sql.SQL(">=")), (part.high, sql.SQL("<"))):
        if bound is not None:
            conditions.append(sql.SQL("{} {} %s::{}").format(key, sign, _TYPE[bound.form]))
            values.append(bound.text)
    if shape.deleted:
        conditions.append(sql.SQL("p.{} IS NULL").format(sql.Identifier(shape.deleted)))
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), source)
    if conditions:
        query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
    return query, values


def _selected(
    shape: Shape, table: int
) -> tuple[sql.Composable, sql.Composable, list[sql.Composable]]:
    """Return where to read from, the key, and the columns; `p` is the stream's own table."""
    main = shape.main
    ids = [one.name for one in main.columns if one.part is Part.ID]
    source: sql.Composable = sql.SQL("{} p").format(qualified(main.name))
    key: sql.Composable = sql.SQL("NULL")  # nothing that has an id was ever loaded
    if name := shape.key or next(iter(ids), None):
        key = sql.SQL("p.{}").format(sql.Identifier(name))
    if not table:
        return source, key, [_of("p", one.name) for one in main.columns]
    child = shape.tables[table]
    parent = _of("c", child.parent)
    columns = [_of("c", child.ordinal), *(_of("c", one.name) for one in child.columns)]
    if not shape.mixed and not shape.deleted:
        return sql.SQL("{} c").format(qualified(child.name)), parent, [parent, *columns]
    # Rows whose parent is not there come too, without an id.
    source = sql.SQL("{} c LEFT JOIN {} p ON {} = {}").format(
        qualified(child.name), qualified(main.name), key, parent
    )
    return source, parent, [*(_of("p", name) for name in ids), *columns]


def _of(alias: str, column: str) -> sql.Composed:
    return sql.SQL("{}.{}").format(sql.SQL("p" if alias == "p" else "c"), sql.Identifier(column))


def qualified(table: TableName) -> sql.Identifier:
    """Return a table's name, quoted."""
    return sql.Identifier(table.schema, table.name)
