"""Lines: extended JSON, one document a line, read into BSON; the specification of the kernel's.

For       `import`: files of JSON lines, whoever wrote them.
Touches   Nothing.
Promises  Canonical extended JSON (version 2) gives the very bytes that were written. A line that is
          no document is told of, and costs no other line. The compiled kernel does the same.

A number that stands by itself is an int where it is whole and fits, else a long, else a double.
The tags of version 2 are understood in the relaxed and the older forms of their values, too. An
object that begins with one is that type or a fault, never an ordinary object. Lines that another
tool wrote (`foreign`) may also hold `{"$regex": …, "$options": …}` and `{"$uuid": …}`, which here
are no tags: a document may hold a query that somebody saved.
"""

from __future__ import annotations

from dataclasses import dataclass

from landbridge.codec.line_reader import LineReader
from landbridge.codec.line_text import Broken


@dataclass(frozen=True, slots=True)
class BrokenLine:
    """A line that is no document: `data[offset:offset + length]` of the chunk it stands in."""

    line: int  # counted from 0 among the lines of the chunk
    offset: int
    length: int  # bytes, without the end of the line
    column: int  # byte in the line where reading stopped
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of a chunk of lines; blank ones count as lines only."""

    array: bytes  # a BSON array of the documents, as `Batch` takes it
    documents: int
    lines: int
    broken: tuple[BrokenLine, ...]


def parse_lines(data: bytes, start: int, end: int, foreign: bool) -> Parsed:
    """Read the lines `data[start:end]`, each a document in extended JSON."""
    if not 0 <= start <= end <= len(data):
        raise ValueError("the lines are not inside the data")
    array, broken = bytearray(4), []
    documents = lines = 0
    at = start
    while at < end:
        line_end = data.find(b"\n", at, end)
        following = end if line_end < 0 else line_end + 1
        line_end = end if line_end < 0 else line_end
        if line_end > at and data[line_end - 1] == 0x0D:
            line_end -= 1
        line = LineReader(data[at:line_end], foreign)
        try:
            document = line.read()
        except Broken as fault:
            broken.append(BrokenLine(lines, at, line_end - at, line.at, fault.reason))
        else:
            if document is not None:
                array += b"\x03\x00" + document
                documents += 1
        lines += 1
        at = following
    array.append(0)
    array[:4] = len(array).to_bytes(4, "little")
    return Parsed(bytes(array), documents, lines, tuple(broken))
