"""Rows held against the tables that they are meant for, without writing one.

For       The dry run of an import.
Touches   The mapped tables and landbridge.id_map, by reading, in one READ ONLY transaction.
Promises  The server itself reads every value as its column's type and judges the checks, and says
          which rows are there already. Nothing can be written: the transaction refuses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.importing import (
    Fault,
    Mapped,
    Probed,
    Reference,
    Row,
    RowShape,
    StreamShape,
)
from landbridge.model.relational import UniqueKey
from landbridge.postgres import faults, quoting
from landbridge.postgres.staged import Statements, listed
from landbridge.postgres.upsert import SETTINGS, VIOLATIONS, fault_of

Connection = psycopg.Connection[Any]

_JSON = ("json", "jsonb")


class Prober:
    """Looks at the rows of documents in a transaction that can't write."""

    def __init__(self, connection: Connection, installed: bool) -> None:
        self._connection = connection
        self._installed = installed  # whether there is an id map to ask

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Look at one moment of the target."""
        told = faults.translated("the data could not be checked against the tables")
        with told, self._connection.transaction():
            self._connection.execute(
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;" + SETTINGS
            )
            yield

    def examine(self, shape: StreamShape, documents: Sequence[Mapped]) -> list[Probed]:
        """Return what would become of each document's rows, or what the server holds against it."""
        if not documents:
            return []
        try:
            with self._connection.transaction():
                return self._examine(shape, documents)
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] not in VIOLATIONS:
                raise
            if len(documents) == 1:
                return [Probed(fault=fault_of(error, shape.main.table.name.name))]
            middle = len(documents) // 2
            return [
                *self.examine(shape, documents[:middle]),
                *self.examine(shape, documents[middle:]),
            ]

    def _examine(self, shape: StreamShape, documents: Sequence[Mapped]) -> list[Probed]:
        found = [Probed() for _ in documents]
        known = self._known_keys(shape, documents)
        for number, rows in enumerate(shape.tables):
            owners: list[int] = []
            flat: list[Row] = []
            for place, document in enumerate(documents):
                for row in document.rows[number]:
                    owners.append(place)
                    flat.append([row[0] or known.get(document.source_id), *row[1:]])
            if flat:
                for reference in rows.references:
                    self._resolve(rows, reference, flat, owners, found)
                self._examine_rows(rows, flat, owners, found)
        return found

    def _known_keys(self, shape: StreamShape, documents: Sequence[Mapped]) -> dict[str, str]:
        """Return the keys that documents with numbered rows have from earlier imports."""
        if not shape.main.serial or not self._installed:
            return {}
        rows = self._connection.execute(
            "SELECT source_id, target_id FROM landbridge.id_map"
            " WHERE target_schema = %s AND collection = %s AND source_id = ANY(%s)",
            (
                shape.main.table.name.schema,
                shape.collection,
                [document.source_id for document in documents],
            ),
        )
        return dict(rows.fetchall())

    def _examine_rows(
        self, rows: RowShape, flat: Sequence[Row], owners: Sequence[int], found: list[Probed]
    ) -> None:
        text = _json_text(rows, flat)
        statements = Statements(rows, 0)
        source = sql.SQL(
            "json_array_elements(%(rows)s::json) WITH ORDINALITY AS e(doc, k)"
            " CROSS JOIN LATERAL json_populate_record(NULL::{}, e.doc) s"
        ).format(statements.target)
        same = sql.SQL(" AND ").join(
            sql.SQL("t.{0} = s.{0}").format(quoting.name(name)) for name in rows.identity
        )
        query = sql.SQL(
            "SELECT e.k, t.{first} IS NOT NULL, {differs} FROM {source}"
            " LEFT JOIN {target} t ON {same}"
        ).format(
            first=quoting.name(rows.identity[0]),
            differs=statements.differs_from_record(),
            source=source,
            target=statements.target,
            same=same,
        )
        table = rows.table.name.name
        for k, there, differs in self._connection.execute(query, {"rows": text}).fetchall():
            state = "i" if not there else "u" if differs else "="
            found[owners[k - 1]].states.append((table, state))
        for name, query in self._checks(rows, source):
            for (k,) in self._connection.execute(query, {"rows": text}).fetchall():
                reason = f'the check "{name}" does not hold'
                found[owners[k - 1]].fault = Fault("constraint", table, name, "", reason)
        for key in checked_keys(rows):
            query = sql.SQL(
                "SELECT e.k FROM {} JOIN {} t ON {} WHERE ({}) IS DISTINCT FROM ({})"
            ).format(
                source,
                statements.target,
                sql.SQL(" AND ").join(
                    sql.SQL("t.{0} = s.{0}").format(quoting.name(name)) for name in key.columns
                ),
                listed(sql.SQL("t.{}").format(quoting.name(name)) for name in rows.identity),
                listed(sql.SQL("s.{}").format(quoting.name(name)) for name in rows.identity),
            )
            for (k,) in self._connection.execute(query, {"rows": text}).fetchall():
                reason = f"another row of {rows.table.name} has the same {', '.join(key.columns)}"
                found[owners[k - 1]].fault = Fault("constraint", table, key.name, "", reason)

    def _checks(self, rows: RowShape, source: sql.Composed) -> Iterator[tuple[str, sql.Composed]]:
        for check in rows.table.checks:
            # As the catalogue prints it: what the table itself asks of a row.
            yield (
                check.name,
                sql.SQL(
                    'SELECT s."landbridge place" FROM'
                    ' (SELECT s.*, e.k AS "landbridge place" FROM {}) s WHERE NOT ({})'
                ).format(source, quoting.expression(check.expression)),
            )

    def _resolve(
        self,
        rows: RowShape,
        reference: Reference,
        flat: Sequence[Row],
        owners: Sequence[int],
        found: list[Probed],
    ) -> None:
        """Find the rows that references lead to; what leads nowhere is compared as it would be."""
        first, second = reference.place, reference.extra
        if reference.serial:
            first, second = reference.extra, reference.extra + 1
        asked = {text for row in flat for text in (row[first], row[second]) if text is not None}
        values = self._present(rows, reference, sorted(asked)) if asked else {}
        for row, owner in zip(flat, owners, strict=True):
            if row[first] is None:
                continue
            value = values.get(row[first] or "") or values.get(row[second] or "")
            found[owner].leads.setdefault(reference.path, []).append(value is not None)
            if value is not None or reference.null_dangling:
                row[reference.place] = value

    def _present(self, rows: RowShape, reference: Reference, keys: Sequence[str]) -> dict[str, str]:
        """Return the keys of the rows that are there, by what references say."""
        target, key = quoting.table(reference.table), quoting.name(reference.key)
        if reference.serial:
            if not self._installed:
                return {}
            query = sql.SQL(
                "SELECT m.source_id, m.target_id FROM landbridge.id_map m"
                " JOIN {} t ON t.{}::text = m.target_id"
                " WHERE m.target_schema = %s AND m.collection = %s AND m.source_id = ANY(%s)"
            ).format(target, key)
            schema = rows.table.name.schema
            found = self._connection.execute(query, (schema, reference.to, list(keys)))
        else:
            query = sql.SQL(
                "SELECT w.text, w.text FROM unnest(%s::text[]) w(text) JOIN {target} t ON t.{key}"
                " = (json_populate_record(NULL::{target}, json_build_object({name}, w.text))).{key}"
            ).format(target=target, key=key, name=quoting.literal(reference.key))
            found = self._connection.execute(query, (list(keys),))
        return dict(found.fetchall())


def checked_keys(rows: RowShape) -> list[UniqueKey]:
    """Return the unique keys beside a row's identity whose columns are all written."""
    return [
        key
        for key in rows.table.keys
        if set(key.columns) <= set(rows.columns) and set(key.columns) != set(rows.identity)
    ]


def _json_text(rows: RowShape, flat: Sequence[Row]) -> str:
    """Return rows as a JSON array of records; every value is text, but JSON itself."""
    by_name = {column.name: column for column in rows.table.columns}
    written = [
        (json.dumps(name), by_name[name].base in _JSON and not by_name[name].array)
        for name in rows.columns
    ]
    records = []
    for row in flat:
        members = [
            f"{name}:{text if is_json else json.dumps(text)}"
            for (name, is_json), text in zip(written, row, strict=False)
            if text is not None
        ]
        records.append("{" + ",".join(members) + "}")
    return "[" + ",".join(records) + "]"
