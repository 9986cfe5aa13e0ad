"""References that were put off: set once the rows that they mean are there.

For       Collections that refer to each other, or to themselves.
Touches   The mapped tables, landbridge.import_pending, import_doomed, import_journal, id_map.
Promises  A document whose reference leads nowhere is taken out again, and so is every document of
          the group that refers to it; what the policy allows becomes NULL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.importing import Reference, RowShape, StreamShape
from landbridge.postgres import faults, quoting
from landbridge.postgres.staged import Statements
from landbridge.postgres.undo import Undo
from landbridge.postgres.upsert import SETTINGS, VIOLATIONS, fault_of

Connection = psycopg.Connection[Any]

CHUNK = 2000
_ABOVE_ALL = 2**63 - 1


@dataclass(frozen=True, slots=True)
class _Late:
    """A reference of a table, and the collection that the table belongs to."""

    collection: str
    rows: RowShape
    reference: Reference


class LateWriter:
    """Settles what a group of collections put off."""

    def __init__(
        self,
        connection: Connection,
        shapes: Sequence[StreamShape],
        run: str,
        guard: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._run = run
        self._guard = guard
        self._shapes = shapes
        self._schema = shapes[0].main.table.name.schema
        self.taken_back: Counter[tuple[str, str]] = Counter()  # rows by table and action
        self._keys = {shape.collection: shape for shape in shapes}
        self._all = [
            _Late(shape.collection, rows, reference)
            for shape in shapes
            for rows in shape.tables
            for reference in rows.references
        ]
        self._late = [one for one in self._all if one.reference.late]

    def settle(self) -> None:
        """Set the references that lead somewhere, and take out documents that must not stay."""
        if not self._late or not self._pending():
            return
        with faults.translated("references to later rows could not be set"):
            for late in self._late:
                self._in_transaction(partial(self._look_up, late))
            while True:
                self._in_transaction(self._doom)
                self._revert()
                refused = 0
                for late in self._late:
                    refused += self._set(late)
                if not refused:
                    return

    def doomed(self, collection: str, ids: Sequence[str]) -> dict[str, tuple[str, str, str]]:
        """Return (place, path, reason) of those documents that were taken out."""
        sources = {one.reference.path: one.reference for one in self._all}
        rows = self._connection.execute(
            "SELECT source_id, place, reason FROM landbridge.import_doomed"
            " WHERE run_id = %s AND collection = %s AND source_id = ANY(%s)",
            (self._run, collection, list(ids)),
        )
        return {
            source_id: (place.rpartition(".")[2], sources[place].source, reason)
            for source_id, place, reason in rows.fetchall()
        }

    def counts(self, collection: str) -> tuple[int, int, int]:
        """Return how many documents were taken out that had been inserted, updated, unchanged."""
        row = self._connection.execute(
            "SELECT count(*) FILTER (WHERE inserted),"
            " count(*) FILTER (WHERE updated AND NOT inserted),"
            " count(*) FILTER (WHERE NOT updated AND NOT inserted)"
            " FROM landbridge.import_doomed WHERE run_id = %s AND collection = %s",
            (self._run, collection),
        ).fetchone()
        assert row is not None
        return row[0], row[1], row[2]

    def updated(self, collection: str) -> int:
        """Return how many documents changed by a late reference alone."""
        row = self._connection.execute(
            "SELECT count(DISTINCT source_id) FROM landbridge.import_pending p"
            " WHERE run_id = %s AND collection = %s AND unchanged AND changed"
            " AND NOT EXISTS (SELECT FROM landbridge.import_doomed d"
            " WHERE (d.run_id, d.collection, d.source_id)"
            " = (p.run_id, p.collection, p.source_id))",
            (self._run, collection),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def nulled(self, collection: str) -> dict[str, int]:
        """Return how many late references of each column became NULL by policy."""
        rows = self._connection.execute(
            "SELECT place, count(*) FROM landbridge.import_pending p"
            " WHERE run_id = %s AND collection = %s AND target IS NULL"
            " AND NOT EXISTS (SELECT FROM landbridge.import_doomed d"
            " WHERE (d.run_id, d.collection, d.source_id)"
            " = (p.run_id, p.collection, p.source_id)) GROUP BY place",
            (self._run, collection),
        )
        names = {
            one.reference.path: f"{one.rows.table.name.name}.{one.reference.column}"
            for one in self._late
        }
        return {names[place]: count for place, count in rows.fetchall()}

    def forget(self) -> None:
        """Remove the notes of this run."""
        for table in ("import_pending", "import_doomed"):
            self._connection.execute(
                sql.SQL("DELETE FROM {} WHERE run_id = %s").format(
                    quoting.name("landbridge", table)
                ),
                (self._run,),
            )

    # -- finding ----------------------------------------------------------------------------

    def _in_transaction(self, work: Callable[[], object]) -> None:
        with self._connection.transaction():
            self._connection.execute(SETTINGS)
            self._guard()
            work()

    def _pending(self) -> bool:
        row = self._connection.execute(
            "SELECT EXISTS (SELECT FROM landbridge.import_pending WHERE run_id = %s)", (self._run,)
        ).fetchone()
        return bool(row and row[0])

    def _look_up(self, late: _Late) -> None:
        """Find the row that each reference means, by its first meaning or else its second."""
        for meaning in ("first", "second"):
            if late.reference.serial:
                found = sql.SQL(
                    "SELECT m.target_id FROM landbridge.id_map m WHERE m.target_schema = %(schema)s"
                    " AND m.collection = %(to)s AND m.source_id = p.{}"
                ).format(quoting.name(meaning))
            else:
                found = sql.SQL("SELECT p.{}").format(quoting.name(meaning))
            self._connection.execute(
                sql.SQL(
                    "UPDATE landbridge.import_pending p SET target = ({found})"
                    " WHERE run_id = %(run)s AND place = %(place)s AND target IS NULL"
                    " AND EXISTS (SELECT FROM {table} t WHERE t.{key}"
                    " = (json_populate_record(NULL::{table},"
                    " json_build_object({name}, ({found})))).{key})"
                ).format(
                    found=found,
                    table=quoting.table(late.reference.table),
                    key=quoting.name(late.reference.key),
                    name=quoting.literal(late.reference.key),
                ),
                {
                    "run": self._run,
                    "place": late.reference.path,
                    "schema": self._schema,
                    "to": late.reference.to,
                },
            )

    def _doom(self) -> None:
        """Name the documents that can't stay: their reference leads nowhere, or to one of these."""
        # What is asked here has no index, and the tables no statistics yet.
        self._connection.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = off")
        for late in self._late:
            if late.reference.null_dangling:
                continue
            self._add_doomed(
                late,
                sql.SQL(
                    "SELECT p.source_id, p.first FROM landbridge.import_pending p"
                    " WHERE p.run_id = %(run)s AND p.place = %(place)s AND p.target IS NULL"
                ),
            )
        while sum(self._spread(one) for one in self._all if not one.reference.null_dangling):
            pass
        for one in self._all:
            if one.reference.null_dangling and one.reference.to in self._keys:
                self._let_go(one)

    def _add_doomed(self, late: _Late, documents: sql.Composable) -> int:
        """Name documents; `documents` selects (source_id, what the reference says)."""
        name = f"{late.rows.table.name.name}.{late.reference.column}"
        return self._connection.execute(
            sql.SQL(
                "WITH written AS MATERIALIZED (SELECT source_id,"
                " bool_or(main AND action = 'i') AS inserted FROM landbridge.import_journal"
                " WHERE run_id = %(run)s AND collection = %(collection)s GROUP BY source_id)"
                " INSERT INTO landbridge.import_doomed"
                " (run_id, collection, source_id, place, reason, inserted, updated)"
                " SELECT DISTINCT ON (w.source_id) %(run)s, %(collection)s, w.source_id, %(place)s,"
                " format('%%s refers to %%s, which no row of %%s has', %(name)s::text, w.says,"
                " %(table)s::text),"
                " coalesce(j.inserted, false), j.source_id IS NOT NULL"
                " FROM ({}) w (source_id, says) LEFT JOIN written j ON j.source_id = w.source_id"
                " ON CONFLICT DO NOTHING"
            ).format(documents),
            {
                "run": self._run,
                "collection": late.collection,
                "place": late.reference.path,
                "name": name,
                "table": str(late.reference.table),
                "to": late.reference.to,
                "schema": self._schema,
            },
        ).rowcount

    # Keys of rows that will be gone; those that were there before the import stay.
    _GONE = sql.SQL(
        "SELECT m.target_id FROM landbridge.import_doomed d JOIN landbridge.id_map m"
        " ON m.target_schema = %(schema)s AND (m.collection, m.source_id)"
        " = (d.collection, d.source_id)"
        " WHERE d.run_id = %(run)s AND d.collection = %(to)s AND d.inserted"
    )

    def _spread(self, one: _Late) -> int:
        """Name the documents that refer, by one column, to a document that is to go."""
        if one.reference.to not in self._keys:
            return 0
        statements = Statements(one.rows, 0)
        main = one.rows.parent is None
        owner = self._keys[one.collection].key if main else one.rows.parent or ""
        direct = sql.SQL(
            "SELECT o.source_id, t.{column}::text FROM {table} t JOIN landbridge.id_map o"
            " ON o.target_schema = %(schema)s AND o.collection = %(collection)s"
            " AND o.target_id = t.{owner}::text"
            " WHERE t.{column}::text IN ({gone})"
        ).format(
            column=quoting.name(one.reference.column),
            table=statements.target,
            owner=quoting.name(owner),
            gone=self._GONE,
        )
        found = self._add_doomed(one, direct)
        if one.reference.late:
            put_off = sql.SQL(
                "SELECT p.source_id, p.first FROM landbridge.import_pending p"
                " WHERE p.run_id = %(run)s AND p.place = %(place)s AND p.target IN ({gone})"
            ).format(gone=self._GONE)
            found += self._add_doomed(one, put_off)
        return found

    def _let_go(self, one: _Late) -> None:
        """Set references to NULL, where the policy says so, to documents that are to go."""
        values = {"run": self._run, "to": one.reference.to, "schema": self._schema}
        if one.reference.late:
            self._connection.execute(
                sql.SQL(
                    "UPDATE landbridge.import_pending p SET target = NULL"
                    " WHERE p.run_id = %(run)s AND p.place = %(place)s AND p.target IN ({})"
                ).format(self._GONE),
                {**values, "place": one.reference.path},
            )
        statements = Statements(one.rows, 0)
        main = one.rows.parent is None
        owner = self._keys[one.collection].key if main else one.rows.parent or ""
        self._change(
            one,
            sql.SQL(
                "SELECT {key} AS key, NULL::text AS value, o.source_id, 0::bigint AS id"
                " FROM {table} t JOIN landbridge.id_map o ON o.target_schema = %(schema)s"
                " AND o.collection = %(collection)s AND o.target_id = t.{owner}::text"
                " WHERE t.{column}::text IN ({gone})"
            ).format(
                key=statements.key_json,
                table=statements.target,
                owner=quoting.name(owner),
                column=quoting.name(one.reference.column),
                gone=self._GONE,
            ),
            values,
        )

    def _revert(self) -> None:
        undo = Undo(self._connection, self._run, doomed=True)
        before = -1
        while undo.taken.done > before:  # what refers to others goes first, in whatever table it is
            before = undo.taken.done
            oldest: int | None = _ABOVE_ALL
            while oldest is not None:
                oldest = undo.take_back(oldest)
        self.taken_back.update(undo.taken.rows)

    # -- setting ----------------------------------------------------------------------------

    def _set(self, late: _Late) -> int:
        """Set one reference in all rows that wait for it; return how many rows refused it."""
        refused, after = 0, 0
        while True:
            row = self._connection.execute(
                "SELECT max(id) FROM (SELECT id FROM landbridge.import_pending"
                " WHERE run_id = %s AND place = %s AND id > %s ORDER BY id LIMIT %s) part",
                (self._run, late.reference.path, after, CHUNK),
            ).fetchone()
            if row is None or row[0] is None:
                return refused
            refused += self._set_part(late, after, int(row[0]))
            after = int(row[0])

    def _set_part(self, late: _Late, after: int, last: int) -> int:
        """Set the references with ids in (after, last]; a row that refuses is named as doomed."""
        values = {"after": after, "last": last, "place": late.reference.path}
        waiting = sql.SQL(
            "SELECT p.key, p.target AS value, p.source_id, p.id FROM landbridge.import_pending p"
            " WHERE p.run_id = %(run)s AND p.place = %(place)s"
            " AND p.id > %(after)s AND p.id <= %(last)s"
            " AND NOT EXISTS (SELECT FROM landbridge.import_doomed d"
            " WHERE (d.run_id, d.collection, d.source_id)"
            " = (p.run_id, p.collection, p.source_id))"
        )
        try:
            self._in_transaction(lambda: self._change(late, waiting, values))
            return 0
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] not in VIOLATIONS:
                raise
            if last - after > 1:
                middle = (after + last) // 2
                return self._set_part(late, after, middle) + self._set_part(late, middle, last)
            fault = fault_of(error, late.rows.table.name.name)
            self._connection.execute(
                "INSERT INTO landbridge.import_doomed"
                " (run_id, collection, source_id, place, reason, inserted, updated)"
                " SELECT p.run_id, p.collection, p.source_id, p.place, %s,"
                " EXISTS (SELECT FROM landbridge.import_journal j WHERE j.run_id = p.run_id"
                " AND j.main AND j.action = 'i' AND (j.collection, j.source_id)"
                " = (p.collection, p.source_id)), NOT p.unchanged"
                " FROM landbridge.import_pending p"
                " WHERE p.run_id = %s AND p.place = %s AND p.id = %s ON CONFLICT DO NOTHING",
                (f"{fault.column}: {fault.reason}", self._run, late.reference.path, last),
            )
            return 1

    def _change(self, late: _Late, rows: sql.Composable, values: dict[str, Any]) -> None:
        """Set a column in the rows that `rows` selects as (key, value, source_id, id)."""
        statements = Statements(late.rows, 0)
        name = late.rows.table.name
        reference = late.reference
        key = sql.SQL(" AND ").join(
            sql.SQL("t.{0} = k.{0}").format(quoting.name(column)) for column in late.rows.identity
        )
        self._connection.execute(
            sql.SQL(
                "WITH wanted AS MATERIALIZED (SELECT w.*, row_to_json(t.*) AS before,"
                " (json_populate_record(NULL::{table},"
                " json_build_object({name}, w.value))).{column} AS typed FROM ({rows}) w"
                " CROSS JOIN LATERAL json_populate_record(NULL::{table}, w.key) k"
                " JOIN {table} t ON {key}),"
                " changed AS (UPDATE {table} t SET {column} = w.typed FROM wanted w"
                " CROSS JOIN LATERAL json_populate_record(NULL::{table}, w.key) k"
                " WHERE {key} AND t.{column} IS DISTINCT FROM w.typed"
                " RETURNING w.id, w.key, w.before, w.source_id,"
                " md5(row_to_json(t.*)::text)::uuid AS after),"
                " told AS (UPDATE landbridge.import_pending p SET changed = true FROM changed c"
                " WHERE p.run_id = %(run)s AND p.place = %(place)s AND p.id = c.id)"
                " INSERT INTO landbridge.import_journal (run_id, table_schema, table_name,"
                " collection, main, source_id, action, key, before, after)"
                " SELECT %(run)s, %(table_schema)s, %(table_name)s, %(collection)s, %(main)s,"
                " source_id, 'u', key, before, after FROM changed ORDER BY id"
            ).format(
                table=statements.target,
                name=quoting.literal(reference.column),
                column=quoting.name(reference.column),
                rows=rows,
                key=key,
            ),
            {
                "run": self._run,
                "place": reference.path,
                "schema": self._schema,
                "collection": late.collection,
                "table_schema": name.schema,
                "table_name": name.name,
                "main": late.rows.parent is None,
                **values,
            },
        )
