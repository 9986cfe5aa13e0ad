"""Whole lines: the text of a file cut where lines end, whatever pieces it comes in.

For       `source`, which has them parsed.
Touches   Nothing.
Promises  Every byte of the text is in exactly one chunk, but for the rest of a line that is longer
          than any document's. Memory is bounded, whatever the lines are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CHUNK_BYTES = 3 << 20
LINE_BYTES_MAX = 64 << 20  # 16 MB of BSON are less, but for text of nothing but escapes
LINE_BYTES_KEPT = 8 << 20  # of a line that is no document


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line over `LINE_BYTES_MAX`, and its beginning."""

    beginning: bytes


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes | LongLine]:
    """Yield chunks of about `CHUNK_BYTES` that end with a line, or with the text."""
    waiting: list[bytes] = []
    size, wanted, passing_over = 0, CHUNK_BYTES, False
    for piece in pieces:
        rest = piece
        if passing_over:
            end = rest.find(b"\n") + 1
            if not end:
                continue
            rest, passing_over = rest[end:], False
        waiting.append(rest)
        size += len(rest)
        if size < wanted:
            continue
        text = b"".join(waiting)
        waiting.clear()
        whole, text = _split(text)
        if whole:
            yield whole
        elif size > LINE_BYTES_MAX:
            yield LongLine(text[:LINE_BYTES_KEPT])
            text, passing_over = b"", True
        del whole, rest, piece  # a long line is held once
        waiting.append(text)
        size = len(text)
        # A long line isn't joined again and again, and none that is too long is waited for.
        wanted = min(max(CHUNK_BYTES, 2 * size), LINE_BYTES_MAX + 1)
        del text
    if size:
        yield b"".join(waiting)


def _split(text: bytes) -> tuple[bytes, bytes]:
    """Return the whole lines, and the beginning of the one after them."""
    end = text.rfind(b"\n") + 1
    return (b"", text) if not end else (text[:end], text[end:])
