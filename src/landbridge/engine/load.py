"""One load: what a source yields goes through private tables to readers, by one of the layouts.

For       Every method: whole collections, what is new in them, and batches of changes.
Touches   Private tables until the publish; then the table and the state, in one transaction.
Promises  read = inserted + updated + unchanged + quarantined, or nothing is published.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from landbridge.engine import layouts, publish, ranges
from landbridge.engine.copying import Constants
from landbridge.engine.layouts import Copied, Layout, Work
from landbridge.engine.naming import PathNaming, private_table
from landbridge.engine.purpose import Purpose
from landbridge.engine.shape import LivingTable, Shape
from landbridge.engine.situation import Situation, examine
from landbridge.engine.stream import Job
from landbridge.errors import SnapshotTooOldError
from landbridge.model.plan import Column
from landbridge.model.summary import StreamSummary
from landbridge.model.tables import Persistence, Session, TableName
from landbridge.state.streams import StreamRecord


def copy_whole(job: Job, session: Session, stream: StreamRecord, purpose: Purpose) -> StreamSummary:
    """Load a whole collection; where the server gives its snapshot up, begin again by ranges."""
    layout = layouts.choose(job.source, job.settings, stream)
    situation = examine(job, session, stream, resumable=layout == "large")
    try:
        return run(job, session, situation, purpose, layout)
    except SnapshotTooOldError:
        # The server no longer keeps the history that a point in time needs.
        layout = "large" if job.source.collection.rangeable else "one cursor"
        situation = examine(job, session, stream, resumable=False, begun=True)
        return run(job, session, situation, purpose, layout, snapshot=False)


def run(
    job: Job,
    session: Session,
    situation: Situation,
    purpose: Purpose,
    layout: Layout,
    *,
    snapshot: bool | None = None,
    gone: Sequence[bytes] = (),
    complete: Callable[[Work, Copied], None] | None = None,
    batch: int | None = None,
) -> StreamSummary:
    """Copy what the job's source yields, and publish it.

    Args:
        job: the stream, its source, its target.
        session: the connection that publishes.
        situation: what `examine` found.
        purpose: how the rows are published.
        layout: how they are copied.
        snapshot: whether to read one point in time; by default where the source gives it.
        gone: ids of rows that are to leave the table, each a BSON document `{_id: …}`.
        batch: number among the loads that one run publishes for the stream.
        complete: called when all is copied and before it is published, to add what is missing.

    """
    work = begin(job, session, situation, purpose, layout)
    work.gone += gone
    work.batch = batch
    finish = publish.Publisher(work, situation.living, situation.replaced, layout, complete)
    snapshot = job.source.snapshots if snapshot is None else snapshot
    match layout:
        case "tiny":
            with session.transaction():
                summary = finish.publish(layouts.copy_tiny(work))
        case "small" | "one cursor":
            summary = finish.publish(layouts.copy_small(work, snapshot=snapshot))
        case "large":
            summary = finish.publish(ranges.copy_ranges(work, resumed=situation.resumed))
    return finish.analyze(summary)


def begin(
    job: Job, session: Session, situation: Situation, purpose: Purpose, layout: Layout
) -> Work:
    """Return a load that is about to begin; its private tables are made by the layout."""
    persistence: Persistence = "logged"
    if situation.living is not None and layout != "large":
        persistence = "temporary" if layout == "tiny" else "unlogged"
    schema = "" if persistence == "temporary" else job.table.schema
    nothing_there = situation.living is None and situation.replaced is None

    def beyond_double(table: int, column: Column) -> bool:
        staged = shape.made and session.holds_beyond_double(shape.tables[table], column)
        living = situation.living is not None and column.name in situation.living.columns
        return staged or (living and session.holds_beyond_double(job.table, column))

    def name_of(number: int) -> TableName:
        if number == 0 and layout == "tiny" and nothing_there:
            return job.table  # nobody sees it before the commit
        return private_table(schema, situation.stream.id, situation.generation, number)

    shape = Shape(
        situation.plan,
        LivingTable(situation.living, job.settings.rewrite_limit_bytes, beyond_double),
        PathNaming(job.table, job.neighbours),
        name_of,
        lambda session, name, table: session.create(name, table, persistence),
    )
    return Work(
        job=job,
        purpose=purpose,
        session=session,
        stream=situation.stream,
        generation=situation.generation,
        merges=situation.living is not None,
        shape=shape,
        constants=Constants(situation.generation),
        began=time.monotonic(),
    )
