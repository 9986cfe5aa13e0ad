"""A `schema.prisma` file as the tables that a migration of it makes in PostgreSQL.

For       Proposing a mapping before the database exists.
Touches   Nothing.
Promises  The same description as the catalogue would give after the migration, tables by name.
          What Prisma's client fills by itself (`cuid()`, `uuid()`) is told apart, as the
          database doesn't know of it. Errors name the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from landbridge.mapping.prisma_text import Attribute, Block, Call, Field, Word, parse, refuse
from landbridge.model.relational import (
    Action,
    Enumeration,
    ForeignKey,
    RelationalColumn,
    RelationalSchema,
    RelationalTable,
    UniqueKey,
)
from landbridge.model.tables import TableName

PROVIDERS = ("postgresql", "postgres", "cockroachdb")

# Scalar -> (type as PostgreSQL prints it, its plain name).
_SCALARS = {
    "String": ("text", "text"),
    "Boolean": ("boolean", "boolean"),
    "Int": ("integer", "integer"),
    "BigInt": ("bigint", "bigint"),
    "Float": ("double precision", "double precision"),
    "Decimal": ("numeric(65,30)", "numeric"),
    "DateTime": ("timestamp(3) without time zone", "timestamp without time zone"),
    "Json": ("jsonb", "jsonb"),
    "Bytes": ("bytea", "bytea"),
}
# `@db.` type -> plain name.
_NATIVE = {
    "Text": "text",
    "Char": "character",
    "VarChar": "character varying",
    "Bit": "bit",
    "VarBit": "bit varying",
    "Uuid": "uuid",
    "Xml": "xml",
    "Inet": "inet",
    "Citext": "citext",
    "Integer": "integer",
    "SmallInt": "smallint",
    "BigInt": "bigint",
    "Oid": "oid",
    "Money": "money",
    "Decimal": "numeric",
    "DoublePrecision": "double precision",
    "Real": "real",
    "Boolean": "boolean",
    "Timestamp": "timestamp without time zone",
    "Timestamptz": "timestamp with time zone",
    "Time": "time without time zone",
    "Timetz": "time with time zone",
    "Date": "date",
    "Json": "json",
    "JsonB": "jsonb",
    "ByteA": "bytea",
}
_SIZED = ("character", "character varying", "bit", "bit varying")
_ACTIONS: dict[str, Action] = {
    "NoAction": "no action",
    "Restrict": "restrict",
    "Cascade": "cascade",
    "SetNull": "set null",
    "SetDefault": "set default",
}
_BY_CLIENT = ("cuid", "uuid", "ulid", "nanoid")


@dataclass(frozen=True, slots=True)
class PrismaSchema:
    """The tables of a schema file, and the columns that Prisma's client fills."""

    schema: RelationalSchema
    generators: Mapping[tuple[str, str], str]  # (table, column) -> `cuid`, `uuid`, …


@dataclass(slots=True)
class _Reading:
    """What is known of a file while its models become tables."""

    name: str
    schema: str
    models: Mapping[str, Block]
    enums: Mapping[str, Enumeration]
    labels: Mapping[str, Mapping[str, str]]  # enum in the file -> label in the file -> stored
    generators: dict[tuple[str, str], str] = field(default_factory=dict)


def read_prisma(text: str, name: str, schema: str = "public") -> PrismaSchema:
    """Return what a schema file describes; `name` is the file's, for errors.

    Raises:
        SchemaFileError: it is not a Prisma schema, or not one for PostgreSQL.

    """
    blocks = parse(text, name)
    for block in blocks:
        provider = block.settings.get("provider")
        if block.kind == "datasource" and provider not in PROVIDERS:
            refuse(name, block.line, f"its provider is {provider}", "name a PostgreSQL schema")
        if block.kind == "type":
            refuse(
                name,
                block.line,
                f"{block.name} is a composite type, which only MongoDB has",
                "name a schema for PostgreSQL",
            )
    models = {block.name: block for block in blocks if block.kind == "model"}
    if not models:
        refuse(name, 1, "it has no model", "name the schema.prisma that describes the tables")
    labels = {
        block.name: {label.name: _mapped(label.attributes, label.name) for label in block.fields}
        for block in blocks
        if block.kind == "enum"
    }
    enums = {
        block.name: Enumeration(
            schema, _mapped(block.attributes, block.name), tuple(labels[block.name].values())
        )
        for block in blocks
        if block.kind == "enum"
    }
    reading = _Reading(name, schema, models, enums, labels)
    tables = [_table(reading, model) for model in models.values()]
    tables += _join_tables(reading)
    return PrismaSchema(
        RelationalSchema(
            schema,
            tuple(sorted(tables, key=lambda table: table.name.name)),
            tuple(sorted(enums.values(), key=lambda enum: enum.name)),
        ),
        reading.generators,
    )


def _mapped(attributes: Sequence[Attribute], name: str) -> str:
    """Return the name in the database."""
    found = next((one for one in attributes if one.name == "map"), None)
    return str(found.value("name", 0)) if found else name


