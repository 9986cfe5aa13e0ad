"""The plan of a load, from the catalogs and a sample.

For       `--dry-run`: a person who wants to see tables and columns before anything is made.
Touches   Both ends, by reading only.
Promises  Nothing is made or changed. What comes from a sample says so.
"""

from __future__ import annotations

from collections.abc import Collection

from landbridge.engine import layouts
from landbridge.engine.naming import PathNaming, public_table
from landbridge.engine.shape import LivingTable, Shape
from landbridge.engine.wishes import wishes_for
from landbridge.model.report import PlannedColumn, StreamPlan
from landbridge.model.settings import Settings
from landbridge.model.stream import Source
from landbridge.model.tables import Session, TableName
from landbridge.schema import carry_on, finish_plan, same_shape, start_plan
from landbridge.schema.start import describe_path
from landbridge.state.plans import plan_from_json
from landbridge.state.streams import KnownStream

SAMPLE_DOCUMENTS = 1000
SAMPLE_SECONDS = 2.0


def plan_stream(
    source: Source,
    session: Session,
    table: TableName,
    neighbours: Collection[str],
    settings: Settings,
    known: KnownStream | None,
) -> StreamPlan:
    """Return what a load of one stream would do."""
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
    sample = source.sample(SAMPLE_DOCUMENTS, SAMPLE_SECONDS)
    shape.learn(sample)
    after = finish_plan(shape.plan, naming)
    notes.append(f"columns come from a sample of {len(sample)} documents; the load looks at all")
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
        documents=collection.documents,
        bytes=collection.bytes,
        sampled=len(sample),
        exists=state is not None,
        columns=tuple(
            PlannedColumn(column.name, column.type, describe_path(column.path))
            for column in after.main.creation_order
        ),
        ddl=tuple(statements),
        notes=tuple(notes),
    )
