"""The twin: BSON to binary COPY in pure Python, which says what the compiled kernel must do.

For       The specification of the codec; the slow path for rows the kernel flags; every row where
          no compiler was at hand.
Touches   Nothing.
Promises  The same bytes, the same flagged documents and the same profile as the kernel. A
          document becomes all of its rows, or none and is flagged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from struct import Struct

from landbridge.codec import binaries, ids, json, numbers, text, times
from landbridge.codec.hashing import murmur3_128
from landbridge.codec.key import canonical_key
from landbridge.codec.marks import Marks
from landbridge.codec.rest import rest_json
from landbridge.codec.tuples import ROW_BYTES_MAX, copy_tuple, room
from landbridge.codec.walk import (
    DOCUMENT_BYTES_MIN,
    Element,
    Refused,
    documents,
    elements,
)
from landbridge.model.batch import Encoded, Misfit, PathProfile, Problem, Profile
from landbridge.model.kinds import Kind
from landbridge.model.plan import Field, Op, Path, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings

_INT8 = Struct(">q")
_VALUE_KEY = b"value"  # of an array's element that is no object

Convert = Callable[[Element, Marks], bytes | None]


@dataclass(frozen=True, slots=True)
class _Known:
    """A field of the plan, made quick to look up."""

    path: Path
    slots: Mapping[tuple[Kind, int], Slot]
    below: Mapping[bytes, _Known]
    descend: bool


@dataclass(frozen=True, slots=True)
class _Table:
    """A table of the plan, made quick to look up."""

    index: int
    plan: TablePlan
    fields: Mapping[bytes, _Known]
    rest: int


@dataclass(slots=True)
class _Note:
    """A value that the walk found and the plan knows; no slot where it is entered or in `_rest`."""

    known: _Known
    element: Element
    slot: Slot | None
    marks: Marks = field(default_factory=Marks)


@dataclass(slots=True)
class _Row:
    """One row on its way: what was found, and the fields made of it."""

    table: _Table
    notes: list[_Note]
    rest: list[tuple[Path, Element]]
    fields: list[bytes | None]


class Twin:
    """The pure `Encoder`; with `moves_wide` a row too wide for a page goes on in `_rest`."""

    def __init__(self, plan: Plan, *, moves_wide: bool = False) -> None:
        self.plan = plan
        self._moves_wide = moves_wide
        self._tables = tuple(_known_table(i, table) for i, table in enumerate(plan.tables))
        self._children = {table.plan.array_path: table for table in self._tables[1:]}
        self._convert = _converters(plan.settings)
        self._key_index = next(
            (i for i, column in enumerate(plan.main.columns) if column.name == plan.key_column), -1
        )
        self._outputs = [b""] * len(plan.tables)
        self._profile: Profile = {}

    def encode(self, data: bytes, offset: int, constants: Mapping[str, bytes | None]) -> Encoded:
        """Encode the BSON array at `data[offset:]`; documents that do not fit are flagged."""
        self._outputs = [b""] * len(self._tables)
        spans = documents(data, offset)
        outputs: list[list[bytes]] = [[] for _ in self._tables]
        flagged = []
        for start, end in spans:
            document = _Document(self, constants)
            rows = document.rows(data, start, end)
            if document.misfits:
                flagged.append((start, end - start))
                continue
            for row in rows:
                outputs[row.table.index].append(copy_tuple(row.fields))
                self._count(row)
        self._outputs = [b"".join(tuples) for tuples in outputs]
        return Encoded(len(spans), len(outputs[0]), tuple(flagged))

    def output(self, table: int) -> memoryview:
        """Return the COPY tuples of one table, made by the last `encode`."""
        return memoryview(self._outputs[table])

    def take_profile(self) -> Profile:
        """Return what was seen in rows encoded since the last call, and forget it."""
        profile, self._profile = self._profile, {}
        return profile

    def misfits(self, document: bytes) -> list[Misfit]:
        """Return every reason why a document does not fit, each once."""
        constants = {column.name: None for column in self.plan.main.columns}
        attempt = _Document(self, constants)
        attempt.rows(document, 0, len(document))
        return list({(m.problem, m.table, m.path, m.kind, m.subtype): m
                     for m in reversed(attempt.misfits)}.values())[::-1]

    def _count(self, row: _Row) -> None:
        for note in row.notes:
            seen = self._profile.setdefault((row.table.index, note.known.path), PathProfile())
            kind = note.element.kind.value
            seen.counts[kind] = seen.counts.get(kind, 0) + 1
            seen.by_value += note.marks.by_value
            seen.escaped += note.marks.escaped
            size = _extent(note.element)
            if size is not None:
                seen.minimum[kind] = min(seen.minimum.get(kind, size), size)
                seen.maximum[kind] = max(seen.maximum.get(kind, size), size)


class _Document:
    """One document on its way to its rows; what does not fit gathers in `misfits`."""

    def __init__(self, twin: Twin, constants: Mapping[str, bytes | None]) -> None:
        self.misfits: list[Misfit] = []
        self._twin = twin
        self._settings = twin.plan.settings
        self._constants = constants

    def rows(self, data: bytes, start: int, end: int) -> list[_Row]:
        """Return the document's row and those of its arrays; worth nothing beside a misfit."""
        main = self._noted(self._twin._tables[0], lambda: elements(data, start, end, 1))
        self._fill(main)
        self._fill_roles(main, data, start, end)
        self._fit(main)
        key = main.fields[self._twin._key_index] if self._twin._key_index >= 0 else None
        rows = [main]
        for note in main.notes:
            if note.slot is not None and note.slot.op is Op.COUNT:
                rows += self._children(note, key)
        return rows
