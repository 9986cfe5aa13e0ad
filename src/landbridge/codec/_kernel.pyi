"""The compiled encoder: the same rows as the pure Python twin, without the GIL."""

from collections.abc import Mapping, Sequence

from landbridge.codec.lines import Lines
from landbridge.codec.parsing import Parsed
from landbridge.model.batch import Encoded, Profile
from landbridge.model.plan import Plan

def pick(
    data: bytes, offset: int, paths: Sequence[Sequence[bytes]]
) -> list[tuple[bytes | None, ...]]:
    """Return, for each document of the BSON array at `data[offset:]`, the value at each path."""

class LineWriter:
    """The compiled `codec.lines.LineWriter`; one instance a thread."""

    def write(self, data: bytes, offset: int) -> Lines:
        """Write the BSON array at `data[offset:]`; documents without a line are told."""

def parse_lines(data: bytes, start: int, end: int, foreign: bool) -> Parsed:
    """Read the lines `data[start:end]`, each a document in extended JSON, without the GIL."""

class Kernel:
    """The compiled `model.batch.Encoder`; one instance a thread."""

    plan: Plan
    def __init__(self, plan: Plan) -> None: ...
    def encode(self, data: bytes, offset: int, constants: Mapping[str, bytes | None]) -> Encoded:
        """Encode the BSON array at `data[offset:]`; documents that do not fit are flagged."""

    def output(self, table: int) -> memoryview:
        """Return the COPY tuples of one table, made by the last `encode`."""

    def take_profile(self) -> Profile:
        """Return what was seen in rows encoded since the last call, and forget it."""
