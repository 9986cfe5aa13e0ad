"""The outcome of a load: its counts and its words, as the report has them.

For       `publish`, which saves them with the rows.
Touches   Nothing.
Promises  What was read is accounted for, or there is no report and nothing is published.
"""

from __future__ import annotations

import time

from landbridge.engine.layouts import Copied, Layout, Work
from landbridge.errors import CountMismatchError, DeleteGuardError
from landbridge.model.batch import Profile
from landbridge.model.kinds import Kind
from landbridge.model.plan import Op, Plan
from landbridge.model.summary import StreamSummary, Tally
from landbridge.model.tables import MergeCounts
from landbridge.schema.start import describe_path


def time_of_all(work: Work, copied: Copied) -> str | None:
    """Return the cluster time that all rows are as of: what is new is no more than that."""
    by_key = work.purpose.partial and work.purpose.method == "incremental"
    return None if by_key else copied.consistent_at


def summary_of(
    work: Work, layout: Layout, copied: Copied, plan: Plan, counts: MergeCounts
) -> StreamSummary:
    """Return the report of a load that is about to be published.

    Raises:
        CountMismatchError: its counts do not add up.

    """
    job, account = work.job, copied.account
    paths = {} if job.settings.raw == "bson" else by_value(account.profile)
    tally = Tally(
        read=account.documents,
        inserted=counts.inserted,
        updated=counts.updated,
        unchanged=counts.unchanged,
        deleted=counts.deleted,
        quarantined=account.rejected,
        discarded=discarded(plan, account.profile),
        by_value=sum(paths.values()),
    )
    if not tally.adds_up:
        raise CountMismatchError(
            f"{job.source.collection.stream} was not published",
            why=f"the counts do not add up: {tally}",
            fix="start the same command again; if it happens twice, report it",
        )
    collection = job.source.collection
    summary = StreamSummary(
        database=collection.database,
        collection=collection.name,
        target_schema=job.table.schema,
        target_table=job.table.name,
        method=work.purpose.method,
        load=job.settings.load,
        tally=tally,
        events=work.purpose.events,
        without_key=work.purpose.without_key,
        by_value_paths=paths,
        schema_changes=tuple(work.shape.changes),
        consistent_at=time_of_all(work, copied),
        notes=(*work.purpose.notes, *copied.notes, *_notes(work, layout, copied)),
        seconds=time.monotonic() - work.began,
    )
    if not counts.refused_deletes:
        return summary
    share = job.settings.max_delete_share_percent
    guard = DeleteGuardError(
        f"{counts.refused_deletes} rows of {job.table} were not deleted",
        why=f"they are more than {share:g} % of the table; everything else was committed",
        fix="if they are really gone from the source, run again with --max-delete-share 100",
    )
    return summary.failed(guard.to_json())


def _notes(work: Work, layout: Layout, copied: Copied) -> list[str]:
    notes = []
    whole = not work.purpose.partial and layout != "large"
    whole = whole and not work.job.source.collection.versions  # a file does not change
    if copied.duplicates_possible and whole:
        notes.append("the server gives no snapshot reads: not one point in time")
    escaped = sum(seen.escaped for seen in copied.account.profile.values())
    if escaped:
        notes.append(f"{escaped} strings with NUL were kept in escaped form")
    return notes


def discarded(plan: Plan, profile: Profile) -> int:
    """Count the values that a contract discarded."""
    total = 0
    for index, table in enumerate(plan.tables):
        for path, field in table.walk():
            seen = profile.get((index, path))
            kinds = {slot.kind.value for slot in field.slots if slot.op is Op.DISCARD}
            if seen is not None and kinds:
                total += sum(seen.counts.get(kind, 0) for kind in kinds)
    return total


def by_value(profile: Profile) -> dict[str, int]:
    """Count by field the values kept by value only: null is absent, -0.0 is 0, and so on."""
    counts: dict[str, int] = {}
    for (_, path), seen in profile.items():
        count = seen.by_value + seen.counts.get(Kind.NULL.value, 0)
        if count:
            shown = describe_path(path)
            counts[shown] = counts.get(shown, 0) + count
    return counts
