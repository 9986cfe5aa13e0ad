"""How alike names are."""

from __future__ import annotations

import pytest

from landbridge.mapping.proposing.wording import field_likeness, table_likeness, words


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("propertyImages", ("property", "image")),
        ("saved_searches", ("saved", "search")),
        ("HTTPStatus", ("http", "status")),
        ("address2", ("address", "2")),
        ("__v", ("v",)),
        ("straße", ("stra", "ß", "e")),
        ("", ()),
    ],
)
def test_words(name: str, parts: tuple[str, ...]) -> None:
    assert words(name) == parts


@pytest.mark.parametrize(
    ("collection", "table", "at_least", "at_most"),
    [
        ("users", "User", 1, 1),
        ("inquiries", "Inquiry", 1, 1),
        ("launches", "Launch", 1, 1),
        ("propertyimages", "property_image", 1, 1),
        ("searches", "saved_searches", 0.7, 0.9),
        ("customers", "users", 0.6, 0.8),
        ("sessions", "Lead", 0, 0),
        ("posts", "costs", 0, 0),
        ("", "x", 0, 0),
    ],
)
def test_tables(collection: str, table: str, at_least: float, at_most: float) -> None:
    assert at_least <= table_likeness(collection, table) <= at_most


@pytest.mark.parametrize(
    ("path", "column", "at_least", "at_most"),
    [
        ("createdAt", "created_at", 1, 1),
        ("address.city", "city", 0.9, 0.9),
        ("address.city", "address_city", 1, 1),
        ("name.first", "firstName", 0.9, 0.9),
        ("isActive", "active", 0.9, 0.9),
        ("area", "areaSqm", 0.7, 0.8),
        ("text", "body", 0.7, 0.8),
        ("zip", "postcode", 0.7, 0.8),
        ("price", "slug", 0, 0),
        ("agent", "agentId", 0, 0.8),
    ],
)
def test_fields(path: str, column: str, at_least: float, at_most: float) -> None:
    assert at_least <= field_likeness(path, column) <= at_most


@pytest.mark.parametrize("path", ["agent", "agentId", "agent_id", "agent._id"])
def test_references_are_called_with_or_without_id(path: str) -> None:
    assert field_likeness(path, "agentId", reference=True) >= 0.9
