"""Publishing staged rows into a living table: only what differs is written.

For       `overwrite`, `upsert` and `append` on a table that readers use.
Touches   The living table and its child tables, inside the caller's transaction.
Promises  A row that is the same is not written. Deletes beyond the guard are refused and counted.
          Other writers wait, readers do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from landbridge.errors import CountMismatchError
from landbridge.model.plan import Role
from landbridge.model.tables import MergeCounts, MergePlan, TableName
from landbridge.postgres.ddl import identifier, names, with_lock_retries

Connection = psycopg.Connection[Any]

DELETE_ROWS_GUARDED = 1000  # fewer deletes than this are never refused
_JOIN_MEMORY = "128MB"

_DIFF = sql.Identifier("pg_temp", "lb_diff")
_INSERT, _UPDATE, _DELETE, _QUARANTINED = "i", "u", "d", "q"


def lock_for_merge(connection: Connection, merge: MergePlan) -> None:
    """Keep other writers away until the transaction ends; readers are not disturbed."""
    tables = sql.SQL(", ").join(identifier(table) for table in merge.living)

    def lock() -> None:
        connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(tables))

    with_lock_retries(connection, f"cannot lock {merge.living[0]} to publish", lock)


def find_differences(connection: Connection, merge: MergePlan) -> MergeCounts:
    """Compare staged with living rows; the differences stay in a temporary table for `apply`."""
    if merge.every:
        return MergeCounts(inserted=_count(connection, merge.staging[0]))
    connection.execute("SELECT set_config('work_mem', %s, true)", (_JOIN_MEMORY,))
    if merge.partial:
        _prefer_index(connection, merge)
    # A pooled session may run several publishes in one transaction-less life.
    connection.execute("DROP TABLE IF EXISTS pg_temp.lb_diff")
    keyed = merge.plan.key_column is not None
    query = _keyed_differences(merge) if keyed else _keyless_differences(merge)
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE lb_diff ON COMMIT DROP AS {}").format(query))
    if merge.gone_keys is not None:
        _mark_gone(connection, merge, merge.gone_keys)
    if merge.quarantined_keys is not None:
        _mark_quarantined(connection, merge, merge.quarantined_keys)
    counts = dict(
        connection.execute(
            sql.SQL("SELECT what, count(*) FROM {} GROUP BY what").format(_DIFF)
        ).fetchall()
    )
    staged = _count(connection, merge.staging[0])
    inserted, updated = counts.get(_INSERT, 0), counts.get(_UPDATE, 0)
    found = MergeCounts(
        inserted=inserted,
        updated=updated,
        unchanged=staged - inserted - updated,
        deleted=counts.get(_DELETE, 0),
        quarantined=counts.get(_QUARANTINED, 0),
    )
    return _guarded(connection, merge, found)


def _prefer_index(connection: Connection, merge: MergePlan) -> None:
    """Let the planner know how few rows are staged, and that the table's key is in memory."""
    connection.execute("SELECT set_config('random_page_cost', '1.1', true)")
    key = sql.Identifier(merge.plan.key_column or "_lb_hash")
    connection.execute(sql.SQL("ANALYZE {} ({})").format(identifier(merge.staging[0]), key))


def _mark_gone(connection: Connection, merge: MergePlan, keys: TableName) -> None:
    """Let rows leave the table by their key; a document that is staged is there after all."""
    if merge.load == "append":
        return
    living = sql.SQL(" AND t._sdc_deleted_at IS NULL") if merge.soft_delete else sql.SQL("")
    connection.execute(
        sql.SQL(
            "INSERT INTO {diff} SELECT DISTINCT t.{key}, 'd' FROM {keys} g JOIN {living} t"
            " ON t.{key} = g.{key} WHERE NOT EXISTS"
            " (SELECT FROM {staging} s WHERE s.{key} = g.{key}){still}"
        ).format(
            diff=_DIFF,
            key=sql.Identifier(merge.plan.key_column or "_id"),
            keys=identifier(keys),
            living=identifier(merge.living[0]),
            staging=identifier(merge.staging[0]),
            still=living,
        )
    )


def entries_met(connection: Connection, merge: MergePlan, entries: TableName) -> list[int]:
    """Return the entries, of a table (key, entry), whose documents this merge speaks of."""
    key = sql.Identifier(merge.plan.key_column or "_id")
    tables = [merge.staging[0], merge.quarantined_keys, merge.gone_keys]
    known = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} FROM {}").format(key, identifier(table))
        for table in tables
        if table is not None
    )
    rows = connection.execute(
        sql.SQL("SELECT entry FROM {} WHERE {} IN ({})").format(identifier(entries), key, known)
    )
    return [entry for (entry,) in rows]


