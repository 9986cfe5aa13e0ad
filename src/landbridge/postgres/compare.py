"""Comparing a table's keys, and hashes, with those of its source.

For       The sweep, which finds what was deleted, and the heal, which finds all that differs.
Touches   The table, by reading; the temporary table of the source's keys.
Promises  A row that the source has not is named, and so is an id that the table has not.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.plan import Plan
from landbridge.model.tables import KeyComparison, TableName
from landbridge.postgres.ddl import identifier
from landbridge.postgres.identity import ids_of_keys

Connection = psycopg.Connection[Any]

_MEMORY = "128MB"


def compare_keys(
    connection: Connection,
    plan: Plan,
    source: TableName,
    living: TableName,
    staged: TableName | None,
    *,
    hashes: bool,
) -> KeyComparison:
    """Compare the keys in `source` with a living table, and what is staged for it.

    With `hashes` a row whose `_lb_hash` differs is as good as none.
    """
    settings = plan.settings
    key = sql.Identifier(plan.key_column or "_id")
    connection.execute("SELECT set_config('work_mem', %s, true)", (_MEMORY,))
    connection.execute(sql.SQL("ANALYZE {}").format(identifier(source)))
    rows: sql.Composable = identifier(living)
    if settings.load == "append":
        rows = sql.SQL(
            "(SELECT DISTINCT ON ({key}) * FROM {living} ORDER BY {key}, _sdc_sequence DESC)"
        ).format(key=key, living=rows)
    there = sql.SQL("t.{key} = k.{key}").format(key=key)
    still = sql.SQL("t._sdc_deleted_at IS NULL") if settings.soft_delete else sql.SQL("true")
    same = sql.SQL("t._lb_hash = k._lb_hash") if hashes else sql.SQL("true")
    lacking = sql.SQL(
        "FROM {source} k WHERE NOT EXISTS"
        " (SELECT FROM {rows} t WHERE {there} AND {still} AND {same})"
    ).format(source=identifier(source), rows=rows, there=there, still=still, same=same)
    if staged is not None:
        lacking = sql.SQL("{} AND NOT EXISTS (SELECT FROM {} s WHERE s.{key} = k.{key})").format(
            lacking, identifier(staged), key=key
        )
    gone = sql.SQL(
        "FROM {living} t WHERE {still} AND NOT EXISTS (SELECT FROM {source} k WHERE {there})"
    ).format(living=identifier(living), still=still, source=identifier(source), there=there)
    only_here: list[bytes] = []
    if settings.load != "append":
        only_here, _ = ids_of_keys(connection, plan, gone)
    only_there, hashed = ids_of_keys(connection, plan, lacking)
    return KeyComparison(only_here, only_there, hashed)
