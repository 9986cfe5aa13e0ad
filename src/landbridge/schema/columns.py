"""Which PostgreSQL type a kind of value gets, and which slots come with it.

For       `evolve`, which decides when a column is made; this decides what it is.
Touches   Nothing.
Promises  The tables of docs/architecture.md, in code: `precise` and `simple`, values and ids.
"""

from __future__ import annotations

from landbridge.model.kinds import NUMBERS, Kind, family_of
from landbridge.model.plan import Op, Slot
from landbridge.model.settings import Settings

BIGINT = "bigint"
DOUBLE = "double precision"
NUMERIC = "numeric"
TEXT = "text"
JSONB = "jsonb"
BYTEA = "bytea"
TIMESTAMPTZ = "timestamp with time zone"
TIMESTAMP = "timestamp without time zone"
HEX_ID = "character varying(24)"

_NUMBER_OPS: dict[str, dict[Kind, Op]] = {
    BIGINT: {Kind.INT: Op.INT8, Kind.LONG: Op.INT8},
    DOUBLE: {Kind.DOUBLE: Op.FLOAT8, Kind.INT: Op.INT_FLOAT8, Kind.LONG: Op.INT_FLOAT8},
    NUMERIC: dict.fromkeys(sorted(NUMBERS), Op.NUMERIC),
}
_INTEGERS = frozenset({Kind.INT, Kind.LONG})


def number_op(column_type: str, kind: Kind) -> Op | None:
    """Return how a number goes into a column of that type, or None where it can't exactly."""
    return _NUMBER_OPS[column_type].get(kind)


def value_type(kind: Kind, settings: Settings) -> tuple[str, Op]:
    """Return the type of a new column for values of `kind`, and the op that fills it."""
    simple = settings.types == "simple"
    match kind:
        case Kind.DOUBLE if not simple:
            return DOUBLE, Op.FLOAT8
        case Kind.INT | Kind.LONG if not simple:
            return BIGINT, Op.INT8
        case Kind.DOUBLE | Kind.INT | Kind.LONG | Kind.DECIMAL:
            return NUMERIC, Op.NUMERIC
        case Kind.STRING:
            return TEXT, Op.TEXT
        case Kind.BOOL:
            return "boolean", Op.BOOL
        case Kind.DATE:
            return (TIMESTAMP if simple else TIMESTAMPTZ), Op.TIMESTAMP
        case Kind.OBJECT_ID if settings.ids == "bytea":
            return BYTEA, Op.OID_BYTES
        case Kind.OBJECT_ID:
            return (HEX_ID if simple else TEXT), Op.OID_TEXT
        case Kind.BINARY:
            return BYTEA, Op.BYTES
        case Kind.UUID:
            return "uuid", Op.UUID
        case Kind.OBJECT | Kind.ARRAY:
            return JSONB, Op.JSON
        case _:
            return JSONB, Op.EXTENDED


def value_slots(kind: Kind, subtype: int, column_type: str, op: Op, column: int) -> list[Slot]:
    """Return the slots of a new column: every kind that it holds as exactly as the first."""
    if kind in NUMBERS:
        return [Slot(k, o, column) for k, o in _NUMBER_OPS[column_type].items()]
    if kind in (Kind.OBJECT, Kind.ARRAY):
        return [Slot(Kind.OBJECT, op, column), Slot(Kind.ARRAY, op, column)]
    return [Slot(kind, op, column, subtype)]


def id_family(kind: Kind, subtype: int) -> str:
    """Return the family of an `_id`: ids of one family are the primary key themselves."""
    return "integer" if kind in _INTEGERS else family_of(kind, subtype)


def kinds_of_id_family(kind: Kind) -> tuple[Kind, ...]:
    """Return the kinds that make up the id family of `kind`."""
    return (Kind.INT, Kind.LONG) if kind in _INTEGERS else (kind,)


def id_type(kind: Kind, settings: Settings) -> tuple[str, Op] | None:
    """Return type and op of an `_id` that is itself the key, or None where `_key` must be."""
    simple = settings.types == "simple"
    match kind:
        case Kind.OBJECT_ID:
            return value_type(kind, settings)
        case Kind.STRING:
            return TEXT, Op.TEXT_KEY
        case Kind.INT | Kind.LONG | Kind.DATE | Kind.UUID | Kind.BINARY if simple:
            return TEXT, Op.PLAIN_TEXT
        case Kind.INT | Kind.LONG | Kind.DATE | Kind.UUID | Kind.BINARY:
            return value_type(kind, settings)
        case _:
            return None
