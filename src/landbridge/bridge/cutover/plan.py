"""What a plan of a cutover is made of: sizes, times that were measured, findings.

For       `landbridge cutover plan`.
Touches   Both ends, by asking only; reads archives and reports that lie in folders.
Promises  Nothing is made or changed. A time is one that was measured, or is not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from landbridge.bridge.checkup import doctor
from landbridge.bridge.cutover import measured
from landbridge.bridge.cutover.loading import APPLICATION
from landbridge.bridge.cutover.measured import Measurements
from landbridge.bridge.cutover.ways import Through, check_mapping, chosen_by
from landbridge.codec import names
from landbridge.config import selection
from landbridge.errors import redact
from landbridge.mapping.document import read_mapping
from landbridge.model.cutover import CutoverPlan, Part
from landbridge.model.finding import Finding, Role
from landbridge.model.position import LogPosition
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.mongo import catalog
from landbridge.mongo import preflight as mongo_side
from landbridge.mongo.connect import connect
from landbridge.postgres import faults
from landbridge.postgres.connect import open_connection
from landbridge.state import migrate, runs, streams

WITH_LOG = ("primary", "secondary", "mongos")


def plan_cutover(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    through: Through | None = None,
    archives: Path | None = None,
    cutovers: Path | None = None,
    reports: Sequence[Path] = (),
) -> CutoverPlan:
    """Gather what a plan of a cutover is made of.

    Args:
        source: MongoDB URI with a database.
        target: PostgreSQL URI.
        schema: target schema; the source database's name under the name policy by default.
        select: names or patterns of collections; all by default.
        exclude: names or patterns to leave out.
        through: the mapping into tables that exist; landbridge's own tables without one.
        archives: folder whose archives tell how long an export took.
        cutovers: folder whose reports tell how long earlier cutovers took.
        reports: what commands have printed with `--json`.

    Raises:
        LandbridgeError: an end can't be asked, nothing is selected, a report can't be read.

    """
    with connect(source) as mongo:
        role = mongo_side.identify(mongo, short=True).role
        available = catalog.collections(mongo)
        if through is None:
            schema = schema or names.table_name(mongo.database, Settings())
            chosen = selection.select(available, select, exclude)
        else:
            mapping = read_mapping(through.text, through.name)
            check_mapping(target, mapping, through.name)
            schema = mapping.schema
            chosen = chosen_by(mapping, available, select, exclude)
        chosen = [catalog.with_sizes(mongo, one) for one in chosen]
        identity, database = mongo.identity, mongo.database
    known = Measurements()
    follows = _ask_history(target, database, schema, chosen, known)
    if archives:
        measured.add_archives(known, archives, database)
    if cutovers:
        measured.add_archives(known, cutovers, database)
        measured.add_reports(known, cutovers, database)
    for path in reports:
        measured.add_named(known, path, database)
    return CutoverPlan(
        source=f"{identity}/{database}",
        database=database,
        target=redact(target),
        schema=schema,
        role=role,
        mapped=through is not None,
        parts=tuple(Part(one.name, one.documents, one.bytes, known.of(one.name)) for one in chosen),
        works=works_of(through),
        whole=known.whole(one.name for one in chosen),
        findings=_findings(
            source, target, None if through else schema, [one.name for one in chosen], role
        ),
        follows=follows and through is None,
        can_follow=role in WITH_LOG,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _ask_history(
    target: str,
    database: str,
    schema: str,
    chosen: Sequence[Collection],
    known: Measurements,
) -> bool:
    """Take in the history of the target; return whether the log keeps all the tables up."""
    what = "the history of runs could not be read"
    with open_connection(target, APPLICATION) as connection, faults.translated(what):
        if not migrate.is_installed(connection):
            return False
        migrate.check(connection)
        measured.add_history(known, runs.last_loads(connection, database, schema))
        there = streams.known_streams(connection, schema)
    followed = {
        name
        for (_, name), stream in there.items()
        if LogPosition.from_json(stream.position) is not None
    }
    return all(one.name in followed for one in chosen)


def works_of(through: Through | None) -> tuple[str, ...]:
    """Return the kinds of work in the window, in their order."""
    if through is None:
        return ("sync", "verify")
    return ("import", "verify") if through.direct else ("export", "import", "verify")


def _findings(
    source: str, target: str, schema: str | None, select: Sequence[str], role: Role
) -> tuple[Finding, ...]:
    """Return what a check of both ends warns of; without a schema no table is to be made."""
    if schema is None:
        looks = [doctor(source, None, select=select), doctor(None, target)]
    else:
        method = "log" if role in WITH_LOG else "full"
        looks = [doctor(source, target, method=method, schema=schema, select=select)]
    found = [one for look in looks for one in look.findings]
    return tuple(one for one in found if one.severity in ("error", "warning"))
