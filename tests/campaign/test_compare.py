"""The comparison names each way in which a table can be wrong."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import pytest
from bson import json_util
from tests.campaign import compare, ids, writes
from tests.campaign.record import Document, Record, Slot

NAME = "mixed"


@pytest.fixture
def record() -> Record:
    """Ten documents of all kinds of ids, and one that is gone."""
    made, chance = Record(), random.Random(7)
    for number in range(10):
        kind = ids.ALL_KINDS[number % len(ids.ALL_KINDS)]
        slot = Slot(NAME, f"{kind} {number}", ids.make_id(kind, number))
        made.acknowledge(slot, writes.document(slot, number + 1, chance))
    made.acknowledge(Slot(NAME, "int 99", 99), None)
    return made


@pytest.fixture
def documents(record: Record) -> list[Document]:
    states = [copy.deepcopy(slot.state) for slot in record.of(NAME).values()]
    return [state for state in states if state is not None]


def row_of(document: Document) -> dict[str, Any]:
    """Return the row that a document should become."""
    row = {name: value for name, value in document.items() if name != "nested"}
    row |= {f"nested_{name}": value for name, value in document["nested"].items()}
    if isinstance(row.get("loose"), str):
        row["loose__string"] = row.pop("loose")
    return row | {"_lb_hash": "anything"}


def test_equal_sides_differ_in_nothing(record: Record, documents: list[Document]) -> None:
    rows = [row_of(document) for document in documents]
    assert compare.against_record(record, NAME, documents) == []
    assert compare.against_source(NAME, documents, rows, record) == []


def lose(rows: list[dict[str, Any]]) -> None:
    del rows[3]


def double(rows: list[dict[str, Any]]) -> None:
    rows.append(dict(rows[3]))


def resurrect(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[3] | {"who": "int 99"})


def make_up(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[3] | {"who": "nobody"})


def age(rows: list[dict[str, Any]]) -> None:
    rows[3]["version"] -= 1


def change_a_number(rows: list[dict[str, Any]]) -> None:
    rows[3]["count"] += 1


def change_inside(rows: list[dict[str, Any]]) -> None:
    rows[3]["nested_b"] = [rows[3]["nested_b"][0], {"deep": "other"}]


def forget_a_value(rows: list[dict[str, Any]]) -> None:
    rows[3]["name"] = None


def invent_a_value(rows: list[dict[str, Any]]) -> None:
    rows[3]["late9"] = 5


def change_the_id(rows: list[dict[str, Any]]) -> None:
    rows[0]["_id"] = 5


def give_it_two_ids(rows: list[dict[str, Any]]) -> None:
    rows[0]["_id__string"] = "5"


@pytest.mark.parametrize(
    ("mutate", "kind"),
    [
        (lose, "lost"),
        (double, "doubled"),
        (resurrect, "resurrected"),
        (make_up, "made up"),
        (age, "stale"),
        (change_a_number, "other value"),
        (change_inside, "other value"),
        (forget_a_value, "other value"),
        (invent_a_value, "other value"),
        (change_the_id, "other value"),
        (give_it_two_ids, "other value"),
    ],
)
def test_one_wrong_row_is_named(
    mutate: Callable[[list[dict[str, Any]]], None],
    kind: str,
    record: Record,
    documents: list[Document],
) -> None:
    rows = [row_of(document) for document in documents]
    mutate(rows)
    found = compare.against_source(NAME, documents, rows, record)
    assert [each.kind for each in found] == [kind]


def test_a_document_with_a_nul_must_not_be_a_row(record: Record, documents: list[Document]) -> None:
    rows = [row_of(document) for document in documents]
    documents[2]["note"] = "a\0b"
    [found] = compare.against_source(NAME, documents, rows, record)
    assert (found.kind, found.who) == ("still a row, must be set aside", documents[2]["who"])


def test_quarantine_holds_what_can_not_be_a_row_and_nothing_else(
    documents: list[Document],
) -> None:
    documents[0]["note"] = "a\0b"
    options = json_util.CANONICAL_JSON_OPTIONS
    texts = [json_util.dumps(each["_id"], json_options=options) for each in documents]
    assert compare.aside(NAME, documents, texts[:1]) == []
    [missing] = compare.aside(NAME, documents, [])
    assert missing.kind == "not in quarantine"
    [wrong] = compare.aside(NAME, documents, texts[:2])
    assert wrong.kind == "wrongly in quarantine"
    assert compare.aside(NAME, documents[:1], texts[:2], deleted_stay=True) == []


def test_the_type_of_an_id_in_extended_json_counts(
    record: Record, documents: list[Document]
) -> None:
    rows = [row_of(document) for document in documents]
    rows[0]["_id"] = '{"$numberInt": "0"}'
    assert compare.against_source(NAME, documents, rows, record) == []
    rows[0]["_id"] = '{"$numberDouble": "0.0"}'
    assert len(compare.against_source(NAME, documents, rows, record)) == 1


def test_a_write_in_doubt_may_have_happened_or_not(
    record: Record, documents: list[Document]
) -> None:
    slot = record.of(NAME)[documents[0]["who"]]
    later = documents[0] | {"version": 500}
    record.doubt(slot, None, later)
    for state in (documents[0], later, None):
        held = [state, *documents[1:]] if state else documents[1:]
        assert compare.against_record(record, NAME, held) == []
    other = documents[0] | {"version": 400}
    assert len(compare.against_record(record, NAME, [other, *documents[1:]])) == 1


def test_an_acknowledged_write_that_the_source_lost_is_told(
    record: Record, documents: list[Document]
) -> None:
    found = compare.against_record(record, NAME, documents[1:])
    assert [each.who for each in found] == [documents[0]["who"]]
