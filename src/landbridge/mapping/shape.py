"""Shapes: which columns of which tables a collection's rules fill, by the catalogue.

For       Converting documents and writing their rows.
Touches   Nothing.
Promises  Made of a mapping that `check` has passed; the order of columns is the mapping's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from landbridge.mapping.rules import (
    ChildRule,
    CollectionRule,
    ColumnRule,
    Dangling,
    Mapping,
)
from landbridge.model.importing import Reference, RowShape, StreamShape
from landbridge.model.relational import RelationalColumn, RelationalSchema, RelationalTable
from landbridge.model.tables import TableName

LateColumn = tuple[str, str, str]  # collection, table, column


def shape_of(
    mapping: Mapping,
    rule: CollectionRule,
    schema: RelationalSchema,
    policy: Dangling,
    late: Collection[LateColumn],
    kept: Collection[LateColumn] = (),
) -> StreamShape:
    """Return what a collection fills.

    `late` names the columns that are settled in a second pass, `kept` those of them that are
    written at once.
    """
    place = f"collections.{rule.collection}"
    serial = rule.key.form == "serial"
    tables = [
        _rows(
            mapping,
            rule,
            table_of(schema, rule.table),
            (rule.key.column,),
            rule.columns,
            (rule.key.column,),
            policy,
            late,
            kept,
            place,
            serial=serial,
        )
    ]
    for child in rule.children:
        table = table_of(schema, child.table)
        tables.append(
            _rows(
                mapping,
                rule,
                table,
                made_columns(child),
                child.columns,
                child_identity(child, table) or (),
                policy,
                late,
                kept,
                f"{place}.children.{child.source}",
                parent=child.parent,
                source=child.source,
            )
        )
    return StreamShape(rule.collection, rule.key.column, tuple(tables))


def table_of(schema: RelationalSchema, name: str) -> RelationalTable:
    """Return a table that is known to be there."""
    table = schema.table(name)
    assert table is not None, name
    return table


def made_columns(child: ChildRule) -> tuple[str, ...]:
    """Return the columns of a child that no rule fills: parent, ordinal and key."""
    made = [child.parent]
    if child.ordinal is not None:
        made.append(child.ordinal)
    if child.key is not None:
        made.append(child.key.column)
    return tuple(made)


def child_identity(child: ChildRule, table: RelationalTable) -> tuple[str, ...] | None:
    """Return the columns that tell a child's row from others: its key, or a unique key."""
    if child.key is not None:
        return (child.key.column,)
    # A NULL is like no other NULL: only columns that always have a value tell rows apart.
    filled = set(made_columns(child))
    for rule in child.columns:
        column = table.column(rule.column)
        certain = rule.required or rule.default is not None
        if column is not None and (certain or not column.nullable):
            filled.add(rule.column)
    for key in table.keys:
        if child.parent in key.columns and filled.issuperset(key.columns) and not key.deferrable:
            return key.columns
    return None


def uses_default(rule: ColumnRule, column: RelationalColumn) -> bool:
    """Whether a document without the value gets what the table itself sets."""
    return (
        not column.nullable
        and not rule.required
        and rule.default is None
        and (column.default is not None or column.identity != "")
    )


def _rows(
    mapping: Mapping,
    owner: CollectionRule,
    table: RelationalTable,
    made: Sequence[str],
    rules: Sequence[ColumnRule],
    identity: tuple[str, ...],
    policy: Dangling,
    late: Collection[LateColumn],
    kept: Collection[LateColumn],
    path: str,
    *,
    parent: str | None = None,
    source: str = "",
    serial: bool = False,
) -> RowShape:
    by_name = {column.name: column for column in table.columns}
    columns = (*made, *(rule.column for rule in rules))
    references = []
    extra = len(columns)
    for place, rule in enumerate(rules, len(made)):
        if rule.cast != "id" or rule.source is None:
            continue
        target = mapping.of(rule.to or owner.collection) or owner
        column = by_name[rule.column]
        is_serial = target.key.form == "serial"
        references.append(
            Reference(
                column=rule.column,
                place=place,
                to=target.collection,
                table=TableName(table.name.schema, target.table),
                key=target.key.column,
                serial=is_serial,
                null_dangling=(rule.dangling or policy) == "null"
                and column.nullable
                and not rule.required,
                late=(owner.collection, table.name.name, rule.column) in late,
                kept=(owner.collection, table.name.name, rule.column) in kept,
                extra=extra,
                path=f"{path}.columns.{rule.column}",
                source=".".join(part for part in (source, rule.source) if part not in ("", ".")),
            )
        )
        extra += 2 if is_serial else 1
    return RowShape(
        table=table,
        columns=columns,
        identity=identity,
        references=tuple(references),
        extras=extra - len(columns),
        path=path,
        defaulted=frozenset(
            rule.column for rule in rules if uses_default(rule, by_name[rule.column])
        ),
        parent=parent,
        source=source,
        serial=serial,
    )
