"""The independent reader: a table against its collection, value by value.

It shares no code with what wrote the table. What it takes from landbridge is `column_map`, which
says what path a column is of, and the quarantine, whose documents must be the source's bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, LiteralString

import psycopg
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from psycopg import sql
from pymongo.database import Database
from tests.sync import forms
from tests.sync.documents import Members, Value, members

Mongo = Database[dict[str, Any]]
Path = tuple[str, ...]


class Unequal(AssertionError):
    """A document and a row that do not say the same."""


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    path: Path
    family: str


@dataclass
class Table:
    """A table as it was read: every field as text, or None."""

    name: str
    columns: list[Column]
    rows: list[dict[str, str | None]]
    children: dict[Path, Table] = field(default_factory=dict)

    def values(self, row: dict[str, str | None]) -> Iterator[tuple[Column, str]]:
        for column in self.columns:
            text = row[column.name]
            if text is not None:
                yield column, text


@dataclass(frozen=True)
class Shaping:
    """The settings that decide how a document may be found in its row."""

    flatten_depth: int = 1
    nested: str = "plain"
    nul: str = "quarantine"
    discarded: frozenset[Path] = frozenset()


@dataclass
class Comparison:
    """What was found, for tests that ask more."""

    rows: int
    quarantined: int
    table: Table


def raw_documents(mongo: Mongo, collection: str) -> list[bytes]:
    """Return the documents of a collection as the server's bytes."""
    raw = mongo.get_collection(collection, codec_options=CodecOptions(RawBSONDocument))
    return [bytes(document.raw) for document in raw.find()]


def compare(
    mongo: Mongo,
    collection: str,
    postgres: psycopg.Connection,
    table: str,
    shaping: Shaping | None = None,
    where: LiteralString = "true",
) -> Comparison:
    """Compare a whole table, or its rows that are meant, with its collection.

    Every document must be in exactly one row, or with its bytes in quarantine with a reason; every
    row must be of one document, and hold nothing else.
    """
    shaping = shaping or Shaping()
    documents = raw_documents(mongo, collection)
    held = quarantined(postgres, table)
    missing = held - Counter(documents)
    if missing:
        raise Unequal(f"{len(missing)} quarantined documents are not the source's")
    waiting = held.copy()
    loaded = []
    for document in documents:
        if waiting[document]:
            waiting[document] -= 1
        else:
            loaded.append(document)
    found = read_table(postgres, table, where)
    if any(column.name == "_source_bson" for column in found.columns):
        kept = Counter(row["_source_bson"] for row in found.rows)
        if kept != Counter(document.hex() for document in loaded):
            raise Unequal(f"the bytes in {table} are not the source's")
    match_rows(map(members, loaded), found, shaping)
    return Comparison(len(found.rows), sum(held.values()), found)


def quarantined(postgres: psycopg.Connection, table: str) -> Counter[bytes]:
    """Return the documents in quarantine; each has a reason and a path that can be read."""
    rows = postgres.execute(
        "SELECT q.document, q.reason, q.document_json FROM landbridge.quarantine q"
        " JOIN landbridge.stream s ON s.id = q.stream_id"
        " WHERE s.target_schema || '.' || s.target_table = %s AND q.generation <= s.generation",
        (table,),
    ).fetchall()
    assert all(reason and shown for _, reason, shown in rows)
    return Counter(bytes(document) for document, _, _ in rows)


# -- reading a table -------------------------------------------------------------------------


