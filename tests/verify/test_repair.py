"""A repair loads exactly what differs, and the comparison is made again."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from bson import Int64, ObjectId
from pymongo.database import Database
from tests.verify.conftest import Sync, Verify

from landbridge.errors import UsageError

Mongo = Database[dict[str, Any]]


def damage(postgres: psycopg.Connection) -> None:
    """Change one row, take one away, and put one there that has no document."""
    postgres.execute("UPDATE raw.things SET v = v || '!' WHERE n = 3")
    postgres.execute("DELETE FROM raw.things WHERE n = 4")
    postgres.execute("INSERT INTO raw.things (_id, n) VALUES ('65a000000000000000000000', 99)")


@pytest.mark.parametrize("settings", [{}, {"method": "log"}, {"soft_delete": True}])
def test_what_was_changed_by_hand_is_as_it_was(
    mongo: Mongo,
    postgres: psycopg.Connection,
    sync: Sync,
    verify: Verify,
    settings: dict[str, Any],
) -> None:
    mongo.things.insert_many([{"n": n, "v": f"value {n}"} for n in range(50)])
    sync(**settings)
    damage(postgres)
    found = verify(mode="full")["things"]
    assert (len(found.missing), len(found.extra), len(found.different)) == (1, 1, 1)
    assert found.different[0].fields == ("v",)
    mended = verify(mode="full", repair=True)
    assert not mended.unequal()
    assert mended["things"].repaired == 3
    assert verify(mode="full").status == "equal"
    sync(**settings)
    assert verify(mode="hash").status == "equal"


def test_elements_in_a_table_of_their_own_are_repaired(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"n": n, "tags": ["a", "b"]} for n in range(10)])
    sync(arrays="table")
    postgres.execute("UPDATE raw.things_tags SET value = 'c' WHERE ctid = '(0,2)'")
    assert len(verify(mode="full")["things"].different) == 1
    assert verify(mode="full", repair=True).status == "equal"


def test_ids_of_many_kinds_are_found_again(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    ids = [1, Int64(2**40), 2.5, "1", ObjectId(), {"a": 1, "b": Int64(2)}, True, None]
    mongo.things.insert_many([{"_id": one, "n": n} for n, one in enumerate(ids)])
    sync()
    postgres.execute("UPDATE raw.things SET n = n + 1")
    found = verify(mode="full", repair=True)
    assert not found.unequal()
    assert found["things"].repaired == len(ids)


def test_the_guard_keeps_rows_that_a_repair_would_delete(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"_id": n} for n in range(1, 11)])
    sync()
    postgres.execute("INSERT INTO raw.things (_id) SELECT generate_series(100, 2000)")
    found = verify(mode="full", repair=True)["things"]
    assert found.status == "different"
    assert "--max-delete-share" in found.notes[0]
    assert postgres.execute("SELECT count(*) FROM raw.things").fetchone() == (1911,)


def test_figures_tell_no_ids_to_repair(sync: Sync, verify: Verify) -> None:
    for mode in ("count", "aggregate"):
        with pytest.raises(UsageError, match="--mode full"):
            verify(mode=mode, repair=True)


def test_a_history_is_not_repaired(
    mongo: Mongo, postgres: psycopg.Connection, sync: Sync, verify: Verify
) -> None:
    mongo.things.insert_many([{"n": n} for n in range(3)])
    sync(load="append")
    postgres.execute("UPDATE raw.things SET n = 100 WHERE n = 1")
    found = verify(mode="full", repair=True)["things"]
    assert found.status == "failed"
    assert found.error and found.error["code"] == "unsupported"
