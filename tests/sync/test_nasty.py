"""Every nasty collection, under several settings at once: it arrives, or says why not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tests.sync import page
from tests.sync.cases import CASES, Case
from tests.sync.conftest import load
from tests.sync.nasty import Ends, left_behind, load_all, problems, with_all
from tests.sync.reader import Shaping, compare

from landbridge.embedded import MongoServer, PostgresServer
from landbridge.model.summary import StreamSummary

# Each of them would take a second and more under every setting.
LARGE = ("documents_16mb", "late_field", "late_type", "fields_5000", "text_traps", "keys_as_ids")
SETTINGS: dict[str, dict[str, Any]] = {
    "simple": {
        "types": "simple", "names": "snake", "flatten_depth": 0, "nul": "escape",
        "nested": "extended",
    },
    "bytes": {"raw": "bson", "ids": "bytea", "names": "preserve", "flatten_depth": 3},
    "tables": {"arrays": "table", "raw": "jsonb", "flatten_depth": 3, "nul": "escape"},
    "narrow": {"columns_max": 20, "metadata": True, "nested": "extended", "raw": "bson"},
    "narrow_simple": {"columns_max": 20, "types": "simple", "arrays": "table", "ids": "bytea"},
}  # fmt: skip
# What is kept as JSON by default may get a column that can't hold it.
FLATTENED_BADLY = {"repeated_keys_nested", "dates_out_of_range_nested"}


@pytest.fixture(scope="module")
def ends(mongod: MongoServer, postgresql: PostgresServer) -> Iterator[Ends]:
    """All nasty collections in one database."""
    with with_all(mongod, postgresql) as both:
        yield both


def test_every_nasty_collection_arrives_or_says_why_not_as_the_docs_tell(ends: Ends) -> None:
    outcomes = load_all(ends)
    assert page.PAGE.read_text(encoding="utf-8") == page.text(outcomes), "run scripts/nasty-table"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_nasty_collection_arrives_under_other_settings(ends: Ends, name: str) -> None:
    settings = SETTINGS[name]
    chosen = [case for case in CASES if case.collection not in LARGE]
    names = [case.collection for case in chosen]
    first = load(ends.mongo_uri, ends.postgres_uri, schema=name, exclude=LARGE, **settings)
    second = load(ends.mongo_uri, ends.postgres_uri, schema=name, exclude=LARGE, **settings)
    assert {stream.collection for stream in first.summary.streams} == set(names)
    shown = ("flatten_depth", "nested", "nul")
    shaping = Shaping(**{each: settings[each] for each in shown if each in settings})
    wrong = {}
    for case in chosen:
        try:
            _check_case(ends, case, first[case.collection], second[case.collection], shaping)
        except AssertionError as error:
            wrong[case.collection] = error
    assert not wrong, "\n".join(f"{collection}: {error}" for collection, error in wrong.items())
    assert left_behind(ends, name) == []


def _check_case(
    ends: Ends, case: Case, first: StreamSummary, second: StreamSummary, shaping: Shaping
) -> None:
    assert (first.error, second.error) == (None, None)
    found = compare(ends.mongo, case.collection, ends.postgres, first.table, shaping)
    expected = Counter(case.quarantined)
    if shaping.nul == "escape":
        del expected["nul"]
    if case.collection not in FLATTENED_BADLY:
        assert problems(ends, first.table) == expected
    assert second.tally.read == found.rows + found.quarantined
    assert (second.tally.unchanged, second.tally.inserted) == (found.rows, 0)
    if first.target_schema.startswith("narrow"):
        assert len(found.table.columns) <= 21  # `_rest` is the last one
