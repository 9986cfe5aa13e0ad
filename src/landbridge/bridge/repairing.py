"""The repair of a verification: what differs is loaded once more, and nothing else.

For       `verify --repair`.
Touches   The rows of the documents that a verification named; the history of runs.
Promises  What is loaded goes the way that every load goes: lease, quarantine, guard on deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import bson
from bson import json_util
from bson.errors import BSONError

from landbridge.bridge.run import Run, job_of, source_of
from landbridge.engine import repairing
from landbridge.model.settings import Settings
from landbridge.model.verification import StreamVerdict
from landbridge.mongo.connect import Connection
from landbridge.verify.identity import CANONICAL
from landbridge.verify.pairs import Pair

IDS_AT_ONCE = 10_000  # of one load


def repair(run: Run, mongo: Connection, pair: Pair, verdict: StreamVerdict) -> tuple[str, ...]:
    """Load the documents that a verdict names as missing or different; delete extra rows.

    Returns what was refused, such as by the guard on deletes.

    Raises:
        LandbridgeError: what stops a load; what was repaired before stays so.

    """
    wanted = [*verdict.missing, *(one.id for one in verdict.different)]
    settings: Settings = replace(pair.settings, full_refresh=False, take_over=False)
    source = source_of(mongo, pair.collection, settings)
    job = job_of(run, source, pair.table, {pair.table.name}, settings)
    done = []
    for at in range(0, len(wanted), IDS_AT_ONCE):
        ids = _documents(wanted[at : at + IDS_AT_ONCE])
        done.append(repairing.repair(job, source, ids, ()))
    if verdict.extra:  # all at once: the guard is to see how many
        done.append(repairing.repair(job, source, (), _documents(verdict.extra)))
    return tuple(f"{one.error['message']}; {one.error['fix']}" for one in done if one.error)


def _documents(ids: Sequence[str]) -> list[bytes]:
    return [found for text in ids if (found := _document(text))]


def _document(text: str) -> bytes | None:
    """Return `{_id: …}` of an id as reports write it; None where that can't be read back."""
    try:
        return bson.encode({"_id": json_util.loads(text, json_options=CANONICAL)})
    except (BSONError, ValueError, TypeError):
        return None  # it stays different, and the report says so
