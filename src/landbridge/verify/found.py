"""Found: what the rows of a document hold, and in which fields that is not what it should be.

For       The comparison of single documents, and the twin of the kernel.
Touches   Nothing.
Promises  `differing` names every field in which the rows fall short of their document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from struct import unpack_from

from landbridge.model.kinds import NESTED
from landbridge.model.plan import Path
from landbridge.verify import forms
from landbridge.verify.bson import Broken, members
from landbridge.verify.expected import Cell, Wanted, expected, key_of, rest_tree
from landbridge.verify.shape import Compared, Form, Mode, Part, Shape

COPY_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
_HEADER_BYTES = len(COPY_SIGNATURE) + 8  # flags, and the length of an extension that is empty

Fields = Sequence[bytes | None]


@dataclass(slots=True)
class Found:
    """What the rows of one document hold."""

    key: bytes = b""
    cells: dict[Cell, bytes] = field(default_factory=dict)
    rows: set[tuple[int, int]] = field(default_factory=set)  # of arrays: table, ordinal


def tuples(copied: bytes) -> Iterator[list[bytes | None]]:
    """Yield the fields of each tuple of a binary COPY."""
    at = _HEADER_BYTES if copied.startswith(COPY_SIGNATURE) else 0
    while at + 2 <= len(copied):
        (count,) = unpack_from(">h", copied, at)
        at += 2
        if count < 0:
            return
        fields: list[bytes | None] = []
        for _ in range(count):
            (size,) = unpack_from(">i", copied, at)
            at += 4
            fields.append(None if size < 0 else copied[at : at + size])
            at += max(0, size)
        yield fields


def add_row(shape: Shape, found: Found, table: int, fields: Fields) -> None:
    """Take in a row: the columns that are compared; an array's begin with ids and ordinal."""
    columns = shape.tables[table].columns
    ordinal = 0
    if table:
        ids = _ids(shape)
        found.key = _key(shape, fields[: len(ids)])
        ordinal = int.from_bytes(fields[len(ids)] or b"", signed=True)
        fields = fields[len(ids) + 1 :]
        found.rows.add((table, ordinal))
    for index, (column, content) in enumerate(zip(columns, fields, strict=True)):
        if content is not None:
            found.cells[Cell(table, ordinal, index)] = forms.of_field(column.form, content)
    if not table:
        found.key = _key(shape, [fields[index] for index in _ids(shape)])


def _ids(shape: Shape) -> list[int]:
    return [i for i, one in enumerate(shape.main.columns) if one.part is Part.ID]


def _key(shape: Shape, ids: Fields) -> bytes:
    return key_of(
        (index, b" " + content)
        for index, content in zip(_ids(shape), ids, strict=True)
        if content is not None
    )


def differing(shape: Shape, document: bytes, found: Found) -> list[str]:
    """Return the fields in which the rows are not what the document asks for; empty: equal.

    A value counts as kept also where it stands in another column of its path, or in `_rest`:
    columns that came later, and rows that were too wide, leave it there.
    """
    wanted = expected(shape, document)
    wrong: dict[str, None] = {_dotted(path): None for path in wanted.lost}
    lacking = found.rows.symmetric_difference(wanted.rows)
    for table, ordinal in lacking:
        wrong[_dotted(_inside(shape, Cell(table, ordinal, 0)))] = None
    left = {cell: have for cell, have in found.cells.items() if cell[:2] not in lacking}
    rests = {row: list(values) for row, values in wanted.rest.items()}
    for cell, want in wanted.cells.items():
        if cell[:2] in lacking or _column(shape, cell).part is Part.REST:
            continue
        have = left.pop(cell, None)
        if have == want.written:
            continue
        if have is None and want.value is not None:
            if (other := _elsewhere(shape, cell, want, left)) is not None:
                del left[other]
                continue
            if shape.tables[cell.table].column_of(Part.REST) >= 0:
                rests.setdefault((cell.table, cell.ordinal), []).append((want.path, want.value))
                continue
        wrong |= dict.fromkeys(_names(shape, cell, document, have))
    for (table, ordinal), values in rests.items():
        if (table, ordinal) in lacking:
            continue
        cell = Cell(table, ordinal, shape.tables[table].column_of(Part.REST))
        if left.pop(cell, None) != b"j" + rest_tree(shape, values):
            wrong |= {_dotted((*_inside(shape, cell), *path)): None for path, _ in values}
    for cell in left:
        wrong |= dict.fromkeys(_names(shape, cell, document, None))
    return list(wrong)


def _elsewhere(shape: Shape, cell: Cell, want: Wanted, left: dict[Cell, bytes]) -> Cell | None:
    """Return the cell of another column of the same path that holds the value."""
    assert want.value is not None
    path = _column(shape, cell).path
    for other, have in left.items():
        if (other.table, other.ordinal) != (cell.table, cell.ordinal):
            continue
        column = _column(shape, other)
        if column.path != path:
            continue
        plain = want.value.kind in NESTED and not shape.extended
        modes = [Mode.VALUE]
        if column.form is Form.JSON:
            modes = [Mode.PLAIN_JSON if plain else Mode.EXTENDED_JSON]
        elif column.part is Part.ID:
            modes += [Mode.PLAIN_TEXT, Mode.EXTENDED_TEXT]
        if any(forms.of_value(want.value, mode, column.form, shape) == have for mode in modes):
            return other
    return None


def _names(shape: Shape, cell: Cell, document: bytes, have: bytes | None) -> list[str]:
    """Return what to call the difference in a cell."""
    column = _column(shape, cell)
    if column.part is Part.BSON and have is not None:
        return _raw_differences(document, have[1:])
    return [_dotted((*_inside(shape, cell), *column.path)) if column.path else column.name]


def _raw_differences(document: bytes, kept: bytes) -> list[str]:
    """Return the names of the elements in which the bytes of two documents differ."""
    try:
        one, other = list(members(document)), list(members(kept))
    except Broken:
        return ["the bytes of the document"]
    values, kept_values = dict(one), dict(other)
    names = [
        name.decode(errors="replace")
        for name in {**values, **kept_values}
        if values.get(name) != kept_values.get(name)
    ]
    return names or ["the order of the fields"]


def _inside(shape: Shape, cell: Cell) -> Path:
    """Return the path of the element that a row of an array's table holds."""
    if not cell.table:
        return ()
    return (*shape.tables[cell.table].array, str(cell.ordinal))


def _column(shape: Shape, cell: Cell) -> Compared:
    return shape.tables[cell.table].columns[cell.column]


def _dotted(path: Path) -> str:
    return ".".join(path)
