"""The kernel of the comparison, or its twin where there was no compiler.

For       `full` and `hash`, which ask for records and joins and not who makes them.
Touches   One environment variable, `LANDBRIDGE_PURE`.
Promises  Both give the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from landbridge.verify import records
from landbridge.verify.bson import members
from landbridge.verify.records import Joined
from landbridge.verify.shape import Shape


class Reader(Protocol):
    """Makes records under one shape; one instance a thread."""

    def documents(self, data: bytes, offset: int) -> tuple[bytes, int]:
        """Return (records, number) of the documents in the BSON array at `data[offset:]`."""

    def rows(self, table: int, copied: bytes) -> bytes:
        """Return the records of the tuples of a binary COPY."""


class Twin:
    """The reader in pure Python."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def documents(self, data: bytes, offset: int) -> tuple[bytes, int]:
        """Return (records, number) of the documents in the BSON array at `data[offset:]`."""
        size = int.from_bytes(data[offset : offset + 4], "little")
        found = [one.raw for _, one in members(data[offset : offset + size])]
        return b"".join(records.of_document(self._shape, one) for one in found), len(found)

    def rows(self, table: int, copied: bytes) -> bytes:
        """Return the records of the tuples of a binary COPY."""
        return records.of_rows(self._shape, table, copied)


def _chosen() -> tuple[
    Callable[[Shape], Reader],
    Callable[[bytes, bytes], Joined],
    Callable[[bytes, int], list[bytes]],
]:
    """Return what makes records, joins them and splits them: compiled where it is to be had."""
    if os.environ.get("LANDBRIDGE_PURE") != "1":
        with suppress(ImportError):  # no compiler where landbridge was installed
            from landbridge.verify import _kernel

            return _kernel.Kernel, _kernel.join, _kernel.split
    return Twin, records.join, records.split


reader_of, join, split = _chosen()
