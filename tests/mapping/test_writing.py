"""A mapping that is written reads back as it was."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from tests import strategies

from landbridge.bridge.surveying import decoded
from landbridge.mapping.document import read_mapping
from landbridge.mapping.prisma import read_prisma
from landbridge.mapping.profile import Profiler
from landbridge.mapping.propose import propose
from landbridge.mapping.rules import (
    Cast,
    ChildRule,
    CollectionRule,
    ColumnRule,
    IdForm,
    KeyRule,
    Mapping,
)
from landbridge.mapping.writing import scalar, write_mapping

PRISMA = Path(__file__).parent.parent / "realestate" / "schema.prisma"
SCHEMA = read_prisma({"schema.prisma": PRISMA.read_text()}).schema
# Lone surrogates are in no UTF-8 file.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
PLAIN = r"""yes No null ~ 1 0x1f 1e3 2021-01-01 {a} . !x &x *x ? | > % @x ` ' " \ << = … 🙂 true
    off .inf 12:30:45"""
SPACED = ["", " a", "a ", "a: b", "a #b", "- x", "a\nb", "\u2028", "\ufeff", "\x85", "\x00"]
WORDS = st.sampled_from([*PLAIN.split(), *SPACED])
NAMES = st.one_of(TEXT, WORDS.filter(bool))
DEFAULTS = st.one_of(
    st.integers(-(2**63), 2**63),
    st.booleans(),
    st.floats(allow_nan=False),
    TEXT,
    st.lists(st.one_of(TEXT, st.integers(-5, 5)), max_size=3),
)


@st.composite
def column_rules(draw: st.DrawFn) -> ColumnRule:
    cast: Any = draw(st.sampled_from(get_args(Cast)))
    elements = ["text", "integer", "timestamp"]
    return ColumnRule(
        column=draw(NAMES),
        source=draw(NAMES),
        cast=cast,
        values=draw(st.dictionaries(NAMES, NAMES, max_size=8)) if cast == "enum" else {},
        of=draw(st.sampled_from(elements)) if cast == "array" else None,
        to=draw(NAMES) if cast == "id" else "",
        dangling=draw(st.sampled_from([None, "null", "quarantine"])) if cast == "id" else None,
        default=draw(st.none() | DEFAULTS),
        required=draw(st.booleans()),
        confidence=draw(st.none() | st.floats(0, 1)),
    )


def columns() -> st.SearchStrategy[tuple[ColumnRule, ...]]:
    return st.lists(column_rules(), max_size=4, unique_by=lambda rule: rule.column).map(tuple)


CHILD_KEYS = st.none() | st.builds(KeyRule, NAMES, st.sampled_from(["uuid", "cuid"]))
CHILDREN = st.builds(ChildRule, NAMES, NAMES, NAMES, columns(), CHILD_KEYS, st.none() | NAMES)
COLLECTIONS = st.builds(
    CollectionRule,
    NAMES,
    NAMES,
    st.builds(KeyRule, NAMES, st.sampled_from(get_args(IdForm))),
    columns(),
    st.lists(CHILDREN, max_size=2, unique_by=lambda child: child.source).map(tuple),
    st.lists(NAMES, max_size=3).map(tuple),
)
MAPPINGS = st.builds(
    Mapping,
    NAMES,
    st.lists(COLLECTIONS, max_size=3, unique_by=lambda rule: rule.collection).map(tuple),
)


@given(MAPPINGS, st.lists(TEXT, max_size=3))
def test_reads_back_equal(mapping: Mapping, lines: list[str]) -> None:
    said: dict[tuple[str, ...], list[str]] = {("end",): lines}
    for rule in mapping.collections:
        place = ("collections", rule.collection)
        said |= {place: lines, (*place, "key"): lines, (*place, "columns", ""): lines}
        said |= {(*place, "columns", one.column): lines for one in rule.columns}
    assert read_mapping(write_mapping(mapping, said, lines), "x") == mapping


@given(st.one_of(DEFAULTS, WORDS, st.dictionaries(NAMES, DEFAULTS, max_size=3)))
def test_values_read_back(value: Any) -> None:
    assert YAML(typ="safe", pure=True).load(f"x: {scalar(value)}")["x"] == value


def test_numbers_that_are_none() -> None:
    found = YAML(typ="safe", pure=True).load(f"[{scalar(math.nan)}, {scalar(-math.inf)}]")
    assert math.isnan(found[0]) and found[1] == -math.inf


def test_what_is_skipped_says_why() -> None:
    mapping = Mapping("public", (), ("sessions", "a b"))
    text = write_mapping(mapping, {("skip", "sessions"): ["no table is like it\nreally"]})
    assert "  - sessions  # no table is like it really\n" in text
    assert read_mapping(text, "x") == mapping


@pytest.mark.parametrize("length", [1, 30])
def test_lines_stay_short(length: int) -> None:
    values = {f"value {number}": "LABEL" for number in range(length)}
    rule = ColumnRule("status", "status", "enum", values)
    mapping = Mapping(
        "public", (CollectionRule("a", "A", KeyRule("id", "uuid"), (rule,), (), ("x",) * length),)
    )
    text = write_mapping(mapping)
    assert max(map(len, text.splitlines())) <= 100
    assert read_mapping(text, "x") == mapping


@settings(max_examples=30)
@given(st.lists(strategies.documents(), min_size=1, max_size=5))
def test_whatever_documents_hold_a_proposal_is_written(documents: list[bytes]) -> None:
    profilers = {name: Profiler(name) for name in ("users", "properties", "conversations")}
    for profiler in profilers.values():
        for document in documents:
            profiler.add(decoded(document))
    profiles = [profiler.result(len(documents)) for profiler in profilers.values()]
    proposal = propose(SCHEMA, profiles, {})
    text = write_mapping(proposal.mapping, proposal.comments)
    assert read_mapping(text, "x") == proposal.mapping
