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
LINE_BYTES_KEPT = 1 << 20


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line over `LINE_BYTES_MAX`, of which only the beginning is kept."""

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
        end = text.rfind(b"\n") + 1
        if end:
            yield text[:end]
            text = text[end:]
        elif size > LINE_BYTES_MAX:
            yield LongLine(text[:LINE_BYTES_KEPT])
            text, passing_over = b"", True
        waiting, size = [text], len(text)
        wanted = max(CHUNK_BYTES, 2 * size)  # so that a long line isn't joined again and again
    if size:
        yield b"".join(waiting)
