"""Which column identifies the rows of a table, and how it is made of an `_id`.

For       Proposing a mapping.
Touches   Nothing.
Promises  A form that the column can hold; what is guessed is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from landbridge.mapping.profile import FieldProfile
from landbridge.mapping.proposing import suitability
from landbridge.mapping.rules import IdForm, KeyRule
from landbridge.model.relational import RelationalColumn, RelationalSchema, RelationalTable

HEX_LENGTH = 24
_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("text", "character varying", "character")


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a table, and what is to be said of it."""

    rule: KeyRule | None
    comment: str = ""
    point: str = ""  # what a person has to decide


def key_of(
    table: RelationalTable,
    ids: FieldProfile | None,
    generators: Mapping[tuple[str, str], str],
    *,
    prisma: bool,
) -> Key:
    """Return the key of the table that a collection with these ids fills."""
    column = _column(table)
    primary = table.primary
    if column is None:
        if primary is None:
            return Key(None, point=f"its table {table.name.name} has no primary key")
        names = ", ".join(primary.columns)
        return Key(
            None, point=f"the key of its table {table.name.name} has several columns: {names}"
        )
    form, comment = _form(table, column, ids, generators, prisma)
    if form is None:
        return Key(None, point=f"its key {column.name} is {column.type}, which no id becomes")
    if primary is None or primary.columns != (column.name,):
        comment = f"not the primary key, but unique{'; ' + comment if comment else ''}"
    return Key(KeyRule(column.name, form), comment)


def key_of_child(
    table: RelationalTable, link: str, generators: Mapping[tuple[str, str], str]
) -> KeyRule | None:
    """Return the key of a child table's rows, None where they have none of their own."""
    column = _column(table)
    if column is None or column.name == link or column.sequence or column.identity:
        return None
    if any(column.name in key.columns for key in table.foreign_keys):
        return None
    if column.base == "uuid":
        return KeyRule(column.name, "uuid")
    if column.base in _TEXTS:
        by_uuid = generators.get((table.name.name, column.name)) == "uuid"
        return KeyRule(column.name, "uuid" if by_uuid else "cuid")
    return None


def is_prisma(schema: RelationalSchema) -> bool:
    """Whether a schema looks as Prisma makes them: its migrations, or names with capitals."""
    return any(
        table.name.name == "_prisma_migrations"
        or any(column.name != column.name.lower() for column in table.columns)
        for table in schema.tables
    )


def _column(table: RelationalTable) -> RelationalColumn | None:
    """Return the one column of the primary key, else the one that is unique and never null."""
    if table.primary is not None and len(table.primary.columns) == 1:
        return table.column(table.primary.columns[0])
    if table.primary is None:
        for key in table.keys:
            column = table.column(key.columns[0])
            if len(key.columns) == 1 and column is not None and not column.nullable:
                return column
    return None


def _form(
    table: RelationalTable,
    column: RelationalColumn,
    ids: FieldProfile | None,
    generators: Mapping[tuple[str, str], str],
    prisma: bool,
) -> tuple[IdForm | None, str]:
    whole = ids.share("int", "long") if ids else 0
    words = ids.share("string") if ids else 0
    if column.base == "uuid":
        return "uuid", ""
    if column.base in _INTEGERS:
        if ids is not None and whole == 1:
            return "same", "; ".join(suitability.bounds(ids, column))
        if column.sequence is None and not column.identity:
            return None, ""
        return "serial", "numbers by the sequence" if not whole else "some ids are numbers already"
    if column.base not in _TEXTS:
        return None, ""
    hex_words = (ids.formats.get("hex24", 0) / ids.present) if ids and ids.present else 0
    generator = generators.get((table.name.name, column.name))
    if generator == "uuid":
        return "uuid", ""
    if generator in ("cuid", "ulid", "nanoid"):
        return "cuid", "" if generator == "cuid" else f"in the place of {generator}()"
    if words == 1 and hex_words < 1:
        return "same", ""
    if column.length == HEX_LENGTH or not prisma:
        return "hex", ""
    return (
        "cuid",
        "or uuid, as the application makes ids; hex would keep the digits of the ObjectId",
    )