def _table(reading: _Reading, model: Block) -> RelationalTable:
    name = TableName(reading.schema, _mapped(model.attributes, model.name))
    scalars = [one for one in model.fields if one.type not in reading.models]
    key_fields = _key_fields(reading, model)
    columns = tuple(_column(reading, name, one, one.name in key_fields) for one in scalars)
    return RelationalTable(
        name=name,
        columns=columns,
        keys=_keys(reading, model, name, key_fields),
        foreign_keys=tuple(
            sorted(
                (
                    _foreign_key(reading, model, name, one, relation)
                    for one in model.fields
                    if one.type in reading.models
                    and (relation := one.attribute("relation")) is not None
                    and relation.value("fields") is not None
                ),
                key=lambda key: key.name,
            )
        ),
    )


def _key_fields(reading: _Reading, model: Block) -> list[str]:
    if whole := model.attribute("id"):
        return _field_names(reading, whole, whole.value("fields", 0))
    return [one.name for one in model.fields if one.attribute("id")]


def _field_names(reading: _Reading, attribute: Attribute, values: Any) -> list[str]:
    """Return the names in `[a, b(sort: Desc)]`."""
    if not isinstance(values, list):
        refuse(reading.name, attribute.line, f"@{attribute.name} names no fields")
    return [one.name if isinstance(one, Call) else str(getattr(one, "text", one)) for one in values]


def _columns_of(
    reading: _Reading, model: Block, attribute: Attribute, names: Sequence[str]
) -> tuple[str, ...]:
    known = {one.name: _mapped(one.attributes, one.name) for one in model.fields}
    for name in names:
        if name not in known:
            refuse(reading.name, attribute.line, f"{model.name} has no field {name}")
    return tuple(known[name] for name in names)


def _keys(
    reading: _Reading, model: Block, table: TableName, key_fields: Sequence[str]
) -> tuple[UniqueKey, ...]:
    primary: list[UniqueKey] = []
    if key_fields:
        found = model.attribute("id") or next(
            attribute for one in model.fields if (attribute := one.attribute("id"))
        )
        columns = _columns_of(reading, model, found, key_fields)
        primary.append(UniqueKey(str(found.value("map") or f"{table.name}_pkey"), columns, True))
    unique: list[UniqueKey] = []
    for one in model.fields:
        if attribute := one.attribute("unique"):
            columns = (_mapped(one.attributes, one.name),)
            unique.append(_unique(table, columns, attribute))
    for attribute in model.attributes:
        if attribute.name == "unique":
            names = _field_names(reading, attribute, attribute.value("fields", 0))
            unique.append(_unique(table, _columns_of(reading, model, attribute, names), attribute))
    return (*primary, *sorted(unique, key=lambda key: key.name))


def _unique(table: TableName, columns: tuple[str, ...], attribute: Attribute) -> UniqueKey:
    return UniqueKey(
        str(attribute.value("map") or f"{table.name}_{'_'.join(columns)}_key"), columns
    )


def _column(reading: _Reading, table: TableName, one: Field, in_key: bool) -> RelationalColumn:
    name = _mapped(one.attributes, one.name)
    enum = reading.enums.get(one.type)
    length = precision = scale = None
    if enum is not None:
        written, base = f'"{enum.name}"' if enum.name != enum.name.lower() else enum.name, enum.name
    elif one.type.startswith("Unsupported:"):
        written = base = one.type.partition(":")[2]
    elif one.type in _SCALARS:
        written, base = _SCALARS[one.type]
        if one.type == "Decimal":
            precision, scale = 65, 30
        elif one.type == "DateTime":
            precision = 3
        native = next((a for a in one.attributes if a.name.startswith("db.")), None)
        if native is not None:
            plain = _NATIVE.get(native.name[3:])
            if plain is None:
                refuse(reading.name, native.line, f"PostgreSQL has no type @{native.name}")
            base = plain
            sizes = [int(size) for size in native.values]
            written = _written(base, sizes)
            if base in _SIZED:
                length = sizes[0] if sizes else None
            else:
                precision, scale = sizes[0] if sizes else None, None
            if base == "numeric" and sizes:
                scale = (*sizes, 0)[1]
    else:
        refuse(
            reading.name, one.line, f"{one.type} is neither a type, an enum nor a model of the file"
        )
    default, sequence = _default(reading, table, name, one, written)
    if generator := _client_default(one):
        reading.generators[table.name, name] = generator
    return RelationalColumn(
        name=name,
        type=written + ("[]" if one.many else ""),
        base=base,
        array=one.many,
        nullable=(one.optional or one.many) and not in_key,
        default=default,
        sequence=sequence,
        length=length,
        precision=precision,
        scale=scale,
        enum=enum,
    )


def _written(base: str, sizes: Sequence[int]) -> str:
    if not sizes:
        return base
    if base == "numeric" and len(sizes) == 1:
        sizes = (*sizes, 0)
    size = "(" + ",".join(map(str, sizes)) + ")"
    first, space, rest = base.partition(" ")
    if first in ("timestamp", "time"):
        return f"{first}{size}{space}{rest}"
    return base + size


def _client_default(one: Field) -> str | None:
    attribute = one.attribute("default")
    value = attribute.value("value", 0) if attribute else None
    return value.name if isinstance(value, Call) and value.name in _BY_CLIENT else None


