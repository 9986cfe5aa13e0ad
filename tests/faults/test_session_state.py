"""Nothing of a session outlives a transaction: a transaction-pooling proxy may stand in between."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from tests.layouts.checks import LAYOUTS, NAME, Mongo, Postgres, change, fill, settings_for, sync
from tests.layouts.conftest import Forced

from landbridge.model.settings import Settings
from landbridge.postgres.connect import Target

TRACES = {
    "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session'",
    "advisory locks": "SELECT pid FROM pg_locks"
    " WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    "temporary tables": "SELECT relname::text FROM pg_class"
    " WHERE relnamespace = pg_my_temp_schema()",
    "prepared statements": "SELECT name FROM pg_prepared_statements",
    "cursors": "SELECT name FROM pg_cursors",
    "channels": "SELECT pg_listening_channels()",
    "role": "SELECT current_user WHERE current_user <> session_user",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_session_state_is_left_behind(
    layout: str,
    forced: Forced,
    mongo: Mongo,
    postgres: Postgres,
    mongo_uri: str,
    postgres_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forced(layout)
    fill(mongo[NAME])
    found: list[Any] = []
    sessions = 0
    close = Target.close

    def look_and_close(target: Target) -> None:
        nonlocal sessions
        with ExitStack() as stack:
            for _ in target.pids:
                session = stack.enter_context(target.session())
                sessions += 1
                for query in TRACES.values():
                    found.extend(session.connection.execute(query).fetchall())  # type: ignore[arg-type]
        close(target)

    monkeypatch.setattr(Target, "close", look_and_close)
    settings = settings_for(layout, arrays="table", indexes=("name",))
    for share in (0.06, 0.3):
        sync(mongo_uri, postgres_uri, settings)
        change(mongo[NAME], share=share)
    mongo[NAME].insert_one({"_id": "an id of another kind", "nested": {}})
    sync(mongo_uri, postgres_uri, settings)
    sync(mongo_uri, postgres_uri, Settings(load="upsert", arrays="table"))
    assert sessions >= 4
    assert found == []
