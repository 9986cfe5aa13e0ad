"""One comparison of the compiled kernel with its twin on the same bytes.

For       The property tests of the kernel and the fuzz loop.
Touches   Nothing.
Promises  Returns only if rows, flagged documents and profiles are equal, or both refuse alike.
"""

from __future__ import annotations

from tests.fuzz.cases import CONSTANTS

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
