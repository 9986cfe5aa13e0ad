"""A mapping held against the tables that it names, before anything is read.

For       The import and everything else that goes by a mapping.
Touches   Nothing.
Promises  All problems at once, each with its key path in the file. What passes names only columns
          that are there and can be written, and leaves out none that must be.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from landbridge.mapping.fit import FLOATS, INTEGER_BITS, JSON, TEXTS, TIMESTAMPS
from landbridge.mapping.ids import Unfit
from landbridge.mapping.order import order_of
from landbridge.mapping.rules import Cast, ChildRule, CollectionRule, ColumnRule, KeyRule, Mapping
from landbridge.mapping.shape import child_identity, made_columns
from landbridge.mapping.values import default_text
from landbridge.model.relational import RelationalColumn, RelationalSchema, RelationalTable

_NUMBERS = (*INTEGER_BITS, *FLOATS, "numeric", "money")
_ALL_TEXT: tuple[Cast, ...] = (
    "text",
    "integer",
    "number",
    "boolean",
    "timestamp",
    "date",
    "uuid",
    "enum",
    "json",
    "id",
)


def problems(mapping: Mapping, schema: RelationalSchema) -> list[str]:
    """Return everything that keeps a mapping from being used with these tables."""
    found: list[str] = []
    for rule in mapping.collections:
        found.extend(_collection(mapping, rule, schema))
    if not found:
        found.extend(order_of(mapping, schema).problems)
    return found


def notes(mapping: Mapping, schema: RelationalSchema) -> list[str]:
    """Return what is worth knowing before rows are written: triggers, indexes with conditions."""
    found = []
    named = {
        name
        for rule in mapping.collections
        for name in (rule.table, *(child.table for child in rule.children))
    }
    for name in sorted(named):
        table = schema.table(name)
        if table is None:
            continue
        if table.triggers:
            names = ", ".join(trigger.name for trigger in table.triggers)
            found.append(f"{table.name} has triggers, which fire for every row: {names}")
    return found


def _collection(mapping: Mapping, rule: CollectionRule, schema: RelationalSchema) -> Iterator[str]:
    place = f"collections.{rule.collection}"
    table = schema.table(rule.table)
    if table is None:
        yield f"{place}.table: {_no_table(schema, rule.table)}"
    else:
        yield from _key(table, rule.key, place)
        if table.primary is None:
            yield f"{place}.table: {table.name} has no primary key: add one, to find rows again"
        yield from _columns(mapping, rule, table, rule.columns, [rule.key.column], place, schema)
    seen: dict[str, str] = {rule.table: place}
    for child in rule.children:
        below = f"{place}.children.{child.source}"
        if child.table in seen:
            yield f"{below}.table: {child.table} is filled by {seen[child.table]} already"
        seen[child.table] = below
        found = schema.table(child.table)
        if found is None:
            yield f"{below}.table: {_no_table(schema, child.table)}"
            continue
        yield from _child(mapping, rule, child, found, below, schema, table)


def _child(
    mapping: Mapping,
    rule: CollectionRule,
    child: ChildRule,
    table: RelationalTable,
    place: str,
    schema: RelationalSchema,
    parent: RelationalTable | None,
) -> Iterator[str]:
    if child.key is not None:
        yield from _key(table, child.key, place)
    elif child_identity(child, table) is None:
        yield (
            f"{place}: nothing tells the rows of {table.name} apart: add a key, or fill the columns"
            f" of a unique key that holds {child.parent}"
        )
    if table.primary is None:
        yield f"{place}.table: {table.name} has no primary key"
    for name, column in (("parent", child.parent), ("ordinal", child.ordinal)):
        if column is not None:
            yield from _writable(table, column, f"{place}.{name}")
    for key in table.foreign_keys:
        if (
            child.parent in key.columns
            and parent is not None
            and (key.target, key.target_columns) != (parent.name, (rule.key.column,))
        ):
            yield (
                f"{place}.parent: the foreign key {key.name} leads to {key.target}"
                f" ({', '.join(key.target_columns)}), not to {parent.name} ({rule.key.column})"
            )
    made = list(made_columns(child))
    yield from _columns(mapping, rule, table, child.columns, made, place, schema)


def _no_table(schema: RelationalSchema, name: str) -> str:
    near = next(
        (one.name.name for one in schema.tables if one.name.name.lower() == name.lower()), None
    )
    hint = f"; there is {near}" if near else ""
    return f"there is no table {name} in the schema {schema.name}{hint}"


def _key(table: RelationalTable, key: KeyRule, place: str) -> Iterator[str]:
    where = f"{place}.key"
    column = table.column(key.column)
    if column is None:
        yield f"{where}.column: {table.name} has no column {key.column}"
        return
    keys = [one for one in table.keys if one.columns == (key.column,)]
    if not keys:
        yield f"{where}.column: {table.name}.{key.column} is not unique by itself"
    elif all(one.deferrable for one in keys):
        yield f"{where}.column: the key {keys[0].name} is deferrable, and can't settle an upsert"
    if key.form == "serial":
        if column.sequence is None:
            yield f"{where}.as: {table.name}.{key.column} has no sequence to take numbers from"
        return
    yield from _writable(table, key.column, f"{where}.column")
    base = column.base
    texts = (*TEXTS, "uuid") if key.form == "uuid" else TEXTS
    if key.form != "same" and (base not in texts or column.array):
        yield f"{where}.as: {key.form} makes text, and {table.name}.{key.column} is {column.type}"
    widths = {"uuid": 36, "cuid": 25, "hex": 24}
    if column.length is not None and column.length < widths.get(key.form, 0):
        yield f"{where}.as: {key.form} takes {widths[key.form]} characters, not {column.type}"


def _columns(
    mapping: Mapping,
    owner: CollectionRule,
    table: RelationalTable,
    rules: Sequence[ColumnRule],
    made: list[str],
    place: str,
    schema: RelationalSchema,
) -> Iterator[str]:
    filled = set(made)
    for rule in rules:
        where = f"{place}.columns.{rule.column}"
        if rule.column in filled:
            yield f"{where}: the column is filled already"
        filled.add(rule.column)
        column = table.column(rule.column)
        if column is None:
            yield f"{where}: {table.name} has no such column{_near(table, rule.column)}"
            continue
        yield from _writable(table, rule.column, where)
        if rule.cast == "id" and rule.source is not None:
            yield from _reference(mapping, owner, rule, table, where, schema)
        elif rule.source is not None and not _takes(column, rule):
            yield f"{where}.as: {column.type} takes no {rule.cast}"
            continue
        if column.enum is not None:
            enum = column.enum
            for value, label in rule.values.items():
                if label not in enum.labels:
                    yield f"{where}.values.{value}: the enum {enum.name} has no label {label}"
        try:
            default = default_text(rule, column)
            if default is None and rule.source is None and not column.nullable:
                yield f"{where}.default: {table.name}.{rule.column} can't be NULL"
        except Unfit as unfit:
            yield f"{where}.default: {unfit}"
    for column in table.columns:
        itself = (
            column.nullable
            or column.generated
            or column.identity
            or column.default is not None
            or table.insert_trigger is not None  # it may fill the column: the rows will tell
        )
        if column.name not in filled and not itself:
            yield (
                f"{place}.columns: {table.name}.{column.name} can't be NULL and has no default:"
                " give it a source or a default"
            )


def _near(table: RelationalTable, name: str) -> str:
    def plain(text: str) -> str:
        return text.replace("_", "").lower()

    found = [column.name for column in table.columns if plain(column.name) == plain(name)]
    return f"; there is {found[0]}" if found else ""


def _writable(table: RelationalTable, name: str, where: str) -> Iterator[str]:
    column = table.column(name)
    if column is None:
        yield f"{where}: {table.name} has no column {name}"
    elif column.generated:
        yield f"{where}: {table.name}.{name} is generated, and nothing can be written to it"
    elif column.identity == "always":
        yield (
            f"{where}: {table.name}.{name} is GENERATED ALWAYS AS IDENTITY: leave it out, or take"
            " a serial key"
        )


def _reference(
    mapping: Mapping,
    owner: CollectionRule,
    rule: ColumnRule,
    table: RelationalTable,
    where: str,
    schema: RelationalSchema,
) -> Iterator[str]:
    name = rule.to or owner.collection
    target = mapping.of(name)
    if target is None:
        yield f"{where}.to: the mapping has no collection {name}"
        return
    wanted = (target.table, (target.key.column,))
    for key in table.foreign_keys:
        if key.columns != (rule.column,):
            continue
        if (key.target.name, key.target_columns) != wanted or key.target.schema != schema.name:
            yield (
                f"{where}.to: the foreign key {key.name} leads to {key.target}"
                f" ({', '.join(key.target_columns)}), and {name} fills {target.table}"
                f" ({target.key.column})"
            )
    column = table.column(rule.column)
    if column is not None and not column.nullable and rule.dangling == "null":
        yield f"{where}.dangling: {table.name}.{rule.column} can't be NULL: quarantine instead"


def _takes(column: RelationalColumn, rule: ColumnRule) -> bool:
    """Whether a cast makes something that a column's type reads."""
    cast = rule.cast
    if column.array or cast == "array":
        return column.array and cast == "array" and _takes_one(column, rule.of or "text")
    return _takes_one(column, cast)


def _takes_one(column: RelationalColumn, cast: Cast) -> bool:
    base = column.base
    if column.enum is not None:
        return cast in ("enum", "text")
    if base in TEXTS:
        return cast in _ALL_TEXT
    if base in _NUMBERS:
        return cast in ("integer", "number")
    if base in TIMESTAMPS:
        return cast in ("timestamp", "date")
    if base in JSON:
        return cast == "json"
    special: dict[str, tuple[Cast, ...]] = {
        "boolean": ("boolean",),
        "date": ("date",),
        "uuid": ("uuid", "text"),
        "bytea": ("bytes",),
    }
    # Of other types the server itself decides whether it reads the text.
    return cast in special.get(base, _ALL_TEXT)
