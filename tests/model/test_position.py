"""A position is what was written down, or it is none: nobody goes on from half of one."""

from __future__ import annotations

from typing import Any

import pytest

from landbridge.model.position import ClusterTime, LogPosition

TOKEN = "826565A2F0000000052B0229296E04"
WHOLE = LogPosition(TOKEN, ClusterTime(1701159000, 7), "0123")


def test_a_position_survives_being_written_down() -> None:
    for position in (WHOLE, LogPosition(TOKEN), LogPosition(TOKEN + ".8205")):
        assert LogPosition.from_json(position.to_json()) == position


def test_a_position_of_another_method_is_none_of_ours() -> None:
    assert LogPosition.from_json(None) is None
    assert LogPosition.from_json({"method": "incremental", "key": "_id"}) is None


@pytest.mark.parametrize(
    "data",
    [
        "a position",
        [1],
        {"method": "log"},
        WHOLE.to_json() | {"token": None},
        WHOLE.to_json() | {"token": 5},
        WHOLE.to_json() | {"token": ""},
        WHOLE.to_json() | {"token": TOKEN[:11]},
        WHOLE.to_json() | {"token": TOKEN.replace("826565A2F0", "826565A2F1")},
        WHOLE.to_json() | {"time": "1:1"},
        WHOLE.to_json() | {"snapshot": "yesterday"},
        WHOLE.to_json() | {"snapshot": 5},
        {key: value for key, value in WHOLE.to_json().items() if key != "uuid"},
    ],
    ids=str,
)
def test_a_position_that_was_changed_has_no_time(data: Any) -> None:
    found = LogPosition.from_json(data)
    assert found is not None
    with pytest.raises(ValueError, match="not a resume token"):
        _ = found.time
