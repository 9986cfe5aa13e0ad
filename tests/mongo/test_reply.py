"""The walk over a reply finds its batch and refuses what it doesn't know."""

from __future__ import annotations

import bson
import pytest
from bson import Int64, Regex, Timestamp

from landbridge.errors import CodecError
from landbridge.mongo.reply import read_reply

ROUND_THEM = {"ok": 1.0, "name": "x", "flag": True, "none": None, "bytes": b"ab", "n": 3}


def test_the_batch_is_found_wherever_it_stands() -> None:
    documents = [{"_id": 1}, {"_id": "two"}]
    for cursor in (
        {"firstBatch": documents, "atClusterTime": Timestamp(7, 9), "id": Int64(5), "ns": "a.b"},
        {"id": Int64(5), "ns": "a.b", "atClusterTime": Timestamp(7, 9), "nextBatch": documents},
    ):
        data = bson.encode({**ROUND_THEM, "cursor": cursor, "after": {}})
        reply = read_reply(data)
        array = data[reply.offset : reply.offset + reply.bytes]
        assert bson.decode(array) == {"0": documents[0], "1": documents[1]}
        assert (reply.cursor_id, reply.at_cluster_time, reply.empty) == (5, "7:9", False)


def test_the_last_reply_is_empty() -> None:
    data = bson.encode({"cursor": {"nextBatch": [], "id": Int64(0)}})
    assert read_reply(data).empty
    assert read_reply(data).at_cluster_time is None


@pytest.mark.parametrize(
    "reply", [{}, {"cursor": {}}, {"cursor": {"id": Int64(1)}}, {"x": Regex("x"), "cursor": {}}]
)
def test_another_reply_is_refused(reply: dict[str, object]) -> None:
    with pytest.raises(CodecError):
        read_reply(bson.encode(reply))
