"""Rows into tables that people made: inserted, or updated where they differ, and journalled.

For       The import through a mapping.
Touches   The mapped tables, landbridge.id_map, landbridge.import_journal and import_pending.
Promises  A batch of documents is one transaction, or part of the caller's: rows, journal and id map
          together. What the server refuses for its rows is a `Violation`, and nothing of the batch
          is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.importing import (
    Fault,
    Mapped,
    Reference,
    Row,
    RowCounts,
    StreamShape,
    Violation,
    Written,
)
from landbridge.postgres import faults, quoting
from landbridge.postgres.catalog import quoted
from landbridge.postgres.staged import Statements

Connection = psycopg.Connection[Any]

# Small batches meet large tables by their keys. The text of values must not go by the session.
SETTINGS = """
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
SET LOCAL enable_nestloop = on;
SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601';
SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; SET LOCAL lock_timeout = '60s';
"""
VIOLATIONS = ("22", "23", "44", "P0")  # classes of SQLSTATE that rows are to blame for

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_needs_escape = re.compile(r"[\\\t\n\r]").search
_MESSAGE_MAX = 300


class Upserter:
    """Writes the rows of one collection, over one connection."""

    def __init__(
        self,
        connection: Connection,
        shape: StreamShape,
        run: str,
        guard: Callable[[], None],
        together: bool = False,
    ) -> None:
        self.shape = shape
        self.run = run
        self._connection = connection
        self._guard = guard  # refuses a run that has lost its stream
        self._together = together  # inside a transaction of the caller's
        self._schema = shape.main.table.name.schema
        self._tables = [Statements(rows, number) for number, rows in enumerate(shape.tables)]
        self._begin = self._beginning()

    def _beginning(self) -> str:
        parts = [] if self._together else ["SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;"]
        parts.append(SETTINGS)
        for table in self._tables:
            if self._together:
                drop = sql.SQL("DROP TABLE IF EXISTS {};").format(table.stage)
                parts.append(drop.as_string(self._connection))
            # Sent with others, and so without parameters.
            parts.append(table.create().as_string(self._connection).replace("%%", "%") + ";")
        return "".join(parts)

    def write(self, documents: Sequence[Mapped]) -> Written:
        """Write a batch. Documents with dangling references are left out, and returned as such.

        Raises:
            Violation: the server refused a row; nothing was written.

        """
        with violations(self.shape), self._connection.transaction():
            self._connection.execute(self._begin)
            self._guard()
            self._stage(documents)
            return self._write(documents)

    def advance_sequences(self) -> None:
        """Let the numbers that the tables take next be past those that were imported."""
        for rows in self.shape.tables:
            for name in rows.columns:
                column = rows.table.column(name)
                if column is None or column.sequence is None:
                    continue
                sequence = column.sequence
                self._connection.execute(
                    sql.SQL(
                        "SELECT setval(%s::regclass, m.top) FROM"
                        " (SELECT max({column}) AS top FROM {table}) m, {sequence} s"
                        " WHERE m.top >= s.last_value + s.is_called::integer"
                    ).format(
                        column=quoting.name(name),
                        table=quoting.table(rows.table.name),
                        sequence=quoting.table(sequence),
                    ),
                    (quoted(sequence),),
                )

    def _stage(self, documents: Sequence[Mapped]) -> None:
        with self._connection.cursor() as cursor:
            for number, table in enumerate(self._tables):
                text = _copy_text(documents, number)
                if not text:
                    continue
                with cursor.copy(table.copy(), ()) as copy:
                    copy.write(text)

    def _write(self, documents: Sequence[Mapped]) -> Written:
        written = Written()
        main, children = self._tables[0], self._tables[1:]
        if main.shape.serial:
            self._take_numbers(main)
        for table in children:
            if main.shape.serial:
                self._connection.execute(table.take_parents(main), ())
        self._check_references(documents, written)
        for table in self._tables:
            for number in range(len(table.late)):
                self._connection.execute(table.put_off(number), ())
        states = dict(self._apply(main, written))
        touched: set[int] = set()
        old = any(state != "i" for state in states.values())
        for table in children:
            if old:
                numbers = self._remove_gone(table, main)
                touched.update(numbers)
                written.rows.setdefault(table.shape.table.name.name, RowCounts()).deleted += len(
                    numbers
                )
            touched.update(n for n, state in self._apply(table, written) if state != "=")
        self._connection.execute(main.remember(), (self._schema, self.shape.collection, self.run))
        for n, state in states.items():
            if state == "=" and n in touched:
                states[n] = "u"
        self._note_late([n for n, state in states.items() if state == "="])
        found = list(states.values())
        written.inserted, written.updated = found.count("i"), found.count("u")
        written.unchanged = found.count("=")
        return written

    def _remove_gone(self, table: Statements, main: Statements) -> list[int]:
        """Delete rows that are no longer in their arrays; return the documents' numbers."""
        parent = table.shape.parent
        by_key = any(key.columns[0] == parent for key in table.shape.table.keys)
        if not by_key:  # there may be no index at all: then the table is read once, not by row
            self._connection.execute("SET LOCAL enable_hashjoin = on")
        gone = self._connection.execute(table.remove_gone(main), self._origin(table)).fetchall()
        if not by_key:
            self._connection.execute("SET LOCAL enable_hashjoin = off")
        return [n for (n,) in gone]

    def _take_numbers(self, main: Statements) -> None:
        known, new = main.take_numbers()
        sequence = main.known(self.shape.key).sequence
        assert sequence is not None
        self._connection.execute(known, (self._schema, self.shape.collection))
        self._connection.execute(new, (quoted(sequence),))

    def _origin(self, table: Statements) -> tuple[str, str, str, str]:
        name = table.shape.table.name
        return (self.run, name.schema, name.name, self.shape.collection)

    # -- references -------------------------------------------------------------------------

    def _check_references(self, documents: Sequence[Mapped], written: Written) -> None:
        """Resolve references; those that lead nowhere become NULL, or keep their document out."""
        left_out: dict[int, Fault] = {}
        nulled: dict[str, list[int]] = {}  # documents, by column
        for number, table in enumerate(self._tables):
            for reference in table.shape.references:
                if _to_resolve(documents, number, reference):
                    self._resolve(table, reference)
            if not table.direct:
                continue
            clear: dict[int, list[tuple[int, int]]] = {}
            for place, n, k, text in self._connection.execute(
                table.find_dangling(table.direct), ()
            ):
                reference = table.direct[place]
                if reference.null_dangling:
                    clear.setdefault(place, []).append((n, k))
                else:
                    left_out.setdefault(n, dangling_fault(table, reference, text))
            for place, rows in clear.items():
                self._connection.execute(table.clear(table.direct[place]), ([k for _, k in rows],))
                name = f"{table.shape.table.name.name}.{table.direct[place].column}"
                nulled.setdefault(name, []).extend(n for n, _ in rows)
        written.nulled = {
            name: count
            for name, numbers in nulled.items()
            if (count := sum(number not in left_out for number in numbers))
        }
        if left_out:
            for table in self._tables:
                self._connection.execute(table.leave_out(), (list(left_out),))
            written.dangling = sorted(left_out.items())

    def _resolve(self, table: Statements, reference: Reference) -> None:
        parameters = (self._schema, reference.to) if reference.serial else ()
        for statement in table.resolve(reference):
            self._connection.execute(statement, parameters)

    def _note_late(self, unchanged: list[int]) -> None:
        for table in self._tables:
            for number, reference in enumerate(table.late):
                self._connection.execute(
                    table.note_late(number),
                    (self.run, self.shape.collection, reference.path, unchanged),
                )

    # -- rows -------------------------------------------------------------------------------

    def _apply(self, table: Statements, written: Written) -> list[tuple[int, str]]:
        """Write the staged rows of a table; return (n, state) of each."""
        execute = self._connection.execute
        execute(table.compare(), ())
        states: list[tuple[int, str]] = execute(table.states(), ()).fetchall()
        kinds = [state for _, state in states]
        counts = written.rows.setdefault(table.shape.table.name.name, RowCounts())
        counts.inserted += kinds.count("i")
        counts.updated += kinds.count("u")
        counts.unchanged += kinds.count("=")
        if "u" in kinds and (update := table.update()) is not None:
            execute(update, ())
        if "i" in kinds:
            execute(table.insert(), ())
        if "u" in kinds or "i" in kinds:
            execute(table.journal(), self._origin(table))
        return states


