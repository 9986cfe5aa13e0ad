"""Plans as JSON, so that a stream's shape survives from run to run.

For       `stream.plan` and `stream.loading`.
Touches   Nothing.
Promises  `plan_from_json(plan_to_json(plan), plan.settings) == plan`.
"""

from __future__ import annotations

from typing import Any

from landbridge.model.kinds import Kind
from landbridge.model.plan import Column, Field, Op, Plan, Role, Slot, TablePlan
from landbridge.model.settings import Settings


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Return the plan without its settings, which each run brings itself."""
    return {
        "number": plan.number,
        "keyed": plan.keyed,
        "tables": [
            {
                "columns": [
                    [c.name, c.type, c.role, list(c.path), c.family, c.byte_order]
                    for c in table.columns
                ],
                "fields": [_field_to_json(field) for field in table.fields],
                "array_path": list(table.array_path),
                "suffix": table.suffix,
                "full": table.full,
            }
            for table in plan.tables
        ],
    }


def plan_from_json(data: dict[str, Any], settings: Settings) -> Plan:
    """Return the plan that `plan_to_json` described, under these settings."""
    tables = tuple(
        TablePlan(
            tuple(
                Column(name, kind, Role(role), tuple(path), family, byte_order)
                for name, kind, role, path, family, byte_order in table["columns"]
            ),
            tuple(_field_from_json(field) for field in table["fields"]),
            tuple(table["array_path"]),
            table["suffix"],
            table["full"],
        )
        for table in data["tables"]
    )
    return Plan(data["number"], settings, tables, data["keyed"])


def _field_to_json(field: Field) -> list[Any]:
    slots = [[s.kind, s.op, s.column, s.subtype] for s in field.slots]
    return [field.name, slots, field.descend, [_field_to_json(child) for child in field.fields]]


def _field_from_json(data: list[Any]) -> Field:
    name, slots, descend, children = data
    return Field(
        name,
        tuple(Slot(Kind(kind), Op(op), column, subtype) for kind, op, column, subtype in slots),
        tuple(_field_from_json(child) for child in children),
        descend,
    )
