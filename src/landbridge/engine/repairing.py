"""A repair: documents that are not in the table as they are in the source are loaded once more.

For       `verify --repair`, which knows their ids.
Touches   The rows of these documents, as a partial load does; no others.
Promises  A row leaves only after its document was looked for once more, and under the guard on
          deletes. The stream is held alone meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from landbridge.codec import batch_of
from landbridge.engine.compare import gone_for_sure
from landbridge.engine.keys import GONE_KEYS, key_plan, stage_keys
from landbridge.engine.load import run
from landbridge.engine.memory import MemorySource
from landbridge.engine.purpose import Purpose
from landbridge.engine.situation import Situation, examine, refuse_unfinished
from landbridge.engine.stream import Job, taken
from landbridge.errors import UnsupportedError
from landbridge.model.batch import Batch
from landbridge.model.stream import LiveSource
from landbridge.model.summary import StreamSummary
from landbridge.model.tables import Session


def repair(
    job: Job, live: LiveSource, wanted: Sequence[bytes], extra: Sequence[bytes]
) -> StreamSummary:
    """Load the documents with the ids `wanted`, and let the rows of those `extra` go.

    The ids are BSON documents `{_id: …}`; a few thousand at most, since they are one load.

    Raises:
        UnsupportedError: the table keeps every version, and a row of it is no mistake.
        BusyError: a living run holds the stream.
        LandbridgeError: what else stops a load.

    """
    if job.settings.load == "append":
        raise UnsupportedError(
            f"{job.table} cannot be repaired",
            why="it keeps every version of a document (--load append)",
            fix="run landbridge sync, which adds what is lacking (by the log: with --heal)",
        )
    with job.target.session() as session, taken(job, session) as stream:
        refuse_unfinished(job, stream)
        situation = examine(job, session, stream, resumable=False)
        _doubt(job, session, situation, wanted)
        memory = MemorySource(
            replace(live.collection, documents=len(wanted), bytes=0),
            live.identity,
            _read(live, wanted),
        )
        purpose = Purpose(job.settings.method, "upsert", partial=True)
        return run(
            replace(job, source=memory),
            session,
            situation,
            purpose,
            "tiny",
            gone=gone_for_sure(live, list(extra)),
        )


def _doubt(job: Job, session: Session, situation: Situation, wanted: Sequence[bytes]) -> None:
    """Let rows be taken for different, whatever hash they bear: a hand may have changed them."""
    plan = situation.plan
    if situation.living is None or plan.key_column is None or not wanted:
        return
    with session.transaction():
        stage_keys(session, key_plan(plan), GONE_KEYS, [batch_of(list(wanted))])
        session.forget_hashes(job.table, plan, GONE_KEYS)
        session.drop([GONE_KEYS])


def _read(live: LiveSource, wanted: Sequence[bytes]) -> Iterator[Batch]:
    if wanted:
        with live.read_ids(wanted) as read:
            yield from read
