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
from landbridge.bridge.cutover.measured import Measurements
from landbridge.codec import names
from landbridge.config import selection
from landbridge.errors import redact
from landbridge.model.cutover import CutoverPlan, Part
from landbridge.model.finding import Finding
from landbridge.model.position import LogPosition
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.mongo import catalog
from landbridge.mongo import preflight as mongo_side
from landbridge.mongo.connect import connect
from landbridge.postgres import faults
from landbridge.postgres.connect import open_connection
from landbridge.state import migrate, runs, streams

APPLICATION = "landbridge cutover"
WITH_LOG = ("primary", "secondary", "mongos")


def plan_cutover(
    source: str,
    target: str,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
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
        archives: folder whose archives tell how long an export took.
        cutovers: folder whose reports tell how long earlier cutovers took.
        reports: what commands have printed with `--json`.

    Raises:
        LandbridgeError: an end can't be asked, nothing is selected, a report can't be read.

    """
    with connect(source) as mongo:
        role = mongo_side.identify(mongo, short=True).role
        chosen = selection.select(catalog.collections(mongo), select, exclude)
        chosen = [catalog.with_sizes(mongo, one) for one in chosen]
        identity, database = mongo.identity, mongo.database
    schema = schema or names.table_name(database, Settings())
    known = Measurements()
    follows = _ask_history(target, database, schema, chosen, known)
    if archives:
        measured.add_archives(known, archives, database)
    if cutovers:
        measured.add_reports(known, cutovers, database)
    for path in reports:
        measured.add_named(known, path, database)
    return CutoverPlan(
        source=f"{identity}/{database}",
        database=database,
        target=redact(target),
        schema=schema,
        role=role,
        mapped=False,
        parts=tuple(Part(one.name, one.documents, one.bytes, known.of(one.name)) for one in chosen),
        works=("sync", "verify"),
        whole=known.whole(one.name for one in chosen),
        findings=_findings(source, target, schema, select, exclude, role in WITH_LOG),
        follows=follows,
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


def _findings(
    source: str,
    target: str,
    schema: str,
    select: Sequence[str],
    exclude: Sequence[str],
    by_log: bool,
) -> tuple[Finding, ...]:
    found = doctor(
        source,
        target,
        method="log" if by_log else "full",
        schema=schema,
        select=select,
        exclude=exclude,
    )
    return tuple(one for one in found.findings if one.severity in ("error", "warning"))
