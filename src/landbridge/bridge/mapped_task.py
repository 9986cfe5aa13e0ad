"""What an import by a mapping is to do, once the mapping agrees with the tables.

For       The import and its dry run.
Touches   The target's catalog, by reading.
Promises  A task exists only for a mapping that has been held against the tables.
"""

from __future__ import annotations

from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field

from landbridge.errors import MappingError
from landbridge.mapping import check
from landbridge.mapping.conversion import Converter
from landbridge.mapping.order import Order, order_of
from landbridge.mapping.rules import Dangling, Mapping
from landbridge.mapping.shape import shape_of
from landbridge.model.importing import OnError
from landbridge.model.relational import RelationalSchema
from landbridge.model.stream import Collection
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.postgres.relational import read_schema

# By collection: digests of the ids that stand in its files more than once, and how often.
Repeated = Lookup[str, Lookup[bytes, int]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What an import was asked for, beside its ends."""

    mapping: Mapping
    text: str
    name: str  # of the mapping, in messages
    batch_size: int
    on_error: OnError
    dangling: Dangling


@dataclass(frozen=True, slots=True)
class Task:
    """An import that can begin."""

    asked: Asked
    schema: RelationalSchema
    order: Order
    repeated: Repeated = field(default_factory=dict)

    @property
    def mapping(self) -> Mapping:
        """The rules."""
        return self.asked.mapping

    def converter(self, collection: Collection) -> Converter:
        """Return what turns the documents of a collection that the mapping names into rows."""
        rule = self.mapping.of(collection.name)
        assert rule is not None
        shape = shape_of(
            self.mapping,
            rule,
            self.schema,
            self.asked.dangling,
            self.order.late,
            self.order.kept,
        )
        return Converter(self.mapping, rule, shape, collection.database)


def checked(target: Target, asked: Asked) -> Task:
    """Hold the mapping against the tables.

    Raises:
        MappingError: they do not agree.

    """
    schema_name = asked.mapping.schema
    with target.session() as session, faults.translated("cannot read the target's schema"):
        schema = read_schema(session.connection, schema_name)
    if schema is None:
        raise MappingError(
            f"{asked.name} cannot be used with this database",
            [f"schema: there is no schema {schema_name}"],
            fix="create it with its tables first, or correct its name",
        )
    if found := check.problems(asked.mapping, schema):
        raise MappingError(
            f"{asked.name} does not agree with the tables of {schema_name}",
            found,
            fix="mend the mapping, or the tables; nothing was written",
        )
    return Task(asked, schema, order_of(asked.mapping, schema))
