"""Taking rows of an import back, newest first, from its journal.

For       `import --undo`, and documents whose references turn out to lead nowhere.
Touches   The tables that the journal names, landbridge.import_journal and landbridge.id_map.
Promises  A row that is not as the import left it stays as it is, and so does one that other rows
          refer to now; each is named. A chunk is one transaction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.importing import RefusedRow
from landbridge.model.relational import RelationalSchema, RelationalTable
from landbridge.model.tables import TableName
from landbridge.postgres import faults, quoting
from landbridge.postgres.catalog import quoted
from landbridge.postgres.relational import read_schema
from landbridge.postgres.upsert import SETTINGS, VIOLATIONS, fault_of

Connection = psycopg.Connection[Any]

CHUNK = 1000
CHUNK_TOGETHER = 100_000
REFUSED_SHOWN_MAX = 100

_Group = tuple[TableName, str, list[int]]  # consecutive entries of one table and action

# The journal meets the doomed as a whole; rows are looked up by their keys after that.
_JOINED = "SET LOCAL enable_hashjoin = on; SET LOCAL enable_nestloop = off"
_STAGE = quoting.name("pg_temp", "lb_undo")
_ENTRIES = """
SELECT id, table_schema, table_name, action FROM landbridge.import_journal
WHERE run_id = %s AND id < %s ORDER BY id DESC LIMIT %s
"""
_ENTRIES_DOOMED = """
SELECT j.id, j.table_schema, j.table_name, j.action FROM landbridge.import_journal j
JOIN landbridge.import_doomed d USING (run_id, collection, source_id)
WHERE j.run_id = %s AND j.id < %s ORDER BY j.id DESC LIMIT %s
"""
_DELETING_ACTIONS = ["c", "n", "d"]  # cascade, set null, set default: they change other rows
_INBOUND = """
SELECT k.conname::text, n.nspname::text, c.relname::text,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
             ORDER BY u.place),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(attnum, place)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
             ORDER BY u.place)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = to_regclass(%s) AND k.confdeltype::text = ANY(%s)
