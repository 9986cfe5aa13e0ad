"""Events as the server sends them: picked apart, put together, and too large to be sent."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Timestamp, encode
from hypothesis import given
from hypothesis import strategies as st
from pymongo.errors import OperationFailure
from tests import strategies
from tests.layouts.checks import Mongo, Postgres
from tests.log.conftest import Follow

from landbridge.codec import COMPILED, batch_of, pick, picking
from landbridge.errors import CodecError
from landbridge.model.position import ClusterTime
from landbridge.mongo.events import Assembler

DOCUMENT_BYTES_MAX = 16 << 20
PATHS = ((b"a",), (b"a", b"b"), (b"", b"a"), (b"b", b"c", b"d"), (b"_id",))


@pytest.mark.skipif(not COMPILED, reason="there is no compiled kernel to compare")
@given(st.lists(strategies.documents(), max_size=4))
def test_the_kernel_picks_what_its_twin_picks(documents: list[bytes]) -> None:
    batch = batch_of(documents)
    try:
        expected = picking.pick(batch.data, batch.offset, PATHS)
    except CodecError:
        with pytest.raises(CodecError):
            pick(batch.data, batch.offset, PATHS)
        return
    assert pick(batch.data, batch.offset, PATHS) == expected


def part(number: int, of: int, token: str, **fields: Any) -> bytes:
    return encode({"_id": {"_data": token}, "splitEvent": {"fragment": number, "of": of}, **fields})


HEAD = {"operationType": "insert", "clusterTime": Timestamp(7, 3), "ns": {"coll": "a"}}


def test_parts_of_an_event_become_one_with_the_last_token() -> None:
    assembler = Assembler()
    first = batch_of([part(1, 3, "8201", **HEAD), part(2, 3, "8202", documentKey={"_id": 5})])
    assert assembler.events(first.data, first.offset) == []
    assert assembler.within
    second = batch_of([part(3, 3, "8203", fullDocument={"_id": 5, "x": 1})])
    [event] = assembler.events(second.data, second.offset)
    assert not assembler.within
    assert (event.token, event.operation, event.collection) == ("8203", "insert", "a")
    assert event.time == ClusterTime(7, 3)
    assert event.document == encode({"_id": 5, "x": 1})
    assert event.id == b"\x10\x05\0\0\0"


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1)])
def test_parts_out_of_order_are_refused(numbers: tuple[int, ...]) -> None:
    batch = batch_of([part(number, 3, f"82{number:02}", **HEAD) for number in numbers])
    with pytest.raises(CodecError):
        Assembler().events(batch.data, batch.offset)


def test_the_server_is_asked_whether_it_splits_events(mongo: Mongo) -> None:
    """The probe's refusal on a real server: this one does not know the stage."""
    with pytest.raises(OperationFailure) as refused:
        mongo.aggregate([{"$changeStream": {}}, {"$changeStreamSplitLargeEvent": {}}])
    assert refused.value.code == 40324


def test_an_event_too_large_to_be_sent_is_read_by_its_id(
    mongo: Mongo, postgres: Postgres, follow: Follow
) -> None:
    """A document as large as can be, whose id stands in its event twice more."""
    mongo.a.insert_one({"_id": "small", "v": 1})
    follow()
    begin = mongo.client.admin.command("hello")["operationTime"]
    large = {"_id": "x" * 12_000, "v": 3, "text": ""}
    large["text"] = "y" * (DOCUMENT_BYTES_MAX - len(encode(large)))
    mongo.a.insert_one({"_id": "before", "v": 2})
    mongo.a.insert_one(large)
    mongo.a.insert_one({"_id": "after", "v": 4})
    with pytest.raises(OperationFailure) as refused:
        options = {"startAtOperationTime": begin}
        mongo.command("aggregate", 1, pipeline=[{"$changeStream": options}], cursor={})
    assert refused.value.code == 10334
    assert follow()["a"].events == 3
    found = postgres.execute("SELECT v FROM raw.a ORDER BY v").fetchall()
    assert found == [(1,), (2,), (3,), (4,)]
