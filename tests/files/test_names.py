"""Names of files: safe, different, and back to the collection."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landbridge.files import archive_names, collection_of
from landbridge.files.names import STEM_BYTES_MAX
from landbridge.model.archive import Compression

SAFE = re.compile(r"[A-Za-z0-9_%-][A-Za-z0-9_.%-]*")


@pytest.mark.parametrize(
    ("collection", "name"),
    [
        ("users", "users.jsonl"),
        ("a/b", "a%2Fb.jsonl"),
        ("..", "%2E..jsonl"),
        (".hidden", "%2Ehidden.jsonl"),
        ("100%", "100%25.jsonl"),
        ('"; drop table x; --', "%22%3B%20drop%20table%20x%3B%20--.jsonl"),
        ("käufer", "k%C3%A4ufer.jsonl"),
        ("rejected", "rejected.jsonl"),
        ("a.rejected", "a%2Erejected.jsonl"),
        ("orders.2024", "orders.2024.jsonl"),
    ],
)
def test_names_are_safe_and_can_be_read(collection: str, name: str) -> None:
    assert archive_names([collection], "none") == {collection: name}
    assert collection_of(name) == collection


@given(
    st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60), max_size=5),
    st.sampled_from(["none", "zstd", "gzip"]),
)
def test_any_names_stay_apart_and_come_back(
    collections: set[str], compression: Compression
) -> None:
    names = archive_names(collections, compression)

    assert len({name.lower() for name in names.values()}) == len(collections)
    for collection, name in names.items():
        assert SAFE.fullmatch(name) and ".." not in name.replace("..jsonl", ".jsonl")[:2]
        if len(name) < STEM_BYTES_MAX:
            assert collection_of(name) == collection


def test_names_that_differ_by_case_only_do_not_meet() -> None:
    names = archive_names(["Users", "users"], "zstd")
    assert names == {"Users": "%55sers.jsonl.zst", "users": "users.jsonl.zst"}


def test_long_names_are_cut_and_stay_apart() -> None:
    names = archive_names(["ü" * 110 + "a", "ü" * 110 + "b"], "gzip")
    assert len(set(names.values())) == 2
    assert all(len(name) <= STEM_BYTES_MAX + len(".jsonl.gz") for name in names.values())


def test_files_of_other_tools_have_a_collection_too() -> None:
    assert collection_of("users.json") == "users"
    assert collection_of("users.json.gz") == "users"
    assert [collection_of(name) for name in ("notes.txt", ".jsonl", "a.rejected.jsonl")] == [
        None
    ] * 3