ORDER BY k.conname COLLATE "C"
"""


@dataclass(slots=True)
class TakenBack:
    """What was taken back, and what could not be."""

    removed: int = 0
    restored: int = 0
    refused: dict[int, RefusedRow] = field(default_factory=dict)  # the first of them, by entry
    refused_count: int = 0
    done: int = 0
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)  # by table and action


@dataclass(frozen=True, slots=True)
class _Table:
    """A table as rows are put back into it."""

    name: TableName
    shape: RelationalTable
    key: tuple[str, ...]
    inbound: tuple[tuple[str, TableName, tuple[str, ...], tuple[str, ...]], ...]

    @property
    def target(self) -> sql.Identifier:
        """The quoted name."""
        return quoting.table(self.name)

    @property
    def writable(self) -> list[str]:
        """The columns that can be written."""
        return [column.name for column in self.shape.columns if not column.generated]

    @property
    def updatable(self) -> list[str]:
        """The columns that an UPDATE can set."""
        return [
            column.name
            for column in self.shape.columns
            if not column.generated and column.identity != "always"
        ]

    def restored(self, name: str) -> sql.Composed:
        """Return what sets a column of a row `t` to what the journal `b` has."""
        column = self.shape.column(name)
        if column is not None and column.base in ("json", "jsonb") and not column.array:
            # The journal writes JSON's null as it writes NULL; an import never makes the first.
            kept = (
                "{0} = CASE WHEN b.{0} IS NULL AND t.{0}::text = 'null' THEN t.{0} ELSE b.{0} END"
            )
            return sql.SQL(kept).format(quoting.name(name))
        return sql.SQL("{0} = b.{0}").format(quoting.name(name))

    def same(self, left: str, right: str) -> sql.Composed:
        """Return the condition that two aliases are of one row."""
        return sql.SQL(" AND ").join(
            sql.SQL("{}.{} = {}.{}").format(
                sql.SQL(left), quoting.name(name), sql.SQL(right), quoting.name(name)
            )
            for name in self.key
        )


class Undo:
    """Takes the rows of one run back."""

    def __init__(self, connection: Connection, run: str, *, doomed: bool = False) -> None:
        self._connection = connection
        self._run = run
        self._query = _ENTRIES_DOOMED if doomed else _ENTRIES
        self._schemas: dict[str, RelationalSchema | None] = {}
        self._tables: dict[tuple[TableName, tuple[str, ...]], _Table] = {}
        self.taken = TakenBack()

    def take_back(self, before: int, *, together: bool = False) -> int | None:
        """Take back the newest entries below an id; return the oldest looked at, None at the end.

        What is refused is asked for again by a later call that begins above it. `together`: very
        many at once, with what foreign keys can be deferred, for rows that need each other.
        """
        told = faults.translated("the import could not be taken back")
        with told, self._connection.transaction():
            self._connection.execute(_JOINED)
            chunk = CHUNK_TOGETHER if together else CHUNK
            entries = self._connection.execute(self._query, (self._run, before, chunk)).fetchall()
            self._connection.execute(SETTINGS)
            groups: list[_Group] = []
            for number, schema, table, action in entries:
                name = TableName(schema, table)
                if not groups or groups[-1][:2] != (name, action):
                    groups.append((name, action, []))
                groups[-1][2].append(number)
            if not together or not self._take_deferred(groups):
                for name, action, numbers in groups:
                    self._take_group(name, action, numbers)
        return int(entries[-1][0]) if entries else None

    def _take_deferred(self, groups: Sequence[_Group]) -> bool:
        """Take groups back as one; return False where that leaves a row without what it needs."""
        before = deepcopy(self.taken)
        try:
            with self._connection.transaction():
                self._connection.execute("SET CONSTRAINTS ALL DEFERRED")
                for name, action, numbers in groups:
                    self._take_group(name, action, numbers)
                self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except psycopg.errors.IntegrityError:
            self.taken = before
            self._connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            return False
        return True

    def _take_group(self, name: TableName, action: str, numbers: list[int]) -> None:
        table = self._table(name, numbers[0])
        if table is None:
            self._refuse(numbers, name, f"{name} is gone, or its columns are")
            return
        # A row may have been written more than once: the newest first, the others after it.
        latest = self._connection.execute(
            "SELECT array_agg(id) FROM (SELECT DISTINCT ON (key::text) id"
            " FROM landbridge.import_journal WHERE run_id = %s AND id = ANY(%s)"
            " ORDER BY key::text, id DESC) newest",
            (self._run, numbers),
        ).fetchone()
        first = set(latest[0]) if latest and latest[0] else set()
        rest = [number for number in numbers if number not in first]
        self._take(table, action, [number for number in numbers if number in first])
        if rest:
            self._take_group(name, action, rest)

    def _take(self, table: _Table, action: str, numbers: list[int]) -> None:
        good = self._unchanged(table, action, numbers)
        if action == "i":
            good = self._unreferred(table, good)
        self._apply(table, action, good)

    def _apply(self, table: _Table, action: str, numbers: list[int]) -> None:
        if not numbers:
            return
        try:
            with self._connection.transaction():
                self._stage(numbers)
                self._connection.execute(self._statement(table, action), ())
                self._forget(table, action, numbers)
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] not in VIOLATIONS:
                raise
            if len(numbers) == 1:
                fault = fault_of(error, table.name.name)
                self._refuse(numbers, table.name, f"{fault.column}: {fault.reason}")
                return
            middle = len(numbers) // 2
            self._apply(table, action, numbers[:middle])
            self._apply(table, action, numbers[middle:])
            return
        self.taken.done += len(numbers)
        self.taken.rows[table.name.name, action] += len(numbers)
        if action == "i":
            self.taken.removed += len(numbers)
        else:
            self.taken.restored += len(numbers)

    def _stage(self, numbers: Sequence[int]) -> None:
        self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(_STAGE))
        self._connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT id, key, before, after"
                " FROM landbridge.import_journal WHERE run_id = {} AND id = ANY({}::bigint[])"
            ).format(_STAGE, sql.Literal(self._run), sql.Literal(list(numbers)))
        )

    def _statement(self, table: _Table, action: str) -> sql.Composed:
        key = sql.SQL("{} u CROSS JOIN LATERAL json_populate_record(NULL::{}, u.key) k").format(
            _STAGE, table.target
        )
        before = sql.SQL(
            "{} u CROSS JOIN LATERAL json_populate_record(NULL::{}, u.before) b"
        ).format(_STAGE, table.target)
        match action:
            case "i":
                return sql.SQL("DELETE FROM {} t USING {} WHERE {}").format(
                    table.target, key, table.same("t", "k")
                )
            case "u":
                return sql.SQL("UPDATE {} t SET {} FROM {} WHERE {}").format(
                    table.target,
                    sql.SQL(", ").join(map(table.restored, table.updatable)),
                    before,
                    table.same("t", "b"),
                )
            case _:
                columns = sql.SQL(", ").join(map(quoting.name, table.writable))
                values = sql.SQL(", ").join(
                    sql.SQL("b.{}").format(quoting.name(name)) for name in table.writable
                )
                return sql.SQL(
                    "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}"
                ).format(table.target, columns, values, before)

    def _forget(self, table: _Table, action: str, numbers: list[int]) -> None:
        """Remove entries that were taken back, and the id map's of documents that have no row."""
        execute = self._connection.execute
        if action == "i":
            execute(
                "DELETE FROM landbridge.id_map m USING landbridge.import_journal j"
                " WHERE j.run_id = %s AND j.id = ANY(%s) AND j.main"
                " AND (m.target_schema, m.collection, m.source_id)"
                " = (j.table_schema, j.collection, j.source_id)",
                (self._run, numbers),
            )
        if action == "u" and table.shape.triggers:
            # A trigger may have touched the row: what older entries go by is the row as it is now.
            execute(
                sql.SQL(
                    "UPDATE landbridge.import_journal j"
                    " SET after = md5(row_to_json(t.*)::text)::uuid FROM {} u"
                    " CROSS JOIN LATERAL json_populate_record(NULL::{}, u.key) k"
                    " JOIN {} t ON {} WHERE j.run_id = %s AND j.id < u.id AND j.table_schema = %s"
                    " AND j.table_name = %s AND j.key::text = u.key::text"
                ).format(_STAGE, table.target, table.target, table.same("t", "k")),
                (self._run, table.name.schema, table.name.name),
            )
        execute(
            "DELETE FROM landbridge.import_journal WHERE run_id = %s AND id = ANY(%s)",
            (self._run, numbers),
        )

    # -- refusing ---------------------------------------------------------------------------

    def _unchanged(self, table: _Table, action: str, numbers: list[int]) -> list[int]:
        """Return the entries whose rows are as the import left them."""
        if not numbers:
            return []
        self._stage(numbers)
        self._lock(table)
        differs = (
            sql.SQL("{} IS NOT NULL").format(sql.SQL("t.{}").format(quoting.name(table.key[0])))
            if action == "d"
            else sql.SQL("md5(row_to_json(t.*)::text)::uuid IS DISTINCT FROM u.after")
        )
        rows = self._connection.execute(
            sql.SQL(
                "SELECT u.id, t.{first} IS NULL FROM {stage} u"
                " CROSS JOIN LATERAL json_populate_record(NULL::{target}, u.key) k"
                " LEFT JOIN {target} t ON {same} WHERE {differs}"
            ).format(
                first=quoting.name(table.key[0]),
                stage=_STAGE,
                target=table.target,
                same=table.same("t", "k"),
                differs=differs,
            ),
            (),
        ).fetchall()
        changed = dict(rows)
        for number, gone in changed.items():
            if action == "d":
                reason = "a row with its key has been made since"
            else:
                reason = "it has been deleted since" if gone else "it has been changed since"
            self._refuse([number], table.name, reason)
        return [number for number in numbers if number not in changed]

    def _lock(self, table: _Table) -> None:
        """Let nobody change the staged rows, or refer to them, between the look and the change."""
        self._connection.execute(
            sql.SQL(
                "SELECT count(*) FROM (SELECT FROM {} u"
                " CROSS JOIN LATERAL json_populate_record(NULL::{}, u.key) k"
                " JOIN {} t ON {} FOR UPDATE OF t) locked"
            ).format(_STAGE, table.target, table.target, table.same("t", "k")),
            (),
        )

    def _unreferred(self, table: _Table, numbers: list[int]) -> list[int]:
        """Return the entries whose rows can go without other rows going or changing with them."""
        for constraint, other, columns, keys in table.inbound:
            if not numbers:
                break
            self._stage(numbers)
            refers = sql.SQL(" AND ").join(
                sql.SQL("r.{} = t.{}").format(quoting.name(column), quoting.name(key))
                for column, key in zip(columns, keys, strict=True)
            )
            # A row of the same import that goes with them does not count.
            same_table = other == table.name
            also = (
                sql.SQL(
                    " AND NOT EXISTS (SELECT FROM {} v CROSS JOIN LATERAL"
                    " json_populate_record(NULL::{}, v.key) w WHERE {})"
                ).format(_STAGE, table.target, table.same("w", "r"))
                if same_table
                else sql.SQL("")
            )
            found = self._connection.execute(
                sql.SQL(
                    "SELECT u.id FROM {} u"
                    " CROSS JOIN LATERAL json_populate_record(NULL::{}, u.key) k"
                    " JOIN {} t ON {} WHERE EXISTS (SELECT FROM {} r WHERE {}{})"
                ).format(
                    _STAGE,
                    table.target,
                    table.target,
                    table.same("t", "k"),
                    quoting.table(other),
                    refers,
                    also,
                ),
                (),
            ).fetchall()
            referred = {number for (number,) in found}
            self._refuse(
                [number for number in numbers if number in referred],
                table.name,
                f"rows of {other} refer to it ({constraint})",
            )
            numbers = [number for number in numbers if number not in referred]
        return numbers

    def _refuse(self, numbers: Sequence[int], table: TableName, reason: str) -> None:
        self.taken.refused_count += len(numbers)
        room = REFUSED_SHOWN_MAX - len(self.taken.refused)
        if room <= 0 or not numbers:
            return
        rows = self._connection.execute(
            "SELECT id, key::text FROM landbridge.import_journal"
            " WHERE run_id = %s AND id = ANY(%s) ORDER BY id LIMIT %s",
            (self._run, list(numbers), room),
        )
        for number, key in rows.fetchall():
            self.taken.refused[number] = RefusedRow(str(table), key, reason)

    # -- tables -----------------------------------------------------------------------------

    def _table(self, name: TableName, entry: int) -> _Table | None:
        """Return a table with the key that its entries go by; None where it is gone."""
        row = self._connection.execute(
            "SELECT ARRAY(SELECT json_object_keys(key)) FROM landbridge.import_journal"
            " WHERE run_id = %s AND id = %s",
            (self._run, entry),
        ).fetchone()
        key = tuple(row[0]) if row else ()
        if (name, key) in self._tables:
            return self._tables[name, key]
        if name.schema not in self._schemas:
            self._schemas[name.schema] = read_schema(self._connection, name.schema)
        schema = self._schemas[name.schema]
        shape = schema.table(name.name) if schema else None
        if shape is None or any(shape.column(column) is None for column in key):
            return None
        inbound = tuple(
            (constraint, TableName(space, other), tuple(columns), tuple(keys))
            for constraint, space, other, columns, keys in self._connection.execute(
                _INBOUND, (quoted(name), _DELETING_ACTIONS)
            )
        )
        self._tables[name, key] = _Table(name, shape, key, inbound)
        return self._tables[name, key]
