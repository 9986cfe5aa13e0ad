"""A pair of plugins of a project, run as a sync: each collection as its settings say.

For       `landbridge run`, `landbridge select --list`, `landbridge config PLUGIN test`.
Touches   Both ends, through `sync`.
Promises  Collections that load alike are one sync. What a project's settings say that has no
          effect, or another than it seems, is among the notes of what is returned.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from landbridge.bridge.checkup import doctor
from landbridge.bridge.run import error_of
from landbridge.bridge.syncing import plan_sync, sync
from landbridge.config import native, rules
from landbridge.errors import SourceMissingError
from landbridge.model.finding import Diagnosis
from landbridge.model.position import LogPosition
from landbridge.model.project import Plugin
from landbridge.model.report import SyncPlan
from landbridge.model.settings import Settings
from landbridge.model.summary import Observer, StreamSummary, Summary
from landbridge.mongo import catalog
from landbridge.mongo.connect import connect
from landbridge.postgres import faults
from landbridge.postgres.connect import Target
from landbridge.state import migrate, streams


@dataclass(frozen=True, slots=True)
class Pair:
    """An extractor and a loader, and what is asked for beside their settings."""

    extractor: Plugin
    loader: Plugin
    given: Settings = field(default_factory=Settings)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A pair with the collections that it takes, those together that load alike."""

    source: str
    target: str
    schema: str
    groups: dict[Settings, list[str]]
    notes: tuple[str, ...]


def run_pair(pair: Pair, *, jobs: int = 3, observer: Observer | None = None) -> Summary:
    """Bring the tables of a loader up to date with the collections of an extractor.

    Args:
        pair: the two plugins; `tap-mongodb` and `target-postgres`, of whichever variant.
        jobs: collections at once.
        observer: called with every step of progress, from several threads.

    Raises:
        UnsupportedError: a plugin, or something that its settings ask for, does not run yet.
        LandbridgeError: what stops the whole run: a setting, a connection, a selection.

    """
    began = time.monotonic()
    prepared = _prepared(pair)
    done: list[StreamSummary] = []
    runs: list[str] = []
    notes = list(prepared.notes)
    for settings, names in prepared.groups.items():
        summary = sync(
            prepared.source,
            prepared.target,
            schema=prepared.schema,
            select=names,
            settings=settings,
            jobs=jobs,
            observer=observer,
        )
        done += summary.streams
        notes += summary.notes
        runs.append(summary.run)
    seconds = time.monotonic() - began
    unique = tuple(dict.fromkeys(notes))
    return Summary(tuple(done), seconds, error_of(done), ",".join(runs), unique)


def plan_pair(pair: Pair) -> SyncPlan:
    """Return what `run_pair` would do, from the catalogs and a sample; touches nothing."""
    prepared = _prepared(pair)
    plans = [
        plan_sync(
            prepared.source,
            prepared.target,
            schema=prepared.schema,
            select=names,
            settings=settings,
        )
        for settings, names in prepared.groups.items()
    ]
    notes = (*prepared.notes, *(note for plan in plans for note in plan.notes))
    return SyncPlan(tuple(one for plan in plans for one in plan.streams), notes)


def list_streams(extractor: Plugin) -> list[tuple[str, bool]]:
    """Return the collections of an extractor's database, and whether each is selected."""
    selection = rules.selection_of(extractor)
    with connect(native.source_uri(extractor)) as mongo:
        streams = [rules.names_of(one.database, one.name) for one in catalog.collections(mongo)]
    return [(one[0], _is_selected(extractor, selection, one)) for one in streams]


def check_plugin(plugin: Plugin) -> Diagnosis:
    """Look at the server of a plugin with its settings, as `doctor` does.

    Raises:
        UsageError, UnsupportedError: a setting can't be read, or does not run yet.

    """
    native.check_settings(plugin)
    if plugin.kind == "extractors":
        return doctor(native.source_uri(plugin), None)
    return doctor(None, native.target_uri(plugin), schema=native.named_schema(plugin))


def _prepared(pair: Pair) -> _Prepared:
    extractor, loader = pair.extractor, pair.loader
    source, target = native.source_uri(extractor), native.target_uri(loader)
    schema = native.target_schema(extractor, loader)
    selection = rules.selection_of(extractor)
    with connect(source) as mongo:
        there = [one.name for one in catalog.collections(mongo)]
        database = mongo.database
    gone = _followed(target, schema, database) - set(there)
    notes = [
        *native.without_effect(extractor),
        *native.without_effect(loader),
        *selection.notes,
        *_idle(extractor, selection, [rules.names_of(database, name) for name in there]),
    ]
    groups: dict[Settings, list[str]] = {}
    for name in [*there, *sorted(gone)]:
        stream = rules.names_of(database, name)
        if not _is_selected(extractor, selection, stream):
            continue
        loading = native.loading_of(extractor, loader, stream, pair.given)
        if name in gone and loading.settings.method != "log":
            continue  # only the log tells what became of it
        notes += [loading.note] if loading.note else []
        groups.setdefault(loading.settings, []).append(name)
    if not groups:
        raise _nothing_selected(extractor, there)
    return _Prepared(source, target, schema, groups, tuple(dict.fromkeys(notes)))


def _is_selected(extractor: Plugin, selection: rules.Selection, stream: rules.Names) -> bool:
    return (
        selection.takes(stream)
        and rules.passes(extractor.select_filter, stream)
        and not native.is_deselected(extractor, stream)
    )


def _idle(extractor: Plugin, selection: rules.Selection, there: Sequence[rules.Names]) -> list[str]:
    """Return what is to be said of patterns that match nothing."""
    idle = [f"{one.origin}: {one.text} matches no collection" for one in selection.idle(there)]
    return idle + [
        f"{one.origin}: {one.name} is for {one.pattern}, which matches no collection"
        for one in extractor.metadata
        if not any(rules.matches(one.pattern, stream) for stream in there)
    ]


def _followed(target: str, schema: str, database: str) -> set[str]:
    """Return the collections that have a place in the source's log."""
    ends = Target(target, "landbridge run", 1)
    with closing(ends), faults.translated("the state could not be read"), ends.session() as session:
        if not migrate.is_installed(session.connection):
            return set()
        known = streams.known_streams(session.connection, schema)
    return {
        name
        for (of, name), one in known.items()
        if of == database and LogPosition.from_json(one.position) is not None
    }


def _nothing_selected(extractor: Plugin, there: Sequence[str]) -> SourceMissingError:
    given = ", ".join(one.text for one in extractor.select or ())
    return SourceMissingError(
        f"{extractor.name}: no collection is selected",
        why=f"select has {given or 'no patterns'}; the database has {', '.join(there[:10])}",
        fix=f"landbridge select {extractor.name} COLLECTION '*'",
    )