def dangling_fault(table: Statements, reference: Reference, text: str) -> Fault:
    """Return the fault of a reference that leads nowhere."""
    name = table.shape.table.name.name
    return Fault(
        "dangling",
        name,
        reference.column,
        reference.source,
        f"{name}.{reference.column} refers to {text}, which no row of {reference.table} has",
    )


@contextmanager
def violations(shape: StreamShape) -> Iterator[None]:
    """Raise a `Violation` for what rows are to blame for."""
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate[:2] not in VIOLATIONS:
            raise faults.translate(error, f"cannot write to {shape.main.table.name}") from error
        raise Violation(fault_of(error, shape.main.table.name.name)) from error


def fault_of(error: psycopg.Error, table: str) -> Fault:
    """Return what an error of the server says about a row."""
    diagnostics = error.diag
    message = diagnostics.message_primary or str(error)
    if diagnostics.message_detail:
        message += f" ({diagnostics.message_detail})"
    return Fault(
        "constraint",
        diagnostics.table_name or table,
        diagnostics.constraint_name or diagnostics.column_name or "",
        diagnostics.column_name or "",
        message[:_MESSAGE_MAX],
    )


def _to_resolve(documents: Sequence[Mapped], table: int, reference: Reference) -> bool:
    """Whether a reference of a batch may mean two things, or takes numbers for keys."""
    place = reference.extra
    return any(row[place] is not None for document in documents for row in document.rows[table])


def _copy_text(documents: Sequence[Mapped], table: int) -> bytes:
    """Return the rows of one table as COPY reads them: n, k, source_id, values."""
    lines: list[str] = []
    for n, document in enumerate(documents):
        rows = document.rows[table]
        if not rows:
            continue
        name = _field(document.source_id)
        lines.extend(
            f"{n}\t{k}\t{name}\t{_fields(row)}\n" for k, row in enumerate(rows, len(lines))
        )
    return "".join(lines).encode()


def _field(text: str) -> str:
    return text.translate(_ESCAPES) if _needs_escape(text) else text


def _fields(row: Row) -> str:
    return "\t".join(
        [
            "\\N" if text is None else text.translate(_ESCAPES) if _needs_escape(text) else text
            for text in row
        ]
    )
