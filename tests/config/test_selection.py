"""Selection: names are literal, patterns take what there is."""

from __future__ import annotations

import pytest

from landbridge.config.selection import select
from landbridge.errors import SourceMissingError
from landbridge.model.stream import Collection

NAMES = ("Facility", "orders", "orders.2025", "orders.2026", "a[b]", "a+b", "system.profile")
AVAILABLE = [Collection("shop", name) for name in NAMES]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        ([], [], NAMES[:-1]),
        (["*"], [], NAMES[:-1]),
        (["orders"], [], ["orders"]),
        (["orders*"], [], ["orders", "orders.2025", "orders.2026"]),
        (["orders.????"], [], ["orders.2025", "orders.2026"]),
        (["orders.*"], ["*5"], ["orders.2026"]),
        (["orders.2026", "orders"], [], ["orders", "orders.2026"]),
        (["a[b]", "a?b"], [], ["a[b]", "a+b"]),
        (["a+*"], [], ["a+b"]),
        (["*"], ["orders*", "absent"], ["Facility", "a[b]", "a+b"]),
        (["absent*", "orders"], [], ["orders"]),
        (["system.*", "orders"], [], ["orders"]),
    ],
)
def test_patterns(include: list[str], exclude: list[str], expected: list[str]) -> None:
    assert [one.name for one in select(AVAILABLE, include, exclude)] == list(expected)


def test_a_name_that_does_not_exist_lists_its_neighbours() -> None:
    with pytest.raises(SourceMissingError) as raised:
        select(AVAILABLE[:-1], ["facilty"])
    assert "`Facility`" in raised.value.fix
    with pytest.raises(SourceMissingError) as raised:
        select(AVAILABLE[:-1], ["nothing like it at all"])
    assert "choose from `Facility`, `orders`" in raised.value.fix


@pytest.mark.parametrize(
    ("include", "exclude"), [(["absent*"], []), (["orders"], ["orders"]), (["system.*"], [])]
)
def test_an_empty_selection_is_an_error(include: list[str], exclude: list[str]) -> None:
    with pytest.raises(SourceMissingError) as raised:
        select(AVAILABLE, include, exclude)
    assert f"`{include[0]}`" in raised.value.why


def test_a_system_collection_is_refused_by_its_reason() -> None:
    with pytest.raises(SourceMissingError) as raised:
        select(AVAILABLE[:-1], ["system.profile"])
    assert "not copied" in raised.value.why


def test_a_database_without_collections_says_so() -> None:
    with pytest.raises(SourceMissingError) as raised:
        select([], [])
    assert "no collections" in raised.value.fix