def read_table(postgres: psycopg.Connection, table: str, where: LiteralString = "true") -> Table:
    """Read a stream's table and its child tables."""
    schema, _, name = table.partition(".")
    stream = postgres.execute(
        "SELECT id, plan FROM landbridge.stream WHERE target_schema = %s AND target_table = %s",
        (schema, name),
    ).fetchone()
    assert stream is not None, f"nothing was loaded into {table}"
    rows = postgres.execute(
        "SELECT table_name, column_name, type, path, family FROM landbridge.column_map"
        " WHERE stream_id = %s",
        stream[:1],
    ).fetchall()
    mapped: dict[str, dict[str, Column]] = {}
    for table_name, column, kind, path, family in rows:
        columns = mapped.setdefault(table_name, {})
        if column:
            assert column not in columns, f"{column} is of two paths"
            columns[column] = Column(column, kind, tuple(path), family)
    main = _read(postgres, schema, name, mapped.pop(name, {}), where)
    for child in stream[1]["tables"][1:]:
        shape = {column[0]: column[1] for column in child["columns"]}
        path = tuple(child["array_path"])
        child_name = _table_of(postgres, schema, f"{name}_{child['suffix']}", shape)
        main.children[path] = _read(postgres, schema, child_name, mapped.pop(child_name, {}))
    assert not mapped, f"columns of tables that the plan does not know: {mapped}"
    return main


def _table_of(postgres: psycopg.Connection, schema: str, name: str, columns: dict[str, str]) -> str:
    """Return the name of a child table: the plain one, or the only one that looks like it."""
    found = postgres.execute(
        "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = %s AND c.relkind = 'r'",
        (schema,),
    ).fetchall()
    names = [each for (each,) in found]
    if name in names:
        return name
    alike = [each for each in names if _columns(postgres, schema, each) == columns]
    assert len(alike) == 1, (name, alike)
    return alike[0]


def _columns(postgres: psycopg.Connection, schema: str, name: str) -> dict[str, str]:
    rows = postgres.execute(
        "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
        (sql.Identifier(schema, name).as_string(),),
    )
    return dict(rows.fetchall())


def _read(
    postgres: psycopg.Connection,
    schema: str,
    name: str,
    mapped: dict[str, Column],
    where: LiteralString = "true",
) -> Table:
    present = _columns(postgres, schema, name)
    for column in mapped.values():
        assert present.get(column.name) == column.type, (column, present.get(column.name))
    query = sql.SQL("SELECT {} FROM {} AS t WHERE {}").format(
        sql.SQL(", ").join(_shown(each, kind) for each, kind in present.items()),
        sql.Identifier(schema, name),
        sql.SQL(where),
    )
    read = postgres.execute(query).fetchall() if present else []
    rows = [dict(zip(present, row, strict=True)) for row in read]
    columns = [mapped.get(each, Column(each, kind, (), "")) for each, kind in present.items()]
    return Table(name, columns, rows)


def _shown(name: str, kind: str) -> sql.Composed:
    column = sql.Identifier(name)
    if kind.startswith("timestamp"):
        return sql.SQL("(extract(epoch FROM {}) * 1000)::numeric::text").format(column)
    if kind == "bytea":
        return sql.SQL("encode({}, 'hex')").format(column)
    return sql.SQL("{}::text").format(column)


# -- comparing -------------------------------------------------------------------------------


def match_rows(documents: Iterable[Members], table: Table, shaping: Shaping) -> None:
    """Find the row of every document; nothing may be left over on either side."""
    by_id: dict[str, list[dict[str, str | None]]] = {}
    ids = [c.name for c in table.columns if c.path == ("_id",)]
    for row in table.rows:
        shown = next((text for name in ids if (text := row[name]) is not None), "")
        by_id.setdefault(_without_fraction(shown), []).append(row)
    left = len(table.rows)
    for document in documents:
        identity = dict(document).get("_id")
        texts = set() if identity is None else forms.plain_texts(identity)
        likely = [row for text in texts for row in by_id.get(text, ())]
        others = (row for text in by_id if text not in texts for row in by_id[text])
        _take(document, chain(likely, others), table, shaping, by_id)
        left -= 1
    if left:
        raise Unequal(f"{left} rows of {table.name} are of no document")


def _without_fraction(text: str) -> str:
    whole, dot, fraction = text.partition(".")
    return whole if dot and whole.lstrip("-").isdigit() and not fraction.strip("0") else text


