"""Whether what PostgreSQL holds says the same as a BSON value: the tests' own judgement.

Stored values are the text that PostgreSQL prints; dates are read as milliseconds since 1970 and
bytes as hex digits.
"""

from __future__ import annotations

import base64
import json
import struct
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bson.decimal128 import Decimal128
from tests.sync.documents import Members, Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_YEAR_10000_MS = 253_402_300_800_000
_YEAR_1_MS = -62_135_596_800_000
_YEAR_0_MS = -62_167_219_200_000


def same_double(one: float, other: float) -> bool:
    """Return whether two doubles are the same bits; a NaN is a NaN."""
    return (one != one and other != other) or struct.pack("d", one) == struct.pack("d", other)


def same_number(stored: str, value: Value, column_type: str) -> bool:
    """Compare a stored number exactly."""
    if value.kind in ("int", "long"):
        return Decimal(stored) == value.data
    if value.kind == "double":
        if column_type == "double precision":
            return same_double(float(stored), value.data)
        return _same_decimal(stored, Decimal(repr(value.data)))
    return _same_decimal(stored, _decimal(value.data))


def _same_decimal(stored: str, expected: Decimal) -> bool:
    if expected.is_nan():
        return stored == "NaN"
    return stored not in ("", "NaN") and Decimal(stored) == expected


def _decimal(value: Decimal128) -> Decimal:
    text = str(value)
    return Decimal("NaN") if "NaN" in text else Decimal(text)


def unescaped(text: str) -> str:
    """Turn the policy `escape` for NUL back."""
    return text.replace("\u24000", "\0").replace("\u24001", "\u2400")


def date_text(ms: int) -> str | None:
    """Return a date as ISO 8601, None where the year has no four digits."""
    if not _YEAR_0_MS <= ms < _YEAR_10000_MS:
        return None
    if ms < _YEAR_1_MS:  # Python has no year 0, which is a leap year as 4 and 2000 are
        later = _EPOCH + timedelta(milliseconds=ms + 146_097 * 5 * 86_400_000)
        return f"0000{later:-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"
    moment = _EPOCH + timedelta(milliseconds=ms)
    return f"{moment.year:04}{moment:-%m-%dT%H:%M:%S}.{ms % 1000:03}Z"


def plain_texts(value: Value) -> set[str]:
    """Return how an id may stand in a column of its own or, its kind being first, in `text`."""
    match value.kind:
        case "string" | "symbol" | "objectid":
            return {value.data}
        case "int" | "long":
            return {str(value.data)}
        case "double":
            return {_SPECIAL.get(repr(value.data), repr(value.data))}
        case "decimal":
            return {str(value.data)}
        case "bool":
            return {"true" if value.data else "false"}
        case "date":
            return {str(value.data), date_text(value.data) or ""}
        case "binary" if value.family == "uuid":
            return {str(uuid.UUID(bytes=value.data))}
        case "binary":
            return {value.data.hex()}
    return set()


def same_json(stored: Any, value: Value, form: str, escaped: bool) -> bool:
    """Compare JSON with a value; `form` is `plain` or `extended`."""
    match value.kind:
        case "object":
            return _same_object(stored, value.data, form, escaped)
        case "array":
            return (
                isinstance(stored, list)
                and len(stored) == len(value.data)
                and all(
                    same_json(one, other, form, escaped)
                    for one, (_, other) in zip(stored, value.data, strict=True)
                )
            )
        case "null":
            return stored is None
        case "bool":
            return stored is value.data
        case "string":
            return isinstance(stored, str) and value.data == (
                unescaped(stored) if escaped else stored
            )
    if form == "plain":
        plain = _same_plain(stored, value)
        if plain is not None:
            return plain
    return _same_tagged(stored, value, escaped)


def _same_object(stored: Any, inside: Members, form: str, escaped: bool) -> bool:
    last = dict(inside)  # jsonb keeps the last of repeated keys, and so does `dict`
    return (
        isinstance(stored, dict)
        and stored.keys() == last.keys()
        and all(same_json(stored[key], value, form, escaped) for key, value in last.items())
    )


def _same_plain(stored: Any, value: Value) -> bool | None:
    """Compare with what people write; None where even the plain form is tagged."""
    match value.kind:
        case "double" if abs(value.data) < float("inf"):
            return _is_number(stored) and Decimal(stored) == Decimal(repr(value.data))
        case "int" | "long":
            return _is_number(stored) and stored == value.data
        case "decimal" if _decimal(value.data).is_finite():
            return _is_number(stored) and Decimal(stored) == _decimal(value.data)
        case "objectid":
            return bool(stored == value.data)
        case "date" if date_text(value.data):
            return bool(stored == date_text(value.data))
        case "binary" if value.family == "uuid":
            return bool(stored == str(uuid.UUID(bytes=value.data)))
    return None


def _is_number(stored: Any) -> bool:
    return isinstance(stored, Decimal)


def _same_tagged(stored: Any, value: Value, escaped: bool) -> bool:
    if not isinstance(stored, dict):
        return False
    data = value.data
    if value.kind == "double":
        text = stored.get("$numberDouble")
        return stored.keys() == {"$numberDouble"} and same_double(float(text), data)
    if escaped and "$code" in stored:
        stored = {**stored, "$code": unescaped(stored["$code"])}
    if value.kind == "codewithscope":
        code, scope = data
        return (
            stored.keys() == {"$code", "$scope"}
            and stored["$code"] == code
            and _same_object(stored["$scope"], scope, "extended", escaped)
        )
    return stored == _tagged(value)


def _tagged(value: Value) -> dict[str, Any]:
    data = value.data
    match value.kind:
        case "int":
            return {"$numberInt": str(data)}
        case "long":
            return {"$numberLong": str(data)}
        case "decimal":
            text = str(data)
            return {"$numberDecimal": "NaN" if "NaN" in text else text}
        case "objectid":
            return {"$oid": data}
        case "date":
            return {"$date": {"$numberLong": str(data)}}
        case "binary":
            payload = base64.b64encode(data).decode()
            return {"$binary": {"base64": payload, "subType": f"{value.subtype:02x}"}}
        case "regex":
            return {"$regularExpression": {"pattern": data[0], "options": data[1]}}
        case "timestamp":
            return {"$timestamp": {"t": data[0], "i": data[1]}}
        case "code":
            return {"$code": data}
        case "symbol":
            return {"$symbol": data}
        case "dbpointer":
            return {"$dbPointer": {"$ref": data[0], "$id": {"$oid": data[1]}}}
        case "undefined":
            return {"$undefined": True}
        case "minkey":
            return {"$minKey": 1}
    assert value.kind == "maxkey", value.kind
    return {"$maxKey": 1}


def json_of(text: str) -> Any:
    """Parse JSON, numbers exactly."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)
