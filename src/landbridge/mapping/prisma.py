"""A Prisma schema as the tables that a migration of it makes in PostgreSQL.

For       Proposing a mapping before the database exists.
Touches   Nothing.
Promises  The same description as the catalogue would give after the migration, tables by name.
          What Prisma's client fills by itself (`cuid()`, `uuid()`) is told apart, as the
          database doesn't know of it. Errors name the line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from landbridge.mapping.prisma_text import Attribute, Block, Call, Field, Place, Word, parse, refuse
from landbridge.mapping.prisma_types import scalar_type
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
    """What is known of the schema while its models become tables."""

    schema: str  # of blocks that name none
    models: Mapping[str, Block]
    related: frozenset[str]  # models and views: what a field may lead to
    enums: Mapping[str, Enumeration]
    labels: Mapping[str, Mapping[str, str]]  # enum in the file -> label in the file -> stored
    generators: dict[tuple[str, str], str] = field(default_factory=dict)

    def name(self, block: Block) -> TableName:
        """Return the name of a block in the database."""
        return _name(block, self.schema)


def read_prisma(files: Mapping[str, str], schema: str = "public") -> PrismaSchema:
    """Return what the files of a schema describe, each by its name for errors.

    Only the tables of `schema` are returned; blocks without `@@schema` are taken to be in it.

    Raises:
        SchemaFileError: it is not a Prisma schema, or not one for PostgreSQL.

    """
    blocks = [block for name, text in files.items() for block in parse(text, name)]
    for block in blocks:
        provider = block.settings.get("provider")
        if block.kind == "datasource" and provider not in PROVIDERS:
            refuse(block.at, f"its provider is {provider}", "name a PostgreSQL schema")
        if block.kind == "type":
            refuse(
                block.at,
                f"{block.name} is a composite type, which only MongoDB has",
                "name a schema for PostgreSQL",
            )
    models = {block.name: block for block in blocks if block.kind == "model"}
    if not models:
        what = "it has no model"
        refuse(
            Place(next(iter(files)), 1), what, "name the schema.prisma that describes the tables"
        )
    labels = {
        block.name: {label.name: _mapped(label.attributes, label.name) for label in block.fields}
        for block in blocks
        if block.kind == "enum"
    }
    enums = {
        block.name: _enum(block, schema, labels[block.name])
        for block in blocks
        if block.kind == "enum"
    }
    related = frozenset(block.name for block in blocks if block.kind in ("model", "view"))
    reading = _Reading(schema, models, related, enums, labels)
    tables = [_table(reading, model) for model in models.values()]
    tables += _join_tables(reading)
    return PrismaSchema(
        RelationalSchema(
            schema,
            tuple(
                sorted(
                    (table for table in tables if table.name.schema == schema),
                    key=lambda table: table.name.name,
                )
            ),
            tuple(
                sorted(
                    (enum for enum in enums.values() if enum.schema == schema),
                    key=lambda enum: enum.name,
                )
            ),
        ),
        reading.generators,
    )


def _name(block: Block, schema: str) -> TableName:
    named = block.attribute("schema")
    value = named.value("name", 0) if named else None
    return TableName(str(value or schema), _mapped(block.attributes, block.name))


def _enum(block: Block, schema: str, labels: Mapping[str, str]) -> Enumeration:
    name = _name(block, schema)
    return Enumeration(name.schema, name.name, tuple(labels.values()))


def _mapped(attributes: Sequence[Attribute], name: str) -> str:
    """Return the name in the database."""
    found = next((one for one in attributes if one.name == "map"), None)
    return str(found.value("name", 0)) if found else name


def _table(reading: _Reading, model: Block) -> RelationalTable:
    name = reading.name(model)
    scalars = [one for one in model.fields if one.type not in reading.related]
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
        refuse(attribute.at, f"@{attribute.name} names no fields")
    return [one.name if isinstance(one, Call) else str(getattr(one, "text", one)) for one in values]


def _columns_of(
    reading: _Reading, model: Block, attribute: Attribute, names: Sequence[str]
) -> tuple[str, ...]:
    known = {one.name: _mapped(one.attributes, one.name) for one in model.fields}
    for name in names:
        if name not in known:
            refuse(attribute.at, f"{model.name} has no field {name}")
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
    elif (scalar := scalar_type(one)) is not None:
        written, base = scalar.written, scalar.base
        length, precision, scale = scalar.length, scalar.precision, scalar.scale
    else:
        refuse(one.at, f"{one.type} is neither a type, an enum nor a model of the schema")
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
        refuse(attribute.at, f"{value.name}() is no default of PostgreSQL")
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
            refuse(attribute.at, f"{one.type} has no label {value.text}")
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
        target=reading.name(target),
        target_columns=_columns_of(reading, target, relation, referred),
        on_delete=_action(reading, relation, "onDelete", "restrict" if required else "set null"),
        on_update=_action(reading, relation, "onUpdate", "cascade"),
    )


def _action(reading: _Reading, relation: Attribute, name: str, otherwise: Action) -> Action:
    value = relation.value(name)
    if value is None:
        return otherwise
    if not isinstance(value, Word) or value.text not in _ACTIONS:
        refuse(relation.at, f"{name} is none of {', '.join(_ACTIONS)}")
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
    table = TableName(reading.name(first).schema, name)
    columns, foreign_keys = [], []
    for letter, model in (("A", first), ("B", second)):
        key_fields = _key_fields(reading, model)
        if len(key_fields) != 1:
            refuse(model.at, f"{model.name} needs an @id for a list of relations")
        key = next(one for one in model.fields if one.name == key_fields[0])
        target = reading.name(model)
        # Only the type of the key counts: not its default, nor what fills it.
        like = _column(
            replace(reading, generators={}),
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
