"""The kernel of the comparison gives what its twin gives, on random documents and rows."""

from __future__ import annotations

import json
import struct
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests import strategies
from tests.plans import plan_for

from landbridge.codec.batches import batch_of
from landbridge.model.plan import Plan, Role
from landbridge.model.settings import Settings
from landbridge.model.tables import TableName
from landbridge.verify import kernel, records
from landbridge.verify._kernel import Kernel, join, split
from landbridge.verify.bson import Broken
from landbridge.verify.shape import Shape, full_shape


def shape_of(plan: Plan) -> Shape:
    """Return the shape of a plan whose tables are as it says."""
    names = [TableName("s", f"t{number}") for number in range(len(plan.tables))]
    types = [{column.name: column.type for column in table.columns} for table in plan.tables]
    return full_shape(plan, names, types)


@st.composite
def shapes(draw: st.DrawFn, documents: list[bytes]) -> Shape:
    """Make a shape from some of the documents, so that the others may have no place."""
    chosen = Settings(
        nested=draw(st.sampled_from(("plain", "extended"))),
        nul=draw(st.sampled_from(("quarantine", "escape"))),
        flatten_depth=draw(st.integers(0, 2)),
        contract=draw(st.sampled_from(("evolve", "discard"))),
    )
    roles = draw(st.lists(st.sampled_from((Role.SOURCE_BSON, Role.SOURCE_DOCUMENT)), unique=True))
    plan = plan_for(
        documents[: draw(st.integers(0, len(documents)))] + documents[:1],
        chosen,
        choose=Random(draw(st.integers(0, 1 << 32))).choice,
        roles=roles,
        rest=draw(st.booleans()),
        depth=chosen.flatten_depth,
        children=draw(st.booleans()),
    )
    return shape_of(plan)


def both(shape: Shape, documents: list[bytes]) -> None:
    """Check that both readers make the same records of some documents."""
    data = batch_of(documents).data
    fast, slow = Kernel(shape), kernel.Twin(shape)
    one, two = fast.documents(data, 0), slow.documents(data, 0)
    assert one[1] == two[1] == len(documents)
    assert sorted(records.read(one[0])) == sorted(records.read(two[0]))


@settings(max_examples=50)
@given(st.data())
def test_records_of_documents(data: st.DataObject) -> None:
    documents = data.draw(st.lists(strategies.documents(), min_size=1, max_size=4))
    both(data.draw(shapes(documents)), documents)


@settings(max_examples=50)
@given(st.data())
def test_records_of_broken_documents(data: st.DataObject) -> None:
    sound = data.draw(st.lists(strategies.documents(deep=False), min_size=1, max_size=3))
    broken = data.draw(st.lists(strategies.broken_documents(), min_size=1, max_size=3))
    both(data.draw(shapes(sound)), [*sound, *broken])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=("Cs",))),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def written(value: Any) -> str:
    """Return a value as jsonb prints it: numbers without exponent."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(k)}: {written(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=bool(value) and hash(value) % 2 == 0)
    return f"{value:f}"


def copied(rows: list[list[bytes | None]]) -> bytes:
    """Return rows as a binary COPY."""
    parts = [b"PGCOPY\n\xff\r\n\0", bytes(8)]
    for row in rows:
        parts.append(struct.pack(">h", len(row)))
        parts += [
            b"\xff\xff\xff\xff" if one is None else struct.pack(">i", len(one)) + one for one in row
        ]
    return b"".join([*parts, b"\xff\xff"])


@given(st.lists(JSON_VALUES, min_size=1, max_size=4))
def test_records_of_jsonb(values: list[Any]) -> None:
    plan = plan_for([strategies.document([(b"a", (0x03, strategies.document([])))])])
    shape = shape_of(plan)
    assert [column.form.name for column in shape.main.columns] == ["JSON"]
    data = copied([[b"\x01" + written(value).encode()] for value in values])
    assert Kernel(shape).rows(0, data) == kernel.Twin(shape).rows(0, data)


@given(
    st.lists(st.integers(0, 9999), max_size=12),
    st.integers(-50, 50),
    st.sampled_from((0, 0x4000)),
    st.integers(0, 100),
)
def test_records_of_numeric(groups: list[int], weight: int, sign: int, scale: int) -> None:
    decimal = strategies.decimal128(False, 5, 0)
    shape = shape_of(plan_for([strategies.document([(b"a", (0x13, decimal))])]))
    field = struct.pack(f">HhHH{len(groups)}H", len(groups), weight, sign, scale, *groups)
    data = copied([[field], [None]])
    assert Kernel(shape).rows(0, data) == kernel.Twin(shape).rows(0, data)


@given(st.data())
def test_a_copy_that_is_cut_or_bent_is_refused_or_read(data: st.DataObject) -> None:
    sound = data.draw(st.lists(strategies.documents(deep=False), min_size=1, max_size=2))
    shape = data.draw(shapes(sound))
    row = [b"\x01[1, 2]" if one.form.name == "JSON" else b"12345678" for one in shape.main.columns]
    bent = data.draw(strategies.mutated(st.just(copied([row, row]))))
    try:
        Kernel(shape).rows(0, bent)
    except (ValueError, RuntimeError, Broken):
        return


RECORDS = st.lists(
    st.tuples(st.binary(max_size=3), st.integers(0, 3), st.integers(0, 1)), max_size=12
)


@given(RECORDS, RECORDS, st.integers(1, 4))
def test_joins(
    source: list[tuple[bytes, int, int]], target: list[tuple[bytes, int, int]], parts: int
) -> None:
    one = b"".join(records.record(key, digest, 0) for key, digest, _ in source)
    two = b"".join(records.record(*each) for each in target)
    fast, slow = join(one, two), records.join(one, two)
    assert fast[:3] == slow[:3]
    assert [sorted(keys) for keys in fast[3:]] == [sorted(keys) for keys in slow[3:]]
    assert split(two, parts) == records.split(two, parts)
    assert sorted(records.read(b"".join(split(two, parts)))) == sorted(records.read(two))
