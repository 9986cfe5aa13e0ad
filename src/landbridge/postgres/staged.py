"""The statements that bring staged rows into a table that people made.

For       `upsert`, which runs them in its order.
Touches   Nothing: composes SQL.
Promises  Names are quoted, whatever they are. Rows that are the same are not written; what is
          written is journalled with the row as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from psycopg import sql

from landbridge.model.importing import Reference, RowShape
from landbridge.model.relational import RelationalColumn
from landbridge.postgres import quoting
from landbridge.postgres.catalog import quoted

# What to compare values as, of types that have no operator for equality, or whose operator takes
# for equal what is not the same: -0 and 0, 1.5 and 1.50, "A" and "a".
_COMPARED_AS = {"json": "jsonb"} | dict.fromkeys(
    ("xml", "point", "line", "lseg", "box", "path", "polygon", "circle"), "text"
)
_COMPARED_AS |= dict.fromkeys(("real", "double precision", "numeric", "citext"), "text")
_WHOLE = {"smallint": "smallint", "integer": "integer", "bigint": "bigint"}


class Statements:
    """Everything that is asked of one table, in terms of its staging table.

    The staging table has the document's number `n`, the row's own number `k`, what becomes of the
    row (`state`: u, =, or NULL for a new one), the row as it was (`before`), the columns as `c0`,
    `c1`, … and what references need beside them as `x0`, `x1`, ….
    """

    def __init__(self, shape: RowShape, number: int) -> None:
        self.shape = shape
        self.stage = quoting.name("pg_temp", f"lb_import_{number}")
        self.target = quoting.table(shape.table.name)
        self.late = tuple(one for one in shape.references if one.late)
        self.direct = tuple(one for one in shape.references if not one.late)
        self._by_name = {column.name: column for column in shape.table.columns}
        identity = [
            sql.SQL("t.{} = s.{}").format(quoting.name(name), self.column(shape.place(name)))
            for name in shape.identity
        ]
        self.same_row = sql.SQL(" AND ").join(identity)
        self.key_json = sql.SQL("json_build_object({})").format(
            listed(
                part
                for name in shape.identity
                for part in (quoting.literal(name), sql.SQL("t.") + quoting.name(name))
            )
        )

    @staticmethod
    def column(place: int) -> sql.Identifier:
        """Return the staging column of a place in the row."""
        return quoting.name(f"c{place}")

    def extra(self, reference: Reference, number: int = 0) -> sql.Identifier:
        """Return the staging column of what a reference needs beside its value."""
        return quoting.name(f"x{reference.extra - len(self.shape.columns) + number}")

    @staticmethod
    def late_value(number: int) -> sql.Identifier:
        """Return the staging column of what a late reference says, where it leads nowhere yet."""
        return quoting.name(f"y{number}")

    def known(self, name: str) -> RelationalColumn:
        """Return what the catalogue says of a column."""
        return self._by_name[name]

    # -- staging ----------------------------------------------------------------------------

    def create(self) -> sql.Composed:
        """Make the staging table, its columns of the table's own types."""
        columns = [
            sql.SQL("t.{} AS {}").format(quoting.name(name), self.column(place))
            for place, name in enumerate(self.shape.columns)
        ]
        for reference in self.shape.references:
            if reference.serial:
                columns += [
                    sql.SQL("NULL::text AS {}").format(self.extra(reference, number))
                    for number in range(2)
                ]
            else:
                name = quoting.name(reference.column)
                columns.append(sql.SQL("t.{} AS {}").format(name, self.extra(reference)))
        columns += [
            sql.SQL("NULL::text AS {}").format(self.late_value(number))
            for number, _ in enumerate(self.late)
        ]
        return sql.SQL(
            "CREATE TEMPORARY TABLE {} ON COMMIT DROP AS SELECT NULL::integer AS n,"
            " NULL::integer AS k, NULL::text AS source_id, NULL::text AS state,"
            " NULL::json AS before, {} FROM {} t WITH NO DATA"
        ).format(self.stage, listed(columns), self.target)

    def copy(self) -> sql.Composed:
        """Fill it, by COPY in text: n, k, source_id and the row's values."""
        places = [self.column(place) for place in range(len(self.shape.columns))]
        extras = [quoting.name(f"x{number}") for number in range(self.shape.extras)]
        return sql.SQL("COPY {} (n, k, source_id, {}) FROM STDIN").format(
            self.stage, listed([*places, *extras])
        )

    def take_numbers(self) -> list[sql.Composed]:
        """Give each row its number: that of the id map, or the next of the sequence.

        Parameters: schema, collection; then the sequence.
        """
        key = self.known(self.shape.identity[0])
        return [
            sql.SQL(
                "UPDATE {} s SET c0 = m.target_id::{} FROM landbridge.id_map m"
                " WHERE m.target_schema = %s AND m.collection = %s AND m.source_id = s.source_id"
            ).format(self.stage, _whole(key)),
            sql.SQL("UPDATE {} SET c0 = nextval(%s::regclass) WHERE c0 IS NULL").format(self.stage),
        ]

    def take_parents(self, parents: Statements) -> sql.Composed:
        """Give the rows of an array the key of their document's row."""
        place = self.shape.place(self.shape.parent or "")
        return sql.SQL("UPDATE {} s SET {} = p.c0 FROM {} p WHERE p.n = s.n").format(
            self.stage, self.column(place), parents.stage
        )

    def leave_out(self) -> sql.Composed:
        """Take documents out again. Parameter: their numbers."""
        return sql.SQL("DELETE FROM {} WHERE n = ANY(%s)").format(self.stage)

    # -- references -------------------------------------------------------------------------

    def resolve(self, reference: Reference) -> list[sql.Composed]:
        """Find what references mean that may mean two things, and keys that are numbers.

        Parameters of a serial one's statements: schema and collection.
        """
        column, target = self.column(reference.place), quoting.table(reference.table)
        key = quoting.name(reference.key)
        if reference.serial:
            whole = _whole(self.known(reference.column))
            return [
                sql.SQL(
                    "UPDATE {} s SET {} = m.target_id::{whole} FROM landbridge.id_map m"
                    " WHERE m.target_schema = %s AND m.collection = %s AND m.source_id = s.{}"
                    " AND s.{} IS NULL"
                    " AND EXISTS (SELECT FROM {} t WHERE t.{} = m.target_id::{whole})"
                ).format(
                    self.stage,
                    column,
                    self.extra(reference, number),
                    column,
                    target,
                    key,
                    whole=whole,
                )
                for number in range(2)
            ]
        there = sql.SQL("EXISTS (SELECT FROM {} t WHERE t.{} = s.{})")
        return [
            sql.SQL("UPDATE {} s SET {} = s.{} WHERE s.{} IS NOT NULL AND NOT {} AND {}").format(
                self.stage,
                column,
                self.extra(reference),
                self.extra(reference),
                there.format(target, key, column),
                there.format(target, key, self.extra(reference)),
            )
        ]

    def dangles(self, reference: Reference) -> sql.Composed:
        """Return the condition that a staged reference leads nowhere yet."""
        column = self.column(reference.place)
        if reference.serial:
            return sql.SQL("(s.{} IS NULL AND s.{} IS NOT NULL)").format(
                column, self.extra(reference)
            )
        return sql.SQL(
            "(s.{0} IS NOT NULL AND NOT EXISTS (SELECT FROM {1} t WHERE t.{2} = s.{0}))"
        ).format(column, quoting.table(reference.table), quoting.name(reference.key))

    def shown(self, reference: Reference) -> sql.Composed:
        """Return what a reference says, as text."""
        if reference.serial:
            return sql.SQL("s.{}").format(self.extra(reference))
        return sql.SQL("s.{}::text").format(self.column(reference.place))

    def find_dangling(self, references: Sequence[Reference]) -> sql.Composed:
        """Return (place in `references`, n, k, what it says) of those that lead nowhere."""
        return sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, s.n, s.k, {} FROM {} s WHERE {}").format(
                sql.Literal(number), self.shown(reference), self.stage, self.dangles(reference)
            )
            for number, reference in enumerate(references)
        )

    def clear(self, reference: Reference) -> sql.Composed:
        """Set a reference to NULL. Parameter: the rows' numbers."""
        column = self.column(reference.place)
        return sql.SQL("UPDATE {} SET {} = NULL WHERE k = ANY(%s)").format(self.stage, column)

    def put_off(self, number: int) -> sql.Composed:
        """Keep a late reference that leads nowhere yet for later, and the row's value meanwhile."""
        reference = self.late[number]
        if reference.kept:
            return sql.SQL("UPDATE {} s SET {} = {} WHERE {}").format(
                self.stage,
                self.late_value(number),
                self.shown(reference),
                self.dangles(reference),
            )
        return sql.SQL(
            "UPDATE {} s SET {} = {}, {} = (SELECT t.{} FROM {} t WHERE {}) WHERE {}"
        ).format(
            self.stage,
            self.late_value(number),
            self.shown(reference),
            self.column(reference.place),
            quoting.name(reference.column),
            self.target,
            self.same_row,
            self.dangles(reference),
        )

    def note_late(self, number: int) -> sql.Composed:
        """Write down what was put off.

        Parameters: run, collection, place; the documents that are unchanged so far.
        """
        reference = self.late[number]
        second = self.extra(reference, 1 if reference.serial else 0)
        return sql.SQL(
            "INSERT INTO landbridge.import_pending"
            " (run_id, collection, place, source_id, key, first, second, unchanged)"
            " SELECT %s, %s, %s, s.source_id, {}, s.{}, s.{}::text, s.n = ANY(%s)"
            " FROM {} s JOIN {} t ON {} WHERE s.{} IS NOT NULL ORDER BY s.k"
        ).format(
            self.key_json,
            self.late_value(number),
            second,
            self.stage,
            self.target,
            self.same_row,
            self.late_value(number),
        )

    # -- writing ----------------------------------------------------------------------------

    def compare(self) -> sql.Composed:
        """Find which staged rows are there already, and which of those differ."""
        differs = self._differs({name: self._staged(name) for name in self.written})
        return sql.SQL(
            "UPDATE {stage} s SET state = CASE WHEN {differs} THEN 'u' ELSE '=' END,"
            " before = CASE WHEN {differs} THEN row_to_json(t.*) END FROM {target} t WHERE {same}"
        ).format(stage=self.stage, differs=differs, target=self.target, same=self.same_row)

    @property
    def written(self) -> list[str]:
        """The columns that an update may change."""
        return [name for name in self.shape.columns if name not in self.shape.identity]

    def differs_from_record(self) -> sql.Composable:
        """Return the condition that a row `t` differs from a record `s` of the table's own type."""
        values: dict[str, sql.Composable] = {}
        for name in self.written:
            value = sql.SQL("s.{}").format(quoting.name(name))
            if name in self.shape.defaulted:
                value = sql.SQL("coalesce({}, t.{})").format(value, quoting.name(name))
            values[name] = value
        return self._differs(values)

    def _differs(self, values: Mapping[str, sql.Composable]) -> sql.Composable:
        if not values:
            return sql.SQL("false")
        return sql.SQL("({}) IS DISTINCT FROM ({})").format(
            listed(
                self._compared(name, sql.SQL("t.{}").format(quoting.name(name))) for name in values
            ),
            listed(self._compared(name, value) for name, value in values.items()),
        )

    def _compared(self, name: str, value: sql.Composable) -> sql.Composed:
        column = self.known(name)
        other = None if column.array else _COMPARED_AS.get(column.base)
        if other is None:
            return sql.Composed([value])
        return sql.SQL("{}::{}").format(value, sql.SQL(other))

    def _staged(self, name: str) -> sql.Composed:
        """Return a staged value for a row that is there: where it has none, the row's own."""
        column = self.column(self.shape.place(name))
        if name in self.shape.defaulted:
            return sql.SQL("coalesce(s.{}, t.{})").format(column, quoting.name(name))
        return sql.SQL("s.{}").format(column)

    def update(self) -> sql.Composed | None:
        """Change the rows that differ."""
        if not self.written:
            return None
        return sql.SQL("UPDATE {} t SET {} FROM {} s WHERE s.state = 'u' AND {}").format(
            self.target,
            listed(
                sql.SQL("{} = {}").format(quoting.name(name), self._staged(name))
                for name in self.written
            ),
            self.stage,
            self.same_row,
        )

    def insert(self) -> sql.Composed:
        """Make the rows that are not there, in the order of their documents."""
        values = []
        for place, name in enumerate(self.shape.columns):
            value = sql.SQL("s.{}").format(self.column(place))
            if name in self.shape.defaulted:
                value = sql.SQL("coalesce({}, {})").format(value, self._default(name))
            values.append(value)
        return sql.SQL(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE"
            " SELECT {} FROM {} s WHERE s.state IS NULL ORDER BY s.k"
        ).format(
            self.target,
            listed(map(quoting.name, self.shape.columns)),
            listed(values),
            self.stage,
        )

    def _default(self, name: str) -> sql.Composable:
        column = self.known(name)
        if column.default is not None:
            return quoting.expression(
                column.default
            )  # as the catalogue prints what the table itself runs
        assert column.sequence is not None  # an identity
        return sql.SQL("nextval({}::regclass)").format(quoting.literal(quoted(column.sequence)))

    def journal(self) -> sql.Composed:
        """Note what was written. Parameters: run, schema, table, collection."""
        return sql.SQL(
            "INSERT INTO landbridge.import_journal (run_id, table_schema, table_name, collection,"
            " main, source_id, action, key, before, after)"
            " SELECT %s, %s, %s, %s, {}, s.source_id, coalesce(s.state, 'i'), {}, s.before,"
            " md5(row_to_json(t.*)::text)::uuid"
            " FROM {} s JOIN {} t ON {} WHERE s.state IS DISTINCT FROM '=' ORDER BY s.k"
        ).format(
            sql.Literal(self.shape.parent is None),
            self.key_json,
            self.stage,
            self.target,
            self.same_row,
        )

    def remove_gone(self, parents: Statements) -> sql.Composed:
        """Delete rows of arrays that are no longer in their document; return their `n`.

        Parameters: run, schema, table, collection.
        """
        parent = quoting.name(self.shape.parent or "")
        return sql.SQL(
            "WITH gone AS (DELETE FROM {target} t USING {parents} p"
            " WHERE t.{parent} = p.c0 AND p.state IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM {stage} s WHERE s.n = p.n AND {same})"
            " RETURNING p.n, p.source_id, {key} AS key, row_to_json(t.*) AS before),"
            " noted AS (INSERT INTO landbridge.import_journal (run_id, table_schema, table_name,"
            " collection, main, source_id, action, key, before)"
            " SELECT %s, %s, %s, %s, false, source_id, 'd', key, before FROM gone)"
            " SELECT n FROM gone"
        ).format(
            target=self.target,
            parents=parents.stage,
            parent=parent,
            stage=self.stage,
            same=self.same_row,
            key=self.key_json,
        )

    def states(self) -> sql.Composed:
        """Return (n, state) of every staged row."""
        return sql.SQL("SELECT n, coalesce(state, 'i') FROM {}").format(self.stage)

    def remember(self) -> sql.Composed:
        """Write the id map. Parameters: schema, collection, run."""
        return sql.SQL(
            "INSERT INTO landbridge.id_map AS m"
            " (target_schema, collection, source_id, target_id, run_id)"
            " SELECT %s, %s, source_id, c0::text, %s FROM {}"
            " ON CONFLICT (target_schema, collection, source_id) DO UPDATE"
            " SET target_id = excluded.target_id, run_id = excluded.run_id"
            " WHERE m.target_id <> excluded.target_id"
        ).format(self.stage)


def listed(parts: Iterable[sql.Composable]) -> sql.Composed:
    """Return parts separated by commas."""
    return sql.SQL(", ").join(parts)


def _whole(column: RelationalColumn) -> sql.SQL:
    return sql.SQL(_WHOLE.get(column.base, "numeric"))
