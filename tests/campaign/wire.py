"""Just enough of PostgreSQL's protocol to see a statement go by, and its answer come back.

For       The proxy, which cuts between the two.
Touches   Nothing: bytes in, words out.
Promises  Pieces of any size may be fed; bytes are looked at and never changed.
"""

from __future__ import annotations

from collections.abc import Iterator

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
QUERY, PARSE = b"Q", b"P"
COMPLETE, ERROR = b"C", b"E"


class Frontend:
    """What a client says."""

    def __init__(self) -> None:
        self._held = b""
        self._started = False
        self.asked_for_encryption = 0

    def statements(self, piece: bytes) -> Iterator[str]:
        """Take the next bytes; yield the text of every statement that ends in them."""
        self._held += piece
        while (message := self._next()) is not None:
            kind, body = message
            if kind == QUERY:
                yield body.split(b"\0", 1)[0].decode(errors="replace")
            elif kind == PARSE:
                yield body.split(b"\0", 2)[1].decode(errors="replace")

    def _next(self) -> tuple[bytes, bytes] | None:
        """Return the next whole message; those before the start of a session have no kind."""
        head = 1 if self._started else 0
        if len(self._held) < head + 4:
            return None
        length = int.from_bytes(self._held[head : head + 4], "big")
        if len(self._held) < head + length:
            return None
        kind, body = self._held[:head], self._held[head + 4 : head + length]
        self._held = self._held[head + length :]
        if not self._started:
            request = int.from_bytes(body[:4], "big")
            if request in (SSL_REQUEST, GSS_REQUEST):
                self.asked_for_encryption += 1
            else:
                self._started = True
        return kind, body


class Backend:
    """What a server says."""

    def __init__(self, frontend: Frontend) -> None:
        self._frontend = frontend
        self._refusals = 0
        self._held = b""

    def outcomes(self, piece: bytes) -> list[str]:
        """Take the next bytes; return how statements ended in them: a tag, or "ERROR"."""
        self._held += piece
        found = []
        while self._held:
            if self._refusals < self._frontend.asked_for_encryption:
                self._refusals += 1
                self._held = self._held[1:]  # "N", one byte that is no message
                continue
            if len(self._held) < 5:
                break
            end = 1 + int.from_bytes(self._held[1:5], "big")
            if len(self._held) < end:
                break
            kind, body = self._held[:1], self._held[5:end]
            if kind == COMPLETE:
                found.append(body.rstrip(b"\0").decode(errors="replace"))
            elif kind == ERROR:
                found.append("ERROR")
            self._held = self._held[end:]
        return found