def entries_without(
    connection: Connection, key_column: str, entries: TableName, keys: TableName
) -> list[int]:
    """Return the entries, of a table (key, entry), whose key is not among `keys`."""
    rows = connection.execute(
        sql.SQL(
            "SELECT entry FROM {entries} e WHERE NOT EXISTS"
            " (SELECT FROM {keys} k WHERE k.{key} = e.{key})"
        ).format(entries=identifier(entries), keys=identifier(keys), key=sql.Identifier(key_column))
    )
    return [entry for (entry,) in rows]


def entries_with(
    connection: Connection, key_column: str, entries: TableName, keys: TableName
) -> list[int]:
    """Return the entries, of a table (key, entry), whose key is among `keys`."""
    rows = connection.execute(
        sql.SQL("SELECT entry FROM {entries} WHERE {key} IN (SELECT {key} FROM {keys})").format(
            entries=identifier(entries), keys=identifier(keys), key=sql.Identifier(key_column)
        )
    )
    return [entry for (entry,) in rows]


def remove_rows(
    connection: Connection, tables: Sequence[TableName], key_column: str, keys: TableName
) -> int:
    """Delete the rows with these keys, and their child rows; return how many of the first."""
    key = sql.Identifier(key_column)
    for child in tables[1:]:
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE _parent_id IN (SELECT {} FROM {})").format(
                identifier(child), key, identifier(keys)
            )
        )
    return connection.execute(
        sql.SQL("DELETE FROM {} WHERE {key} IN (SELECT {key} FROM {})").format(
            identifier(tables[0]), identifier(keys), key=key
        )
    ).rowcount


def forget_hashes(
    connection: Connection, table: TableName, key_column: str, keys: TableName
) -> None:
    """Take the stored hashes off the rows with these keys."""
    connection.execute(
        sql.SQL("UPDATE {} SET _lb_hash = NULL WHERE {key} IN (SELECT {key} FROM {})").format(
            identifier(table), identifier(keys), key=sql.Identifier(key_column)
        )
    )


def _mark_quarantined(connection: Connection, merge: MergePlan, keys: TableName) -> None:
    """Let the old rows of documents that are in quarantine now leave the table as such."""
    key = sql.Identifier(merge.plan.key_column or "_id")
    parts = {
        "diff": _DIFF,
        "living": identifier(merge.living[0]),
        "keys": identifier(keys),
        "key": key,
    }
    if merge.load == "upsert":
        query = (
            "INSERT INTO {diff} SELECT {key}, 'q' FROM {living}"
            " WHERE {key} IN (SELECT {key} FROM {keys})"
        )
    else:
        query = (
            "UPDATE {diff} SET what = 'q' WHERE what = 'd' AND key IN (SELECT {key} FROM {keys})"
        )
    connection.execute(sql.SQL(query).format(**parts))


def _guarded(connection: Connection, merge: MergePlan, found: MergeCounts) -> MergeCounts:
    if found.deleted <= DELETE_ROWS_GUARDED:
        return found
    living = _count(connection, merge.living[0])
    if found.deleted <= living * merge.max_delete_share_percent / 100:
        return found
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE what = {}").format(_DIFF, sql.Literal(_DELETE))
    )
    return replace(found, deleted=0, refused_deletes=found.deleted)


def apply(connection: Connection, merge: MergePlan) -> list[int]:
    """Write the differences that `find_differences` left.

    Returns the quarantine entries whose documents' old rows left the table.
    """
    if merge.every:
        _append_all(connection, merge)
        return []
    if merge.plan.key_column is None:
        _apply_keyless(connection, merge)
        return []
    replaced = []
    if merge.quarantined_keys is not None:
        rows = connection.execute(
            sql.SQL("SELECT q.entry FROM {} q JOIN {} d ON q.{} = d.key WHERE d.what = {}").format(
                identifier(merge.quarantined_keys),
                _DIFF,
                sql.Identifier(merge.plan.key_column or "_id"),
                sql.Literal(_QUARANTINED),
            )
        )
        replaced = [entry for (entry,) in rows]
    _apply_keyed(connection, merge)
    return replaced


# -- tables with a key --------------------------------------------------------------------


