"""The method `full`: every document is read, and the table becomes what the source is.

For       First loads and reloads, whatever the size; documents in quarantine that are tried again.
Touches   Private tables until the publish; then the table and the state, in one transaction.
Promises  Readers see the old rows or the new ones. read = inserted + updated + unchanged +
          quarantined, or nothing is published.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.engine import replay
from landbridge.engine.layouts import Copied, Work
from landbridge.engine.load import Complete, copy_whole, run
from landbridge.engine.purpose import Purpose
from landbridge.engine.situation import examine, refuse_unfinished
from landbridge.engine.stream import Job, remembered, taken
from landbridge.model.log import ChangeLog
from landbridge.model.position import LogPosition
from landbridge.model.stream import LiveSource
from landbridge.model.summary import Progress, StreamSummary
from landbridge.model.tables import Session
from landbridge.state.streams import StreamRecord


def load(job: Job, live: LiveSource, log: ChangeLog) -> StreamSummary:
    """Load one stream, by the layout that fits its size and its server.

    What is read by ranges is brought to one point in time by the log, where there is one.

    Raises:
        LandbridgeError: what stopped it; nothing that readers see has changed then.

    """
    purpose = Purpose("full", job.settings.load)
    with job.target.session() as session, taken(job, session) as stream:
        job.report(Progress(job.source.collection.stream, "reading"))

        def by_ranges() -> Complete:
            return _completed_by_log(job, live, log, session, stream)

        return copy_whole(job, session, stream, purpose, by_ranges)


def load_once(job: Job) -> StreamSummary:
    """Load one stream from a source that stands still and has no ranges: a file.

    Raises:
        LandbridgeError: what stopped it; nothing that readers see has changed then.

    """
    with job.target.session() as session, taken(job, session) as stream:
        job.report(Progress(job.source.collection.stream, "reading"))
        return copy_whole(job, session, stream, Purpose("full", job.settings.load))


def _completed_by_log(
    job: Job, live: LiveSource, log: ChangeLog, session: Session, stream: StreamRecord
) -> Complete:
    start, why = replay.begin(log)
    if start is None or job.settings.load == "append":
        note = why or "versions that are kept cannot be read again"
        return lambda work, copied: copied.notes.append(f"not one point in time: {note}")
    live.read_after(log.clock())
    begun = remembered(session, stream, start)

    def complete(work: Work, copied: Copied) -> None:
        if isinstance(begun, LogPosition) and work.shape.plan.key_column is not None:
            replay.replay(work, copied, live, log, begun)

    return complete


def retry(job: Job, entries: Sequence[int]) -> StreamSummary:
    """Load the documents of quarantine entries, which are the job's source.

    Raises:
        StopError: the stream has a load that was begun and not finished.

    """
    purpose = Purpose(job.settings.method, job.settings.load, partial=True, retried=entries)
    with job.target.session() as session, taken(job, session) as stream:
        refuse_unfinished(job, stream)
        situation = examine(job, session, stream, resumable=False)
        return run(job, session, situation, purpose, "tiny")
