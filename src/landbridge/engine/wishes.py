"""Which indexes a load should leave on its table.

For       `publish`, which makes them after the rows are in.
Touches   Nothing.
Promises  An index that the user named is found by path or by column, or is refused by name.
"""

from __future__ import annotations

from landbridge.errors import UsageError
from landbridge.model.plan import Column, Plan, Role
from landbridge.model.stream import Collection
from landbridge.model.tables import IndexWish
from landbridge.schema.start import describe_path

AUTO = "auto"
_USUAL = ("updatedAt", "createdAt")


def wishes_for(plan: Plan, collection: Collection) -> list[IndexWish]:
    """Return the indexes to make on a stream's own table.

    Raises:
        UsageError: a field named with `--index` has no column.

    """
    by_path: dict[str, list[Column]] = {}
    for column in plan.main.columns:
        if column.role is Role.VALUE and column.type != "jsonb":
            by_path.setdefault(describe_path(column.path), []).append(column)
    chosen: list[str] = []
    if plan.settings.types == "simple":
        chosen.append("_imported_at")
    for name in plan.settings.indexes:
        if name == AUTO:
            references = [
                column.name
                for columns in by_path.values()
                for column in columns
                if column.family == "objectid"
            ]
            usual = [*_USUAL, *collection.indexed_paths]
            chosen += references
            chosen += [by_path[path][0].name for path in usual if path in by_path]
        else:
            chosen.append(_named(name, plan, by_path))
    return [IndexWish((name,)) for name in dict.fromkeys(chosen)]


def _named(name: str, plan: Plan, by_path: dict[str, list[Column]]) -> str:
    if name in by_path:
        return by_path[name][0].name
    if any(column.name == name for column in plan.main.columns):
        return name
    raise UsageError(
        f"no index can be made on {name}",
        why=_known_fields(by_path),
        fix="name a field as the documents do (parent.child for one that is flattened)",
    )


def _known_fields(by_path: dict[str, list[Column]]) -> str:
    known = sorted(by_path)
    more = f" and {len(known) - 8} more" if len(known) > 8 else ""
    return f"the fields with a column of their own are {', '.join(known[:8])}{more}"
