"""Identity: from the key of a record back to the `_id`, and to the column that holds it.

For       Looking at single documents again, cutting the ids into ranges, and naming documents.
Touches   Nothing.
Promises  MongoDB finds the document by the value that is returned.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from struct import pack
from uuid import UUID

from bson import Decimal128, encode, json_util
from bson.codec_options import DatetimeConversion
from bson.errors import BSONError

from landbridge.model.kinds import Kind
from landbridge.verify import trees
from landbridge.verify.bson import Value, document, id_of
from landbridge.verify.expected import NO_COLUMN
from landbridge.verify.shape import Form, Mode, Part, Place, Shape

CANONICAL = json_util.JSONOptions(
    json_mode=json_util.JSONMode.CANONICAL,
    datetime_conversion=DatetimeConversion.DATETIME_MS,
    document_class=dict,
)
_MS_OF_2000 = 946_684_800_000
_ORDERED_TEXT = frozenset({Kind.STRING, Kind.OBJECT_ID})


def split_key(key: bytes) -> tuple[int, bytes] | None:
    """Return the column of a record's key and what stands there; None where no row has the id."""
    column = int.from_bytes(key[:2], "little")
    return (column, key[2:]) if key and column != NO_COLUMN else None


def of_key(shape: Shape, key: bytes) -> Value | None:
    """Return the id that a record's key tells, the likeliest where it may be several."""
    return next(all_of_key(shape, key), None)


def all_of_key(shape: Shape, key: bytes) -> Iterator[Value]:
    """Yield every id that a record's key may tell: text may be a string, or another id's words."""
    if int.from_bytes(key[:2], "little") == NO_COLUMN:
        body = key[2:3] + b"_id\0" + key[3:] + b"\0"
        found = id_of((len(body) + 4).to_bytes(4, "little") + body)
        yield from [] if found is None else [found]
    elif (parts := split_key(key)) is not None:
        yield from _values_of(shape, *parts)


def value_of(shape: Shape, column: int, content: bytes) -> Value | None:
    """Return the id that a field of an id's column tells; None where no kind of id fits it."""
    return next(_values_of(shape, column, content), None)


def _values_of(shape: Shape, column: int, content: bytes) -> Iterator[Value]:
    form = shape.main.columns[column].form
    # Any text is a string: it is one where it is nothing else.
    for (kind, subtype), place in sorted(
        _places(shape).items(), key=lambda one: one[0][0] is Kind.STRING
    ):
        if place.column == column and (value := _value(kind, subtype, place, form, content, shape)):
            yield value


def _places(shape: Shape) -> dict[tuple[Kind, int], Place]:
    node = shape.main.root.below.get(b"_id")
    return {} if node is None else dict(node.places)


def _value(
    kind: Kind, subtype: int, place: Place, form: Form, content: bytes, shape: Shape
) -> Value | None:
    if place.mode in (Mode.EXTENDED_TEXT, Mode.PLAIN_JSON, Mode.EXTENDED_JSON):
        return _of_words(content[1:] if form is Form.JSON else content, kind)
    if place.mode is Mode.PLAIN_TEXT and kind not in _ORDERED_TEXT:
        return _of_plain(kind, subtype, content.decode(errors="replace"))
    match kind:
        case Kind.OBJECT_ID if form is Form.TEXT:
            text = content.decode(errors="replace")
            return Value(kind, bytes.fromhex(text)) if len(text) == 24 and _is_hex(text) else None
        case Kind.OBJECT_ID:
            return Value(kind, content) if len(content) == 12 else None
        case Kind.STRING:
            raw = _unescaped(content) if shape.escapes else content
            return Value(kind, pack("<i", len(raw) + 1) + raw + b"\0")
        case Kind.INT | Kind.LONG if form is Form.BIGINT:
            return Value(Kind.LONG, content[::-1])
        case Kind.DATE:
            microseconds = int.from_bytes(content, signed=True)
            return Value(kind, pack("<q", microseconds // 1000 + _MS_OF_2000))
        case Kind.UUID:
            return Value(kind, pack("<iB", len(content), 4) + content)
        case Kind.BINARY:
            return Value(kind, pack("<iB", len(content), subtype) + content)
        case Kind.BOOL:
            return Value(kind, content)
        case Kind.DOUBLE if form is Form.FLOAT8:
            return Value(kind, content[::-1])
    return None


def _of_words(content: bytes, kind: Kind) -> Value | None:
    """Return the value that canonical extended JSON names, if it is of that kind."""
    try:
        found = id_of(encode({"_id": json_util.loads(content.decode(), json_options=CANONICAL)}))
    except (ValueError, TypeError, BSONError):
        return None
    return found if found is not None and found.kind is kind else None


def _of_plain(kind: Kind, subtype: int, text: str) -> Value | None:
    """Return the id that stands as plain text in a column of ids."""
    try:
        match kind:
            case Kind.INT | Kind.LONG:
                return Value(Kind.LONG, pack("<q", int(text)))
            case Kind.DOUBLE:
                return Value(kind, pack("<d", float(text)))
            case Kind.DECIMAL:
                return Value(kind, Decimal128(text).bid)
            case Kind.BOOL:
                return Value(kind, {"true": b"\1", "false": b"\0"}[text])
            case Kind.DATE:
                return Value(kind, pack("<q", _milliseconds(text)))
            case Kind.UUID:
                return Value(kind, pack("<iB", 16, 4) + UUID(text).bytes)
            case Kind.BINARY:
                raw = bytes.fromhex(text)
                return Value(kind, pack("<iB", len(raw), subtype) + raw)
            case _:
                return _of_words(text.encode(), kind)
    except (ValueError, KeyError, ArithmeticError):
        return None


def _milliseconds(text: str) -> int:
    """Read a date as it stands in a column of ids: ISO 8601, or the number itself."""
    if "T" not in text:
        return int(text)
    year, rest = text[:4], text[4:]
    shift = 400 if year == "0000" else 0  # Python's calendar begins with the year 1
    moment = datetime.fromisoformat(f"{int(year) + shift:04}{rest}")
    milliseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    return milliseconds - (trees.CYCLE_MS if shift else 0)


def _is_hex(text: str) -> bool:
    return all(sign in "0123456789abcdef" for sign in text)


def _unescaped(content: bytes) -> bytes:
    sign = trees.NUL_SIGN.encode()
    return content.replace(sign + b"0", b"\0").replace(sign + b"1", sign)


def id_document(value: Value) -> bytes:
    """Return the BSON document `{_id: …}`."""
    return document([(b"_id", value)])


def words(value: Value | None) -> str:
    """Return an id as canonical extended JSON, for people and reports."""
    if value is None:
        return "null"
    text = trees.words_of(value, escapes=False)
    return text.encode(errors="surrogateescape").decode(errors="replace")


def ordered(shape: Shape) -> bool:
    """Whether the key's column sorts as MongoDB sorts the ids, all of one kind."""
    if not shape.keyed or shape.mixed:
        return False
    places = {key: one for key, one in _places(shape).items() if one.column >= 0}
    kinds = {kind for kind, _ in places}
    if any(place.mode is not Mode.VALUE for place in places.values()):
        return False
    if kinds == {Kind.STRING}:
        return not shape.escapes
    return kinds in ({Kind.OBJECT_ID}, {Kind.UUID}, {Kind.DATE}, {Kind.INT, Kind.LONG})


def id_columns(shape: Shape) -> list[int]:
    """Return the places of the columns that hold ids."""
    return [i for i, one in enumerate(shape.main.columns) if one.part is Part.ID]
