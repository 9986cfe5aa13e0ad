"""The twin: rows, what is flagged and why, `_rest`, child tables, and the profile."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from random import Random
from typing import Any, Literal

import bson
import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from hypothesis import given
from hypothesis import strategies as st
from tests import strategies
from tests.codec.samples import encoded, field_bytes, fields_in, plan_of
from tests.plans import plan_for

from landbridge.codec import batch_of, canonical_key, documents_in, explain, slow_encoder
from landbridge.codec.tuples import ROW_BYTES_MAX, room
from landbridge.codec.twin import Twin
from landbridge.errors import CodecError
from landbridge.model.batch import Batch, Misfit, PathProfile, Problem
from landbridge.model.hashing import murmur3_128
from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings

REST = Column("_rest", "jsonb", Role.REST)


def problems(plan: Plan, document: bytes) -> set[tuple[Problem, tuple[str, ...]]]:
    """Return what `explain` says, after seeing that `encode` flags the document too."""
    found = explain(plan, document)
    batch = batch_of([document])
    flagged = Twin(plan).encode(batch.data, 0, {}).flagged
    assert bool(found) == bool(flagged)
    return {(misfit.problem, misfit.path) for misfit in found}


def int8(value: int) -> bytes:
    return struct.pack(">q", value)


def test_fields_stand_in_column_order_whatever_the_document_says() -> None:
    plan = plan_for([bson.encode({"_id": 1, "a": "x", "b": True})])
    rows = encoded(Twin(plan), bson.encode({"b": False, "_id": 2}), bson.encode({"_id": 3}))
    assert rows == [[int8(2), None, b"\0"], [int8(3), None, None]]


@pytest.mark.parametrize(
    ("value", "op", "field"),
    [
        ("é", Op.TEXT, "é".encode()),
        (True, Op.BOOL, b"\1"),
        (ObjectId("ab" * 12), Op.OID_TEXT, b"ab" * 12),
        (ObjectId("ab" * 12), Op.OID_BYTES, b"\xab" * 12),
        (Binary(b"abc", 0), Op.BYTES, b"abc"),
        (Binary(bytes(16), 4), Op.UUID, bytes(16)),
        ([1, 2, {}], Op.COUNT, int8(3)),
        ({"a": 1}, Op.JSON, b'\1{"a":1}'),
        ({"a": 1}, Op.EXTENDED, b'\1{"a":{"$numberInt":"1"}}'),
        ({"a": 1}, Op.PLAIN_TEXT, b'{"a":{"$numberInt":"1"}}'),
        (5, Op.PLAIN_TEXT, b"5"),
        (5.0, Op.PLAIN_TEXT, b"5.0"),
        (Decimal128("5.00"), Op.PLAIN_TEXT, b"5.00"),
        (Binary(b"\xab", 9), Op.PLAIN_TEXT, b"ab"),
        (Binary(bytes(16), 4), Op.PLAIN_TEXT, b"00000000-0000-0000-0000-000000000000"),
        (None, Op.PLAIN_TEXT, b"null"),
        ("a", Op.EXTENDED_TEXT, b'"a"'),
        (Int64(5), Op.EXTENDED_TEXT, b'{"$numberLong":"5"}'),
    ],
)
def test_each_operation_has_its_bytes(value: Any, op: Op, field: bytes) -> None:
    document = bson.encode({"a": value})
    plan = plan_for([document], choose=lambda ops: _pick(ops, op), depth=0, children=True)
    ((found,),) = encoded(Twin(plan), document)
    assert found == field


def _pick(options: Any, wanted: Op) -> Any:
    return wanted if wanted in options else options[0]


def test_the_nested_form_is_the_users_choice() -> None:
    extended = Settings(nested="extended")
    assert field_bytes([1], Op.JSON, extended) == b'\1[{"$numberInt":"1"}]'


def test_roles_come_from_the_whole_document() -> None:
    roles = (Role.KEY, Role.HASH, Role.SOURCE_BSON, Role.SOURCE_DOCUMENT, Role.CONSTANT)
    document = bson.encode({"_id": 7, "a": 1.5})
    plan = plan_for([document], roles=roles, keyed=True)
    (row,) = encoded(Twin(plan), document, constants={"_constant": int8(9)})
    assert row[:5] == [
        canonical_key(0x10, struct.pack("<i", 7)),
        murmur3_128(plan.settings.fingerprint, document),
        document,
        b'\1{"_id":7,"a":1.5}',
        int8(9),
    ]


def test_settings_that_change_rows_change_the_hash() -> None:
    document = bson.encode({"_id": 7})
    plans = [
        plan_for([document], settings, roles=[Role.HASH])
        for settings in (Settings(), Settings(nested="extended"), Settings(load="append"))
    ]
    first, other, same = [encoded(Twin(plan), document)[0][0] for plan in plans]
    assert first == same != other


@pytest.mark.parametrize(
    ("seen", "document", "problem", "path"),
    [
        ({"a": 1}, {"a": "x"}, Problem.UNKNOWN, ("a",)),
        ({"a": 1}, {"b": 1}, Problem.UNKNOWN, ("b",)),
        ({"a": {"b": 1}}, {"a": {"c": 1}}, Problem.UNKNOWN, ("a", "c")),
        ({"a": {"b": 1}}, {"a": {}}, None, None),
        ({"a": Binary(b"", 5)}, {"a": Binary(b"", 6)}, Problem.UNKNOWN, ("a",)),
        ({"a": "x"}, {"a": "\0"}, Problem.NUL, ("a",)),
        ({"a": ["x"]}, {"a": ["\0"]}, Problem.NUL, ("a",)),
        (
            {"a": bson.DatetimeMS(0)},
            {"a": bson.DatetimeMS(2**62)},
            Problem.DATE,
            ("a",),
        ),
    ],
)
def test_what_does_not_fit_is_flagged(
    seen: Any, document: Any, problem: Problem | None, path: Any
) -> None:
    plan = plan_for([bson.encode(seen)])
    expected = set() if problem is None else {(problem, path)}
    assert problems(plan, bson.encode(document)) == expected


def test_every_misfit_is_told_once_with_its_kind() -> None:
    plan = plan_for([bson.encode({"a": 1, "b": "x"})])
    document = bson.encode({"a": Binary(b"", 7), "b": "\0", "c": None})
    assert [replace(misfit, detail="") for misfit in explain(plan, document)] == [
        Misfit(Problem.UNKNOWN, ("a",), Kind.BINARY, 7),
        Misfit(Problem.UNKNOWN, ("c",), Kind.NULL),
        Misfit(Problem.NUL, ("b",), Kind.STRING),
    ]


def test_integers_beyond_a_double_and_long_keys_can_grow() -> None:
    plan = plan_of("a", (Kind.LONG, Op.INT_FLOAT8), (Kind.STRING, Op.TEXT_KEY))
    assert problems(plan, bson.encode({"a": Int64(2**53 + 1)})) == {(Problem.RANGE, ("a",))}
    assert problems(plan, bson.encode({"a": "x" * 1001})) == {(Problem.LONG_ID, ("a",))}
    assert problems(plan, bson.encode({"a": "x" * 1000})) == set()


def test_repeated_keys_are_flagged_at_walked_levels_only() -> None:
    null = (0x0A, b"")
    inner = strategies.document([(b"x", null), (b"x", null)])
    flat = strategies.document([(b"a", (0x03, inner))])
    seen = strategies.document([(b"a", (0x03, strategies.document([(b"x", null)])))])
    assert problems(plan_for([seen]), flat) == {(Problem.DUPLICATE_KEY, ("a", "x"))}
    assert problems(plan_for([seen], depth=0), flat) == set()


def test_a_keyed_table_wants_an_id() -> None:
    document = bson.encode({"_id": 1, "a": 1})
    plan = plan_for([document], keyed=True)
    assert problems(plan, bson.encode({"a": 1})) == {(Problem.NO_ID, ())}
    assert problems(replace(plan, keyed=False), bson.encode({"a": 1})) == set()


@pytest.mark.parametrize(("levels", "fits"), [(199, True), (200, False)])
def test_nesting_ends_at_200_levels(levels: int, fits: bool) -> None:
    inner = strategies.document([])
    for _ in range(levels - 1):
        inner = strategies.document([(b"a", (0x03, inner))])
    document = strategies.document([(b"a", (0x03, inner))])
    plan = plan_of("a", (Kind.OBJECT, Op.JSON))
    assert problems(plan, document) == (set() if fits else {(Problem.DEPTH, ("a",))})
    discard = plan_of("a", (Kind.OBJECT, Op.DISCARD))
    assert problems(discard, document) == set()


def test_an_empty_object_is_not_entered() -> None:
    plan = plan_for([bson.encode({"a": {"b": 1}}), bson.encode({"a": {}})])
    rows = encoded(Twin(plan), bson.encode({"a": {"b": 2}}), bson.encode({"a": {}}))
    assert [[f for f in row if f is not None] for row in rows] == [[int8(2)], [b"\1{}"]]


def rest_plan(*fields: Field, columns: int = 0) -> Plan:
    made = [Column(f"c{i}", "bigint") for i in range(columns)]
    main = TablePlan((*made, REST), fields, full=True)
    return Plan(1, Settings(), (main,), keyed=False)


def test_what_has_no_column_goes_to_rest_under_its_path() -> None:
    flat = Field("b", (), (Field("x", (Slot(Kind.INT, Op.INT8, 0),)),), descend=True)
    later = Field("r", (Slot(Kind.INT, Op.REST),))
    plan = rest_plan(flat, later, columns=1)
    document = bson.encode({"a": 1, "b": {"x": 2, "y": -0.0, "z": {"k": None}}, "r": 3, "s": ["t"]})
    (row,) = encoded(Twin(plan), document)
    assert row == [int8(2), b'\1{"a":1,"b":{"y":-0.0,"z":{"k":null}},"r":3,"s":["t"]}']
    (row,) = encoded(Twin(plan), bson.encode({"b": {"x": 2}}))
    assert row == [int8(2), None]


def test_rest_takes_what_is_unknown_only_once_the_table_is_full() -> None:
    plan = rest_plan(Field("r", (Slot(Kind.INT, Op.REST),)))
    growing = replace(plan, tables=(replace(plan.main, full=False),))
    assert problems(growing, bson.encode({"r": 1})) == set()
    assert problems(growing, bson.encode({"r": "x"})) == {(Problem.UNKNOWN, ("r",))}
    assert problems(growing, bson.encode({"a": 1})) == {(Problem.UNKNOWN, ("a",))}


def test_what_is_wrong_in_rest_is_told_at_its_path() -> None:
    plan = rest_plan()
    assert problems(plan, bson.encode({"a": {"b": "\0"}})) == {(Problem.NUL, ("a",))}
    broken = strategies.document([(b"\xff", (0x0A, b""))])
    assert problems(plan, broken) == {(Problem.UTF8, ("\ufffd",))}


def child_plan() -> Plan:
    document = bson.encode({"_id": 1, "a": [{"x": 1, "y": {"z": "s"}}, 5]})
    return plan_for([document], keyed=True, children=True)


def test_elements_of_an_array_become_rows() -> None:
    twin = Twin(child_plan())
    first = bson.encode({"_id": 1, "a": [{"x": 7}, {}, 8, {"y": {"z": "t"}}]})
    second = bson.encode({"_id": 2, "a": []})
    third = bson.encode({"_id": 3, "a": [{"value": 9}]})
    assert encoded(twin, first, second, third) == [
        [int8(1), int8(4)],
        [int8(2), int8(0)],
        [int8(3), int8(1)],
    ]
    assert [column.name for column in twin.plan.tables[1].columns[:2]] == ["_parent", "_ordinal"]
    assert fields_in(twin.output(1)) == [
        [int8(1), int8(0), int8(7), None, None, None],
        [int8(1), int8(1), None, None, None, None],
        [int8(1), int8(2), None, None, None, int8(8)],
        [int8(1), int8(3), None, b"t", None, None],
        [int8(3), int8(0), None, None, None, int8(9)],
    ]


def test_a_misfit_in_an_element_flags_the_whole_document() -> None:
    twin = Twin(child_plan())
    bad = bson.encode({"_id": 1, "a": [{"x": 7}, {"y": {"z": 1}}]})
    assert [(m.problem, m.table, m.path, m.kind) for m in explain(twin.plan, bad)] == [
        (Problem.UNKNOWN, 1, ("y", "z"), Kind.INT)
    ]
    assert encoded(twin, bad, bson.encode({"_id": 2})) == [[int8(2), None]]
    assert not twin.output(1)


def wide_plan(count: int, rest: bool) -> Plan:
    columns = [Column(f"c{i}", "text", path=(f"f{i}",)) for i in range(count)]
    fields = [Field(f"f{i}", (Slot(Kind.STRING, Op.TEXT, i),)) for i in range(count)]
    tail = [REST] if rest else []
    return Plan(1, Settings(), (TablePlan((*columns, *tail), tuple(fields)),), keyed=False)


WIDE = bson.encode({f"f{i}": "x" * 20 for i in range(500)})


def test_a_row_too_wide_for_its_page_can_grow() -> None:
    plan = wide_plan(500, rest=False)
    assert problems(plan, WIDE) == {(Problem.WIDE_ROW, ())}
    assert problems(plan, bson.encode({f"f{i}": "x" for i in range(500)})) == set()


def test_the_slow_encoder_moves_the_last_values_of_a_wide_row() -> None:
    plan = wide_plan(500, rest=True)
    assert explain(plan, WIDE) == []
    assert encoded(Twin(plan), WIDE) == []
    (row,) = encoded(slow_encoder(plan), WIDE)
    assert room(plan.main.columns, row) <= ROW_BYTES_MAX
    rest = json.loads((row[-1] or b"")[1:])
    kept = [field for field in row[:-1] if field is not None]
    assert list(rest) == [f"f{i}" for i in range(len(kept), 500)]
    assert 370 < len(kept) < 390


def test_a_batch_out_of_shape_raises() -> None:
    for raw in (b"", b"\5\0\0\0\1", b"\x0c\0\0\0\x10\x000\0\0\0\0\0", b"\x63\0\0\0\0"):
        with pytest.raises(CodecError):
            Twin(plan_for([])).encode(raw, 0, {})
    with pytest.raises(CodecError):
        Twin(plan_for([])).encode(batch_of([]).data, 1, {})


def test_documents_go_in_and_out_of_a_batch() -> None:
    documents = [bson.encode({"a": i}) for i in range(3)]
    batch = batch_of(documents)
    assert list(documents_in(batch)) == documents
    moved = Batch(b"ahead" + batch.data, 5, batch.bytes)
    assert list(documents_in(moved)) == documents
    assert bson.decode(batch_of([]).data) == {}


def test_the_profile_counts_rows_that_were_written() -> None:
    plan = plan_for(
        [bson.encode({"a": 1, "b": {"c": "x"}, "j": [], "n": None, "d": 0.5})],
        Settings(nul="escape"),
    )
    twin = Twin(plan)
    encoded(
        twin,
        bson.encode({"a": 5, "b": {"c": "é\0"}, "j": [{"b": 1, "a": 1}], "d": float("nan")}),
        bson.encode({"a": -3, "b": {"c": "xyz"}, "n": None, "d": -1.5}),
        bson.encode({"a": "flagged", "d": 99.0}),
    )
    assert twin.take_profile() == {
        (0, ("a",)): PathProfile({"int": 2}, minimum={"int": -3}, maximum={"int": 5}),
        (0, ("b",)): PathProfile({"object": 2}),
        (0, ("b", "c")): PathProfile(
            {"string": 2}, escaped=1, minimum={"string": 3}, maximum={"string": 3}
        ),
        (0, ("j",)): PathProfile({"array": 1}, by_value=1),
        (0, ("n",)): PathProfile({"null": 1}),
        (0, ("d",)): PathProfile({"double": 2}, minimum={"double": -1.5}, maximum={"double": -1.5}),
    }
    assert twin.take_profile() == {}


@given(
    st.lists(strategies.documents(deep=False) | strategies.broken_documents(), max_size=4),
    st.integers(0, 2**32),
    st.sampled_from(("quarantine", "escape")),
    st.booleans(),
)
def test_every_document_is_a_row_or_flagged_with_a_reason(
    documents: list[bytes], seed: int, nul: Literal["quarantine", "escape"], rest: bool
) -> None:
    roles = (Role.KEY, Role.HASH, Role.SOURCE_DOCUMENT)
    plan = plan_for(
        documents,
        Settings(nul=nul),
        choose=Random(seed).choice,
        roles=roles,
        rest=rest,
        depth=2,
        children=True,
    )
    twin = Twin(plan)
    batch = batch_of(documents)
    outcome = twin.encode(batch.data, 0, {})
    rows = fields_in(twin.output(0))
    assert outcome.documents == len(documents) == outcome.rows + len(outcome.flagged)
    assert len(rows) == outcome.rows
    assert all(len(row) == len(plan.main.columns) for row in rows)
    for offset, length in outcome.flagged:
        assert explain(plan, batch.data[offset : offset + length])
    for table in range(1, len(plan.tables)):
        width = len(plan.tables[table].columns)
        assert all(len(row) == width for row in fields_in(twin.output(table)))