def _default(
    reading: _Reading, table: TableName, column: str, one: Field, written: str
) -> tuple[str | None, TableName | None]:
    """Return the default as PostgreSQL prints it, and the sequence that it takes from."""
    attribute = one.attribute("default")
    if attribute is None:
        return None, None
    value = attribute.value("value", 0)
    if isinstance(value, Call):
        if value.name == "now":
            return "CURRENT_TIMESTAMP", None
        if value.name == "dbgenerated":
            return (str(value.arguments[0]) if value.arguments else None), None
        if value.name == "autoincrement":
            sequence = f"{table.name}_{column}_seq"
            quoted = f'"{sequence}"' if sequence != sequence.lower() else sequence
            return f"nextval('{quoted}'::regclass)", TableName(table.schema, sequence)
        if value.name in _BY_CLIENT:
            return None, None
        refuse(reading.name, attribute.line, f"{value.name}() is no default of PostgreSQL")
    if isinstance(value, list):
        elements = ", ".join(_literal(reading, attribute, one, item, written) for item in value)
        return f"ARRAY[{elements}]" + (f"::{written}[]" if not value else ""), None
    return _literal(reading, attribute, one, value, written), None


def _literal(reading: _Reading, attribute: Attribute, one: Field, value: Any, written: str) -> str:
    if isinstance(value, Word):
        if one.type not in reading.labels:
            return value.text  # true, false
        stored = reading.labels[one.type].get(value.text)
        if stored is None:
            refuse(reading.name, attribute.line, f"{one.type} has no label {value.text}")
        value = stored
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        return f"'{quoted}'::{written}"
    return str(value)


def _foreign_key(
    reading: _Reading, model: Block, table: TableName, one: Field, relation: Attribute
) -> ForeignKey:
    target = reading.models[one.type]
    names = _field_names(reading, relation, relation.value("fields"))
    columns = _columns_of(reading, model, relation, names)
    referred = _field_names(reading, relation, relation.value("references"))
    fields = {each.name: each for each in model.fields}
    required = all(not fields[name].optional for name in names)
    return ForeignKey(
        name=str(relation.value("map") or f"{table.name}_{'_'.join(columns)}_fkey"),
        columns=columns,
        target=TableName(reading.schema, _mapped(target.attributes, target.name)),
        target_columns=_columns_of(reading, target, relation, referred),
        on_delete=_action(reading, relation, "onDelete", "restrict" if required else "set null"),
        on_update=_action(reading, relation, "onUpdate", "cascade"),
    )


def _action(reading: _Reading, relation: Attribute, name: str, otherwise: Action) -> Action:
    value = relation.value(name)
    if value is None:
        return otherwise
    if not isinstance(value, Word) or value.text not in _ACTIONS:
        refuse(reading.name, relation.line, f"{name} is none of {', '.join(_ACTIONS)}")
    return _ACTIONS[value.text]


def _join_tables(reading: _Reading) -> list[RelationalTable]:
    """Return the tables that Prisma makes for lists on both sides of a relation."""
    made: dict[str, tuple[Block, Block]] = {}
    for model in reading.models.values():
        for one in model.fields:
            other = reading.models.get(one.type)
            if other is None or not one.many:
                continue
            name = _relation_name(one)
            if any(
                back.many
                and back.type == model.name
                and back is not one
                and _relation_name(back) == name
                for back in other.fields
            ):
                first, second = sorted((model, other), key=lambda block: block.name)
                made[f"_{name or first.name + 'To' + second.name}"] = (first, second)
    return [_join_table(reading, name, *sides) for name, sides in made.items()]


def _relation_name(one: Field) -> str:
    relation = one.attribute("relation")
    return str(relation.value("name", 0) or "") if relation else ""


def _join_table(reading: _Reading, name: str, first: Block, second: Block) -> RelationalTable:
    table = TableName(reading.schema, name)
    columns, foreign_keys = [], []
    for letter, model in (("A", first), ("B", second)):
        key_fields = _key_fields(reading, model)
        if len(key_fields) != 1:
            refuse(reading.name, model.line, f"{model.name} needs an @id for a list of relations")
        key = next(one for one in model.fields if one.name == key_fields[0])
        target = TableName(reading.schema, _mapped(model.attributes, model.name))
        # Only the type of the key counts: not its default, nor what fills it.
        like = _column(
            _Reading(reading.name, reading.schema, reading.models, reading.enums, reading.labels),
            target,
            key,
            True,
        )
        columns.append(
            RelationalColumn(letter, like.type, like.base, nullable=False, length=like.length)
        )
        foreign_keys.append(
            ForeignKey(
                name=f"{name}_{letter}_fkey",
                columns=(letter,),
                target=target,
                target_columns=(_mapped(key.attributes, key.name),),
                on_delete="cascade",
                on_update="cascade",
            )
        )
    key_of_both = UniqueKey(f"{name}_AB_pkey", ("A", "B"), primary=True)
    return RelationalTable(table, tuple(columns), (key_of_both,), tuple(foreign_keys))
