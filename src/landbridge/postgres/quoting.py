"""Names in statements that have parameters: quoted, and safe from the driver's placeholders.

For       Statements about tables that people named, whose names may hold a percent sign.
Touches   Nothing.
Promises  For statements that are executed with parameters, be they none (`()`): there the driver
          reads `%%` as `%`, in names as everywhere.
"""

from __future__ import annotations

from psycopg import sql

from landbridge.model.tables import TableName


def name(*parts: str) -> sql.Identifier:
    """Return a quoted name."""
    return sql.Identifier(*(doubled(part) for part in parts))


def table(of: TableName) -> sql.Identifier:
    """Return the quoted name of a table."""
    return name(of.schema, of.name)


def literal(text: str) -> sql.Literal:
    """Return text as a literal."""
    return sql.Literal(doubled(text))


def expression(text: str) -> sql.SQL:
    """Return an expression as the catalogue prints it: what the table itself runs."""
    return sql.SQL(doubled(text))


def doubled(text: str) -> str:
    """Return text as the driver must be given it."""
    return text.replace("%", "%%")
