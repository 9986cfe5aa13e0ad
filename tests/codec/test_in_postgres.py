"""What the twin writes goes through a real COPY and comes back the same."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import bson
import psycopg
import pytest
from bson import Binary, Decimal128, Int64, MaxKey, ObjectId
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from tests import strategies
from tests.codec.samples import element, fields_in, plan_of
from tests.plans import plan_for

from landbridge.codec import batch_of, slow_encoder
from landbridge.codec.tuples import ROW_BYTES_MAX, copy_tuple, room
from landbridge.codec.twin import Twin
from landbridge.model.plan import Column, Op, Role
from landbridge.model.settings import Settings

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


def copied(
    connection: psycopg.Connection, columns: Sequence[Column], output: memoryview
) -> list[list[bytes | None]]:
    """Copy rows into a fresh table and out again."""
    connection.execute("DROP TABLE IF EXISTS copied")
    connection.execute(
        sql.SQL("CREATE TABLE copied ({})").format(
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
                for column in columns
            )
        )
    )
    with connection.cursor() as cursor:
        with cursor.copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
            copy.write(HEADER)
            copy.write(output)
            copy.write(TRAILER)
        with cursor.copy("COPY copied TO STDOUT (FORMAT BINARY)") as copy:
            raw = b"".join(bytes(part) for part in copy)
    assert raw.startswith(HEADER)
    return fields_in(raw[len(HEADER) : -len(TRAILER)])


@pytest.mark.parametrize(
    ("value", "op", "text"),
    [
        (math.nan, Op.FLOAT8, "NaN"),
        (-0.0, Op.FLOAT8, "-0"),
        (5e-324, Op.FLOAT8, "5e-324"),
        (Int64(-(2**63)), Op.INT8, "-9223372036854775808"),
        (Int64(2**53), Op.INT_FLOAT8, "9.007199254740992e+15"),
        (0.1, Op.NUMERIC, "0.1"),
        (5.0, Op.NUMERIC, "5"),
        (1e22, Op.NUMERIC, "1" + "0" * 22),
        (-0.0, Op.NUMERIC, "0"),
        (Decimal128("1.10"), Op.NUMERIC, "1.10"),
        (Decimal128("1E+3"), Op.NUMERIC, "1000"),
        (Decimal128("-Infinity"), Op.NUMERIC, "-Infinity"),
        (Decimal128("NaN"), Op.NUMERIC, "NaN"),
        (Decimal128("0E-6176"), Op.NUMERIC, "0." + "0" * 6176),
        (Decimal128("-1E-6176"), Op.NUMERIC, "-0." + "0" * 6175 + "1"),
        (Decimal128("9E+6144"), Op.NUMERIC, "9" + "0" * 6144),
        (Int64(2**63 - 1), Op.NUMERIC, "9223372036854775807"),
        (DatetimeMS(0), Op.TIMESTAMP, "1970-01-01 00:00:00+00"),
        (DatetimeMS(-210_866_803_200_000), Op.TIMESTAMP, "4714-11-24 00:00:00+00 BC"),
        (DatetimeMS(9_224_318_015_999_999), Op.TIMESTAMP, "294276-12-31 23:59:59.999+00"),
        (Binary(UUID(int=5).bytes, 4), Op.UUID, str(UUID(int=5))),
        (Binary(b"\0\xff", 128), Op.BYTES, "\\x00ff"),
        (ObjectId("ab" * 12), Op.OID_BYTES, "\\x" + "ab" * 12),
        (ObjectId("ab" * 12), Op.OID_TEXT, "ab" * 12),
        (True, Op.BOOL, "true"),
        ("é🚒", Op.TEXT, "é🚒"),
        ({"b": 1, "a": [1.10, None]}, Op.JSON, '{"a": [1.1, null], "b": 1}'),
        (Decimal128("1.10"), Op.JSON, "1.10"),
        (Decimal128("0E-6176"), Op.JSON, "0." + "0" * 6176),
        (Decimal128("1E+6111"), Op.JSON, "1" + "0" * 6111),
        (5e-324, Op.JSON, "0." + "0" * 323 + "5"),
        (MaxKey(), Op.JSON, '{"$maxKey": 1}'),
        (5, Op.EXTENDED, '{"$numberInt": "5"}'),
    ],
)
def test_postgresql_reads_what_was_meant(
    postgres: psycopg.Connection, value: Any, op: Op, text: str
) -> None:
    plan = plan_of("a", (element(value).kind, op, element(value).subtype))
    twin = Twin(plan)
    batch = batch_of([bson.encode({"a": value})])
    assert not twin.encode(batch.data, 0, {}).flagged
    copied(postgres, plan.main.columns, twin.output(0))
    postgres.execute("SET timezone = 'UTC'")
    found = postgres.execute("SELECT c0::text FROM copied").fetchone()
    assert found == (text,)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(strategies.documents(), min_size=3, max_size=12),
    st.integers(0, 2**32),
    st.sampled_from(("plain", "extended")),
    st.sampled_from(("quarantine", "escape")),
    st.booleans(),
)
def test_every_row_comes_back_the_same(
    postgres: psycopg.Connection,
    documents: list[bytes],
    seed: int,
    nested: Any,
    nul: Any,
    rest: bool,
) -> None:
    plan = plan_for(
        documents,
        Settings(nested=nested, nul=nul),
        choose=Random(seed).choice,
        roles=(Role.KEY, Role.HASH, Role.SOURCE_BSON, Role.SOURCE_DOCUMENT),
        rest=rest,
        depth=2,
        children=True,
    )
    encoder = slow_encoder(plan)
    encoder.encode(batch_of(documents).data, 0, {})
    for index, table in enumerate(plan.tables):
        sent = fields_in(encoder.output(index))
        found = copied(postgres, table.columns, encoder.output(index))
        assert len(found) == len(sent)
        for sent_row, found_row in zip(sent, found, strict=True):
            for column, one, other in zip(table.columns, sent_row, found_row, strict=True):
                assert _comparable(column, one) == _comparable(column, other)


def _comparable(column: Column, field: bytes | None) -> Any:
    if field is not None and column.type == "numeric" and field[4] >> 6 == 3:
        return field[:6]  # NaN and infinities have no scale, and PostgreSQL sends some
    if field is None or column.type != "jsonb":
        return field
    # jsonb keeps numbers by value, the last of repeated keys, and no order of keys.
    return json.loads(field[1:], parse_int=Decimal, parse_float=Decimal)


@pytest.mark.parametrize("length", [1, 10, 17, 18, 23, 24, 30, 200, 3000])
def test_the_widest_row_within_the_bound_is_taken(
    postgres: psycopg.Connection, length: int
) -> None:
    """Of text that doesn't compress, so that nothing shrinks behind the bound's back."""
    columns = [Column(f"c{i}", "text") for i in range(1600)]
    chosen = Random(length)
    fields: list[bytes | None] = [chosen.randbytes(length).hex()[:length].encode() for _ in columns]
    count = bisect_right(range(1600), ROW_BYTES_MAX, key=lambda n: room(columns[:n], fields[:n]))
    row = copy_tuple(fields[: count - 1])
    assert len(copied(postgres, columns[: count - 1], memoryview(row))) == 1
