"""Whatever stands in a project file, it is understood or told, and never a traceback."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.project.conftest import CARBON_LENS
from tests.project.test_reading import TWO

from landbridge.config import native
from landbridge.config.project import read_project
from landbridge.config.tree import read_tree
from landbridge.errors import LandbridgeError

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 9),
    st.floats(),
    st.sampled_from(["", "x", "*", "!*.*", "${X}", "$", "a b", "tap-mongodb", "a.b.c", "[", "\0"]),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([{}]),
    st.just({"name": {}}),
    st.just([{"name": "x"}]),
    st.just({"*": {"replication-method": []}}),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every part of a tree as what holds it and its key there."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in parts:
        found.append((value, key))
        if isinstance(part, (dict, list)):
            found += places(part)
    return found


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_part_may_be_anything(tmp_path: Path, data: st.DataObject) -> None:
    tree = read_tree(data.draw(st.sampled_from([CARBON_LENS, TWO])), "file")
    assert tree is not None
    content = tree.plain()
    for _ in range(data.draw(st.integers(1, 2))):
        holder, key = data.draw(st.sampled_from(places(content)))
        holder[key] = copy.deepcopy(data.draw(ODD))
        if not places(content):
            break
    path = tmp_path / "meltano.yml"
    path.write_text(json.dumps(content), "utf-8")  # JSON is YAML
    with mock.patch.dict(os.environ, {"TARGET_POSTGRES_PASSWORD": "x"}):
        try:
            project = read_project(path)
            for plugin in project.plugins:
                native.check_settings(plugin)
        except LandbridgeError as error:
            assert error.why


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_line_may_be_cut(tmp_path: Path, data: st.DataObject) -> None:
    lines = TWO.splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 1))
    sign = data.draw(
        st.sampled_from(["", " ", "\t", ":", "- ", "{", "[", "'", "&a ", "*a ", "!b "])
    )
    at = data.draw(st.integers(0, len(lines[number])))
    lines[number] = lines[number][:at] + sign
    path = tmp_path / "meltano.yml"
    path.write_text("".join(lines), "utf-8")
    try:
        read_project(path)
    except LandbridgeError as error:
        assert error.why
