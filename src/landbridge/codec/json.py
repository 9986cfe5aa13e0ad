"""JSON: any BSON value as compact JSON text, plain for people or canonical extended JSON.

For       `jsonb` columns, `_rest`, the source document, and ids that are text.
Touches   Nothing.
Promises  Valid JSON that jsonb takes. Canonical extended JSON (version 2) tells every BSON value
          from every other; the plain form shows numbers, dates and ids as people write them.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from json.encoder import encode_basestring as quoted
from struct import Struct

from landbridge.codec.binaries import payload, uuid_text
from landbridge.codec.marks import Marks
from landbridge.codec.numbers import decimal, decimal_text, double, double_text, integer
from landbridge.codec.text import raw_string, utf8, written
from landbridge.codec.times import iso, milliseconds
from landbridge.codec.walk import Element, elements, split_code_with_scope, string_end
from landbridge.model.kinds import Kind
from landbridge.model.settings import Nested, Nul

_TIME_AND_INCREMENT = Struct("<II")  # the increment comes first

_UUID_SUBTYPE = 4


@dataclass(slots=True)
class JsonWriter:
    """Writes values in one form; `marks` gathers what jsonb will not keep of them."""

    nested: Nested
    nul: Nul
    marks: Marks = field(default_factory=Marks)

    def value(self, element: Element) -> str:
        """Return one value as JSON."""
        forms = _PLAIN if self.nested == "plain" else _CANONICAL
        return forms[element.kind](self, element)

    def document(self, data: bytes, start: int, end: int, level: int = 1) -> str:
        """Return the document `data[start:end]` as a JSON object."""
        forms = _PLAIN if self.nested == "plain" else _CANONICAL
        members: list[str] = []
        before = b""
        for element in elements(data, start, end, level):
            key = element.key
            if members and not _ascends(before, key):
                self.marks.by_value = True
            before = key
            members.append(f"{self.key(key)}:{forms[element.kind](self, element)}")
        return f"{{{','.join(members)}}}"

    def key(self, raw: bytes) -> str:
        """Return a key as a JSON string."""
        return quoted(utf8(raw))

    def string(self, raw: bytes) -> str:
        """Return text of a value as a JSON string."""
        return quoted(written(raw, self.nul, self.marks))

    def binary(self, element: Element) -> str:
        """Return what a binary holds in base64."""
        return b64encode(payload(element)).decode()


class LenientWriter(JsonWriter):
    """Canonical extended JSON for people to read: bytes that are not UTF-8 are replaced."""

    def __init__(self) -> None:
        super().__init__("extended", "quarantine")

    def key(self, raw: bytes) -> str:
        """Return a key as a JSON string."""
        return quoted(raw.decode(errors="replace"))

    def string(self, raw: bytes) -> str:
        r"""Return text as a JSON string, NUL as `\u0000`."""
        return quoted(raw.decode(errors="replace"))


def jsonb(text: str) -> bytes:
    """Return the bytes of a `jsonb` field."""
    return b"\x01" + text.encode()


def _ascends(before: bytes, after: bytes) -> bool:
    """Whether jsonb, which sorts keys by length and then bytes, keeps these two as they are."""
    return (len(before), before) < (len(after), after)


def _object(writer: JsonWriter, element: Element) -> str:
    return writer.document(element.data, element.start, element.end, element.level + 1)


def _array(writer: JsonWriter, element: Element) -> str:
    return f"[{','.join([writer.value(member) for member in element.elements()])}]"


def _string(writer: JsonWriter, element: Element) -> str:
    return writer.string(raw_string(element))


def _bool(writer: JsonWriter, element: Element) -> str:
    return "true" if element.data[element.start] else "false"


def _plain_double(writer: JsonWriter, element: Element) -> str:
    text = double_text(double(element))
    if text[-1] in "Ny":  # NaN, Infinity
        return _canonical_double(writer, element)
    if text == "-0.0":
        writer.marks.by_value = True
    return text


def _plain_integer(writer: JsonWriter, element: Element) -> str:
    return str(integer(element))


def _plain_decimal(writer: JsonWriter, element: Element) -> str:
    value = decimal(element)
    if isinstance(value, str):
        return _canonical_decimal(writer, element)
    if value.negative and not value.coefficient:
        writer.marks.by_value = True
    return decimal_text(value)


def _plain_object_id(writer: JsonWriter, element: Element) -> str:
    return f'"{element.value.hex()}"'


def _plain_date(writer: JsonWriter, element: Element) -> str:
    text = iso(milliseconds(element))
    return _canonical_date(writer, element) if text is None else f'"{text}"'


def _plain_uuid(writer: JsonWriter, element: Element) -> str:
    return f'"{uuid_text(element)}"'


def _canonical_int(writer: JsonWriter, element: Element) -> str:
    return f'{{"$numberInt":"{integer(element)}"}}'


def _canonical_long(writer: JsonWriter, element: Element) -> str:
    return f'{{"$numberLong":"{integer(element)}"}}'


def _canonical_double(writer: JsonWriter, element: Element) -> str:
    return f'{{"$numberDouble":"{double_text(double(element))}"}}'


def _canonical_decimal(writer: JsonWriter, element: Element) -> str:
    return f'{{"$numberDecimal":"{decimal_text(decimal(element))}"}}'


def _canonical_object_id(writer: JsonWriter, element: Element) -> str:
    return f'{{"$oid":"{element.value.hex()}"}}'


def _canonical_date(writer: JsonWriter, element: Element) -> str:
    return f'{{"$date":{{"$numberLong":"{milliseconds(element)}"}}}}'


def _canonical_binary(writer: JsonWriter, element: Element) -> str:
    subtype = _UUID_SUBTYPE if element.kind is Kind.UUID else element.subtype
    return f'{{"$binary":{{"base64":"{writer.binary(element)}","subType":"{subtype:02x}"}}}}'


def _canonical_regex(writer: JsonWriter, element: Element) -> str:
    pattern, options = element.value[:-1].split(b"\0")
    return (
        f'{{"$regularExpression":{{"pattern":{writer.string(pattern)},'
        f'"options":{writer.string(options)}}}}}'
    )


def _canonical_code(writer: JsonWriter, element: Element) -> str:
    return f'{{"$code":{_string(writer, element)}}}'


def _canonical_symbol(writer: JsonWriter, element: Element) -> str:
    return f'{{"$symbol":{_string(writer, element)}}}'


def _canonical_code_with_scope(writer: JsonWriter, element: Element) -> str:
    code, scope = split_code_with_scope(element.data, element.start)
    text = writer.string(element.data[code + 4 : scope - 1])
    nested, writer.nested = writer.nested, "extended"
    try:
        members = writer.document(element.data, scope, element.end, element.level + 1)
    finally:
        writer.nested = nested
    return f'{{"$code":{text},"$scope":{members}}}'


def _canonical_timestamp(writer: JsonWriter, element: Element) -> str:
    increment, time = _TIME_AND_INCREMENT.unpack_from(element.data, element.start)
    return f'{{"$timestamp":{{"t":{time},"i":{increment}}}}}'


def _canonical_db_pointer(writer: JsonWriter, element: Element) -> str:
    end = string_end(element.data, element.start, element.end)
    reference = writer.string(element.data[element.start + 4 : end - 1])
    return (
        f'{{"$dbPointer":{{"$ref":{reference},'
        f'"$id":{{"$oid":"{element.data[end : element.end].hex()}"}}}}}}'
    )


def _always(text: str) -> Form:
    return lambda writer, element: text


Form = Callable[[JsonWriter, Element], str]

_CANONICAL: dict[Kind, Form] = {
    Kind.DOUBLE: _canonical_double,
    Kind.STRING: _string,
    Kind.OBJECT: _object,
    Kind.ARRAY: _array,
    Kind.BINARY: _canonical_binary,
    Kind.UUID: _canonical_binary,
    Kind.UNDEFINED: _always('{"$undefined":true}'),
    Kind.OBJECT_ID: _canonical_object_id,
    Kind.BOOL: _bool,
    Kind.DATE: _canonical_date,
    Kind.NULL: _always("null"),
    Kind.REGEX: _canonical_regex,
    Kind.DB_POINTER: _canonical_db_pointer,
    Kind.CODE: _canonical_code,
    Kind.SYMBOL: _canonical_symbol,
    Kind.CODE_WITH_SCOPE: _canonical_code_with_scope,
    Kind.INT: _canonical_int,
    Kind.TIMESTAMP: _canonical_timestamp,
    Kind.LONG: _canonical_long,
    Kind.DECIMAL: _canonical_decimal,
    Kind.MIN_KEY: _always('{"$minKey":1}'),
    Kind.MAX_KEY: _always('{"$maxKey":1}'),
}

_PLAIN: dict[Kind, Form] = _CANONICAL | {
    Kind.DOUBLE: _plain_double,
    Kind.INT: _plain_integer,
    Kind.LONG: _plain_integer,
    Kind.DECIMAL: _plain_decimal,
    Kind.OBJECT_ID: _plain_object_id,
    Kind.DATE: _plain_date,
    Kind.UUID: _plain_uuid,
}
