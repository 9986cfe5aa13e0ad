"""The dry run of an import: all data checked, nothing written.

For       `import --mapping --dry-run`.
Touches   A temporary file on the local disk; its ends by their ports, by reading.
Promises  Types, enums, NULLs, unique keys and references are checked over all documents, those of
          the other collections and the rows that are there included; memory stays bounded.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from landbridge.engine.import_ids import Repeated
from landbridge.engine.scratch import scratch
from landbridge.mapping.conversion import Converter
from landbridge.model.amounts import count_of
from landbridge.model.importing import (
    Fault,
    Mapped,
    Probed,
    ProbePort,
    Reference,
    RowShape,
    StreamShape,
    Violations,
)
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, Progress, StreamSummary, Tally

SAMPLES = 3  # rows of each table that are shown
ASKED_AT_ONCE = 5000

_TABLES = """
CREATE TABLE doc (n INTEGER PRIMARY KEY, stream INT, source_id TEXT, state TEXT);
CREATE TABLE part (doc INT, name TEXT, state TEXT, rows INT);
CREATE TABLE known (stream INT, value TEXT, doc INT);
CREATE TABLE one (place INT, value TEXT, doc INT);
CREATE TABLE ref (place INT, first TEXT, second TEXT, doc INT, found INT);
CREATE TABLE bad (doc INTEGER PRIMARY KEY);
"""
_INDEXES = """
CREATE INDEX known_value ON known (stream, value);
CREATE INDEX one_value ON one (place, value, doc);
CREATE INDEX ref_place ON ref (place, found);
"""


@dataclass(slots=True)
class Checked:
    """One collection of a dry run."""

    source: Source
    converter: Converter
    repeated: Mapping[bytes, int] = field(default_factory=dict)
    read: int = 0
    bytes: int = 0
    seconds: float = 0.0
    faulty: int = 0
    violations: Violations = field(default_factory=Violations)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    nulled: dict[str, int] = field(default_factory=dict)

    @property
    def shape(self) -> StreamShape:
        """What the collection fills."""
        return self.converter.shape


@dataclass(frozen=True, slots=True)
class _Unique:
    stream: int
    rows: RowShape
    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Refers:
    stream: int
    rows: RowShape
    reference: Reference


def disk() -> AbstractContextManager[sqlite3.Connection]:
    """Open the database of a check."""
    return scratch(_TABLES)


class DataCheck:
    """A dry run under way."""

    def __init__(
        self,
        streams: Sequence[Checked],
        prober: ProbePort,
        database: sqlite3.Connection,
        *,
        batch_size: int,
        observer: Observer,
    ) -> None:
        self._streams = streams
        self._prober = prober
        self._database = database
        self._batch_size = batch_size
        self._observer = observer
        self._number = 0
        self._by_name = {one.shape.collection: place for place, one in enumerate(streams)}
        self._uniques = [
            _Unique(place, rows, key.name, key.columns)
            for place, one in enumerate(streams)
            for rows in one.shape.tables
            for key in rows.table.keys
            if set(key.columns) <= set(rows.columns)
            and not (rows.serial and rows.identity[0] in key.columns)
        ]
        self._refers = [
            _Refers(place, rows, reference)
            for place, one in enumerate(streams)
            for rows in one.shape.tables
            for reference in rows.references
        ]

    def run(self) -> list[StreamSummary]:
        """Check everything; return what an import would do."""
        for place, one in enumerate(self._streams):
            began = time.monotonic()
            self._read(place, one)
            one.seconds = time.monotonic() - began
        self._database.executescript(_INDEXES)
        while self._dangling() + self._repeated():
            pass
        self._count_nulled()
        self._count_changed()
        return [self._summary(place, one) for place, one in enumerate(self._streams)]

    # -- reading ----------------------------------------------------------------------------

    def _read(self, place: int, one: Checked) -> None:
        collection = one.source.collection
        with one.source.read(snapshot=False) as read:
            documents = self._converted(one, read)
            while part := list(islice(documents, self._batch_size)):
                one.read += len(part)
                self._take(place, one, part)
                self._observer(
                    Progress(
                        collection.stream, "reading", one.read, collection.documents, one.bytes
                    )
                )
        self._observer(Progress(collection.stream, "done", one.read))

    @staticmethod
    def _converted(one: Checked, read: Any) -> Iterator[Mapped]:
        repeated = Repeated(one.repeated, one.shape)
        for batch in read:
            one.bytes += batch.bytes
            yield from repeated.judged(one.converter.convert(batch))

    def _take(self, place: int, one: Checked, part: Sequence[Mapped]) -> None:
        good = []
        for document in part:
            if document.faults:
                one.faulty += 1
                one.violations.add(document)
            else:
                good.append(document)
        probed = self._prober.examine(one.shape, good)
        self._database.execute("BEGIN")
        for document, found in zip(good, probed, strict=True):
            if found.fault is not None:
                one.faulty += 1
                one.violations.count(found.fault, document.source_id)
                continue
            self._note(place, one, document, found)
        self._database.execute("COMMIT")

    def _note(self, place: int, one: Checked, document: Mapped, found: Probed) -> None:
        self._number += 1
        number, execute = self._number, self._database.execute
        main = one.shape.main.table.name.name
        states = [state for table, state in found.states]
        own = next(state for table, state in found.states if table == main)
        state = "u" if own == "=" and states.count("=") < len(states) else own
        execute("INSERT INTO doc VALUES (?, ?, ?, ?)", (number, place, document.source_id, state))
        parts: dict[tuple[str, str], int] = {}
        for key in found.states:
            parts[key] = parts.get(key, 0) + 1
        self._database.executemany(
            "INSERT INTO part VALUES (?, ?, ?, ?)",
            [(number, *key, count) for key, count in parts.items()],
        )
        own_key = document.rows[0][0][0]
        execute(
            "INSERT INTO known VALUES (?, ?, ?)",
            (place, document.source_id if own_key is None else own_key, number),
        )
        for shape, rows in zip(one.shape.tables, document.rows, strict=True):
            self._sample(one, shape, rows)
        for unique, known in enumerate(self._uniques):
            if known.stream == place:
                self._note_unique(unique, known, one, document, number)
        for refers, refer in enumerate(self._refers):
            if refer.stream == place:
                leads = iter(found.leads.get(refer.reference.path, ()))
                self._note_reference(refers, refer, one, document, number, leads)

    @staticmethod
    def _sample(one: Checked, shape: RowShape, rows: Sequence[Sequence[str | None]]) -> None:
        shown = one.samples.setdefault(shape.table.name.name, [])
        for row in rows[: SAMPLES - len(shown)] if len(shown) < SAMPLES else ():
            shown.append(dict(zip(shape.columns, row, strict=False)))

    def _note_unique(
        self, unique: int, known: _Unique, one: Checked, document: Mapped, number: int
    ) -> None:
        places = [known.rows.place(column) for column in known.columns]
        for row in document.rows[one.shape.tables.index(known.rows)]:
            # A key that comes from a sequence is the document's own, whatever number it will be.
            values = [
                document.source_id if place == 0 and row[0] is None else row[place]
                for place in places
            ]
            if None not in values:
                self._database.execute(
                    "INSERT INTO one VALUES (?, ?, ?)",
                    (unique, "\x1f".join(map(str, values)), number),
                )

    def _note_reference(
        self,
        refers: int,
        refer: _Refers,
        one: Checked,
        document: Mapped,
        number: int,
        leads: Iterator[bool],
    ) -> None:
        reference = refer.reference
        for row in document.rows[one.shape.tables.index(refer.rows)]:
            if reference.serial:
                first, second = row[reference.extra], row[reference.extra + 1]
            else:
                first, second = row[reference.place], row[reference.extra]
            if first is not None:
                self._database.execute(
                    "INSERT INTO ref VALUES (?, ?, ?, ?, ?)",
                    (refers, first, second, number, next(leads)),
                )

    # -- judging ----------------------------------------------------------------------------

    def _target_of(self, refers: int) -> int:
        """Return the collection that a reference leads to, -1 where it is not read this time."""
        return self._by_name.get(self._refers[refers].reference.to, -1)

    # References that lead to no document that will be a row, and to no row that is there.
    _LEADS_NOWHERE = (
        "place = ? AND found = 0 AND doc NOT IN (SELECT doc FROM bad)"
        " AND NOT EXISTS (SELECT 1 FROM known k WHERE k.stream = ? AND k.value = ref.first"
        " AND k.doc NOT IN (SELECT doc FROM bad))"
        " AND NOT EXISTS (SELECT 1 FROM known k WHERE k.stream = ? AND k.value = ref.second"
        " AND k.doc NOT IN (SELECT doc FROM bad))"
    )

    def _dangling(self) -> int:
        """Set documents aside whose references lead nowhere; return how many."""
        found = 0
        for refers, refer in enumerate(self._refers):
            if refer.reference.null_dangling:
                continue
            target = self._target_of(refers)
            rows = self._database.execute(
                f"SELECT doc, min(first) FROM ref WHERE {self._LEADS_NOWHERE} GROUP BY doc",
                (refers, target, target),
            )
            name = f"{refer.rows.table.name.name}.{refer.reference.column}"
            for number, says in rows.fetchall():
                fault = Fault(
                    "dangling",
                    refer.rows.table.name.name,
                    refer.reference.column,
                    refer.reference.source,
                    f"{name} refers to {says}, which no row of {refer.reference.table} has",
                )
                found += self._set_aside(number, fault)
        return found

    def _repeated(self) -> int:
        """Set documents aside that repeat what must be unique: all but the first."""
        found = 0
        rows = self._database.execute(
            "SELECT place, value, doc FROM (SELECT place, value, doc, row_number() OVER"
            " (PARTITION BY place, value ORDER BY doc) AS number FROM one"
            " WHERE doc NOT IN (SELECT doc FROM bad)) WHERE number > 1"
        )
        while part := rows.fetchmany(ASKED_AT_ONCE):
            for place, value, number in part:
                unique = self._uniques[place]
                shown = ", ".join(value.split("\x1f"))
                fault = Fault(
                    "constraint",
                    unique.rows.table.name.name,
                    unique.name,
                    "",
                    f"an earlier document has the same {', '.join(unique.columns)}: {shown}",
                )
                found += self._set_aside(number, fault)
        return found

    def _set_aside(self, number: int, fault: Fault) -> int:
        new = self._database.execute("INSERT OR IGNORE INTO bad VALUES (?)", (number,)).rowcount
        if new:
            stream, source_id = self._database.execute(
                "SELECT stream, source_id FROM doc WHERE n = ?", (number,)
            ).fetchone()
            self._streams[stream].violations.count(fault, source_id)
        return new

    def _count_nulled(self) -> None:
        for refers, refer in enumerate(self._refers):
            if not refer.reference.null_dangling:
                continue
            target = self._target_of(refers)
            (count,) = self._database.execute(
                f"SELECT count(*) FROM ref WHERE {self._LEADS_NOWHERE}", (refers, target, target)
            ).fetchone()
            if count:
                name = f"{refer.rows.table.name.name}.{refer.reference.column}"
                self._streams[refer.stream].nulled[name] = count

    def _count_changed(self) -> None:
        """Count rows that are the same but for a reference to a row that is yet to come."""
        for refers in range(len(self._refers)):
            self._database.execute(
                "UPDATE doc SET state = 'u' WHERE state = '=' AND n IN"
                " (SELECT r.doc FROM ref r JOIN known k ON k.stream = ?"
                " AND k.value IN (r.first, r.second)"
                " WHERE r.place = ? AND r.found = 0 AND k.doc NOT IN (SELECT doc FROM bad))",
                (self._target_of(refers), refers),
            )

    # -- telling ----------------------------------------------------------------------------

    def _summary(self, place: int, one: Checked) -> StreamSummary:
        collection = one.source.collection
        states = dict(
            self._database.execute(
                "SELECT state, count(*) FROM doc WHERE stream = ?"
                " AND n NOT IN (SELECT doc FROM bad) GROUP BY state",
                (place,),
            ).fetchall()
        )
        (aside,) = self._database.execute(
            "SELECT count(*) FROM doc WHERE stream = ? AND n IN (SELECT doc FROM bad)", (place,)
        ).fetchone()
        words = {"i": "inserted", "u": "updated", "=": "unchanged"}
        rows: dict[str, dict[str, int]] = {
            shape.table.name.name: dict.fromkeys((*words.values(), "deleted"), 0)
            for shape in one.shape.tables
        }
        for name, state, count in self._database.execute(
            "SELECT name, p.state, sum(rows) FROM part p JOIN doc d ON d.n = p.doc"
            " WHERE d.stream = ? AND p.doc NOT IN (SELECT doc FROM bad) GROUP BY name, p.state",
            (place,),
        ):
            rows[name][words[state]] = count
        notes = [
            f"{column}: {count_of(count, 'reference')} to documents that are not there: NULL"
            for column, count in sorted(one.nulled.items())
        ]
        return StreamSummary(
            database=collection.database,
            collection=collection.name,
            target_schema=one.shape.main.table.name.schema,
            target_table=one.shape.main.table.name.name,
            method="import",
            load="upsert",
            tally=Tally(
                read=one.read,
                inserted=states.get("i", 0),
                updated=states.get("u", 0),
                unchanged=states.get("=", 0),
                quarantined=one.faulty + aside,
            ),
            notes=tuple(notes),
            seconds=one.seconds,
            rows=rows,
            violations=tuple(one.violations.to_json()),
            samples=one.samples,
        )