def _keyed_differences(merge: MergePlan) -> sql.Composed:
    key = sql.Identifier(merge.plan.key_column or "_id")
    staging = identifier(merge.staging[0])
    living: sql.Composable = identifier(merge.living[0])
    on: sql.Composable = sql.SQL("s.{key} = t.{key}").format(key=key)
    if merge.load == "append" and merge.partial:
        living = sql.SQL(
            "LATERAL (SELECT * FROM {living} WHERE {key} = s.{key}"
            " ORDER BY _sdc_sequence DESC LIMIT 1)"
        ).format(key=key, living=living)
        on = sql.SQL("true")
    elif merge.load == "append":
        living = sql.SQL(
            "(SELECT DISTINCT ON ({key}) * FROM {living} ORDER BY {key}, _sdc_sequence DESC)"
        ).format(key=key, living=living)
    differs: sql.Composable = sql.SQL("s._lb_hash IS DISTINCT FROM t._lb_hash")
    if merge.compare_values:
        differs = sql.SQL("({} OR {})").format(differs, _images_differ(merge))
    gone: sql.Composable = sql.SQL("s.{key} IS NULL").format(key=key)
    if merge.soft_delete:
        differs = sql.SQL("({} OR t._sdc_deleted_at IS NOT NULL)").format(differs)
        gone = sql.SQL("({} AND t._sdc_deleted_at IS NULL)").format(gone)
    join = sql.SQL("FULL JOIN" if merge.load == "overwrite" else "LEFT JOIN")
    return sql.SQL(
        """
        SELECT coalesce(s.{key}, t.{key}) AS key,
               CASE WHEN t.{key} IS NULL THEN 'i' WHEN s.{key} IS NULL THEN 'd' ELSE 'u' END AS what
        FROM {staging} s {join} {living} t ON {on}
        WHERE t.{key} IS NULL OR {gone} OR (s.{key} IS NOT NULL AND {differs})
        """
    ).format(key=key, staging=staging, join=join, living=living, on=on, gone=gone, differs=differs)


def _images_differ(merge: MergePlan) -> sql.Composed:
    """Compare all values of a row byte by byte, as a hand-edited row needs."""
    compared = [c.name for c in merge.plan.main.columns if c.role is not Role.CONSTANT]

    def image(alias: str) -> sql.Composed:
        # The cast keeps PostgreSQL from comparing column by column, which has no such operator.
        return sql.SQL("ROW({})::record").format(
            sql.SQL(", ").join(sql.Identifier(alias, name) for name in compared)
        )

    return sql.SQL("{} *<> {}").format(image("s"), image("t"))


def _apply_keyed(connection: Connection, merge: MergePlan) -> None:
    key = sql.Identifier(merge.plan.key_column or "_id")
    staging, living = identifier(merge.staging[0]), identifier(merge.living[0])
    columns = [column.name for column in merge.plan.main.columns]
    if merge.load == "append":
        added = _insert(connection, merge, 0, key, [_INSERT, _UPDATE])
        _require_written(connection, merge, added)
        return
    _replace_children(connection, merge)
    gone = sql.SQL(
        "DELETE FROM {living} t USING {diff} d WHERE t.{key} = d.key AND d.what = ANY({w})"
    )
    if merge.soft_delete:
        connection.execute(
            sql.SQL(
                "UPDATE {living} t SET _sdc_deleted_at = now() FROM {diff} d"
                " WHERE t.{key} = d.key AND d.what = 'd'"
            ).format(living=living, diff=_DIFF, key=key)
        )
    removed = [_QUARANTINED] if merge.soft_delete else [_DELETE, _QUARANTINED]
    connection.execute(gone.format(living=living, diff=_DIFF, key=key, w=sql.Literal(removed)))
    assigned = [name for name in columns if name != merge.plan.key_column]
    changed = connection.execute(
        sql.SQL(
            "UPDATE {living} t SET {assignments} FROM {staging} s, {diff} d"
            " WHERE s.{key} = d.key AND t.{key} = d.key AND d.what = 'u'"
        ).format(
            living=living,
            assignments=sql.SQL(", ").join(
                sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier("s", name))
                for name in assigned
            ),
            staging=staging,
            diff=_DIFF,
            key=key,
        )
    )
    added = _insert(connection, merge, 0, key, [_INSERT])
    _require_written(connection, merge, changed.rowcount + added)
    _add_children(connection, merge)


def _append_all(connection: Connection, merge: MergePlan) -> None:
    columns = names(column.name for column in merge.plan.main.columns)
    connection.execute(
        sql.SQL("INSERT INTO {} ({columns}) SELECT {columns} FROM {}").format(
            identifier(merge.living[0]), identifier(merge.staging[0]), columns=columns
        )
    )


def _require_written(connection: Connection, merge: MergePlan, rows: int) -> None:
    """See that every difference found was written: one without a key would not be."""
    found = connection.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE what IN ('i', 'u')").format(_DIFF)
    ).fetchone()
    if found is None or found[0] != rows:
        raise CountMismatchError(
            f"{merge.living[0]} was not changed",
            why=f"{found and found[0]} rows differ, and {rows} were written",
            fix="start the same command again; if it happens twice, report it",
        )


