"""Which table a collection fills: a name once given stays, and two never share one.

For       Every call that loads.
Touches   The target's schema, which is made where it is missing; the state, by reading.
Promises  A collection keeps its table from run to run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from landbridge.codec import names
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.tables import Session
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import migrate, streams


def tables_of(
    target: Target, collections: Sequence[Collection], schema: str, settings: Settings
) -> tuple[dict[str, str], set[str]]:
    """Return each collection's table in a schema, made where needed, and all names taken."""
    with target.session() as session, faults.translated(f"cannot use the schema {schema}"):
        session.create_schema(schema)
        known = streams.table_names(session.connection, schema)
        children = streams.child_tables(session.connection, schema)
    return named(collections, known, children, settings)


def planned(
    session: Session, collections: Sequence[Collection], schema: str, settings: Settings
) -> tuple[dict[str, str], set[str], dict[tuple[str, str], streams.KnownStream]]:
    """Return each collection's table, all names taken, and the streams known; nothing is made."""
    known: dict[tuple[str, str], streams.KnownStream] = {}
    children: set[str] = set()
    if migrate.is_installed(session.connection):
        known = streams.known_streams(session.connection, schema)
        children = streams.child_tables(session.connection, schema)
    given = {stream: record.table for stream, record in known.items()}
    tables, taken = named(collections, given, children, settings)
    return tables, taken, known


def named(
    collections: Sequence[Collection],
    known: Mapping[tuple[str, str], str],
    children: set[str],
    settings: Settings,
) -> tuple[dict[str, str], set[str]]:
    """Name each collection's table; a name once given stays, two never share one."""
    tables: dict[str, str] = {}
    taken = {*known.values(), *children}
    for collection in collections:
        name = known.get((collection.database, collection.name))
        if name is None:
            name = names.table_name(collection.name, settings, taken)
            taken.add(name)
        tables[collection.name] = name
    return tables, taken - children
