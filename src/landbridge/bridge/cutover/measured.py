"""How long things took before: runs, archives, and reports that were kept.

For       The plan of a cutover, whose times are measured and never guessed.
Touches   Reads manifests and reports in folders, and files that the user names.
Promises  A file that is no report is an error where the user named it, and passed over elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from landbridge.errors import UsageError
from landbridge.model.archive import MANIFEST_NAME
from landbridge.model.cutover import Measured
from landbridge.state.runs import PastLoad

REPORT_NAME = "report.json"


@dataclass(slots=True)
class Measurements:
    """The newest measurement of each kind of work, by collection and for all at once."""

    parts: dict[tuple[str, str], Measured] = field(default_factory=dict)  # work, collection
    wholes: dict[str, tuple[Measured, frozenset[str]]] = field(default_factory=dict)

    def add(self, work: str, each: Mapping[str, Measured], whole: Measured | None) -> None:
        """Take in what one run measured, where nothing newer is known."""
        for collection, measured in each.items():
            known = self.parts.get((work, collection))
            if known is None or measured.at > known.at:
                self.parts[work, collection] = measured
        if whole is not None and each:
            known_whole = self.wholes.get(work)
            if known_whole is None or whole.at > known_whole[0].at:
                self.wholes[work] = whole, frozenset(each)

    def of(self, collection: str) -> dict[str, Measured]:
        """Return what is known of a collection, by kind of work."""
        return {work: one for (work, name), one in self.parts.items() if name == collection}

    def whole(self, collections: Iterable[str]) -> dict[str, Measured]:
        """Return what is known of runs of exactly these collections, by kind of work."""
        wanted = frozenset(collections)
        return {work: one for work, (one, names) in self.wholes.items() if names == wanted}


def add_history(found: Measurements, loads: Sequence[PastLoad]) -> None:
    """Take in the history of runs."""
    by_run: dict[str, list[PastLoad]] = {}
    for load in loads:
        by_run.setdefault(load.run, []).append(load)
    for members in by_run.values():
        first = members[0]
        each = {
            load.collection: Measured(
                load.seconds, load.read, _text(load.finished_at), load.quarantined
            )
            for load in members
        }
        whole = None
        if first.run_seconds is not None:
            whole = _sum(each, first.run_seconds, _text(first.finished_at))
        found.add(first.command, each, whole)


def add_archives(found: Measurements, folder: Path, database: str) -> None:
    """Take in the manifests of archives of a database that lie in a folder, or below it."""
    for path in sorted(folder.glob(f"**/{MANIFEST_NAME}")):
        manifest = _read(path)
        if manifest and manifest.get("database") == database:
            _add_files(found, manifest)


def add_reports(found: Measurements, folder: Path, database: str) -> None:
    """Take in the reports of earlier cutovers that lie in a folder."""
    for path in sorted(folder.glob(f"*/{REPORT_NAME}")):
        report = _read(path)
        if report:
            _add_report(found, report, database, _modified(path))


def add_named(found: Measurements, path: Path, database: str) -> None:
    """Take in a report that the user names: what a command has printed with `--json`.

    Raises:
        UsageError: it can't be read, or is no report with times in it.

    """
    report = _read(path)
    if report is None:
        raise UsageError(
            f"cannot read {path}",
            why="there is no such file, or it holds no JSON object",
            fix="name a file that a command has printed with --json",
        )
    if not _add_report(found, report, database, _modified(path)):
        raise UsageError(
            f"{path} is no report with times in it",
            why="it is not what export, import, sync, verify or cutover go print with --json",
            fix="run one of them with --json and keep its standard output",
        )


def _add_report(found: Measurements, report: dict[str, Any], database: str, at: str) -> bool:
    """Take in a report by what it holds; return whether it is one."""
    if "verdict" in report:
        parts = [report.get("load"), report.get("verification")]
        taken = [_add_report(found, part, database, at) for part in parts if part]
        return any(taken)
    if "files" in report:
        return not report.get("dry_run") and _add_files(
            found, report | {"finished_at": report.get("finished_at") or at}
        )
    streams = report.get("streams")
    if not isinstance(streams, list) or not streams or "seconds" not in streams[0]:
        return False  # nothing was done, as in the plan of a sync
    verified = "source_count" in streams[0]
    each = {}
    for stream in streams:
        name, _, collection = str(stream.get("stream", "")).partition(".")
        if name != database or stream.get("error"):
            continue
        each[collection] = Measured(
            float(stream.get("seconds") or 0.0),
            int(stream.get("source_count" if verified else "read") or 0),
            report.get("finished_at") or at,
            int(stream.get("quarantined") or 0),
        )
    method = streams[0].get("method", "")
    work = "verify" if verified else "import" if method == "import" else "sync"
    found.add(work, each, _sum(each, float(report.get("seconds") or 0.0), at))
    return True


def _add_files(found: Measurements, manifest: dict[str, Any]) -> bool:
    at = str(manifest.get("finished_at") or "")
    each = {
        str(one["collection"]): Measured(
            float(one.get("seconds") or 0.0), int(one.get("documents") or 0), at
        )
        for one in manifest.get("files", [])
        if "collection" in one
    }
    seconds = manifest.get("seconds")
    if seconds is None and manifest.get("started_at") and at:
        begun, ended = (datetime.fromisoformat(t) for t in (manifest["started_at"], at))
        seconds = (ended - begun).total_seconds()
    found.add("export", each, None if seconds is None else _sum(each, float(seconds), at))
    return bool(each)


def _sum(each: Mapping[str, Measured], seconds: float, at: str) -> Measured:
    return Measured(
        seconds,
        sum(one.documents for one in each.values()),
        at,
        sum(one.quarantined for one in each.values()),
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        loaded = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) else None


def _modified(path: Path) -> str:
    return _text(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _text(moment: datetime) -> str:
    """Return a moment so that texts sort as moments do."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
