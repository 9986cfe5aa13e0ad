"""The text of one line, read from left to right: what JSON is made of.

For       `parsing`, which makes BSON of it.
Touches   Nothing.
Promises  A string is UTF-8 when it is returned. Where something is missing at the end of the line,
          that is the fault.
"""

from __future__ import annotations

import re

from landbridge.codec import line_faults as faults

_SPACE = b" \t\r"
_UNIT = re.compile(rb"[0-9a-fA-F]{4}")
_HEX_DIGITS = re.compile(rb"[0-9a-fA-F]*")
_PLAIN_TEXT = re.compile(rb'[^"\\\x00-\x1f\x80-\xff]*')
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}"
    rb"|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_SHORT_ESCAPES = {
    ord('"'): b'"',
    ord("\\"): b"\\",
    ord("/"): b"/",
    ord("b"): b"\b",
    ord("f"): b"\f",
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
}


class Broken(Exception):
    """The line is no document; `reason` is one of the faults."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LineText:
    """One line, and how far it is read."""

    def __init__(self, line: bytes) -> None:
        self.at = 0
        self.line = line
        self.end = len(line)

    @property
    def next(self) -> int:
        """The byte that comes next; -1 at the end."""
        return self.line[self.at] if self.at < self.end else -1

    def fail(self, reason: str, at: int | None = None) -> Broken:
        """Return the fault, at a place where one is given; at the end something is missing."""
        if at is not None:
            self.at = at
        return Broken(faults.TRUNCATED if self.at == self.end else reason)

    def skip_space(self) -> None:
        """Pass over what JSON allows between its parts, within a line."""
        while self.at < self.end and self.line[self.at] in _SPACE:
            self.at += 1

    def takes(self, character: bytes) -> bool:
        """Consume this character, if it is the next one but for space."""
        self.skip_space()
        return self.word(character)

    def expect(self, character: bytes, reason: str = faults.UNEXPECTED) -> None:
        """Consume this character, which must be the next one but for space."""
        if not self.takes(character):
            raise self.fail(reason)

    def word(self, text: bytes) -> bool:
        """Consume this text, if it stands here."""
        if not self.line.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def expect_key(self, quoted: bytes, reason: str) -> None:
        """Consume a key with its quotes and its colon, and the space after it."""
        self.expect(quoted, reason)
        self.expect(b":", reason)
        self.skip_space()

    def take(self, pattern: re.Pattern[bytes]) -> bytes:
        """Consume what matches here, and return it."""
        found = pattern.match(self.line, self.at)
        assert found is not None
        self.at = found.end()
        return found[0]

    def text(self, *, takes_nul: bool) -> bytes:
        """Read the rest of a string, after its first quote."""
        parts = []
        while True:
            parts.append(self.take(_PLAIN_TEXT))
            if self.at == self.end:
                raise self.fail(faults.TRUNCATED)
            byte = self.line[self.at]
            if byte >= 0x80:
                if _MULTIBYTE.match(self.line, self.at) is None:
                    raise self.fail(faults.UTF8)
                parts.append(self.take(_MULTIBYTE))
            elif byte == 0x22:
                self.at += 1
                return b"".join(parts)
            elif byte != 0x5C:
                raise self.fail(faults.CONTROL)
            else:
                parts.append(self._escaped(takes_nul))

    def _escaped(self, takes_nul: bool) -> bytes:
        slash = self.at
        self.at += 1
        if self.at == self.end:
            raise self.fail(faults.TRUNCATED)
        letter = self.line[self.at]
        self.at += 1
        if letter in _SHORT_ESCAPES:
            return _SHORT_ESCAPES[letter]
        if letter != 0x75:  # u
            raise self.fail(faults.ESCAPE, slash)
        code = self._unit(slash)
        if code == 0 and not takes_nul:
            raise self.fail(faults.NUL, slash)
        if 0xD800 <= code < 0xE000:
            if code >= 0xDC00 or not self.word(b"\\u"):
                raise self.fail(faults.SURROGATE, slash)
            low = self._unit(slash)
            if not 0xDC00 <= low < 0xE000:
                raise self.fail(faults.SURROGATE, slash)
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return chr(code).encode()

    def _unit(self, slash: int) -> int:
        """Read the four hex digits of an escape."""
        found = _UNIT.match(self.line, self.at)
        if found is None:
            self.take(_HEX_DIGITS)
            if self.at == self.end:
                raise self.fail(faults.TRUNCATED)
            raise self.fail(faults.ESCAPE, slash)
        self.at = found.end()
        return int(found[0], 16)
