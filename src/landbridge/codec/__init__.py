"""BSON bytes to PostgreSQL's binary COPY bytes, by a compiled plan.

For       The hot path: documents become rows without a Python object for each value.
Touches   No connection, no clock, no file. One environment variable, `LANDBRIDGE_PURE`.
Promises  A value arrives exactly, or its document is flagged with the reason at hand; input is
          untrusted, every byte of it is checked. The compiled kernel and its pure twin agree on
          every byte.

Other rooms use the names listed in `__all__`, and `codec.names`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from landbridge.codec import parsing, picking
from landbridge.codec.batches import batch_of, documents_in
from landbridge.codec.ids import extended_json, id_document, id_of, id_text, key_of
from landbridge.codec.key import canonical_key
from landbridge.codec.lines import LineWriter, PureLineWriter, unwritable
from landbridge.codec.parsing import BrokenLine, Parsed
from landbridge.codec.picking import Pick
from landbridge.codec.single import extended_value, members, plain_json
from landbridge.codec.twin import Twin
from landbridge.codec.unkey import id_of_key
from landbridge.codec.walk import Refused
from landbridge.model.batch import Encoder, Misfit
from landbridge.model.plan import Plan


class _Ways(NamedTuple):
    """How to do the hot work: compiled, or by the twins."""

    encoder: Callable[[Plan], Encoder] | None
    pick: Pick
    line_writer: Callable[[], LineWriter]
    parse_lines: Callable[[bytes, int, int, bool], Parsed]


def _chosen() -> _Ways:
    if os.environ.get("LANDBRIDGE_PURE") != "1":
        try:
            from landbridge.codec._kernel import Kernel
            from landbridge.codec._kernel import LineWriter as CompiledLineWriter
            from landbridge.codec._kernel import parse_lines as compiled_parse_lines
            from landbridge.codec._kernel import pick as compiled_pick
        except ImportError:  # no compiler where landbridge was installed
            pass
        else:
            return _Ways(Kernel, compiled_pick, CompiledLineWriter, compiled_parse_lines)
    return _Ways(None, picking.pick, PureLineWriter, parsing.parse_lines)


_fast, pick, line_writer, parse_lines = _chosen()
COMPILED = _fast is not None

__all__ = [
    "COMPILED",
    "BrokenLine",
    "Parsed",
    "Refused",
    "batch_of",
    "canonical_key",
    "documents_in",
    "encoder_for",
    "explain",
    "extended_json",
    "extended_value",
    "id_document",
    "id_of",
    "id_of_key",
    "id_text",
    "key_of",
    "line_writer",
    "members",
    "parse_lines",
    "pick",
    "plain_json",
    "slow_encoder",
    "unwritable",
]


def encoder_for(plan: Plan) -> Encoder:
    """Return the fastest encoder there is; one instance a thread."""
    return Twin(plan) if _fast is None else _fast(plan)


def slow_encoder(plan: Plan) -> Encoder:
    """Return the encoder for flagged documents: it moves what makes a row too wide to `_rest`."""
    return Twin(plan, moves_wide=True)


def explain(plan: Plan, document: bytes) -> list[Misfit]:
    """Return every reason why a document does not fit; empty where `slow_encoder` takes it."""
    return Twin(plan, moves_wide=True).misfits(document)