def _replace_children(connection: Connection, merge: MergePlan) -> None:
    for child in merge.living[1:]:
        connection.execute(
            sql.SQL(
                "DELETE FROM {child} c USING {diff} d WHERE c._parent_id = d.key AND d.what <> 'i'"
            ).format(child=identifier(child), diff=_DIFF)
        )


def _add_children(connection: Connection, merge: MergePlan) -> None:
    for table in range(1, len(merge.plan.tables)):
        parent = sql.Identifier("_parent_id")
        _insert(connection, merge, table, parent, [_INSERT, _UPDATE])


def _insert(
    connection: Connection, merge: MergePlan, table: int, key: sql.Identifier, what: list[str]
) -> int:
    """Insert staged rows of one table whose key differs in that way; return how many."""
    columns = [column.name for column in merge.plan.tables[table].columns]
    return connection.execute(
        sql.SQL(
            "INSERT INTO {living} ({columns}) SELECT {staged} FROM {staging} s"
            " JOIN {diff} d ON s.{key} = d.key WHERE d.what = ANY({what})"
        ).format(
            living=identifier(merge.living[table]),
            columns=names(columns),
            staged=_of("s", columns),
            staging=identifier(merge.staging[table]),
            diff=_DIFF,
            key=key,
            what=sql.Literal(what),
        )
    ).rowcount


# -- tables without one: rows are a multiset -----------------------------------------------


def _keyless_differences(merge: MergePlan) -> sql.Composed:
    """Return one row for each copy of a row that is missing or too many, by its hash."""
    if merge.load == "append":
        return sql.SQL(
            "SELECT s._lb_hash AS key, 'i' AS what FROM {staging} s WHERE NOT EXISTS"
            " (SELECT FROM {living} t WHERE t._lb_hash = s._lb_hash)"
        ).format(staging=identifier(merge.staging[0]), living=identifier(merge.living[0]))
    return sql.SQL(
        """
        SELECT key, CASE WHEN staged > living THEN 'i' ELSE 'd' END AS what
        FROM (SELECT coalesce(s._lb_hash, t._lb_hash) AS key,
                     coalesce(s.n, 0) AS staged, coalesce(t.n, 0) AS living
              FROM (SELECT _lb_hash, count(*) AS n FROM {staging} GROUP BY 1) s
              FULL JOIN (SELECT _lb_hash, count(*) AS n FROM {living} GROUP BY 1) t
                   USING (_lb_hash)) AS both_sides
        CROSS JOIN LATERAL generate_series(1, abs(staged - living)) AS copy
        WHERE staged > living OR (staged < living AND {replaces})
        """
    ).format(
        staging=identifier(merge.staging[0]),
        living=identifier(merge.living[0]),
        replaces=sql.Literal(merge.load == "overwrite"),
    )


def _apply_keyless(connection: Connection, merge: MergePlan) -> None:
    staging, living = identifier(merge.staging[0]), identifier(merge.living[0])
    columns = [column.name for column in merge.plan.main.columns]
    numbered = sql.SQL(
        "SELECT {what}, row_number() OVER (PARTITION BY _lb_hash) AS copy FROM {table}"
        " WHERE _lb_hash IN (SELECT key FROM {diff} WHERE what = {which})"
    )
    wanted = sql.SQL("SELECT key, count(*) AS n FROM {diff} WHERE what = {which} GROUP BY key")
    connection.execute(
        sql.SQL(
            "DELETE FROM {living} WHERE ctid IN (SELECT r.id FROM ({rows}) r"
            " JOIN ({wanted}) w ON w.key = r._lb_hash AND r.copy <= w.n)"
        ).format(
            living=living,
            rows=numbered.format(
                what=sql.SQL("ctid AS id, _lb_hash"), table=living, diff=_DIFF, which="d"
            ),
            wanted=wanted.format(diff=_DIFF, which="d"),
        )
    )
    connection.execute(
        sql.SQL(
            "INSERT INTO {living} ({columns}) SELECT {staged} FROM ({rows}) r"
            " JOIN ({wanted}) w ON w.key = r._lb_hash AND r.copy <= w.n"
        ).format(
            living=living,
            columns=names(columns),
            staged=_of("r", columns),
            rows=numbered.format(what=names(columns), table=staging, diff=_DIFF, which="i"),
            wanted=wanted.format(diff=_DIFF, which="i"),
        )
    )


def _of(alias: str, columns: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in columns)


def _count(connection: Connection, table: TableName) -> int:
    row = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(identifier(table))
    ).fetchone()
    return int(row[0]) if row else 0
