"""The twin: BSON to binary COPY in pure Python, which says what the compiled kernel must do.

For       The specification of the codec; the slow path for rows the kernel flags; every row where
          no compiler was at hand.
Touches   Nothing.
Promises  The same bytes, the same flagged documents and the same profile as the kernel. A
          document becomes all of its rows, or none of them and is flagged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from landbridge.codec.convert import Convert, converters, int8_field
from landbridge.codec.ids import ID_KEY
from landbridge.codec.json import JsonWriter, jsonb
from landbridge.codec.key import canonical_key
from landbridge.codec.marks import Marks
from landbridge.codec.numbers import double, integer
from landbridge.codec.rest import rest_object
from landbridge.codec.shape import KnownField, KnownTable, Shape, shape_of
from landbridge.codec.times import milliseconds
from landbridge.codec.tuples import ROW_BYTES_MAX, copy_tuple, room
from landbridge.codec.walk import DOCUMENT_BYTES_MIN, Element, Refused, documents, elements
from landbridge.model.batch import Encoded, Misfit, PathProfile, Problem, Profile
from landbridge.model.hashing import murmur3_128
from landbridge.model.kinds import Kind
from landbridge.model.plan import Op, Path, Plan, Role, Slot

_VALUE_KEY = b"value"  # of an array's element that is no object
_WIDEST = b"\0" * 32  # stands for a constant where only the row's width matters

Constants = Mapping[str, bytes | None]


class Twin:
    """The pure `Encoder`; with `moves_wide`, what makes a row too wide goes to `_rest`."""

    def __init__(self, plan: Plan, *, moves_wide: bool = False) -> None:
        self.plan = plan
        self._shape = shape_of(plan)
        self._convert = converters(plan.settings)
        self._moves_wide = moves_wide
        self._outputs = [b""] * len(plan.tables)
        self._profile: Profile = {}

    def encode(self, data: bytes, offset: int, constants: Constants) -> Encoded:
        """Encode the BSON array at `data[offset:]`; documents that do not fit are flagged."""
        self._outputs = [b""] * len(self.plan.tables)
        spans = documents(data, offset)
        tuples: list[list[bytes]] = [[] for _ in self.plan.tables]
        flagged = []
        for start, end in spans:
            rows, misfits = self._rows(data, start, end, constants)
            if misfits:
                flagged.append((start, end - start))
                continue
            for row in rows:
                tuples[row.table.index].append(copy_tuple(row.fields))
                self._count(row)
        self._outputs = [b"".join(parts) for parts in tuples]
        return Encoded(len(spans), len(tuples[0]), tuple(flagged))

    def output(self, table: int) -> memoryview:
        """Return the COPY tuples of one table, made by the last `encode`."""
        return memoryview(self._outputs[table])

    def take_profile(self) -> Profile:
        """Return what was seen in rows encoded since the last call, and forget it."""
        profile, self._profile = self._profile, {}
        return profile

    def misfits(self, document: bytes) -> list[Misfit]:
        """Return every reason why a document does not fit, each once."""
        constants = {column.name: _WIDEST for column in self.plan.main.columns}
        _, misfits = self._rows(document, 0, len(document), constants)
        distinct: dict[tuple[object, ...], Misfit] = {}
        for misfit in misfits:
            identity = (misfit.problem, misfit.table, misfit.path, misfit.kind, misfit.subtype)
            distinct.setdefault(identity, misfit)
        return list(distinct.values())

    def _rows(
        self, data: bytes, start: int, end: int, constants: Constants
    ) -> tuple[list[_Row], list[Misfit]]:
        attempt = _Attempt(self._shape, self._convert, self._moves_wide, constants)
        return attempt.rows(data, start, end), attempt.misfits

    def _count(self, row: _Row) -> None:
        for note in row.notes:
            place = (row.table.index, note.known.path)
            seen = self._profile.setdefault(place, PathProfile())
            kind = note.element.kind.value
            seen.counts[kind] = seen.counts.get(kind, 0) + 1
            seen.by_value += note.marks.by_value
            seen.escaped += note.marks.escaped
            size = _size(note.element)
            if size is not None:
                seen.minimum[kind] = min(seen.minimum.get(kind, size), size)
                seen.maximum[kind] = max(seen.maximum.get(kind, size), size)


@dataclass(slots=True)
class _Note:
    """A value that the plan knows; without a slot it was entered, or went to `_rest`."""

    known: KnownField
    element: Element
    slot: Slot | None
    marks: Marks = field(default_factory=Marks)


@dataclass(slots=True)
class _Row:
    """A row on its way: first what the walk found for it, then its fields."""

    table: KnownTable
    fields: list[bytes | None]
    notes: list[_Note] = field(default_factory=list)
    rest: list[tuple[Path, Element]] = field(default_factory=list)


@dataclass(slots=True)
class _Attempt:
    """One document on its way to its rows, which count only if nothing was a misfit."""

    shape: Shape
    convert: Mapping[Op, Convert]
    moves_wide: bool
    constants: Constants
    misfits: list[Misfit] = field(default_factory=list)
    id: Element | None = None

    def rows(self, data: bytes, start: int, end: int) -> list[_Row]:
        """Return the document's own row and those of its arrays."""
        main = self._row(self.shape.main, elements(data, start, end, 1))
        self._fill(main)
        self._fill_roles(main, data[start:end])
        self._finish(main)
        rows = [main]
        key = main.fields[self.shape.key_index] if self.shape.key_index >= 0 else None
        for note in main.notes:
            if note.slot is not None and note.slot.op is Op.COUNT:
                rows += self._child_rows(note, key)
        return rows

    def _child_rows(self, array: _Note, key: bytes | None) -> Iterator[_Row]:
        table = self.shape.children.get(array.known.path)
        if table is None:
            return
        parent = table.plan.column_with(Role.PARENT)
        ordinal = table.plan.column_with(Role.ORDINAL)
        try:
            for index, element in enumerate(array.element.elements()):
                if element.kind is Kind.OBJECT:
                    row = self._row(table, element.elements())
                else:
                    row = self._row(table, [element._replace(key=_VALUE_KEY)])
                self._fill(row)
                if parent >= 0:
                    row.fields[parent] = key
                if ordinal >= 0:
                    row.fields[ordinal] = int8_field(index)
                self._finish(row)
                yield row
        except Refused as refusal:
            self._misfit(refusal, table, ())

    def _row(self, table: KnownTable, members: Iterable[Element]) -> _Row:
        row = _Row(table, [None] * len(table.plan.columns))
        self._note(row, members, table.fields, ())
        return row

    def _note(
        self,
        row: _Row,
        members: Iterable[Element],
        fields: Mapping[bytes, KnownField],
        prefix: Path,
    ) -> None:
        """Find the place of every element of one level, and enter what is flattened."""
        seen = set()
        try:
            for element in members:
                if element.level == 1 and element.key == ID_KEY and self.id is None:
                    self.id = element
                known = fields.get(element.key)
                if known is None:
                    self._note_unknown(row, element, prefix)
                elif element.key in seen:
                    self._misfit(Refused(Problem.DUPLICATE_KEY), row.table, known.path, element)
                else:
                    seen.add(element.key)
                    self._note_known(row, element, known)
        except Refused as refusal:
            self._misfit(refusal, row.table, prefix)

    def _note_unknown(self, row: _Row, element: Element, prefix: Path) -> None:
        path = (*prefix, element.key.decode(errors="replace"))
        if path[-1].encode() != element.key:
            self._misfit(Refused(Problem.UTF8, "the key is not UTF-8"), row.table, path, element)
        elif self._takes_unknown(row, element):
            row.rest.append((path, element))
        else:
            self._misfit(Refused(Problem.UNKNOWN), row.table, path, element)

    def _note_known(self, row: _Row, element: Element, known: KnownField) -> None:
        if known.descend and element.kind is Kind.OBJECT and not _is_empty(element):
            row.notes.append(_Note(known, element, None))
            self._note(row, element.elements(), known.below, known.path)
            return
        slot = known.slot_of(element)
        if slot is None or slot.op is Op.REST:
            if not (self._takes_unknown(row, element) if slot is None else row.table.rest >= 0):
                self._misfit(Refused(Problem.UNKNOWN), row.table, known.path, element)
                return
            row.rest.append((known.path, element))
            slot = None
        row.notes.append(_Note(known, element, slot))

    def _takes_unknown(self, row: _Row, element: Element) -> bool:
        """Whether a value without a slot goes to `_rest`; an id that is the key never does."""
        own = row.table.index == 0 and element.level == 1 and element.key == ID_KEY
        return row.table.takes_unknown and not (own and self.shape.plan.keyed)

    def _fill(self, row: _Row) -> None:
        for note in row.notes:
            if note.slot is None:
                continue
            try:
                value = self.convert[note.slot.op](note.element, note.marks)
            except Refused as refusal:
                self._misfit(refusal, row.table, note.known.path, note.element)
                continue
            if note.slot.column >= 0:
                row.fields[note.slot.column] = value

    def _fill_roles(self, row: _Row, document: bytes) -> None:
        """Fill the columns that come from the document as a whole."""
        plan = self.shape.plan
        if plan.keyed and self.id is None and not self.misfits:
            self._misfit(Refused(Problem.NO_ID), row.table, ())
        for index, column in enumerate(row.table.plan.columns):
            try:
                match column.role:
                    case Role.KEY if self.id is not None:
                        row.fields[index] = canonical_key(self.id.type_byte, self.id.value)
                    case Role.HASH:
                        row.fields[index] = murmur3_128(self.shape.fingerprint, document)
                    case Role.SOURCE_BSON:
                        row.fields[index] = document
                    case Role.SOURCE_DOCUMENT:
                        text = self._writer().document(document, 0, len(document))
                        row.fields[index] = jsonb(text)
                    case Role.CONSTANT:
                        row.fields[index] = self.constants[column.name]
            except Refused as refusal:
                self._misfit(refusal, row.table, column.path)

    def _finish(self, row: _Row) -> None:
        """Write `_rest`, and see that the row fits on its page."""
        self._fill_rest(row)
        if self.misfits or room(row.table.plan.columns, row.fields) <= ROW_BYTES_MAX:
            return
        if not self.moves_wide or row.table.rest < 0 or not self._move_to_rest(row):
            self._misfit(Refused(Problem.WIDE_ROW), row.table, ())

    def _move_to_rest(self, row: _Row) -> bool:
        """Move the last values to `_rest`; return whether the row fits then."""
        columns = row.table.plan.columns
        filled = {
            note.slot.column: note
            for note in row.notes
            if note.slot is not None
            and note.slot.op is not Op.COUNT
            and row.fields[note.slot.column] is not None
            and columns[note.slot.column].role is Role.VALUE
        }
        for index in sorted(filled, reverse=True):
            row.fields[index] = None
            row.rest.append((filled[index].known.path, filled[index].element))
            row.fields[row.table.rest] = b""  # counts as any jsonb does
            if room(columns, row.fields) <= ROW_BYTES_MAX:
                self._fill_rest(row)
                return True
        return False

    def _fill_rest(self, row: _Row) -> None:
        row.rest.sort(key=lambda value: value[1].start)  # document order, whatever moved late
        writer = self._writer()
        members = []
        for path, element in row.rest:
            try:
                members.append((path, writer.value(element)))
            except Refused as refusal:
                self._misfit(refusal, row.table, path, element)
        if members:
            row.fields[row.table.rest] = jsonb(rest_object(members))

    def _writer(self) -> JsonWriter:
        settings = self.shape.plan.settings
        return JsonWriter(settings.nested, settings.nul)

    def _misfit(
        self, refusal: Refused, table: KnownTable, path: Path, element: Element | None = None
    ) -> None:
        kind, subtype = (None, 0) if element is None else (element.kind, element.subtype)
        self.misfits.append(
            Misfit(refusal.problem, path, kind, subtype, table.index, refusal.detail)
        )


def _is_empty(element: Element) -> bool:
    return element.end - element.start == DOCUMENT_BYTES_MIN


def _size(element: Element) -> float | int | None:
    """Return what the extremes of a profile are taken of."""
    match element.kind:
        case Kind.INT | Kind.LONG:
            return integer(element)
        case Kind.DOUBLE:
            value = double(element)
            return value if math.isfinite(value) else None
        case Kind.DATE:
            return milliseconds(element)
        case Kind.STRING:
            return element.end - element.start - DOCUMENT_BYTES_MIN
    return None
