"""COPY: finished tuples into tables, over one connection.

For       The last step of the hot path: bytes that the codec made go to the server as they are.
Touches   The target's tables.
Promises  Columns are checked against the catalog before the first byte. An error inside the
          context ends the COPY without its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.plan import Plan
from landbridge.model.tables import CopySink, TableName
from landbridge.postgres.catalog import check_columns
from landbridge.postgres.ddl import identifier, names

Connection = psycopg.Connection[Any]

# https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"
_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"


@contextmanager
def copy_into(
    connection: Connection, tables: Sequence[TableName], plan: Plan
) -> Iterator[CopySink]:
    """Copy into the tables of a plan until the context is left.

    One table is one COPY command. Several take turns, a command for each batch, since a
    connection runs one COPY at a time.

    Raises:
        TableChangedError: a table's columns are not those of the plan.

    """
    for table, shape in zip(tables, plan.tables, strict=True):
        check_columns(connection, table, shape.columns)
    statements = [
        sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            identifier(table), names(column.name for column in shape.columns)
        )
        for table, shape in zip(tables, plan.tables, strict=True)
    ]
    with connection.cursor() as cursor:
        if len(statements) == 1:
            with cursor.copy(statements[0]) as copy:
                copy.write(_HEADER)
                yield _OneTable(copy)
                copy.write(_TRAILER)
        else:
            yield _TakingTurns(cursor, statements)


class _OneTable:
    def __init__(self, copy: psycopg.Copy) -> None:
        self._copy = copy

    def write(self, outputs: Sequence[memoryview]) -> None:
        if len(outputs[0]):
            self._copy.write(outputs[0])


class _TakingTurns:
    def __init__(self, cursor: psycopg.Cursor[Any], statements: Sequence[sql.Composed]) -> None:
        self._cursor = cursor
        self._statements = statements

    def write(self, outputs: Sequence[memoryview]) -> None:
        for statement, output in zip(self._statements, outputs, strict=True):
            if len(output):
                with self._cursor.copy(statement) as copy:
                    copy.write(_HEADER)
                    copy.write(output)
                    copy.write(_TRAILER)
