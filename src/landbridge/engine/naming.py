"""Names that a load gives: to columns by `codec.names`, to tables by their stream.

For       The rest of this room.
Touches   Nothing.
Promises  A child table bears its parent's name; a private table its stream's number and the
          load's generation.
"""

from __future__ import annotations

from collections.abc import Collection

from landbridge.codec import names
from landbridge.model.plan import Path, TablePlan
from landbridge.model.settings import Settings
from landbridge.model.tables import TableName

PRIVATE_PREFIX = "_lb_"


class PathNaming:
    """The naming that `schema` is handed, for one table among its neighbours."""

    def __init__(self, table: TableName, neighbours: Collection[str]) -> None:
        self._table = table
        self._neighbours = neighbours

    def column(self, path: Path, settings: Settings, taken: Collection[str]) -> str:
        """Return a name for the column of a path."""
        return names.column_name(path, settings, taken)

    def variant(self, name: str, kind: str, taken: Collection[str]) -> str:
        """Return a name for a column of another kind."""
        return names.variant_name(name, kind, taken)

    def suffix(self, path: Path, settings: Settings, taken: Collection[str]) -> str:
        """Return the end of the name of a child table, which is not that of a neighbour."""
        stem = f"{self._table.name}{settings.separator}"
        theirs = (name.removeprefix(stem) for name in self._neighbours if name.startswith(stem))
        return names.column_name(path, settings, {*taken, *theirs})


def public_table(table: TableName, child: TablePlan, settings: Settings) -> TableName:
    """Return the name that readers know of one of a plan's tables."""
    if not child.array_path:
        return table
    return TableName(table.schema, names.child_table_name(table.name, (child.suffix,), settings))


def private_stem(stream_id: int, generation: int | None = None) -> str:
    """Return what the private tables' names of a stream (and load) begin with."""
    stem = f"{PRIVATE_PREFIX}{stream_id}_"
    return stem if generation is None else f"{stem}{generation}"


def private_table(schema: str, stream_id: int, generation: int, number: int) -> TableName:
    """Return the name of a load's private table; `schema` is empty for a temporary one."""
    stem = private_stem(stream_id, generation)
    return TableName(schema, f"{stem}_{number}" if number else stem)
