"""What tests of the codec share: one value as an element, a plan of one field, fields read back."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import bson
from tests.plans import TYPE_OF_OP

from landbridge.codec import batch_of
from landbridge.codec.twin import Twin
from landbridge.codec.walk import Element, element_of
from landbridge.model.batch import Encoder
from landbridge.model.plan import Column, Field, Op, Plan, Slot, TablePlan
from landbridge.model.settings import Settings


def value_of(value: Any) -> tuple[int, bytes]:
    """Return the type byte and bytes of a Python value, as the driver writes it."""
    raw = bson.encode({"": value})
    return raw[4], raw[6:-1]


def element(value: Any) -> Element:
    """Return a Python value as an element."""
    return element_of(*value_of(value))


def plan_of(
    field: str, *slots: tuple[Any, ...], settings: Settings | None = None, **more: Any
) -> Plan:
    """Return a plan of one field; each slot is a kind, an operation and perhaps a subtype."""
    columns: list[Column] = []
    made = []
    for kind, op, *subtype in slots:
        column_type = TYPE_OF_OP[op]
        if column_type is not None:
            columns.append(Column(f"c{len(columns)}", column_type, path=(field,)))
        made.append(Slot(kind, op, len(columns) - 1 if column_type else -1, *subtype))
    main = TablePlan(tuple(columns), (Field(field, tuple(made)),))
    return Plan(1, settings or Settings(), (main,), keyed=False)


def encoded(
    encoder: Encoder, *documents: bytes, constants: Mapping[str, bytes | None] | None = None
) -> list[list[bytes | None]]:
    """Return the fields of every row that the documents become."""
    batch = batch_of(documents)
    encoder.encode(batch.data, batch.offset, constants or {})
    return fields_in(encoder.output(0))


def fields_in(output: memoryview | bytes) -> list[list[bytes | None]]:
    """Return the fields of COPY tuples."""
    raw, position, rows = bytes(output), 0, []
    while position < len(raw):
        (count,) = struct.unpack_from(">h", raw, position)
        position += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from(">i", raw, position)
            position += 4
            row.append(None if length < 0 else raw[position : position + length])
            position += max(length, 0)
        rows.append(row)
    return rows


def field_bytes(value: Any, op: Op, settings: Settings | None = None) -> bytes | None:
    """Return the field that one value becomes; it must not be flagged."""
    kind = element(value).kind
    twin = Twin(plan_of("a", (kind, op), settings=settings))
    ((field,),) = encoded(twin, bson.encode({"a": value}))
    return field
