"""Edits of YAML where it stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.project.conftest import CARBON_LENS

from landbridge.config.edit import with_item, with_value, without
from landbridge.config.tree import read_tree
from landbridge.errors import UnsupportedError

TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(["*", "!a.*", "no", "010", "1.5", "null", "- a", "a: b", "a #b", "{a}", "@x"]),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-99, 99), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
STYLES = (
    "a:\n  b:\n    - x  # one\n    # two\n    - y\n\n# three\nc: 1\n",
    "a:\n  b:\n  - x  # one\n  # two\n  - y\nc: 1  # three\n",
    "# one\na: {b: [x, y], d: 2}  # two\nc: 1  # three",
    "a:\n    d: 2  # one\n    b: [x, y]\nc: |\n    many  # not a comment\n    lines\n\n# two\n",
)


def plain(text: str) -> Any:
    tree = read_tree(text, "file")
    return None if tree is None else tree.plain()


def comments(text: str) -> list[str]:
    return [line.partition("#")[2] for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize("text", STYLES)
def test_comments_and_all_else_stay(text: str) -> None:
    more = with_item(text, ["a", "b"], "z")
    assert plain(more)["a"]["b"] == ["x", "y", "z"]
    assert comments(more) == comments(text)
    assert without(more, ["a", "b", 2]) == text or text[-1] != "\n"
    other = with_value(text, ["c"], 7)
    assert plain(other) == plain(text) | {"c": 7}
    made = with_value(text, ["a", "n", "m"], "new")
    assert plain(made)["a"]["n"] == {"m": "new"}
    assert comments(made) == comments(text)
    assert plain(without(made, ["a", "n"])) == plain(text)


@settings(max_examples=50)
@given(st.sampled_from(STYLES), VALUES)
def test_any_value_is_read_back_as_it_was_written(text: str, value: Any) -> None:
    for path in (["c"], ["a", "new"], ["top"], ["a", "b", 0]):
        found = plain(with_value(text, path, value))
        for step in path:
            found = found[step]
        assert found == value
    assert plain(with_item(text, ["a", "b"], value))["a"]["b"] == ["x", "y", value]
    assert plain(with_item(text, ["list"], value))["list"] == [value]


@settings(max_examples=50)
@given(st.data())
def test_what_is_taken_out_is_all_that_goes(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([*STYLES, CARBON_LENS]))
    paths: list[list[str | int]] = []

    def walk(value: Any, path: list[str | int]) -> None:
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            paths.append([*path, key])
            if isinstance(part, (dict, list)):
                walk(part, [*path, key])

    walk(plain(text), [])
    path = data.draw(st.sampled_from(paths))
    wanted = plain(text)
    inner = wanted
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    assert plain(without(text, path)) == wanted


@pytest.mark.parametrize("text", ["", "a:\n", "a: []\n", "a:  # later\n", "a: ~\n"])
def test_a_list_begins_where_none_is(text: str) -> None:
    assert plain(with_item(text, ["a"], "x")) == {"a": ["x"]}


def test_what_one_line_does_not_change_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="cannot edit the file by itself"):
        with_value("a: &x {b: 1}\nc: *x\n", ["c", "b"], 2)
