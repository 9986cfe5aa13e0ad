"""One line of extended JSON, read into one BSON document.

For       `parsing`.
Touches   Nothing.
Promises  See `parsing`, which says what is read and what is a fault.
"""

from __future__ import annotations

import re
import struct
from base64 import b64decode
from collections.abc import Callable

from landbridge.codec import line_faults as faults
from landbridge.codec.line_text import Broken, LineText
from landbridge.codec.literals import (
    INT32,
    INT64,
    UINT32,
    decimal_value,
    double_value,
    milliseconds_of,
    whole_of,
)
from landbridge.codec.walk import LEVELS_MAX

DOCUMENT_BYTES_MAX = (16 << 20) + (16 << 10)  # as the server has it

_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_WHOLE_BYTES = re.compile(rb"[-0-9]*")
_DOUBLE_BYTES = re.compile(rb"[-+.eE0-9]*")
_DIGITS = re.compile(rb"[0-9]+")
_OID_TEXT = re.compile(rb"[0-9a-fA-F]{24}")
_HEX_BYTE = re.compile(rb"[0-9a-fA-F]{1,2}")
_UUID_TEXT = re.compile(rb"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_LENGTH = struct.Struct("<i")
_LONG = struct.Struct("<q")


class LineReader(LineText):
    """One line, and how far it is read."""

    def __init__(self, line: bytes, foreign: bool) -> None:
        super().__init__(line)
        self._foreign = foreign
        self._out = bytearray()

    def read(self) -> bytes | None:
        """Return the document; None where the line is blank."""
        self.skip_space()
        if self.at == self.end:
            return None
        if self.next != 0x7B:
            raise self.fail(faults.NO_OBJECT)
        self._document(1)
        self.skip_space()
        if self.at != self.end:
            raise self.fail(faults.FOLLOWS)
        if len(self._out) > DOCUMENT_BYTES_MAX:
            raise Broken(faults.SIZE)
        return bytes(self._out)

    # -- values ------------------------------------------------------------------------------

    def _value(self, type_at: int, level: int) -> None:
        """Read a value in a document or array at `level`; its type is written to `type_at`."""
        self.skip_space()
        if self.at == self.end:
            raise self.fail(faults.TRUNCATED)
        if len(self._out) > DOCUMENT_BYTES_MAX:  # a comma may become many bytes
            raise self.fail(faults.SIZE)
        match self.line[self.at]:
            case 0x22:  # "
                self._out[type_at] = 0x02
                self._string()
            case 0x7B:  # {
                self._object(type_at, level + 1)
            case 0x5B:  # [
                self._out[type_at] = 0x04
                self._array(level + 1)
            case 0x74 | 0x66 | 0x6E:  # t, f, n
                for word, type_byte, value in _WORDS:
                    if self.word(word):
                        self._out[type_at] = type_byte
                        self._out += value
                        return
                raise self.fail(faults.UNEXPECTED)
            case _:
                self._number(type_at)

    def _string(self) -> None:
        self.at += 1
        text = self.text(takes_nul=True)
        self._out += _LENGTH.pack(len(text) + 1) + text + b"\0"

    def _document(self, level: int) -> None:
        """Read a document whose first key says nothing of its type; at its brace."""
        self.at += 1
        self.skip_space()
        self._members(level)

    def _object(self, type_at: int, level: int) -> None:
        brace = self.at
        self.at += 1
        self.skip_space()
        if self.line.startswith(b'"$', self.at) and self._tagged(type_at, level):
            return
        self._out[type_at] = 0x03
        if level > LEVELS_MAX:
            raise self.fail(faults.DEPTH, brace)
        self._members(level)

    def _members(self, level: int) -> None:
        out, start = self._out, len(self._out)
        out += bytes(4)
        if not self.takes(b"}"):
            while True:
                type_at = len(out)
                out.append(0)
                self.expect(b'"')
                out += self.text(takes_nul=False) + b"\0"
                self.expect(b":")
                self._value(type_at, level)
                if not self.takes(b","):
                    break
            self.expect(b"}")
        out.append(0)
        _LENGTH.pack_into(out, start, len(out) - start)

    def _array(self, level: int) -> None:
        if level > LEVELS_MAX:
            raise self.fail(faults.DEPTH)
        out, start, place = self._out, len(self._out), 0
        self.at += 1
        out += bytes(4)
        if not self.takes(b"]"):
            while True:
                type_at = len(out)
                out += b"\0%d\0" % place
                place += 1
                self._value(type_at, level)
                if not self.takes(b","):
                    break
            self.expect(b"]")
        out.append(0)
        _LENGTH.pack_into(out, start, len(out) - start)

    # -- numbers -----------------------------------------------------------------------------

    def _number(self, type_at: int) -> None:
        """Read a JSON number: int or long where it is whole and fits, else double."""
        begin = self.at
        if _NUMBER.match(self.line, begin) is None:
            self.word(b"-")
            raise self.fail(faults.UNEXPECTED, None if self.at == self.end else begin)
        whole = whole_of(self.take(_NUMBER), INT64)
        is_whole = True
        if self.word(b"."):
            is_whole = False
            self._digits()
        if self.word(b"e") or self.word(b"E"):
            is_whole = False
            if not self.word(b"+"):
                self.word(b"-")
            self._digits()
        if is_whole and whole is not None:
            is_short = whole in INT32
            self._out[type_at] = 0x10 if is_short else 0x12
            self._out += (_LENGTH if is_short else _LONG).pack(whole)
            return
        self._out[type_at] = 0x01
        self._double(self.line[begin : self.at], faults.RANGE, begin)

    def _digits(self) -> None:
        if _DIGITS.match(self.line, self.at) is None:
            raise self.fail(faults.UNEXPECTED)
        self.take(_DIGITS)

    def _double(self, text: bytes, reason: str, begin: int) -> None:
        value = double_value(text)
        if value is None:
            raise self.fail(reason, begin)
        self._out += value

    # -- tags --------------------------------------------------------------------------------

    def _tagged(self, type_at: int, level: int) -> bool:
        """Read an object whose first key names a type; False where it turns out to be none."""
        for quoted, (reason, read) in _TAGS.items():
            begin = self.at
            if not self.word(quoted):
                continue
            if reason == faults.UUID and not self._foreign:
                self.at = begin
                return False
            self.expect(b":", reason)
            self.skip_space()
            if self.at == self.end:
                raise self.fail(faults.TRUNCATED)
            read(self, type_at, level, reason)
            self.expect(b"}", reason)
            return True
        return self._foreign and self._old_regex(type_at)

    def _token(self, reason: str) -> bytes:
        """Read the content of a string, at its first quote."""
        if self.next != 0x22:
            raise self.fail(reason)
        quote = self.line.find(b'"', self.at + 1)
        content = self.line[self.at + 1 : quote]
        self.at += 1
        if quote < 0 or b"\\" in content:
            return self.text(takes_nul=True)
        self.at = quote + 1
        return content

    def _integer(self, allowed: range, reason: str) -> int:
        """Read a whole number, in a string or by itself."""
        begin = self.at
        text = self._token(reason) if self.next == 0x22 else self.take(_WHOLE_BYTES)
        number = whole_of(text, allowed)
        if number is None:
            raise self.fail(reason, begin)
        return number

    def _oid(self, type_at: int, level: int, reason: str) -> None:
        begin = self.at
        text = self._token(reason)
        if _OID_TEXT.fullmatch(text) is None:
            raise self.fail(reason, begin)
        self._out += bytes.fromhex(text.decode())
        self._out[type_at] = 0x07

    def _number_int(self, type_at: int, level: int, reason: str) -> None:
        self._out += _LENGTH.pack(self._integer(INT32, reason))
        self._out[type_at] = 0x10

    def _number_long(self, type_at: int, level: int, reason: str) -> None:
        self._out += _LONG.pack(self._integer(INT64, reason))
        self._out[type_at] = 0x12

    def _number_double(self, type_at: int, level: int, reason: str) -> None:
        begin = self.at
        self._out[type_at] = 0x01
        text = self._token(reason) if self.next == 0x22 else self.take(_DOUBLE_BYTES)
        self._double(text, reason, begin)

    def _number_decimal(self, type_at: int, level: int, reason: str) -> None:
        begin = self.at
        self._out[type_at] = 0x13
        text = self._token(reason)
        value = decimal_value(text)
        if value is None:
            raise self.fail(reason, begin)
        self._out += value

    def _date(self, type_at: int, level: int, reason: str) -> None:
        self._out[type_at] = 0x09
        if self.next == 0x22:
            begin = self.at
            ms = milliseconds_of(self._token(reason))
            if ms is None:
                raise self.fail(reason, begin)
        elif self.word(b"{"):
            self.expect_key(b'"$numberLong"', reason)
            if self.at == self.end:
                raise self.fail(reason)
            ms = self._integer(INT64, reason)
            self.expect(b"}", reason)
        else:
            ms = self._integer(INT64, reason)
        self._out += _LONG.pack(ms)

    def _binary(self, type_at: int, level: int, reason: str) -> None:
        self._out[type_at] = 0x05
        payload, subtype = b"", -1
        if self.next == 0x22:
            payload = self._base64(reason)
            self.expect(b",", reason)
            self.expect_key(b'"$type"', reason)
            if self.at == self.end:
                raise self.fail(reason)
            if self.next == 0x22:
                subtype = self._hex_byte(reason)
            else:
                subtype = self._integer(range(256), reason)
        else:
            self.expect(b"{", reason)
            has_payload = False
            for place in range(2):
                if place:
                    self.expect(b",", reason)
                self.skip_space()
                if not has_payload and self.word(b'"base64"'):
                    self._after_colon(reason)
                    payload, has_payload = self._base64(reason), True
                elif subtype < 0 and self.word(b'"subType"'):
                    self._after_colon(reason)
                    subtype = self._hex_byte(reason)
                else:
                    raise self.fail(reason)
            self.expect(b"}", reason)
        if subtype == 2:  # holds its length once more
            payload = _LENGTH.pack(len(payload)) + payload
        self._out += _LENGTH.pack(len(payload)) + bytes((subtype,)) + payload

    def _after_colon(self, reason: str) -> None:
        self.expect(b":", reason)
        self.skip_space()

    def _base64(self, reason: str) -> bytes:
        begin = self.at
        text = self._token(reason)
        if len(text) % 4 or _BASE64.fullmatch(text) is None:
            raise self.fail(reason, begin)
        return b64decode(text)

    def _hex_byte(self, reason: str) -> int:
        begin = self.at
        text = self._token(reason)
        if _HEX_BYTE.fullmatch(text) is None:
            raise self.fail(reason, begin)
        return int(text, 16)

    def _uuid(self, type_at: int, level: int, reason: str) -> None:
        begin = self.at
        self._out[type_at] = 0x05
        text = self._token(reason)
        if _UUID_TEXT.fullmatch(text) is None:
            raise self.fail(reason, begin)
        self._out += b"\x10\0\0\0\x04" + bytes.fromhex(text.replace(b"-", b"").decode())

    def _regular_expression(self, type_at: int, level: int, reason: str) -> None:
        self._out[type_at] = 0x0B
        self.expect(b"{", reason)
        parts: dict[bytes, bytes] = {}
        for place in range(2):
            if place:
                self.expect(b",", reason)
            self.skip_space()
            names = [name for name in (b"pattern", b"options") if name not in parts]
            name = next((name for name in names if self.word(b'"%b"' % name)), None)
            if name is None:
                raise self.fail(reason)
            self.expect(b":", reason)
            self.expect(b'"', reason)
            parts[name] = self.text(takes_nul=False)
        self.expect(b"}", reason)
        self._out += parts[b"pattern"] + b"\0" + parts[b"options"] + b"\0"

    def _old_regex(self, type_at: int) -> bool:
        """Read `{"$regex": "…", "$options": "…"}`, an older form.

        Anything else of that key is a query that somebody stored.
        """
        begin = self.at
        parts = []
        try:
            for place, key in enumerate((b'"$regex"', b'"$options"')):
                if place:
                    self.expect(b",")
                self.expect(key)
                self.expect(b":")
                self.expect(b'"')
                parts.append(self.text(takes_nul=False) + b"\0")
            self.expect(b"}")
        except Broken:
            self.at = begin
            return False
        self._out[type_at] = 0x0B
        self._out += b"".join(parts)
        return True

    def _timestamp(self, type_at: int, level: int, reason: str) -> None:
        self._out[type_at] = 0x11
        self.expect(b"{", reason)
        parts: dict[bytes, int] = {}
        for place in range(2):
            if place:
                self.expect(b",", reason)
            self.skip_space()
            names = [name for name in (b"t", b"i") if name not in parts]
            name = next((name for name in names if self.word(b'"%b"' % name)), None)
            if name is None:
                raise self.fail(reason)
            self._after_colon(reason)
            if self.at == self.end:
                raise self.fail(reason)
            parts[name] = self._integer(UINT32, reason)
        self.expect(b"}", reason)
        self._out += struct.pack("<II", parts[b"i"], parts[b"t"])

    def _code(self, type_at: int, level: int, reason: str) -> None:
        if not self.word(b'"'):
            raise self.fail(reason)
        text = self.text(takes_nul=True)
        out, start = self._out, len(self._out)
        code = _LENGTH.pack(len(text) + 1) + text + b"\0"
        if not self.takes(b","):
            out[type_at] = 0x0D
            out += code
            return
        out[type_at] = 0x0F
        out += bytes(4) + code
        self.expect_key(b'"$scope"', reason)
        if self.next != 0x7B:
            raise self.fail(reason)
        # `level` is the one that an object here would have had, and the scope's too.
        if level > LEVELS_MAX:
            raise self.fail(faults.DEPTH)
        self._document(level)
        _LENGTH.pack_into(out, start, len(out) - start)

    def _symbol(self, type_at: int, level: int, reason: str) -> None:
        if self.next != 0x22:
            raise self.fail(reason)
        self._out[type_at] = 0x0E
        self._string()

    def _db_pointer(self, type_at: int, level: int, reason: str) -> None:
        self.expect(b"{", reason)
        self.expect_key(b'"$ref"', reason)
        if self.next != 0x22:
            raise self.fail(reason)
        self._string()
        self.expect(b",", reason)
        self.expect_key(b'"$id"', reason)
        self.expect(b"{", reason)
        self.expect_key(b'"$oid"', reason)
        self._oid(type_at, level, reason)
        self._out[type_at] = 0x0C
        self.expect(b"}", reason)
        self.expect(b"}", reason)

    def _undefined(self, type_at: int, level: int, reason: str) -> None:
        self._only(b"true", type_at, 0x06, reason)

    def _min_key(self, type_at: int, level: int, reason: str) -> None:
        self._only(b"1", type_at, 0xFF, reason)

    def _max_key(self, type_at: int, level: int, reason: str) -> None:
        self._only(b"1", type_at, 0x7F, reason)

    def _only(self, word: bytes, type_at: int, type_byte: int, reason: str) -> None:
        if not self.word(word):
            raise self.fail(reason)
        self._out[type_at] = type_byte


_WORDS = (
    (b"true", 0x08, b"\1"),
    (b"false", 0x08, b"\0"),
    (b"null", 0x0A, b""),
)
_Read = Callable[[LineReader, int, int, str], None]
_TAGS: dict[bytes, tuple[str, _Read]] = {
    b'"$oid"': (faults.OID, LineReader._oid),
    b'"$date"': (faults.DATE, LineReader._date),
    b'"$numberInt"': (faults.NUMBER_INT, LineReader._number_int),
    b'"$numberLong"': (faults.NUMBER_LONG, LineReader._number_long),
    b'"$numberDouble"': (faults.NUMBER_DOUBLE, LineReader._number_double),
    b'"$numberDecimal"': (faults.NUMBER_DECIMAL, LineReader._number_decimal),
    b'"$binary"': (faults.BINARY, LineReader._binary),
    b'"$regularExpression"': (faults.REGULAR_EXPRESSION, LineReader._regular_expression),
    b'"$timestamp"': (faults.TIMESTAMP, LineReader._timestamp),
    b'"$code"': (faults.CODE, LineReader._code),
    b'"$symbol"': (faults.SYMBOL, LineReader._symbol),
    b'"$dbPointer"': (faults.DB_POINTER, LineReader._db_pointer),
    b'"$undefined"': (faults.UNDEFINED, LineReader._undefined),
    b'"$minKey"': (faults.MIN_KEY, LineReader._min_key),
    b'"$maxKey"': (faults.MAX_KEY, LineReader._max_key),
    b'"$uuid"': (faults.UUID, LineReader._uuid),
}
