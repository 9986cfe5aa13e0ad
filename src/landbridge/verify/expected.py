"""Expected: what the rows of a document should hold, derived from the document alone.

For       The comparison; this is the specification that the kernel follows.
Touches   Nothing.
Promises  Every value of a document is expected somewhere, or stands in `lost`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from struct import pack
from typing import NamedTuple

from landbridge.model.hashing import murmur3_128
from landbridge.model.kinds import Kind
from landbridge.model.plan import Path
from landbridge.verify import forms, trees
from landbridge.verify.bson import Value, id_of, members
from landbridge.verify.shape import Mode, Node, Part, Place, Shape

ID = b"_id"
NO_COLUMN = 0xFFFF  # in a key: the table has no column for ids of this kind, so no row has it
_ELEMENT = b"value"  # the name of an array's element that is no object
_EMPTY_OBJECT_BYTES = 5


class Cell(NamedTuple):
    """A column of a row: of the stream's own table, or of an array's at that place."""

    table: int
    ordinal: int
    column: int


@dataclass(slots=True)
class Wanted:
    """What one cell should hold, and of which value."""

    written: bytes
    value: Value | None = None
    path: Path = ()


@dataclass(slots=True)
class Expected:
    """What the rows of one document should hold."""

    key: bytes = b""
    cells: dict[Cell, Wanted] = field(default_factory=dict)
    rest: dict[tuple[int, int], list[tuple[Path, Value]]] = field(default_factory=dict)
    rows: list[tuple[int, int]] = field(default_factory=list)  # of arrays: table, ordinal
    lost: list[Path] = field(default_factory=list)  # values that have no place


def expected(shape: Shape, document: bytes) -> Expected:
    """Return what the rows of a document should hold.

    Raises `bson.Broken` where its bytes are not BSON.
    """
    found = Expected()
    if shape.walks:
        _members(shape, found, (0, 0), members(document), shape.main.root)
        _rests(shape, found)
    elif (identity := id_of(document)) is not None:
        _members(shape, found, (0, 0), iter([(ID, identity)]), shape.main.root)
    for index, column in enumerate(shape.main.columns):
        cell = Cell(0, 0, index)
        match column.part:
            case Part.BSON:
                found.cells[cell] = Wanted(b"x" + document)
            case Part.DOCUMENT:
                tree = trees.of_members(document, shape.extended, shape.escapes)
                found.cells[cell] = Wanted(b"j" + tree)
            case Part.HASH:
                found.cells[cell] = Wanted(b"u" + murmur3_128(shape.seed, document))
    found.key = _key(shape, found, document)
    return found


def key_of_document(shape: Shape, document: bytes) -> bytes:
    """Return what a document is known by, the rest of it not looked at."""
    found = Expected()
    if (identity := id_of(document)) is not None:
        _members(shape, found, (0, 0), iter([(ID, identity)]), shape.main.root)
    return _key(shape, found, document)


def _key(shape: Shape, found: Expected, document: bytes) -> bytes:
    key = key_of(
        (index, found.cells[Cell(0, 0, index)].written)
        for index, column in enumerate(shape.main.columns)
        if column.part is Part.ID and Cell(0, 0, index) in found.cells
    )
    if key or (value := id_of(document)) is None:
        return key
    return pack("<HB", NO_COLUMN, value.type_byte) + value.raw


def key_of(ids: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the bytes that both sides know a document by: its id's column and content."""
    return b"".join(pack("<H", index) + written[1:] for index, written in ids)


def _members(
    shape: Shape,
    found: Expected,
    row: tuple[int, int],
    elements: Iterator[tuple[bytes, Value]],
    above: Node,
    prefix: Path = (),
) -> None:
    for name, value in elements:
        path = (*prefix, name.decode(errors="surrogateescape"))
        node = above.below.get(name)
        if (
            value.kind is Kind.OBJECT
            and len(value.raw) > _EMPTY_OBJECT_BYTES
            and len(path) <= shape.flatten_depth
            and path != ("_id",)
        ):
            _members(shape, found, row, value.members(), node or Node(path, {}, {}), path)
            continue
        place = None if node is None else node.places.get((value.kind, value.subtype))
        _place(shape, found, row, path, value, place)


def _place(
    shape: Shape,
    found: Expected,
    row: tuple[int, int],
    path: Path,
    value: Value,
    place: Place | None,
) -> None:
    table, ordinal = row
    has_rest = shape.tables[table].column_of(Part.REST) >= 0
    if place is None and value.kind is Kind.NULL:
        return
    if place is None or place.mode is Mode.REST:
        if has_rest:
            found.rest.setdefault(row, []).append((path, value))
        elif not shape.discards:
            found.lost.append(path)
        return
    if place.mode is Mode.NOTHING:
        return
    cell = Cell(table, ordinal, place.column)
    if place.mode is not Mode.COUNT:
        form = shape.tables[table].columns[place.column].form
        found.cells[cell] = Wanted(forms.of_value(value, place.mode, form, shape), value, path)
        return
    elements = [one for _, one in value.members()]
    found.cells[cell] = Wanted(b"i" + pack(">q", len(elements)), None, path)
    root = shape.tables[place.table].root
    for number, element in enumerate(elements):
        inner = (place.table, number)
        found.rows.append(inner)
        parts = element.members() if element.kind is Kind.OBJECT else iter([(_ELEMENT, element)])
        _members(shape, found, inner, parts, root)


def _rests(shape: Shape, found: Expected) -> None:
    for (table, ordinal), values in found.rest.items():
        column = shape.tables[table].column_of(Part.REST)
        tree = rest_tree(shape, values)
        found.cells[Cell(table, ordinal, column)] = Wanted(b"j" + tree)


def rest_tree(shape: Shape, values: Iterable[tuple[Path, Value]]) -> bytes:
    """Return the tree of `_rest`: every value under its whole path."""
    opened: _Opened = {}
    for path, value in values:
        inside = opened
        for name in path[:-1]:
            below = inside.setdefault(name.encode(errors="surrogateescape"), {})
            if isinstance(below, bytes):  # the same name twice: the last counts
                below = inside[name.encode(errors="surrogateescape")] = {}
            inside = below
        tree = trees.of_value(value, shape.extended, shape.escapes)
        inside[path[-1].encode(errors="surrogateescape")] = tree
    return _closed(opened)


_Opened = dict[bytes, "bytes | _Opened"]


def _closed(opened: _Opened) -> bytes:
    return trees.tree_object(
        {name: _closed(one) if isinstance(one, dict) else one for name, one in opened.items()}
    )
