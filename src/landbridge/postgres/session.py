"""One connection to the target, as the engine drives it.

For       Satisfying `model.tables.Session` with the functions of this room.
Touches   The target database.
Promises  Nothing of its own: each method is one function of `catalog`, `ddl`, `copy` or `merge`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.plan import Column, Plan, TablePlan
from landbridge.model.tables import (
    CopySink,
    IndexWish,
    KeyComparison,
    MergeCounts,
    MergePlan,
    Persistence,
    TableName,
    TableState,
)
from landbridge.postgres import catalog, compare, ddl, identity, merge
from landbridge.postgres.copy import copy_into

LONGEST_EXACT_INTEGER = 2**53


class PostgresSession:
    """A connection and what can be asked of it."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.pid = connection.info.backend_pid

    @property
    def idle(self) -> bool:
        """Whether no transaction is open, so that another may use the connection."""
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def transaction(self) -> AbstractContextManager[Any]:
        """Begin; commit on leaving, roll back on an error."""
        return self.connection.transaction()

    def together(self) -> AbstractContextManager[Any]:
        """Send statements without waiting for each; their results are not looked at."""
        return self.connection.pipeline()

    # -- looking ----------------------------------------------------------------------------

    def inspect(self, table: TableName) -> TableState | None:
        """Describe a table, or return None where nothing bears the name."""
        return catalog.inspect(self.connection, table)

    def indexes(self, table: TableName) -> list[tuple[str, tuple[str, ...]]]:
        """Return (name, columns) of each index of a table."""
        return catalog.indexed_columns(self.connection, table)

    def count(self, table: TableName) -> int:
        """Count rows."""
        query = sql.SQL("SELECT count(*) FROM {}").format(ddl.identifier(table))
        row = self.connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def holds_beyond_double(self, table: TableName, column: Column) -> bool:
        """Return whether a column holds an integer beyond 2^53."""
        query = sql.SQL("SELECT EXISTS (SELECT FROM {t} WHERE {c} > {n} OR {c} < -{n})").format(
            t=ddl.identifier(table), c=sql.Identifier(column.name), n=LONGEST_EXACT_INTEGER
        )
        row = self.connection.execute(query).fetchone()
        return bool(row and row[0])

    # -- making -----------------------------------------------------------------------------

    def create_schema(self, schema: str) -> None:
        """Make the schema unless it is there; a role that may not make schemas may use one."""
        query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
        if self.connection.execute(query, (schema,)).fetchone() is None:
            # IF NOT EXISTS does not help against another run that makes it at this moment.
            with suppress(psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation):
                self.connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))

    def create(self, table: TableName, plan: TablePlan, persistence: Persistence) -> None:
        """Make a table for a plan, without key or indexes."""
        self.connection.execute(ddl.create_statement(table, plan, persistence))

    def statements(
        self,
        table: TableName,
        before: TablePlan | None,
        after: TablePlan,
        key: Sequence[str],
        wishes: Sequence[IndexWish],
    ) -> list[str]:
        """Return the DDL that makes a table, or leads it from one plan to another, as text."""
        statements: list[sql.Composed] = []
        if before is None:
            statements.append(ddl.create_statement(table, after, "logged"))
            if key:
                statements.append(ddl.add_key_statement(table, key))
            statements += [ddl.index_statement(table, wish) for wish in wishes]
        else:
            statements += ddl.alter_statements(table, before, after)
        return [statement.as_string(self.connection) for statement in statements]

    def drop(self, tables: Sequence[TableName]) -> None:
        """Drop tables that are landbridge's own, where they exist."""
        if tables:
            self.connection.execute(
                sql.SQL("DROP TABLE IF EXISTS {}").format(
                    sql.SQL(", ").join(map(ddl.identifier, tables))
                )
            )

    def private_tables(self, schema: str, prefix: str) -> list[TableName]:
        """Return the tables of a schema whose names begin with `prefix`."""
        rows = self.connection.execute(
            "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = %s AND c.relkind = 'r' AND starts_with(c.relname, %s)",
            (schema, prefix),
        )
        return [TableName(schema, name) for (name,) in rows]

    def alter(self, table: TableName, before: TablePlan, after: TablePlan) -> None:
        """Follow a plan that grew, on a private table."""
        ddl.alter_private(self.connection, table, before, after)

    def alter_living(self, table: TableName, before: TablePlan, after: TablePlan) -> None:
        """Follow a plan that grew, on a table that readers use, inside the open transaction."""
        if ddl.alter_statements(table, before, after):
            ddl.with_lock_retries(
                self.connection,
                f"cannot alter {table}",
                lambda: ddl.alter_private(self.connection, table, before, after),
            )

    def copy(self, tables: Sequence[TableName], plan: Plan) -> AbstractContextManager[CopySink]:
        """COPY into the tables of a plan, whose columns are checked against the catalog first."""
        return copy_into(self.connection, tables, plan)

    # -- keys and indexes -------------------------------------------------------------------

    def add_key(self, table: TableName, columns: Sequence[str]) -> bool:
        """Give a table its primary key; False where two rows have the same."""
        return identity.add_key(self.connection, table, columns)

    def take_duplicates(self, tables: Sequence[TableName], plan: Plan) -> list[bytes]:
        """Remove all rows whose key stands more than once; return the ids as BSON documents."""
        return identity.take_duplicates(self.connection, tables, plan)

    def fill_key(self, tables: Sequence[TableName], before: Plan, after: Plan) -> None:
        """Compute `_key` for the rows of tables that were keyed by `_id` before."""
        identity.fill_key(self.connection, tables, before, after)

    def move_key(self, table: TableName) -> None:
        """Make `_key` the primary key of a living table; foreign keys keep a unique `_id`."""
        identity.move_key(self.connection, table)

    def add_indexes(self, table: TableName, wishes: Sequence[IndexWish]) -> list[IndexWish]:
        """Make the indexes that are wished and not there; return those that can't be made."""
        return ddl.add_indexes(self.connection, table, wishes)

    def flush_counts(self) -> None:
        """Report this session's rows now; reported after an ANALYZE they would count twice."""
        self.connection.execute("SELECT pg_stat_force_next_flush()")

    def analyze(self, table: TableName, plan: TablePlan) -> None:
        """Refresh the planner's statistics and the row count that monitoring shows."""
        self.flush_counts()
        self.connection.execute(ddl.analyze_statement(table, plan))

    # -- publishing -------------------------------------------------------------------------

    def rename(self, table: TableName, name: str) -> None:
        """Give a private table its public name."""
        ddl.rename(self.connection, table, name)

    def set_logged(self, table: TableName) -> None:
        """Make an unlogged table survive a crash."""
        self.connection.execute(sql.SQL("ALTER TABLE {} SET LOGGED").format(ddl.identifier(table)))

    def take_places(self, pairs: Sequence[tuple[TableName, TableName]]) -> None:
        """Let each first table replace the second, with owner and grants, in the transaction.

        A try that waits too long for one table gives all of them free again.
        """

        def swap() -> None:
            for table, living in pairs:
                ddl.copy_owner_and_grants(self.connection, living, table)
                self.drop([living])
                ddl.rename(self.connection, table, living.name)

        if pairs:
            replaced = ", ".join(str(living) for _, living in pairs)
            ddl.with_lock_retries(self.connection, f"cannot replace {replaced}", swap)

    def compare_keys(
        self,
        plan: Plan,
        source: TableName,
        living: TableName,
        staged: TableName | None,
        *,
        hashes: bool,
    ) -> KeyComparison:
        """Compare the keys of a source, in a table of their own, with those of a living table."""
        return compare.compare_keys(self.connection, plan, source, living, staged, hashes=hashes)

    def find_differences(self, plan: MergePlan) -> MergeCounts:
        """Compare staged with living rows, other writers locked out, readers not."""
        merge.lock_for_merge(self.connection, plan)
        return merge.find_differences(self.connection, plan)

    def entries_met(self, plan: MergePlan, entries: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose documents the merge speaks of."""
        return merge.entries_met(self.connection, plan, entries)

    def entries_without(self, key_column: str, entries: TableName, keys: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose key is not among `keys`."""
        return merge.entries_without(self.connection, key_column, entries, keys)

    def entries_with(self, key_column: str, entries: TableName, keys: TableName) -> list[int]:
        """Return the entries, of a table (key, entry), whose key is among `keys`."""
        return merge.entries_with(self.connection, key_column, entries, keys)

    def remove_rows(self, tables: Sequence[TableName], plan: Plan, keys: TableName) -> int:
        """Delete the rows with these keys, and their child rows; return how many of the first."""
        return merge.remove_rows(self.connection, tables, plan.key_column or "_id", keys)

    def forget_hashes(self, table: TableName, plan: Plan, keys: TableName) -> None:
        """Take the stored hashes off the rows with these keys, so that they count as different."""
        merge.forget_hashes(self.connection, table, plan.key_column or "_id", keys)

    def apply_differences(self, plan: MergePlan) -> list[int]:
        """Write the differences found; return the quarantine entries whose old rows left."""
        return merge.apply(self.connection, plan)
