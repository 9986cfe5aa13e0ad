"""What the facts of a MongoDB mean for a sync by a method.

For       `preflight`.
Touches   Nothing.
Promises  A fix is a command for mongosh, lines for mongod.conf, or a flag of landbridge.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from math import ceil

from landbridge.engine.layouts import READ_BYTES_A_SECOND_MIN, SNAPSHOT_SHARE
from landbridge.model.amounts import count_of, duration, size
from landbridge.model.finding import (
    SOURCE,
    CollectionFacts,
    Finding,
    Oplog,
    SourceFacts,
)
from landbridge.model.replication import KeyIndex
from landbridge.model.settings import Method
from landbridge.model.stream import Collection

LOG_TIMES_WANTED = 3  # the log reaches back this many times as far as it must
LOG_FULL_SHARE = 0.9  # below it nothing was cut off the log yet
LOG_YOUNG_SECONDS = 600  # a log younger than this says nothing of an ordinary day
MEGABYTE = 1 << 20

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Of the shell's own database object: `db.stats` is a function, whatever collections there are.
_SHELL_NAMES = frozenset(
    {"aggregate", "auth", "commands", "hello", "help", "logout", "stats", "version", "watch"}
)


def judge_source(
    facts: SourceFacts, *, method: Method, key: str, every_seconds: float
) -> list[Finding]:
    """Return what is to be said about the source."""
    who = f", as {facts.user} of {facts.user_database}" if facts.user else ""
    findings = [Finding("ok", "reachable", SOURCE, f"MongoDB answers{who}")]
    if facts.version:
        findings.append(Finding("info", "version", SOURCE, f"MongoDB {facts.version}"))
    findings += _role(facts, method)
    if facts.role == "uninitiated":
        return findings
    findings += _privileges(facts)
    if method == "log":
        findings += _log(facts, every_seconds)
    else:
        findings += _snapshots(facts)
    for one in facts.collections:
        findings += _collection(one, method)
    if method == "incremental":
        findings += _keys(facts, key)
    return findings


# -- the server ---------------------------------------------------------------------------


def _role(facts: SourceFacts, method: Method) -> Iterator[Finding]:
    match facts.role:
        case "standalone" if method == "log":
            with_key = " and `security: {keyFile: PATH}`" if facts.user else ""
            yield Finding(
                "error",
                "standalone",
                SOURCE,
                "a standalone has no log of changes to read; only a replica set has, one of a"
                " single member too",
                f"write `replication: {{replSetName: rs0}}`{with_key} into mongod.conf, restart"
                " mongod, then: rs.initiate()",
            )
        case "standalone":
            yield Finding(
                "info",
                "standalone",
                SOURCE,
                "a standalone gives no snapshot reads: a load is not one point in time",
            )
        case "uninitiated":
            yield Finding(
                "error",
                "not_initiated",
                SOURCE,
                "the server belongs to a replica set that was never initiated, and lets nobody"
                " read",
                "rs.initiate()",
            )
        case "secondary":
            yield Finding(
                "info",
                "secondary",
                SOURCE,
                "this member is a secondary: what it has not taken over yet is not read",
            )
        case "mongos":
            yield Finding("info", "mongos", SOURCE, "a router of a sharded cluster answers")
        case "primary":
            yield Finding("ok", "replica_set", SOURCE, "the primary of a replica set answers")


def _privileges(facts: SourceFacts) -> Iterator[Finding]:
    by_collection = [one.refused for one in facts.collections]
    alike = facts.refused or (by_collection and len(set(by_collection)) == 1 and by_collection[0])
    if alike:
        yield _refusal(facts, SOURCE, "", alike)
        return
    for one in facts.collections:
        if one.refused:
            yield _refusal(facts, one.collection.stream, one.collection.name, one.refused)
    if by_collection and not any(by_collection):
        yield Finding("ok", "read_privilege", SOURCE, "the user may read what is selected")


def _refusal(facts: SourceFacts, where: str, collection: str, actions: Sequence[str]) -> Finding:
    return Finding(
        "error",
        "read_privilege",
        where,
        f"the user lacks the grant {_grant(facts.database, collection, actions)};"
        f" the role read of {facts.database} has it",
        _role_command(facts, facts.database),
    )


def _snapshots(facts: SourceFacts) -> Iterator[Finding]:
    if facts.role == "standalone" or facts.snapshots is False:
        if facts.role != "standalone":
            yield Finding(
                "info",
                "snapshot_reads",
                SOURCE,
                "the server gives no snapshot reads: a load is not one point in time",
            )
        return
    largest = facts.largest
    seconds = _copy_seconds(largest.bytes or 0) if largest else 0.0
    if largest and seconds > facts.snapshot_seconds * SNAPSHOT_SHARE:
        how = "in ranges, not of one point in time" if largest.rangeable else "at its own risk"
        yield Finding(
            "warning",
            "snapshot_history",
            largest.stream,
            f"copying its {size(largest.bytes or 0)} may take {duration(seconds)}, more than half"
            f" of the {duration(facts.snapshot_seconds)} of history that the server keeps: it is"
            f" read {how}",
            "db.adminCommand({setParameter: 1, minSnapshotHistoryWindowInSeconds:"
            f" {ceil(seconds / SNAPSHOT_SHARE)}}})",
        )
    elif facts.snapshots:
        yield Finding("ok", "snapshot_reads", SOURCE, "a collection is read at one point in time")


# -- the log ------------------------------------------------------------------------------


def _log(facts: SourceFacts, every_seconds: float) -> Iterator[Finding]:
    if facts.log == "refused":
        actions = ("find", "changeStream")
        yield Finding(
            "error",
            "log_privilege",
            SOURCE,
            f"the user may not read the log: the grant {_grant(facts.database, '', actions)} is"
            f" missing; the role read of {facts.database} has it",
            _role_command(facts, facts.database),
        )
    elif facts.log == "absent" and facts.role != "standalone":
        yield Finding("error", "log_absent", SOURCE, f"{facts.database} has no change streams")
    elif facts.log == "open":
        yield Finding("ok", "log", SOURCE, "the log can be read")
        yield _oplog(facts, every_seconds)


def _oplog(facts: SourceFacts, every_seconds: float) -> Finding:
    if facts.role == "mongos":
        return Finding(
            "info",
            "oplog_unknown",
            SOURCE,
            "how far the logs of the shards reach back cannot be asked through a router",
        )
    if facts.oplog_refused:
        return Finding(
            "info",
            "oplog_unknown",
            SOURCE,
            "how far the log reaches back is not known: the user may not read the database local",
            _role_command(facts, "local"),
        )
    if facts.oplog is None:
        return Finding("info", "oplog_unknown", SOURCE, "the server does not show its log")
    return _oplog_window(facts.oplog, every_seconds, _copy_seconds(facts.bytes))


def _oplog_window(oplog: Oplog, every_seconds: float, copy_seconds: float) -> Finding:
    """Compare how far the log reaches back with the longest time between two looks at it."""
    needed = max(every_seconds, copy_seconds)
    purpose = (
        f"a run every {duration(every_seconds)}"
        if every_seconds >= copy_seconds
        else f"a first copy of about {duration(copy_seconds)}"
    )
    growing = oplog.used_bytes < oplog.max_bytes * LOG_FULL_SHARE
    reach = max(oplog.seconds, oplog.kept_seconds)
    told = f"the log reaches back {duration(reach)}"
    if growing and reach < needed * LOG_TIMES_WANTED:
        share = oplog.used_bytes / oplog.max_bytes
        reach = max(oplog.kept_seconds, oplog.seconds / share if share else 0.0)
        told = (
            f"the log is {share:.1%} full after {duration(oplog.seconds)}: at this rate it will"
            f" reach back {duration(reach)}"
        )
    if reach >= needed * LOG_TIMES_WANTED:
        return Finding("ok", "oplog_window", SOURCE, f"{told}, enough for {purpose}")
    if growing and oplog.seconds < LOG_YOUNG_SECONDS:
        return Finding(
            "info", "oplog_window", SOURCE, f"{told}, which says little: it has only begun"
        )
    return Finding(
        "error" if reach < needed and not growing else "warning",
        "oplog_window",
        SOURCE,
        f"{told}, and {purpose} wants {LOG_TIMES_WANTED} times as long; a position that falls off"
        " the log costs a comparison of everything",
        _resize_command(oplog, reach, needed),
    )


def _resize_command(oplog: Oplog, reach: float, needed: float) -> str:
    wanted = oplog.max_bytes * needed * LOG_TIMES_WANTED / max(reach, 1.0)
    return f"db.adminCommand({{replSetResizeOplog: 1, size: {ceil(wanted / MEGABYTE)}}})"


# -- collections --------------------------------------------------------------------------


def _collection(facts: CollectionFacts, method: Method) -> Iterator[Finding]:
    collection = facts.collection
    if facts.unreadable:
        yield Finding(
            "error",
            "unreadable",
            collection.stream,
            f"it cannot be read: {facts.unreadable}",
            f"mend it, or leave it out: --exclude {shlex.quote(collection.name)}",
        )
    if method == "log" and collection.kind != "collection":
        kind = "a view" if collection.kind == "view" else "a time series"
        name = shlex.quote(collection.name)
        yield Finding(
            "error",
            "not_in_log",
            collection.stream,
            f"{kind} cannot be followed by the log",
            f"leave it out by --exclude {name}, and copy it by: landbridge sync --method full"
            f" --select {name}",
        )
    if collection.kind == "collection" and not collection.id_indexed:
        yield Finding(
            "info" if method == "full" else "warning",
            "id_index",
            collection.stream,
            "it has no index on _id: a crash starts its load over"
            + ("" if method == "full" else ", and every look at one document reads all of them"),
            _index_command(collection, "_id", ()),
        )


def _keys(facts: SourceFacts, key: str) -> Iterator[Finding]:
    asked = [one for one in facts.collections if one.key_indexes is not None]
    findings = [finding for one in asked if (finding := _key(one, key)) is not None]
    yield from findings
    if asked and not findings:
        yield Finding("ok", "key_index", SOURCE, f"{key} has an index in each collection")
    if key == "_id":
        yield Finding(
            "info",
            "key_is_id",
            SOURCE,
            "by _id only new documents are found; updates take a key that they touch, such as"
            " --key updatedAt",
        )


def _key(facts: CollectionFacts, key: str) -> Finding | None:
    collection, indexes = facts.collection, facts.key_indexes or ()
    usable = [index for index in indexes if not index.flaw]
    if any(index.multikey for index in usable):
        return Finding(
            "error",
            "key_array",
            collection.stream,
            f"{key} is an array in some document, and arrays have no order to read by",
            "choose another --key",
        )
    if usable and not all(index.sparse for index in usable):
        return None
    cost = (
        "each run reads all of it"
        if collection.documents is None
        else f"each run reads all {count_of(collection.documents, 'document')}"
    )
    if collection.kind == "view":
        return Finding(
            "warning",
            "key_index",
            collection.stream,
            f"a view has no index of its own: {cost}, unless that below it is indexed",
        )
    if usable:
        return Finding(
            "warning",
            "key_index_sparse",
            collection.stream,
            f"the index {usable[0].name} is sparse: it does not find documents without {key}",
            _index_command(collection, key, indexes),
        )
    flaws = _listed(f"{index.name} is {index.flaw}" for index in indexes)
    missing = f"{key} has no index that can be used ({flaws})" if flaws else f"{key} has no index"
    hidden = [index.name for index in indexes if index.flaw == "hidden"]
    return Finding(
        "warning",
        "key_index",
        collection.stream,
        f"{missing}: {cost}",
        f"{_shell_name(collection)}.unhideIndex({json.dumps(hidden[0])})"
        if hidden
        else _index_command(collection, key, indexes),
    )


# -- commands -----------------------------------------------------------------------------


def _index_command(collection: Collection, key: str, there: Sequence[KeyIndex]) -> str:
    name = f"{key}_1"
    # Two indexes on the same field may differ in their options, not share a name.
    taken = any(index.name == name for index in there)
    options = f", {{name: {json.dumps(name + '_landbridge')}}}" if taken else ""
    return f"{_shell_name(collection)}.createIndex({{{json.dumps(key)}: 1}}{options})"


def _shell_name(collection: Collection) -> str:
    name, database = collection.name, json.dumps(collection.database)
    if _PLAIN_NAME.fullmatch(name) and name not in _SHELL_NAMES:
        return f"db.getSiblingDB({database}).{name}"
    return f"db.getSiblingDB({database}).getCollection({json.dumps(name)})"


def _grant(database: str, collection: str, actions: Sequence[str]) -> str:
    named = f"{{db: {json.dumps(database)}, collection: {json.dumps(collection)}}}"
    return f"{{ resource: {named}, actions: {json.dumps(list(actions))} }}"


def _role_command(facts: SourceFacts, database: str) -> str:
    return (
        f"db.getSiblingDB({json.dumps(facts.user_database or 'admin')}).grantRolesToUser("
        f'{json.dumps(facts.user)}, [{{ role: "read", db: {json.dumps(database)} }}])'
    )


def _copy_seconds(size_bytes: int) -> float:
    return size_bytes / READ_BYTES_A_SECOND_MIN


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