def _take(
    document: Members,
    candidates: Iterable[dict[str, str | None]],
    table: Table,
    shaping: Shaping,
    by_id: dict[str, list[dict[str, str | None]]],
) -> None:
    reason: Unequal | None = None  # that the likeliest row is not it
    for row in candidates:
        try:
            compare_row(document, row, table, shaping)
        except Unequal as unequal:
            reason = reason or unequal
        else:
            rows = next(rows for rows in by_id.values() if any(each is row for each in rows))
            rows[:] = [each for each in rows if each is not row]
            return
    raise Unequal(f"no row of {table.name} is {str(document)[:300]}: {reason}")


@dataclass
class _Leaf:
    column: Column
    text: str


@dataclass
class _Json:
    """A piece of `_rest`."""

    value: Any


_Tree = dict[str, Any]  # _Leaf, _Json or another _Tree


def compare_row(
    document: Members, row: dict[str, str | None], table: Table, shaping: Shaping
) -> None:
    """Rebuild the document from its row, and compare."""
    tree: _Tree = {}
    for column, text in table.values(row):
        if column.path:
            _plant(tree, column.path, _Leaf(column, text))
    if rest := row.get("_rest"):
        for key, value in forms.json_of(rest).items():
            _plant_json(tree, key, value)
    if source := row.get("_source_document"):
        whole = Value("object", document)
        same = forms.same_json(
            forms.json_of(source), whole, shaping.nested, shaping.nul == "escape"
        )
        _require(same, ("_source_document",), whole, source)
    _compare_members(document, tree, (), table, row, shaping)


def _plant(tree: _Tree, path: Path, leaf: _Leaf) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise Unequal(f"{path} is inside a value")
    if path[-1] in tree:
        raise Unequal(f"two columns hold a value for {path}")
    tree[path[-1]] = leaf


def _plant_json(tree: _Tree, key: str, value: Any) -> None:
    there = tree.get(key)
    if isinstance(there, dict) and isinstance(value, dict):
        for name, inside in value.items():
            _plant_json(there, name, inside)
    elif there is not None:
        raise Unequal(f"{key} stands in a column and in _rest")
    else:
        tree[key] = _Json(value)


def _compare_members(
    inside: Members,
    tree: _Tree,
    prefix: Path,
    table: Table,
    row: dict[str, str | None],
    shaping: Shaping,
) -> None:
    tree = dict(tree)
    for key, value in inside:
        path = (*prefix, key)
        node = tree.pop(key, None)
        if path in shaping.discarded:
            if node is not None:
                raise Unequal(f"{path} should have been discarded")
        elif isinstance(node, dict):
            if value.kind != "object" or len(path) > shaping.flatten_depth:
                raise Unequal(f"{path} was taken for an object")
            _compare_members(value.data, node, path, table, row, shaping)
        elif isinstance(node, _Json):
            _require(_same_rest(node.value, value, path, shaping), path, value, node.value)
        elif isinstance(node, _Leaf):
            flat = value.kind == "object" and value.data and len(path) <= shaping.flatten_depth
            if flat and path != ("_id",):
                raise Unequal(f"{path} should have been flattened")
            _compare_leaf(node, value, path, table, row, shaping)
        elif not _is_nothing(value, path, shaping):
            raise Unequal(f"{path} is lost: {str(value)[:100]}")
    if tree:
        raise Unequal(f"{sorted(tree)} of {prefix} are made up")


def _require(same: bool, path: Path, value: Value, stored: Any) -> None:
    if not same:
        raise Unequal(f"{path} is {str(value)[:200]} and stands as {str(stored)[:200]}")


def _is_nothing(value: Value, path: Path, shaping: Shaping) -> bool:
    """Whether nothing need be stored: null, or an object of nothing else that is flattened."""
    if value.kind == "null":
        return True
    if value.kind != "object" or not value.data or len(path) > shaping.flatten_depth:
        return False
    return all(_is_nothing(v, (*path, k), shaping) for k, v in value.data)


