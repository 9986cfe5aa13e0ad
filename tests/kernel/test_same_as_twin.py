"""The compiled kernel gives the rows, the flagged documents and the profile of its twin."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import strategies
from tests.fuzz import cases
from tests.fuzz.compare import same
from tests.plans import plan_for

from landbridge.codec._kernel import Kernel
from landbridge.codec.batches import batch_of
from landbridge.codec.twin import Twin
from landbridge.model.batch import Encoded, Problem
from landbridge.model.hashing import murmur3_128
from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings

ROLES = (Role.KEY, Role.SOURCE_BSON, Role.SOURCE_DOCUMENT, Role.HASH)
CONSTANTS = {"_constant": b"constant"}


def compared(plan: Plan, *documents: bytes) -> tuple[Kernel, Encoded]:
    """Encode by both and return the kernel with what it gave."""
    kernel = Kernel(plan)
    encoded = same(kernel, Twin(plan), batch_of(documents).data)
    assert encoded is not None
    return kernel, encoded


def one_column(kind: Kind, op: Op, column_type: str, **choices: str) -> Plan:
    """Return a plan of one field `a` in one column."""
    table = TablePlan((Column("a", column_type),), (Field("a", (Slot(kind, op, 0),)),))
    return Plan(1, Settings(**choices), (table,), keyed=False)  # type: ignore[arg-type]


def document(type_byte: int, raw: bytes, key: bytes = b"a") -> bytes:
    """Return a document of one element."""
    return cases.pack([bytes((type_byte,)) + key + b"\0" + raw])


@st.composite
def plans(draw: st.DrawFn, documents: list[bytes]) -> Plan:
    """Make a plan from some of the documents, so that the others may be misfits."""
    return plan_for(
        documents[: draw(st.integers(0, len(documents)))] + documents[:1],
        Settings(
            nested=draw(st.sampled_from(("plain", "extended"))),
            nul=draw(st.sampled_from(("quarantine", "escape"))),
        ),
        choose=Random(draw(st.integers(0, 1 << 32))).choice,
        roles=draw(st.lists(st.sampled_from(ROLES), unique=True)),
        rest=draw(st.booleans()),
        keyed=draw(st.booleans()),
        depth=draw(st.integers(0, 3)),
        children=draw(st.booleans()),
    )


@given(st.data(), st.lists(strategies.documents(), min_size=1, max_size=5))
def test_documents_of_every_kind_give_the_same_rows(
    data: st.DataObject, documents: list[bytes]
) -> None:
    plan = data.draw(plans(documents))
    same(Kernel(plan), Twin(plan), batch_of(documents).data)


@given(
    st.data(),
    st.lists(strategies.documents(deep=False), min_size=1, max_size=3),
    st.lists(strategies.broken_documents(), min_size=1, max_size=3),
)
def test_broken_documents_are_flagged_alike_and_the_others_written(
    data: st.DataObject, sound: list[bytes], broken: list[bytes]
) -> None:
    plan = data.draw(plans([*sound, *broken]))
    same(Kernel(plan), Twin(plan), batch_of([*sound, *broken]).data)


@given(
    strategies.mutated(
        st.lists(strategies.documents(deep=False), max_size=3).map(
            lambda documents: batch_of(documents).data
        )
    )
)
@settings(max_examples=300)
def test_a_broken_batch_is_refused_by_both_or_by_none(data: bytes) -> None:
    plan = one_column(Kind.INT, Op.INT8, "bigint")
    same(Kernel(plan), Twin(plan), data)


@pytest.mark.parametrize("seed", range(100))
def test_random_plans_agree_on_random_documents(seed: int) -> None:
    random = Random(seed)
    plan = cases.plan(random)
    kernel, twin = Kernel(plan), Twin(plan)
    for _ in range(8):
        documents = [cases.document(random, plan) for _ in range(6)]
        if random.random() < 0.5:
            documents = [cases.mutated(random, raw) for raw in documents]
        same(kernel, twin, *cases.batch(random, documents))


@pytest.mark.parametrize("nested", ["plain", "extended"])
@pytest.mark.parametrize(("op", "column_type"), [(Op.JSON, "jsonb"), (Op.NUMERIC, "numeric")])
def test_doubles_are_written_as_python_writes_them(nested: str, op: Op, column_type: str) -> None:
    random = Random(op)
    doubles = [2.0**exponent for exponent in range(-1074, 1024)]
    doubles += [
        float(f"{digits}e{exponent}") for digits in (1, 15, 123) for exponent in range(-330, 306)
    ]
    doubles += [number + step for number in (1e15, 1e16, 2.0**53) for step in (-1, 0, 1)]
    doubles += [-0.0, float("nan"), float("inf"), float("-inf")]
    raw = [struct.pack("<d", number) for number in doubles]
    raw += [random.randbytes(8) for _ in range(5000)]
    plan = one_column(Kind.DOUBLE, op, column_type, nested=nested)
    _, encoded = compared(plan, *(document(1, bits) for bits in raw))
    assert encoded.rows == len(raw)


@pytest.mark.parametrize("nested", ["plain", "extended"])
@pytest.mark.parametrize(("op", "column_type"), [(Op.JSON, "jsonb"), (Op.NUMERIC, "numeric")])
def test_decimals_keep_every_digit(nested: str, op: Op, column_type: str) -> None:
    random = Random(op)
    raw = [
        strategies.decimal128(negative, coefficient, exponent)
        for negative in (False, True)
        for coefficient in (0, 1, 10, 12345, 10**17 - 1, 10**17, 10**34 - 1, 10**34, 10**33)
        for exponent in (*range(-45, 12), -6176, 6111)
    ]
    raw += [random.randbytes(16) for _ in range(2000)]
    plan = one_column(Kind.DECIMAL, op, column_type, nested=nested)
    _, encoded = compared(plan, *(document(0x13, bits) for bits in raw))
    assert encoded.rows == len(raw)


def test_days_of_every_year_are_written_alike() -> None:
    day = 86_400_000
    first, last = -62_167_219_200_000, 253_402_300_800_000
    # 97 days is a step that comes to each day of each month.
    moments = [ms + ms // day % day for ms in range(first, last, 97 * day)]
    moments += [first - 1, last - 1, last, last + 1, (1 << 63) - 1, -(1 << 63)]
    plan = one_column(Kind.DATE, Op.JSON, "jsonb")
    _, encoded = compared(plan, *(document(9, struct.pack("<q", ms)) for ms in moments))
    assert encoded.rows == len(moments)


def test_a_date_is_written_as_python_writes_it() -> None:
    moment = datetime(2024, 2, 29, 23, 59, 58, 7000, UTC)
    ms = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    plan = one_column(Kind.DATE, Op.JSON, "jsonb")
    kernel, _ = compared(plan, document(9, struct.pack("<q", ms)))
    assert bytes(kernel.output(0))[7:] == b'"2024-02-29T23:59:58.007Z"'


@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 1000])
def test_the_hash_is_murmur3_of_the_document(size: int) -> None:
    plan = Plan(
        1,
        Settings(),
        (
            TablePlan(
                (Column("_lb_hash", "uuid", Role.HASH),),
                (Field("a", (Slot(Kind.BINARY, Op.DISCARD),)),),
            ),
        ),
        keyed=False,
    )
    raw = document(5, strategies.binary(Random(size).randbytes(size), 0))
    kernel, _ = compared(plan, raw)
    assert bytes(kernel.output(0))[6:] == murmur3_128(plan.settings.fingerprint, raw)


@pytest.mark.parametrize("columns", [1, 336, 337, 338, 900])
def test_the_page_is_full_at_the_same_byte(columns: int) -> None:
    """A bound of 8,160 bytes: header, then values of up to 24 bytes."""
    names = [f"f{index}" for index in range(columns)]
    fields = tuple(
        Field(name, (Slot(Kind.STRING, Op.TEXT, index),)) for index, name in enumerate(names)
    )
    table = TablePlan(tuple(Column(name, "text") for name in names), fields)
    plan = Plan(1, Settings(), (table,), keyed=False)
    for length in (0, 5, 21, 22, 23, 24, 100):
        for filled in (columns, columns - 1, columns // 2):
            members = [
                b"\x02" + name.encode() + b"\0" + strategies.string(b"x" * length)
                for name in names[:filled]
            ]
            _, encoded = compared(plan, cases.pack(members))
            if columns == 900 and length > 8 and filled == columns:
                assert encoded.rows == 0


def test_ids_of_any_kind_and_order_get_their_key() -> None:
    columns = (Column("_key", "bytea", Role.KEY), Column("_id", "text", Role.ID))
    slots = [Slot(kind, Op.EXTENDED_TEXT, 1) for kind in Kind if kind is not Kind.BINARY]
    fields = (Field("_id", tuple(slots)), Field("a", (Slot(Kind.INT, Op.DISCARD),)))
    plan = Plan(1, Settings(nul="escape"), (TablePlan(columns, fields),))
    random = Random(5)
    documents = [
        document(cases.TYPE_BYTES[kind], cases.value(random, kind), b"_id") for kind in Kind
    ]
    behind = [b"\x10a\0\1\0\0\0", documents[0][4:-1]]
    documents += [cases.pack(behind), cases.pack(behind[:1]), b"\5\0\0\0\0"]
    _, encoded = compared(plan, *documents)
    assert encoded.rows > 15
    problems = [misfit.problem for misfit in Twin(plan).misfits(documents[-1])]
    assert problems == [Problem.NO_ID]
