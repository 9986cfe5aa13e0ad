"""Convert: each operation of a plan as a function from a value to the bytes of its field.

For       Saying in one place what every `Op` means.
Touches   Nothing.
Promises  Every operation has its function. None is NULL; a value that can't be taken is
          `Refused`; what PostgreSQL won't keep of it is marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct

from landbridge.codec import binaries, ids, json, numbers, text, times
from landbridge.codec.marks import Marks
from landbridge.codec.walk import Element
from landbridge.model.plan import Op
from landbridge.model.settings import Nested, Settings

Convert = Callable[[Element, Marks], bytes | None]

_INT8 = Struct(">q")


def converters(settings: Settings) -> Mapping[Op, Convert]:
    """Return the function of each operation under these settings."""
    nul = settings.nul

    def as_json(nested: Nested) -> Convert:
        return lambda element, marks: json.jsonb(json.JsonWriter(nested, nul, marks).value(element))

    return {
        Op.FLOAT8: lambda element, marks: numbers.float8(element),
        Op.INT8: lambda element, marks: numbers.int8(element),
        Op.INT_FLOAT8: lambda element, marks: numbers.int_float8(element),
        Op.NUMERIC: numbers.numeric,
        Op.TEXT: lambda element, marks: text.text(element, nul, marks),
        Op.TEXT_KEY: lambda element, marks: text.text_key(element, nul, marks),
        Op.BOOL: lambda element, marks: element.value,
        Op.TIMESTAMP: lambda element, marks: times.timestamp(element),
        Op.OID_TEXT: lambda element, marks: binaries.object_id_text(element),
        Op.OID_BYTES: lambda element, marks: binaries.object_id(element),
        Op.BYTES: lambda element, marks: binaries.payload(element),
        Op.UUID: lambda element, marks: binaries.payload(element),
        Op.JSON: as_json(settings.nested),
        Op.EXTENDED: as_json("extended"),
        Op.PLAIN_TEXT: lambda element, marks: ids.plain_text(element, nul, marks),
        Op.EXTENDED_TEXT: lambda element, marks: ids.extended_text(element, nul, marks),
        Op.COUNT: lambda element, marks: int8_field(sum(1 for _ in element.elements())),
        Op.REST: _null,
        Op.DISCARD: _null,
        Op.NOTHING: _null,
    }


def int8_field(value: int) -> bytes:
    """Return the bytes of a `bigint`."""
    return _INT8.pack(value)


def _null(element: Element, marks: Marks) -> None:
    return None
