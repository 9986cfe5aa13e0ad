"""Documents become rows of the tables that a mapping names, or faults that say why not.

For       The import, and its dry run.
Touches   Nothing.
Promises  A document gives all of its rows or none; every value that doesn't fit is named with its
          path, its column and the reason. Nothing is cut, rounded or left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from landbridge.codec import (
    Refused,
    batch_of,
    documents_in,
    id_of,
    members,
    pick,
)
from landbridge.errors import CodecError
from landbridge.mapping.ids import Keys, Unfit, canonical, references
from landbridge.mapping.rules import ChildRule, CollectionRule, ColumnRule, Mapping
from landbridge.mapping.values import (
    ARRAY,
    NOTHING,
    OBJECT,
    Convert,
    converter,
    default_text,
    kind_of,
    shown,
)
from landbridge.model.batch import Batch
from landbridge.model.importing import Fault, Mapped, Reference, Row, RowShape, StreamShape

ITSELF = "."
FAULTS_MAX = 20  # of one document

Path = tuple[bytes, ...]
Picked = Sequence[bytes | None]


@dataclass(frozen=True, slots=True)
class _Step:
    """How one column of a row is made of what was picked."""

    rule: ColumnRule
    place: int  # of its value in what was picked, -1 for none
    convert: Convert | None
    default: str | None
    reference: Reference | None
    keys: Keys | None
    through: tuple[int, ...]  # places of the objects that its path goes through


class _Rows:
    """Makes the rows of one table."""

    def __init__(
        self, shape: RowShape, rules: Sequence[ColumnRule], keys: Callable[[str], Keys]
    ) -> None:
        self.shape = shape
        self.table = shape.table.name.name
        self.paths: list[Path] = []
        self.rules = rules
        by_column = {reference.column: reference for reference in shape.references}
        by_name = {column.name: column for column in shape.table.columns}
        self.steps = []
        for rule in rules:
            column = by_name[rule.column]
            reference = by_column.get(rule.column)
            self.steps.append(
                _Step(
                    rule,
                    -1 if rule.source in (None, ITSELF) else self._place(str(rule.source)),
                    None if reference or rule.source is None else converter(rule, column),
                    default_text(rule, column),
                    reference,
                    keys(reference.to) if reference else None,
                    self._through(rule.source),
                )
            )

    def _place(self, source: str) -> int:
        path = tuple(part.encode() for part in source.split("."))
        if path not in self.paths:
            self.paths.append(path)
        return self.paths.index(path)

    def _through(self, source: str | None) -> tuple[int, ...]:
        if source is None or source == ITSELF:
            return ()
        parts = source.split(".")
        return tuple(self._place(".".join(parts[:n])) for n in range(1, len(parts)))

    def row(
        self, made: Sequence[str | None], picked: Picked, itself: bytes | None, place: str
    ) -> tuple[Row, list[Fault]]:
        """Return one row; `place` is the path of the element, empty for a document."""
        row: Row = [*made]
        extras: Row = []
        faults: list[Fault] = []
        for step in self.steps:
            if step.place >= 0:
                value = picked[step.place]
            else:
                value = itself if step.rule.source == ITSELF else None
            if value is None or value[0] in NOTHING:
                text = step.default
                blocked = list(self._blocked(step, picked, place)) if value is None else []
                faults.extend(blocked)
                if text is None and step.rule.required and not blocked:
                    what = "null" if value else "missing"
                    faults.append(self._fault(step, "required", place, f"it is {what}"))
                if step.reference:
                    extras.extend((None, None) if step.reference.serial else (None,))
                row.append(text)
                continue
            try:
                if step.reference is None:
                    assert step.convert is not None
                    row.append(step.convert(value))
                else:
                    self._refer(step, value, row, extras)
            except Unfit as unfit:
                faults.append(self._fault(step, "value", place, str(unfit)))
                row.append(None)
        row.extend(extras)
        return row, faults

    @staticmethod
    def _refer(step: _Step, value: bytes, row: Row, extras: Row) -> None:
        assert step.keys is not None and step.reference is not None
        meant = references(value)
        if step.reference.serial:
            texts = [canonical(one) for one in meant]
            row.append(None)
            extras.extend((texts[0], texts[1] if len(texts) > 1 else None))
            return
        keys = [step.keys.key(one) for one in meant]
        row.append(keys[0])
        extras.append(keys[1] if len(keys) > 1 and keys[1] != keys[0] else None)

    def _blocked(self, step: _Step, picked: Picked, place: str) -> Iterator[Fault]:
        """Yield a fault where the path of a value meets something that is no object."""
        for number in step.through:
            value = picked[number]
            if value is not None and value[0] not in (OBJECT, *NOTHING):
                name = ".".join(part.decode() for part in self.paths[number])
                reason = f"{name} is {shown(value)}, of kind {kind_of(value)}, and no object"
                yield self._fault(step, "value", place, reason)
                return

    def _fault(
        self, step: _Step, problem: Literal["value", "required"], place: str, reason: str
    ) -> Fault:
        source = step.rule.source or ""
        path = place if source == ITSELF else ".".join(part for part in (place, source) if part)
        return Fault(problem, self.table, step.rule.column, path, reason)


class Converter:
    """Turns the documents of one collection into rows; safe for one thread."""

    def __init__(
        self, mapping: Mapping, rule: CollectionRule, shape: StreamShape, database: str
    ) -> None:
        self.shape = shape
        self._database = database
        self._mapping = mapping
        self._keys = Keys(database, rule.collection, rule.key.form)
        self._serial = rule.key.form == "serial"
        self._main = _Rows(shape.main, rule.columns, self._keys_of)
        self._children = [
            (child, _Rows(rows, child.columns, self._keys_of))
            for child, rows in zip(rule.children, shape.tables[1:], strict=True)
        ]
        self._paths = [(b"_id",), *self._main.paths]
        self._arrays = []
        for child in rule.children:
            path = tuple(part.encode() for part in child.source.split("."))
            self._arrays.append(len(self._paths))
            self._paths.append(path)

    def _keys_of(self, collection: str) -> Keys:
        rule = self._mapping.of(collection)
        assert rule is not None
        return Keys(self._database, collection, rule.key.form)

    def convert(self, batch: Batch) -> Iterator[Mapped]:
        """Yield every document of a batch with its rows, or with its faults.

        What its source could not hand on as a document is among those with faults.

        Raises:
            CodecError: the batch itself is malformed.

        """
        for aside in batch.aside:
            fault = Fault("line", self.shape.main.table.name.name, "", "", aside.reason)
            yield Mapped(aside.data, aside.name, (), (fault,), aside.text)
        documents = documents_in(batch)
        try:
            picked = pick(batch.data, batch.offset, self._paths)
        except CodecError:
            for document in documents:
                yield self._alone(document)
            return
        for document, values in zip(documents, picked, strict=True):
            yield self._mapped(document, values)

    def _alone(self, document: bytes) -> Mapped:
        """Convert a document of a batch in which one is malformed."""
        single = batch_of([document])
        try:
            return self._mapped(document, pick(single.data, single.offset, self._paths)[0])
        except CodecError as error:
            found = id_of(document)
            name = canonical(bytes((found[0],)) + found[1]) if found else ""
            return Mapped(document, name, (), (self._malformed("", error.why),))

    def _malformed(self, path: str, reason: str) -> Fault:
        return Fault("malformed", self.shape.main.table.name.name, "", path, reason)

    def _mapped(self, document: bytes, values: Picked) -> Mapped:
        value = values[0]
        if value is None:
            return Mapped(document, "", (), (self._malformed("_id", "the document has no _id"),))
        try:
            source_id = canonical(value)
        except Unfit as unfit:
            return Mapped(document, "", (), (self._malformed("_id", str(unfit)),))
        faults: list[Fault] = []
        key: str | None = None
        try:
            key = self._keys.key(value)
        except Unfit as unfit:
            main = self.shape.main
            faults.append(Fault("value", main.table.name.name, self.shape.key, "_id", str(unfit)))
        row, found = self._main.row((key,), values[1:], None, "")
        faults.extend(found)
        rows: list[list[Row]] = [[row]]
        for (child, maker), place in zip(self._children, self._arrays, strict=True):
            below, found = self._child_rows(child, maker, values[place], source_id, key)
            rows.append(below)
            faults.extend(found)
        if faults:
            return Mapped(document, source_id, (), tuple(faults[:FAULTS_MAX]))
        return Mapped(document, source_id, tuple(rows))

    def _child_rows(
        self, child: ChildRule, maker: _Rows, value: bytes | None, source_id: str, key: str | None
    ) -> tuple[list[Row], list[Fault]]:
        if value is None or value[0] in NOTHING:
            return [], []
        if value[0] != ARRAY:
            reason = f"it is {shown(value)}, of kind {kind_of(value)}, and no array"
            return [], [Fault("value", maker.table, child.parent, child.source, reason)]
        try:
            elements = members(value)
        except Refused as refused:
            reason = str(refused)
            return [], [Fault("malformed", maker.table, child.parent, child.source, reason)]
        rows, faults = [], []
        all_picked = self._picked_elements(maker, value, elements)
        for ordinal, (element, picked) in enumerate(zip(elements, all_picked, strict=True)):
            made: Row = [key]
            if child.ordinal is not None:
                made.append(str(ordinal))
            if child.key is not None:
                made.append(self._keys.child(child.key.form, source_id, child.source, ordinal))
            place = f"{child.source}.{ordinal}"
            if picked is None:
                reason = f"it is {shown(element)}, of kind {kind_of(element)}, and no object"
                faults.append(Fault("value", maker.table, child.parent, place, reason))
                continue
            row, found = maker.row(made, picked, element, place)
            rows.append(row)
            faults.extend(found)
        return rows, faults

    @staticmethod
    def _picked_elements(
        maker: _Rows, array: bytes, elements: Sequence[bytes]
    ) -> Sequence[Picked | None]:
        """Return what each element has at the paths; None for one that has no paths."""
        if not maker.paths:
            return [()] * len(elements)
        try:
            if all(element[0] == OBJECT for element in elements):
                return pick(array, 1, maker.paths)
            found: list[Picked | None] = []
            for element in elements:
                if element[0] != OBJECT:
                    found.append(None)
                    continue
                single = batch_of([element[1:]])
                found.append(pick(single.data, single.offset, maker.paths)[0])
            return found
        except CodecError:
            return [None] * len(elements)