def _same_rest(stored: Any, value: Value, path: Path, shaping: Shaping) -> bool:
    """Compare a piece of `_rest`; what is null may stand there or not."""
    escaped = shaping.nul == "escape"
    if value.kind != "object" or not isinstance(stored, dict) or not value.data:
        return forms.same_json(stored, value, shaping.nested, escaped)
    last = dict(value.data)
    if len(path) > shaping.flatten_depth:
        return forms.same_json(stored, value, shaping.nested, escaped)
    return stored.keys() <= last.keys() and all(
        _same_rest(stored[key], inside, (*path, key), shaping)
        if key in stored
        else _is_nothing(inside, (*path, key), shaping)
        for key, inside in last.items()
    )


def _compare_leaf(
    leaf: _Leaf,
    value: Value,
    path: Path,
    table: Table,
    row: dict[str, str | None],
    shaping: Shaping,
) -> None:
    column, text = leaf.column, leaf.text
    if column.family == "count":
        _require(value.kind == "array" and int(text) == len(value.data), path, value, text)
        _compare_children(value.data, table.children[path], row, shaping)
        return
    escaped = shaping.nul == "escape"
    if path == ("_id",) and column.type == "text":
        same = _same_id_text(text, value, column.family, escaped)
    elif path == ("_id",) and column.family == "integer":
        same = value.kind in ("int", "long") and int(text) == value.data
    elif column.family != value.family:
        raise Unequal(f"{path} is {value.kind} and stands in {column}")
    else:
        same = _SAME[column.type](text, value, column.type, shaping)
    _require(same, path, value, text)


def _same_id_text(text: str, value: Value, family: str, escaped: bool) -> bool:
    """Compare an id with text: plain where its kind came first, else canonical extended JSON."""
    first = family == value.family or (family == "integer" and value.kind in ("int", "long"))
    if first and (forms.unescaped(text) if escaped else text) in forms.plain_texts(value):
        return True
    if first and family not in ("number", "json"):
        return False
    try:
        stored = forms.json_of(text)
    except ValueError:
        return False
    return forms.same_json(stored, value, "extended", escaped)


def _compare_children(
    elements: Members, child: Table, row: dict[str, str | None], shaping: Shaping
) -> None:
    key = row.get("_key") or row["_id"]
    rows = [each for each in child.rows if each["_parent_id"] == key]
    rows.sort(key=lambda each: int(each["_ordinal"] or -1))
    assert [each["_ordinal"] for each in rows] == [str(n) for n in range(len(elements))]
    for (_, element), each in zip(elements, rows, strict=True):
        inside = element.data if element.kind == "object" else [("value", element)]
        compare_row(inside, each, child, shaping)


def _text(text: str, value: Value, column_type: str, shaping: Shaping) -> bool:
    shown = forms.unescaped(text) if shaping.nul == "escape" else text
    return bool(shown == value.data) or text in forms.plain_texts(value)


def _json(text: str, value: Value, column_type: str, shaping: Shaping) -> bool:
    form = shaping.nested if value.kind in ("object", "array") else "extended"
    return forms.same_json(forms.json_of(text), value, form, shaping.nul == "escape")


def _number(text: str, value: Value, column_type: str, shaping: Shaping) -> bool:
    return forms.same_number(text, value, column_type)


def _date(text: str, value: Value, column_type: str, shaping: Shaping) -> bool:
    return Decimal(text) == value.data


def _bytes(text: str, value: Value, column_type: str, shaping: Shaping) -> bool:
    return text == (value.data if value.kind == "objectid" else value.data.hex())


_SAME: dict[str, Callable[[str, Value, str, Shaping], bool]] = {
    "double precision": _number,
    "bigint": _number,
    "numeric": _number,
    "text": _text,
    "character varying(24)": _text,
    "uuid": _text,
    "boolean": lambda text, value, *_: text == ("true" if value.data else "false"),
    "timestamp with time zone": _date,
    "timestamp without time zone": _date,
    "bytea": _bytes,
    "jsonb": _json,
}
