"""The plan of a load, from the catalogs and a sample.

For       `--dry-run`: a person who wants to see tables and columns before anything is made.
Touches   Both ends, by reading only.
Promises  Nothing is made or changed. What comes from a sample says so.
"""

from __future__ import annotations

from collections.abc import Collection

from landbridge.codec import documents_in
from landbridge.engine import layouts
from landbridge.engine.naming import PathNaming, public_table
from landbridge.engine.shape import LivingTable, Shape
from landbridge.engine.wishes import wishes_for
from landbridge.model.report import PlannedColumn, StreamPlan
from landbridge.model.settings import Settings
from landbridge.model.stream import Source
from landbridge.model.summary import Observer, Progress
from landbridge.model.tables import Session, TableName
from landbridge.schema import carry_on, finish_plan, same_shape, start_plan
from landbridge.schema.start import describe_path
from landbridge.state.plans import plan_from_json
from landbridge.state.streams import KnownStream

SAMPLE_DOCUMENTS = 1000
SAMPLE_SECONDS = 2.0
REFUSED_SHOWN_MAX = 5


def plan_stream(
    source: Source,
    session: Session,
    table: TableName,
    neighbours: Collection[str],
    settings: Settings,
    known: KnownStream | None,
    whole: Observer | None = None,
) -> StreamPlan:
    """Return what a load of one stream would do.

    With `whole`, every document is read, and that is told; else a sample.
    """
    collection = source.collection
    state = session.inspect(table)
    ours = known is not None and known.plan is not None
    notes = []
    plan = start_plan(settings, keyed=collection.keyed)
    living = None
    if ours and known is not None and known.plan is not None and state is not None:
        if same_shape(settings, known.settings) and not settings.full_refresh:
            plan = living = carry_on(plan_from_json(known.plan, settings))
        else:
            notes.append("the table would be replaced: its shape changes with these settings")
    elif state is not None:
        notes.append(
            "a table of this name exists that landbridge did not make: it is replaced with"
            " --take-over, and left alone without it"
        )
    naming = PathNaming(table, neighbours)
    shape = Shape(
        plan,
        LivingTable(None, settings.rewrite_limit_bytes, lambda table, column: False),
        naming,
        lambda number: table,
        lambda session, name, child: None,
    )
    if whole is not None:
        looked_at, found = _learn_all(source, shape, whole)
        notes += found
    else:
        sample = source.sample(SAMPLE_DOCUMENTS, SAMPLE_SECONDS)
        shape.learn(sample)
        looked_at = len(sample)
        notes.append(f"columns come from a sample of {looked_at} documents; the load looks at all")
    after = finish_plan(shape.plan, naming)
    wishes = wishes_for(after, collection)
    statements: list[str] = []
    for index, child in enumerate(after.tables):
        name = public_table(table, child, settings)
        key = [after.key_column] if index == 0 else ["_parent_id", "_ordinal"]
        if index == 0 and (settings.load == "append" or after.key_column is None):
            key = []
        before = living.tables[index] if living and index < len(living.tables) else None
        statements += session.statements(
            name, before, child, [k for k in key if k], wishes if index == 0 else []
        )
    return StreamPlan(
        stream=collection.stream,
        table=str(table),
        load=settings.load,
        layout=layouts.choose(source, settings, None),
        documents=collection.documents if whole is None else looked_at,
        bytes=collection.bytes,
        sampled=looked_at,
        exists=state is not None,
        columns=tuple(
            PlannedColumn(column.name, column.type, describe_path(column.path))
            for column in after.main.creation_order
        ),
        ddl=tuple(statements),
        notes=tuple(notes),
    )


def _learn_all(source: Source, shape: Shape, observer: Observer) -> tuple[int, list[str]]:
    """Let the plan take in every document; return how many there are, and what to say of them."""
    collection, total = source.collection, 0
    refused: list[str] = []
    count = 0
    with source.read(snapshot=source.snapshots) as read:
        for batch in read:
            documents = list(documents_in(batch))
            total += len(documents) + len(batch.aside)
            found = [f"{one.name}: {one.reason}" for one in batch.aside]
            found += [f"{one.document_id}: {one.reason}" for one in shape.learn(documents)]
            count += len(found)
            refused += found[: REFUSED_SHOWN_MAX - len(refused)]
            observer(Progress(collection.stream, "reading", total, collection.documents))
    observer(Progress(collection.stream, "done", total))
    notes = [f"all {total:,} documents were read, and no row was written"]
    if count:
        more = f", and {count - len(refused):,} more" if count > len(refused) else ""
        notes.append(f"{count:,} would go to quarantine: {'; '.join(refused)}{more}")
    return total, notes
