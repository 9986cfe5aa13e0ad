"""What only the compiled kernel has to keep: threads, lent memory, memory given back, bad plans."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from tests.fuzz import cases
from tests.fuzz.compare import same

from landbridge.codec._kernel import Kernel
from landbridge.codec.batches import batch_of
from landbridge.codec.twin import Twin
from landbridge.errors import CodecError
from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings

MIB = 1 << 20


def text_plan(op: Op = Op.TEXT, column_type: str = "text") -> Plan:
    """Return a plan of one string in one column."""
    table = TablePlan((Column("a", column_type),), (Field("a", (Slot(Kind.STRING, op, 0),)),))
    return Plan(1, Settings(), (table,), keyed=False)


def text_document(size: int) -> bytes:
    """Return a document with one string of that many bytes."""
    raw = b"x" * size
    return cases.pack([b"\x02a\0" + (size + 1).to_bytes(4, "little") + raw + b"\0"])


def resident_bytes() -> int:
    """Return the memory that this process holds."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_threads_with_an_encoder_each_give_what_one_gives() -> None:
    random = Random(11)
    plan = cases.plan(random)
    batches = [
        cases.batch(random, [cases.document(random, plan) for _ in range(50)]) for _ in range(8)
    ]
    twin = Twin(plan)
    expected = [(twin.encode(*batch, cases.CONSTANTS), bytes(twin.output(0))) for batch in batches]

    def encode_all(_: int) -> list[tuple[object, bytes]]:
        kernel = Kernel(plan)
        return [
            (kernel.encode(*batch, cases.CONSTANTS), bytes(kernel.output(0))) for batch in batches
        ]

    with ThreadPoolExecutor(4) as pool:
        for given in pool.map(encode_all, range(16)):
            assert given == expected


def test_the_interpreter_runs_on_while_a_batch_is_encoded() -> None:
    kernel = Kernel(text_plan(Op.JSON, "jsonb"))
    batch = batch_of([text_document(MIB)] * 60)
    done = threading.Event()

    def encode() -> None:
        kernel.encode(batch.data, 0, {})
        done.set()

    worker = threading.Thread(target=encode)
    worker.start()
    turns = 0
    while not done.is_set():
        turns += 1
    worker.join()
    # Waiting for the interpreter's lock, this thread would have come through a few times at most.
    assert turns > 1000


