"""The dry run of an import by a mapping: all data checked against the tables, nothing written.

For       `import --mapping --dry-run`, and the plan of a cutover, which goes by its durations.
Touches   Both ends, by reading; a temporary file.
Promises  The target is looked at in one READ ONLY transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from landbridge.bridge.mapped_task import Task
from landbridge.engine.import_check import Checked, DataCheck, disk
from landbridge.errors import ViolationError
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, StreamSummary
from landbridge.postgres.connect import Target
from landbridge.postgres.probe import Prober
from landbridge.state import migrate


def check_data(
    target: Target, sources: Sequence[Source], task: Task, observer: Observer
) -> list[StreamSummary]:
    """Return what an import would do, collection by collection, in the order of the import."""
    by_name = {source.collection.name: source for source in sources}
    streams = [
        Checked(
            by_name[name],
            task.converter(by_name[name].collection),
            task.repeated.get(name, {}),
        )
        for group in task.order.groups
        for name in group.collections
        if name in by_name
    ]
    with target.session() as session, disk() as database:
        prober = Prober(session.connection, migrate.knows_imports(session.connection))
        with prober.reading():
            data = DataCheck(
                streams,
                prober,
                database,
                batch_size=task.asked.batch_size,
                observer=observer,
            )
            return data.run()


def first_violation(planned: Sequence[StreamSummary]) -> dict[str, str] | None:
    """Return the error of an import that would stop at the first document that doesn't fit."""
    for stream in planned:
        if stream.tally.quarantined:
            worst = stream.violations[0]
            return ViolationError(
                f"{stream.stream}: {stream.tally.quarantined} documents do not fit",
                why=f"{worst['table']}.{worst['column']}: {worst['examples'][0]}",
                fix="mend the documents or the mapping, or go on with --on-error continue",
            ).to_json()
    return None
