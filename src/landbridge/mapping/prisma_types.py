"""The scalar types of Prisma as PostgreSQL's, with and without a native type beside them.

For       `prisma`, which makes columns of fields.
Touches   Nothing.
Promises  A type is written as `format_type` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from landbridge.mapping.prisma_text import Attribute, Field, refuse

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


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A type of PostgreSQL."""

    written: str
    base: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None


def scalar_type(one: Field) -> ScalarType | None:
    """Return the type of a field's column, None where it is no scalar.

    Raises:
        SchemaFileError: its native type is none of PostgreSQL's.

    """
    if one.type not in _SCALARS:
        return None
    native = next((each for each in one.attributes if each.name.startswith("db.")), None)
    if native is not None:
        return _native_type(native)
    written, base = _SCALARS[one.type]
    if one.type == "Decimal":
        return ScalarType(written, base, precision=65, scale=30)
    return ScalarType(written, base, precision=3 if one.type == "DateTime" else None)


def _native_type(native: Attribute) -> ScalarType:
    base = _NATIVE.get(native.name[3:])
    if base is None:
        refuse(native.at, f"PostgreSQL has no type @{native.name}")
    sizes = [size for size in native.values if isinstance(size, int)]
    if len(sizes) != len(native.values):
        refuse(native.at, f"the size of @{native.name} is no number")
    written = _written(base, sizes)
    if not sizes:
        return ScalarType(written, base)
    if base in _SIZED:
        return ScalarType(written, base, length=sizes[0])
    if base == "numeric":
        return ScalarType(written, base, precision=sizes[0], scale=(*sizes, 0)[1])
    return ScalarType(written, base, precision=sizes[0])


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
