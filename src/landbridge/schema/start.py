"""How a plan begins, before a document was seen, and how a first load rounds it off.

For       The engine, at the start and the end of a first load.
Touches   Nothing.
Promises  The columns that the settings ask for are there whatever the documents hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Path, Plan, Role, TablePlan
from landbridge.model.settings import SHAPING, Settings
from landbridge.schema.columns import BYTEA, JSONB, TEXT, TIMESTAMP, TIMESTAMPTZ
from landbridge.schema.evolve import Naming

_METADATA = (
    ("_sdc_extracted_at", TIMESTAMPTZ),
    ("_sdc_received_at", TIMESTAMPTZ),
    ("_sdc_batched_at", TIMESTAMPTZ),
    ("_sdc_deleted_at", TIMESTAMPTZ),
    ("_sdc_sequence", "bigint"),
    ("_sdc_table_version", "bigint"),
)


def start_plan(settings: Settings, *, keyed: bool) -> Plan:
    """Return the plan of a table before its first document."""
    columns: list[Column] = []
    if settings.raw == "bson":
        columns.append(Column("_source_bson", BYTEA, Role.SOURCE_BSON))
    if settings.raw == "jsonb" or settings.types == "simple":
        columns.append(Column("_source_document", JSONB, Role.SOURCE_DOCUMENT))
    if settings.types == "simple":
        columns.append(Column("_imported_at", TIMESTAMP, Role.CONSTANT))
    for name, column_type in _METADATA:
        wanted = (
            settings.metadata
            or (settings.load == "append" and name == "_sdc_sequence")
            or (settings.soft_delete and name == "_sdc_deleted_at")
        )
        if wanted:
            columns.append(Column(name, column_type, Role.CONSTANT))
    if settings.keeps_history:
        columns.append(Column("_lb_operation", TEXT, Role.CONSTANT))
        columns.append(Column("_lb_cluster_time", TIMESTAMPTZ, Role.CONSTANT))
    columns.append(Column("_lb_hash", "uuid", Role.HASH))
    return Plan(0, settings, (TablePlan(tuple(columns)),), keyed)


def same_shape(settings: Settings, earlier: Mapping[str, Any]) -> bool:
    """Return whether a table loaded under `earlier` settings can take rows under these."""
    before = Settings.from_json(earlier)
    shape = all(getattr(settings, name) == getattr(before, name) for name in SHAPING)
    return shape and _added(settings) == _added(before)


def _added(settings: Settings) -> tuple[bool, ...]:
    """Return what decides the columns that landbridge adds."""
    return (
        settings.load == "append",
        settings.keeps_history,
        settings.metadata,
        settings.soft_delete and not settings.metadata,
    )


def carry_on(plan: Plan) -> Plan:
    """Return the plan of an earlier load as this one begins with it.

    What a contract discarded then is new again, unless the contract is still that one.
    """
    if plan.settings.contract == "discard":
        return plan
    tables = tuple(replace(table, fields=_without_discards(table.fields)) for table in plan.tables)
    return replace(plan, tables=tables)


def _without_discards(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    kept = []
    for field in fields:
        slots = tuple(slot for slot in field.slots if slot.op is not Op.DISCARD)
        if slots != field.slots and not field.fields and all(s.kind is Kind.NULL for s in slots):
            continue  # nothing of it was ever kept
        kept.append(replace(field, slots=slots, fields=_without_discards(field.fields)))
    return tuple(kept)


def finish_plan(plan: Plan, naming: Naming) -> Plan:
    """Return the plan with a `text` column for each field that was always null (`simple` only)."""
    if plan.settings.types != "simple":
        return plan
    tables = tuple(_with_null_columns(table, plan.settings, naming) for table in plan.tables)
    return plan if tables == plan.tables else replace(plan, number=plan.number + 1, tables=tables)


def _with_null_columns(table: TablePlan, settings: Settings, naming: Naming) -> TablePlan:
    columns = list(table.columns)
    columned = {column.path for column in columns}
    for path, field in table.walk():
        if path not in columned and _always_null(field) and len(columns) < settings.columns_max:
            taken = {column.name for column in columns}
            columns.append(
                Column(naming.column(path, settings, taken), TEXT, path=path, family="null")
            )
    return replace(table, columns=tuple(columns))


def _always_null(field: Field) -> bool:
    return not field.fields and all(slot.kind is Kind.NULL for slot in field.slots)


def describe_path(path: Path) -> str:
    """Return a path for people: keys joined by dots, a dot inside a key doubled."""
    return ".".join(key.replace(".", "..") for key in path)
