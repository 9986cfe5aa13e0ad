"""A check before a sync: what would make it fail, slow or unsafe, and what mends that.

For       `landbridge doctor`, the short check beside a first sync, and notebooks.
Touches   Both ends, by asking only.
Promises  Nothing is made or changed. A server that does not answer is a finding, and the other
          end is looked at all the same. No password stands in a finding.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import psycopg

from landbridge.bridge.tables import named
from landbridge.codec import names
from landbridge.config import selection
from landbridge.config.replication import check_key
from landbridge.engine import preflight
from landbridge.errors import (
    LandbridgeError,
    PreflightError,
    PrivilegeError,
    StopError,
    UsageError,
    redact,
)
from landbridge.model.finding import (
    SOURCE,
    TARGET,
    Diagnosis,
    Finding,
    SourceFacts,
    TargetFacts,
)
from landbridge.model.settings import Method, Settings
from landbridge.model.stream import Collection
from landbridge.model.tables import Session, TableName
from landbridge.mongo import catalog
from landbridge.mongo import preflight as mongo_side
from landbridge.mongo.connect import Connection, connect
from landbridge.postgres import faults
from landbridge.postgres import preflight as postgres_side
from landbridge.postgres.connect import open_connection
from landbridge.state import migrate, streams

EVERY_SECONDS = 3600.0
JOBS = 3  # the default of `sync`
COPY_CONNECTIONS_MAX = 2  # as `begun` opens them
APPLICATION = "landbridge doctor"


@dataclass(slots=True)
class _Source:
    """What became of the look at the source."""

    findings: list[Finding] = field(default_factory=list)
    facts: SourceFacts | None = None

    @property
    def collections(self) -> list[Collection]:
        return [one.collection for one in self.facts.collections] if self.facts else []


def doctor(
    source: str | None,
    target: str | None,
    *,
    method: str = "full",
    key: str = "_id",
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    every_seconds: float = EVERY_SECONDS,
) -> Diagnosis:
    """Look at a source, a target, or both, and say what a sync by a method would meet.

    Args:
        source: MongoDB URI with a database, or None to look at the target alone.
        target: PostgreSQL URI, or None to look at the source alone.
        method: `full`, `incremental` or `log`.
        key: the field that `incremental` reads by.
        schema: target schema; the source database's name under the name policy by default.
        select: names or patterns of collections; all by default.
        exclude: names or patterns to leave out.
        every_seconds: how often the sync is to run, which the log must reach back for.

    Raises:
        UsageError: no end is given, or a URI, the method or the key can't be read.

    """
    began = time.monotonic()
    wanted = _method(method)
    _refuse(source, target, key, every_seconds)
    with ExitStack() as stack:
        # Of two servers that do not answer, a person waits for one.
        pool = stack.enter_context(ThreadPoolExecutor(1))
        opening = pool.submit(_opened, target, stack) if target else None
        looked = _Source()
        if source:
            looked = _look_at_source(source, wanted, key, select, exclude, every_seconds)
        findings = looked.findings
        if opening is not None:
            try:
                connections = opening.result()
                findings = [*findings, *_look_at_target(connections, looked, schema, wanted)]
            except UsageError:
                raise
            except LandbridgeError as error:
                findings = [*findings, _finding_of(error, TARGET)]
    ordered = preflight.sorted_findings(_cleaned(findings))
    given = [end for end, uri in ((SOURCE, source), (TARGET, target)) if uri]
    verdict = preflight.verdict(ordered, wanted, given)
    return Diagnosis(tuple(ordered), verdict, time.monotonic() - began, _error_of(ordered, verdict))


def quick(
    mongo: Connection,
    collections: Sequence[Collection],
    session: Session,
    *,
    method: Method = "full",
    key: str = "_id",
    every_seconds: float = EVERY_SECONDS,
) -> list[Finding]:
    """Return the warnings and errors that a few questions on open connections bring to light.

    For a first sync, before its loads: two questions to the source and one to the target for
    `full`, some more for `log`, and as many collections' keys as fit into 20 ms for `incremental`.
    What a run tells by itself (a collection that can't be read, a schema that can't be made) is
    left to it. `collections` need no sizes; `session` must be idle. What can't be found out is
    left out: nothing is raised for it.
    """
    findings: list[Finding] = []
    facts: SourceFacts | None = None
    with suppress(LandbridgeError):
        known = mongo_side.identify(mongo, short=method != "log")
        facts = mongo_side.examine(mongo, known, collections, method=method, key=key, short=True)
        findings += preflight.judge_source(
            facts, method=method, key=key, every_seconds=every_seconds
        )
    with suppress(psycopg.Error):
        size = preflight.bytes_to_copy(facts, method, ()) if facts else 0
        findings += preflight.judge_target(
            postgres_side.gather(session.connection, None),
            load_bytes=size,
            connections_needed=_connections_needed(len(collections)),
        )
    serious = [one for one in findings if one.severity in ("warning", "error")]
    return preflight.sorted_findings(_cleaned(serious))


def _method(method: str) -> Method:
    for known in get_args(Method):
        if method == known:
            chosen: Method = known
            return chosen
    raise UsageError(
        f"there is no method {method}",
        why=f"the methods are {', '.join(get_args(Method))}",
        fix="choose one of them",
    )


def _refuse(source: str | None, target: str | None, key: str, every_seconds: float) -> None:
    if not source and not target:
        raise UsageError(
            "there is nothing to look at",
            why="neither a source nor a target is given",
            fix="name a MongoDB, a PostgreSQL, or both",
        )
    check_key(key)
    if every_seconds <= 0:
        raise UsageError(
            "the time between two runs must be longer than nothing",
            why=f"it is {every_seconds} s",
            fix="say how often the sync is to run, in seconds",
        )


# -- the source ---------------------------------------------------------------------------


def _look_at_source(
    uri: str,
    method: Method,
    key: str,
    select: Sequence[str],
    exclude: Sequence[str],
    every_seconds: float,
) -> _Source:
    looked = _Source()
    failure: LandbridgeError | None = None
    try:
        with connect(uri) as mongo:
            looked.facts = mongo_side.identify(mongo)
            if looked.facts.role != "uninitiated":
                chosen: list[Collection] = []
                try:
                    chosen = selection.select(catalog.collections(mongo), select, exclude)
                except PrivilegeError:
                    looked.facts = mongo_side.with_refusals(mongo, looked.facts, method)
                looked.facts = mongo_side.examine(
                    mongo, looked.facts, chosen, method=method, key=key
                )
    except UsageError:
        raise
    except LandbridgeError as error:
        failure = error
    if looked.facts is not None:
        looked.findings = preflight.judge_source(
            looked.facts, method=method, key=key, every_seconds=every_seconds
        )
    if failure is not None:
        looked.findings.append(_finding_of(failure, SOURCE))
    return looked


# -- the target ---------------------------------------------------------------------------


def _opened(uri: str, stack: ExitStack) -> list[psycopg.Connection[Any]]:
    """Return a connection, and where there may be two, another one."""
    connections = [open_connection(uri, APPLICATION)]
    stack.callback(connections[0].close)
    with suppress(LandbridgeError):
        connections.append(open_connection(uri, APPLICATION))
        stack.callback(connections[1].close)
    return connections


def _look_at_target(
    connections: Sequence[psycopg.Connection[Any]],
    looked: _Source,
    schema: str | None,
    method: Method,
) -> list[Finding]:
    connection = connections[0]
    if schema is None and looked.facts is not None:
        schema = names.table_name(looked.facts.database, Settings())
    with faults.translated("the target could not be looked at"):
        pooled = len(connections) > 1 and postgres_side.pooling(connection, connections[1])
        for other in connections[1:]:
            other.close()
        facts = postgres_side.gather(connection, schema)
        if pooled:
            facts = replace(facts, pooling=pooled)
        closed = facts.state.lacks or facts.state.closed_tables
        installed = not closed and migrate.is_installed(connection)
        newer: list[Finding] = []
        if installed:
            try:
                migrate.check(connection)
            except StopError as error:
                newer = [replace(_finding_of(error, TARGET), code="state_newer")]
        loaded: set[str] = set()
        if schema is not None and not newer:
            facts, loaded = _with_tables(connection, facts, looked.collections, schema, installed)
    return newer + preflight.judge_target(
        facts,
        load_bytes=preflight.bytes_to_copy(looked.facts, method, loaded) if looked.facts else 0,
        connections_needed=_connections_needed(len(looked.collections) or JOBS),
    )


def _with_tables(
    connection: psycopg.Connection[Any],
    facts: TargetFacts,
    collections: Sequence[Collection],
    schema: str,
    installed: bool,
) -> tuple[TargetFacts, set[str]]:
    """Return the facts with the tables that are there, and the streams that were loaded."""
    known: dict[tuple[str, str], streams.KnownStream] = {}
    children: set[str] = set()
    if installed:
        known = streams.known_streams(connection, schema)
        children = streams.child_tables(connection, schema)
    given = {stream: record.table for stream, record in known.items()}
    tables, _ = named(collections, given, children, Settings())
    wanted = {one.stream: TableName(schema, tables[one.name]) for one in collections}
    loaded = {stream: record for stream, record in known.items() if record.plan is not None}
    ours = frozenset(TableName(schema, record.table) for record in loaded.values())
    found = postgres_side.tables_named(connection, wanted, ours) if wanted else ()
    return replace(facts, tables=found), {".".join(stream) for stream in loaded}


def _connections_needed(collections: int) -> int:
    """Return how many connections a run opens: a stream's own, those of COPY, the leases'."""
    copying = max(1, min(COPY_CONNECTIONS_MAX, os.cpu_count() or 1))
    return min(JOBS, max(1, collections)) + copying + 1


# -- findings -----------------------------------------------------------------------------


def _finding_of(error: LandbridgeError, where: str) -> Finding:
    code = error.code if error.code != LandbridgeError.code else "cannot_connect"
    return Finding("error", code, where, f"{error.what}: {error.why}", error.fix)


def _cleaned(findings: Iterable[Finding]) -> list[Finding]:
    return [
        replace(finding, message=redact(finding.message), fix=redact(finding.fix))
        for finding in findings
    ]


def _error_of(findings: Sequence[Finding], verdict: str) -> dict[str, str] | None:
    errors = [finding for finding in findings if finding.severity == "error"]
    if not errors:
        return None
    return PreflightError(
        verdict,
        why="; ".join(f"{one.where}: {one.message}" for one in errors[:5]),
        fix=next((one.fix for one in errors if one.fix), "see the findings"),
    ).to_json()