def test_an_encoder_refuses_a_second_thread() -> None:
    kernel = Kernel(text_plan(Op.JSON, "jsonb"))
    batch = batch_of([text_document(MIB)] * 60)
    refused = []

    def encode() -> None:
        try:
            kernel.encode(batch.data, 0, {})
        except RuntimeError as error:
            refused.append(error)

    for _ in range(20):
        threads = [threading.Thread(target=encode) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if refused:
            return
    pytest.fail("two threads were never inside at once")


def test_a_view_of_an_output_outlives_the_next_batch() -> None:
    kernel = Kernel(text_plan())
    kernel.encode(batch_of([text_document(5)]).data, 0, {})
    view = kernel.output(0)
    kept = bytes(view)
    for size in (0, 100, MIB):
        kernel.encode(batch_of([text_document(size)]).data, 0, {})
    assert bytes(view) == kept
    assert len(kernel.output(0)) == 6 + MIB
    del kernel
    assert bytes(view) == kept


def test_there_is_no_output_of_a_table_that_is_not() -> None:
    kernel = Kernel(text_plan())
    kernel.encode(batch_of([text_document(5)]).data, 0, {})
    for table in (1, 1 << 20, -2):
        with pytest.raises(IndexError):
            kernel.output(table)


def test_a_large_document_leaves_no_memory_behind() -> None:
    kernel = Kernel(text_plan(Op.JSON, "jsonb"))
    large, small = batch_of([text_document(40 * MIB)]), batch_of([text_document(5)])
    kernel.encode(small.data, 0, {})
    before = resident_bytes()
    kernel.encode(large.data, 0, {})
    assert resident_bytes() - before > 35 * MIB
    kernel.encode(small.data, 0, {})
    assert resident_bytes() - before < 16 * MIB


def test_unknown_keys_of_a_large_document_leave_no_memory_behind() -> None:
    columns = (Column("_rest", "jsonb", Role.REST),)
    plan = Plan(1, Settings(), (TablePlan(columns, full=True),), keyed=False)
    kernel = Kernel(plan)
    large = batch_of([cases.pack(b"\x0a%x\0" % n for n in range(2_500_000))])
    small = batch_of([cases.pack([b"\x0aa\0"])])
    kernel.encode(small.data, 0, {})
    before = resident_bytes()
    assert kernel.encode(large.data, 0, {}).rows == 1
    kernel.encode(small.data, 0, {})
    assert resident_bytes() - before < 16 * MIB


def test_a_malformed_batch_changes_nothing() -> None:
    plan = text_plan()
    kernel, twin = Kernel(plan), Twin(plan)
    good = batch_of([text_document(3)]).data
    for encoder in (kernel, twin):
        encoder.encode(good, 0, {})
    for data, offset in [
        (b"", 0),
        (good, -1),
        (good, len(good)),
        (good, len(good) + 1),
        (good[:-1], 0),
        (good[:-1] + b"\1", 0),
        (good[:4] + b"\4" + good[5:], 0),
        (good[:6] + b"\4\0\0\0" + good[10:], 0),
        (good[:6] + b"\xff\0\0\0" + good[10:], 0),
    ]:
        for encoder in (kernel, twin):
            with pytest.raises(CodecError):
                encoder.encode(data, offset, {})
            assert bytes(encoder.output(0)) == b""
    assert kernel.take_profile() == twin.take_profile() != {}
    assert kernel.take_profile() == {}


def test_a_missing_constant_is_an_error_before_anything_is_written() -> None:
    table = TablePlan((Column("_imported_at", "timestamp with time zone", Role.CONSTANT),))
    kernel = Kernel(Plan(1, Settings(), (table,), keyed=False))
    with pytest.raises(KeyError):
        kernel.encode(batch_of([b"\5\0\0\0\0"]).data, 0, {})
    assert bytes(kernel.output(0)) == b""


@pytest.mark.parametrize(
    "slot",
    [
        Slot(Kind.STRING, Op.UUID, 0),
        Slot(Kind.INT, Op.FLOAT8, 0),
        Slot(Kind.OBJECT, Op.COUNT, 0),
        Slot(Kind.STRING, Op.TEXT, 1),
        Slot(Kind.STRING, Op.TEXT, -2),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(slot: Slot) -> None:
    table = TablePlan((Column("a", "text"),), (Field("a", (slot,)),))
    with pytest.raises(ValueError, match=r"at \('a',\)"):
        Kernel(Plan(1, Settings(), (table,)))


@pytest.mark.parametrize(
    ("main", "child"),
    [(Role.PARENT, Role.VALUE), (Role.ORDINAL, Role.VALUE), (Role.VALUE, Role.SOURCE_DOCUMENT)],
)
def test_a_column_in_the_wrong_table_is_refused(main: Role, child: Role) -> None:
    tables = (
        TablePlan((Column("a", "text", main),)),
        TablePlan((Column("a", "text", child),), array_path=("a",)),
    )
    with pytest.raises(ValueError, match="no place for"):
        Kernel(Plan(1, Settings(), tables))


def test_a_thousand_fields_are_found_in_any_order() -> None:
    random = Random(3)
    names = [f"field_{random.randrange(10**9)}_{index}" for index in range(1000)]
    table = TablePlan(
        tuple(Column(name, "bigint") for name in names),
        tuple(Field(name, (Slot(Kind.INT, Op.INT8, index),)) for index, name in enumerate(names)),
    )
    plan = Plan(1, Settings(), (table,), keyed=False)
    documents = []
    for _ in range(3):
        random.shuffle(names)
        documents.append(
            cases.pack(b"\x10%b\0" % name.encode() + random.randbytes(4) for name in names[:600])
        )
    encoded = same(Kernel(plan), Twin(plan), batch_of(documents).data)
    assert encoded is not None and encoded.rows == 3


SHORT_OF_MEMORY = """
import resource
from landbridge.codec._kernel import Kernel
from landbridge.codec.batches import batch_of
from tests.kernel.test_kernel import Op, text_document, text_plan

kernel = Kernel(text_plan(Op.JSON, "jsonb"))
large = batch_of([text_document(60 << 20)] * 3)
small = batch_of([text_document(5)])
with open("/proc/self/statm") as statm:
    held = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + (100 << 20), resource.RLIM_INFINITY))
for _ in range(3):
    try:
        kernel.encode(large.data, 0, {})
    except MemoryError:
        print("short")
    assert kernel.encode(small.data, 0, {}).rows == 1
    assert len(kernel.output(0)) == 14
"""


def test_a_kernel_that_ran_out_of_memory_still_works() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["short"] * 3, done.stderr
