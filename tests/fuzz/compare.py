"""One comparison of the compiled kernel with its twin on the same bytes.

For       The property tests of the kernel and the fuzz loop.
Touches   Nothing.
Promises  Returns only if rows, flagged documents and profiles, or lines and refused documents, or
          what lines are read as, are equal, or both refuse alike.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.cases import CONSTANTS

from landbridge.codec import parsing
from landbridge.codec.lines import Lines, LineWriter
from landbridge.codec.parsing import Parsed
from landbridge.errors import CodecError
from landbridge.model.batch import Encoded, Encoder


def same(kernel: Encoder, twin: Encoder, data: bytes, offset: int = 0) -> Encoded | None:
    """Encode one batch by both; None where both find it malformed."""
    try:
        expected = twin.encode(data, offset, CONSTANTS)
    except CodecError:
        expected = None
    try:
        encoded = kernel.encode(data, offset, CONSTANTS)
    except CodecError:
        encoded = None
    assert encoded == expected
    for table in range(len(twin.plan.tables)):
        assert bytes(kernel.output(table)) == bytes(twin.output(table)), f"rows of table {table}"
    assert kernel.take_profile() == twin.take_profile()
    return encoded


def same_lines(kernel: LineWriter, twin: LineWriter, data: bytes, offset: int = 0) -> Lines | None:
    """Write one batch as lines by both; None where both find it malformed."""
    try:
        expected = twin.write(data, offset)
    except CodecError:
        expected = None
    try:
        written = kernel.write(data, offset)
    except CodecError:
        written = None
    assert written == expected
    return written


def same_parsed(parse: Callable[[bytes, int, int, bool], Parsed], text: bytes) -> None:
    """Read the lines of a text by both, as our own and as those of another tool."""
    for foreign in (False, True):
        done = parse(text, 0, len(text), foreign)
        assert done == parsing.parse_lines(text, 0, len(text), foreign)
