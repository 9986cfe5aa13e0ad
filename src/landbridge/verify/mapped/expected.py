"""Expected: the rows that a document should have become, by the rules of its collection.

For       Holding documents against rows through a mapping.
Touches   Nothing.
Promises  A document that the rules can't take says which fields are why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from landbridge.mapping.rules import ChildRule, CollectionRule, ColumnRule, Mapping
from landbridge.model.kinds import Kind
from landbridge.model.relational import RelationalColumn, RelationalTable
from landbridge.verify.bson import Broken, Value, id_of
from landbridge.verify.mapped import casts
from landbridge.verify.mapped.casts import NOTHING, Comparable, Unfit
from landbridge.verify.mapped.keys import KeyMaker, canonical, meant

ITSELF = "."


class Anything:
    """What a column holds that the table itself sets: nothing is expected of it."""


ANYTHING = Anything()


@dataclass(frozen=True, slots=True)
class Referred:
    """A reference: what it may mean, the likeliest first; keys, or canonical ids for `serial`."""

    to: str  # collection
    means: tuple[str, ...]


Cell = Comparable | Referred | Anything
Cells = dict[str, Cell]  # by column


@dataclass(slots=True)
class Expected:
    """What one document should have become."""

    identity: Value
    name: str  # canonical text of its id
    key: str | None  # None: the id map knows it
    main: Cells = field(default_factory=dict)
    children: list[list[Cells]] = field(default_factory=list)  # by child rule, in order
    unfit: list[str] = field(default_factory=list)  # fields that no row can hold


@dataclass(frozen=True, slots=True)
class Filled:
    """One table, and the rules that fill it from a collection or from one of its arrays."""

    table: RelationalTable
    rules: tuple[ColumnRule, ...]
    child: ChildRule | None = None

    def column(self, name: str) -> RelationalColumn:
        """Return a column that is known to be there."""
        found = self.table.column(name)
        assert found is not None, name
        return found

    @property
    def source(self) -> str:
        """Path of the array; empty for the collection's own table."""
        return "" if self.child is None else self.child.source

    @property
    def made(self) -> list[str]:
        """The columns that no rule fills: the place and the key of an element."""
        child = self.child
        if child is None:
            return []
        names = [child.ordinal] if child.ordinal else []
        return [*names, child.key.column] if child.key else names

    @property
    def compared(self) -> list[str]:
        """The columns that are held against documents."""
        return [*self.made, *(rule.column for rule in self.rules)]


class Deriver:
    """Derives the rows of the documents of one collection."""

    def __init__(
        self,
        mapping: Mapping,
        rule: CollectionRule,
        tables: Sequence[Filled],
        database: str,
    ) -> None:
        self.rule, self.tables = rule, tables
        self._makers = {
            one.collection: KeyMaker(f"{database}.{one.collection}", one.key.form)
            for one in mapping.collections
        }
        self._keys = self._makers[rule.collection]
        self._steps = {filled.source: _steps(filled) for filled in tables}

    def derive(self, document: bytes) -> Expected | None:
        """Return what a document should have become; None where it has no id to find it by."""
        try:
            identity = id_of(document)
            if identity is None:
                return None
            found = Expected(identity, canonical(identity), None)
        except (Broken, Unfit):
            return None
        try:
            found.key = self._keys.key(identity)
        except Unfit:
            found.unfit.append("_id")
        whole = Tree(Value(Kind.OBJECT, document))
        main, *children = self.tables
        found.main = self._cells(main, whole, None, "", found.unfit)
        for filled in children:
            found.children.append(list(self._elements(filled, whole, found)))
        return found

    def _elements(self, filled: Filled, whole: Tree, found: Expected) -> Iterator[Cells]:
        child = filled.child
        assert child is not None
        value = at(whole, names_of(child.source))
        elements = None if isinstance(value, Blocked) else casts.elements_of(value)
        if elements is None:
            found.unfit.append(child.source)
            return
        for ordinal, element in enumerate(elements):
            place = f"{child.source}.{ordinal}"
            paths = any(rule.source not in (None, ITSELF) for rule in filled.rules)
            if paths and element.kind is not Kind.OBJECT:
                found.unfit.append(place)
                continue
            cells = self._cells(filled, Tree(element), element, place, found.unfit)
            if child.ordinal is not None:
                cells[child.ordinal] = ordinal
            if child.key is not None:
                key = self._keys.child(child.key.form, found.name, child.source, ordinal)
                cells[child.key.column] = key
            yield cells

    def _cells(
        self, filled: Filled, whole: Tree, itself: Value | None, place: str, unfit: list[str]
    ) -> Cells:
        cells: Cells = {}
        for rule, column, path in self._steps[filled.source]:
            value = itself if rule.source == ITSELF else None
            try:
                if path:
                    reached = at(whole, path)
                    if isinstance(reached, Blocked):
                        raise Unfit
                    value = reached
                cells[rule.column] = self._cell(rule, column, value)
            except (Unfit, Broken, RecursionError):
                unfit.append(path_of(rule, place))
        return cells

    def _cell(self, rule: ColumnRule, column: RelationalColumn, value: Value | None) -> Cell:
        if value is None or value.kind in NOTHING:
            default = casts.default_of(rule, column)
            if default is not None:
                return default
            if rule.required:
                raise Unfit
            sets = column.default is not None or column.identity != ""
            return ANYTHING if not column.nullable and sets else None
        if rule.cast != "id":
            return casts.derived(value, rule, column)
        maker = self._makers[rule.to or self.rule.collection]
        to = rule.to or self.rule.collection
        if maker.form == "serial":
            return Referred(to, tuple(canonical(one) for one in meant(value)))
        keys = []
        for one in meant(value):
            key = maker.key(one)
            assert key is not None
            keys.append(key)
        return Referred(to, tuple(dict.fromkeys(keys)))


class Tree:
    """A value, and what was looked up below it: each object is read once."""

    __slots__ = ("_below", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self._below: dict[bytes, Tree] | None = None

    def below(self, name: bytes) -> Tree | None:
        """Return a member of an object; of a key that comes twice the first."""
        if self._below is None:
            self._below = {}
            for key, member in self.value.members():
                self._below.setdefault(key, Tree(member))
        return self._below.get(name)


@dataclass(frozen=True, slots=True)
class Blocked:
    """A path that meets something that is no object."""


def names_of(path: str) -> tuple[bytes, ...]:
    """Return the names of a dotted path, as documents have them."""
    return tuple(name.encode() for name in path.split("."))


def _steps(filled: Filled) -> list[tuple[ColumnRule, RelationalColumn, tuple[bytes, ...]]]:
    """Return each rule with its column and the path of its value, where that has one."""
    return [
        (
            rule,
            filled.column(rule.column),
            () if rule.source in (None, ITSELF) else names_of(str(rule.source)),
        )
        for rule in filled.rules
    ]


def at(whole: Tree, path: Sequence[bytes]) -> Value | Blocked | None:
    """Return the value at a path, through objects only."""
    tree: Tree | None = whole
    for name in path:
        if tree is None or tree.value.kind in NOTHING:
            return None
        if tree.value.kind is not Kind.OBJECT:
            return Blocked()
        tree = tree.below(name)
    return None if tree is None else tree.value


def path_of(rule: ColumnRule, place: str = "") -> str:
    """Return where in the document a column comes from; the column's name where from nowhere."""
    if rule.source is None:
        return rule.column
    if rule.source == ITSELF:
        return place
    return f"{place}.{rule.source}" if place else rule.source
