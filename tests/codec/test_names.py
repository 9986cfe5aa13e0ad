"""Names: hostile ones, and that every name is short, free, and always the same."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import HOSTILE_NAMES

from landbridge.codec.names import child_table_name, column_name, table_name, variant_name
from landbridge.model.settings import Settings

SEGMENTS = st.one_of(
    st.sampled_from(HOSTILE_NAMES),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80),
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=3).map(tuple)
POLICIES: Any = st.sampled_from(("lower", "snake", "preserve"))


@pytest.mark.parametrize(
    ("path", "lower", "snake", "preserve"),
    [
        (("siteName",), "sitename", "site_name", "siteName"),
        (("HTTPServer2",), "httpserver2", "http_server2", "HTTPServer2"),
        (("userID", "v2Beta"), "userid_v2beta", "user_id_v2_beta", "userID_v2Beta"),
        (("fire extinguishers",), "fire_extinguishers", "fire_extinguishers", "fire extinguishers"),
        (("1st",), "_1st", "_1st", "1st"),
        (("",), "_", "_", "_"),
        (("a", ""), "a__", "a__", "a__"),
        (("$set.x-y",), "_set_x_y", "_set_x_y", "$set.x-y"),
        (("名前",), "名前", "名前", "名前"),
        (("ПриветМир",), "приветмир", "привет_мир", "ПриветМир"),
        (("u\u0308ber",), "u\u0308ber", "u\u0308ber", "u\u0308ber"),
        (("🚒",), "_", "_", "🚒"),
        (("x²",), "x_", "x_", "x²"),
        (("_id",), "_id", "_id", "_id"),
        (('a"; drop table b',), "a___drop_table_b", "a___drop_table_b", 'a"; drop table b'),
    ],
)
def test_a_path_becomes_a_name(path: Any, lower: str, snake: str, preserve: str) -> None:
    names = [column_name(path, Settings(names=names)) for names in ("lower", "snake", "preserve")]
    assert names == [lower, snake, preserve]


@pytest.mark.parametrize("name", ["ctid", "XMIN", "tableoid", "_rest", "_Key", "_lb-hash"])
def test_reserved_names_get_a_hash(name: str) -> None:
    made = column_name((name,), Settings())
    assert made.startswith(f"{name.lower().replace('-', '_')}_")
    assert len(made) == len(name) + 9


def test_only_id_itself_is_called_id() -> None:
    assert column_name(("_ID",), Settings()).startswith("_id_")
    assert column_name(("_sdc_sequence",), Settings()).startswith("_sdc_sequence_")
    assert column_name(("a", "_id"), Settings()) == "a__id"


def test_two_paths_that_meet_are_told_apart() -> None:
    first = column_name(("a", "b"), Settings())
    second = column_name(("a_b",), Settings(), {first})
    third = column_name(("A_b",), Settings(), {first, second})
    assert first == "a_b"
    assert len({first, second, third}) == 3


@given(st.lists(PATHS, max_size=12, unique=True), POLICIES, st.sampled_from(("_", "__", ".")))
def test_names_are_short_and_distinct_and_always_the_same(
    paths: list[Any], policy: Any, separator: str
) -> None:
    settings = Settings(names=policy, separator=separator)

    def run() -> list[str]:
        taken: list[str] = []
        for path in paths:
            taken.append(column_name(path, settings, taken))
            taken.append(variant_name(taken[-1], "binary_128", taken))
        return taken

    names = run()
    assert len(set(names)) == len(names)
    assert all(0 < len(name.encode()) <= 63 and "\0" not in name for name in names)
    assert run() == names


@given(SEGMENTS, PATHS, POLICIES)
def test_table_names_are_short(collection: str, path: Any, policy: Any) -> None:
    settings = Settings(names=policy)
    table = table_name(collection, settings)
    child = child_table_name(table, path, settings, {table})
    assert 0 < len(table.encode()) <= 63
    assert 0 < len(child.encode()) <= 63
    assert child != table


def test_a_hash_that_is_taken_grows() -> None:
    first = column_name(("ctid",), Settings())
    second = column_name(("ctid",), Settings(), {first})
    assert second.startswith(first)
    assert len(second) == len(first) + 1


def test_a_long_name_is_cut_between_characters() -> None:
    made = column_name(("é" * 60,), Settings())
    assert made.startswith("é" * 27)
    assert len(made.encode()) == 63
