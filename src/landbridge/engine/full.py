"""The method `full`: every document is read, and the table becomes what the source is.

For       First loads and reloads, whatever the size; documents in quarantine that are tried again.
Touches   Private tables until the publish; then the table and the state, in one transaction.
Promises  Readers see the old rows or the new ones. read = inserted + updated + unchanged +
          quarantined, or nothing is published.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.engine.load import copy_whole, run
from landbridge.engine.purpose import Purpose
from landbridge.engine.situation import examine, refuse_unfinished
from landbridge.engine.stream import Job, taken
from landbridge.model.summary import Progress, StreamSummary


def load(job: Job) -> StreamSummary:
    """Load one stream, by the layout that fits its size and its server.

    Raises:
        LandbridgeError: what stopped it; nothing that readers see has changed then.

    """
    purpose = Purpose("full", job.settings.load)
    with job.target.session() as session, taken(job, session) as stream:
        job.report(Progress(job.source.collection.stream, "reading"))
        return copy_whole(job, session, stream, purpose)


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
