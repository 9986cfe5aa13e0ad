"""Keys of rows, made of the ids of documents.

For       The key column of a mapped table, the columns that refer to one, and the id map.
Touches   Nothing.
Promises  One id gives one key, on every machine and in every run; ids that MongoDB takes for one
          number give the same. Values are given as `codec.pick` gives them: type byte, then bytes.
"""

from __future__ import annotations

import re
import uuid
from hashlib import sha1, sha256
from json.encoder import encode_basestring as quoted
from struct import Struct

from landbridge.codec import extended_value
from landbridge.mapping.rules import IdForm

DOUBLE, STRING, BINARY, OBJECT_ID, INT, LONG = 0x01, 0x02, 0x05, 0x07, 0x10, 0x12
UUID_TEXT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
HEX_TEXT = re.compile(r"[0-9a-f]{24}", re.I)

_DOUBLE, _INT, _LONG = Struct("<d"), Struct("<i"), Struct("<q")
_UUID_HEADER = b"\x10\x00\x00\x00\x04"  # 16 bytes of subtype 4
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in _DIGITS for second in _DIGITS]
_CUID_DIGITS = 24


class Unfit(Exception):
    """A value can't become what a column or a key wants; the text says why."""


def canonical(value: bytes) -> str:
    """Return the text that stands for an `_id`: canonical extended JSON, whole numbers as one.

    Raises:
        Unfit: the id is text that is not UTF-8.

    """
    kind = value[0]
    if kind == OBJECT_ID:
        return f'{{"$oid":"{value[1:].hex()}"}}'
    if kind == STRING:
        return quoted(string_of(value))
    whole = _whole(value)
    if whole is not None:
        return f'{{"$numberLong":"{whole}"}}'
    return extended_value(value)


def string_of(value: bytes) -> str:
    """Return the text of a string.

    Raises:
        Unfit: it is not UTF-8.

    """
    try:
        return value[5:-1].decode()
    except UnicodeDecodeError as error:
        raise Unfit(f"byte {error.start} is not UTF-8") from None


def uuid_of(value: bytes) -> str | None:
    """Return the UUID that a value is already, as binary or as text; None where it is none."""
    if value[0] == BINARY and value[1:6] == _UUID_HEADER:
        return str(uuid.UUID(bytes=value[6:22]))
    if value[0] == STRING and len(value) == 42:
        text = string_of(value)
        if UUID_TEXT.fullmatch(text):
            return text.lower()
    return None


def _whole(value: bytes) -> int | None:
    if value[0] == INT:
        return int(_INT.unpack_from(value, 1)[0])
    if value[0] == LONG:
        return int(_LONG.unpack_from(value, 1)[0])
    if value[0] == DOUBLE:
        number = float(_DOUBLE.unpack_from(value, 1)[0])
        return int(number) if number.is_integer() else None
    return None


class Keys:
    """How the ids of one collection become the keys of its rows."""

    def __init__(self, database: str, collection: str, form: IdForm) -> None:
        self.form = form
        self.collection = collection
        place = f"{database}.{collection}"
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"landbridge:{place}").bytes
        self._prefix = f"landbridge:{place}:"

    def key(self, value: bytes) -> str | None:
        """Return the key of an `_id`, as text; None where it comes from a sequence.

        Raises:
            Unfit: the id has no such form.

        """
        match self.form:
            case "uuid":
                return uuid_of(value) or self.named_uuid(canonical(value))
            case "cuid":
                return self.cuid(canonical(value))
            case "hex":
                return _hex(value)
            case "same":
                return _same(value)
            case "serial":
                return None

    def child(self, form: IdForm, parent: str, path: str, ordinal: int) -> str:
        """Return the key of an array's element; `parent` is the canonical text of its document."""
        name = f"{parent}#{path}#{ordinal}"
        return self.cuid(name) if form == "cuid" else self.named_uuid(name)

    def named_uuid(self, name: str) -> str:
        """Return the name-based UUID (version 5) of a text within this collection."""
        digest = sha1(self._space + name.encode(), usedforsecurity=False).digest()
        number = bytearray(digest[:16])
        number[6] = number[6] & 0x0F | 0x50
        number[8] = number[8] & 0x3F | 0x80
        text = number.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def cuid(self, name: str) -> str:
        """Return the 25 characters that are made of a text within this collection."""
        number = int.from_bytes(sha256((self._prefix + name).encode()).digest())
        pairs = []
        for _ in range(_CUID_DIGITS // 2):
            number, pair = divmod(number, len(_PAIRS))
            pairs.append(_PAIRS[pair])
        pairs.append("c")
        return "".join(reversed(pairs))


def references(value: bytes) -> list[bytes]:
    """Return the ids that a reference may mean, the likeliest first.

    Text of 24 hex digits is how ObjectIds are often kept: it means that id, or the text itself.
    """
    if value[0] == STRING and len(value) == 30:
        text = value[5:-1]
        if HEX_TEXT.fullmatch(text.decode(errors="replace")):
            return [bytes((OBJECT_ID,)) + bytes.fromhex(text.decode()), value]
    return [value]


def _hex(value: bytes) -> str:
    if value[0] == OBJECT_ID:
        return value[1:].hex()
    if value[0] == STRING:
        text = string_of(value)
        if HEX_TEXT.fullmatch(text):
            return text.lower()
    raise Unfit("it is no ObjectId and no text of 24 hex digits")


def _same(value: bytes) -> str:
    if value[0] == STRING:
        return string_of(value)
    whole = _whole(value)
    if whole is not None:
        return str(whole)
    if found := uuid_of(value):
        return found
    raise Unfit("it is no text, no whole number and no UUID; take another form of key")
