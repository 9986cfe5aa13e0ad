"""How the last of the data comes over while the application stands still.

For       A cutover.
Touches   Both ends, by the calls that `sync`, `export` and `import` make.
Promises  A table is loaded again under the settings that it was loaded with before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from landbridge.bridge.syncing import sync
from landbridge.errors import BusyError, NoGoError
from landbridge.model.position import ClusterTime, LogPosition
from landbridge.model.settings import Settings
from landbridge.model.summary import Observer, StreamSummary, Summary
from landbridge.mongo.connect import Connection
from landbridge.mongo.log import DatabaseLog
from landbridge.postgres import faults
from landbridge.postgres.connect import open_connection
from landbridge.state import migrate, streams
from landbridge.state.streams import KnownStream

APPLICATION = "landbridge cutover"
FOLLOWER_SECONDS_MAX = 120.0  # a run that follows saves its place every ten seconds, or sooner
LOOK_EVERY_SECONDS = 0.5

Wait = Callable[[float], object]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that landbridge makes: which there are, and how they were loaded."""

    source: str
    target: str
    schema: str
    names: tuple[str, ...]  # of the collections
    jobs: int
    observer: Observer | None
    known: dict[str, KnownStream] = field(default_factory=dict)  # by collection

    @classmethod
    def look_up(
        cls,
        source: str,
        target: str,
        schema: str,
        mongo: Connection,
        names: Sequence[str],
        jobs: int,
        observer: Observer | None,
    ) -> Tables:
        """Ask the target how it was loaded."""
        made = cls(source, target, schema, tuple(names), jobs, observer)
        return replace(made, known=made.known_now(mongo.database))

    def known_now(self, database: str) -> dict[str, KnownStream]:
        """Return the streams of these collections that the target knows."""
        what = "the target could not be asked how it was loaded"
        with open_connection(self.target, APPLICATION) as connection, faults.translated(what):
            if not migrate.is_installed(connection):
                return {}
            migrate.check(connection)
            there = streams.known_streams(connection, self.schema)
        return {
            name: stream
            for (from_database, name), stream in there.items()
            if from_database == database and name in self.names
        }

    @property
    def followed(self) -> list[str]:
        """The collections whose tables are kept up by the log."""
        return [name for name in self.names if self._follows(name)]

    def _follows(self, name: str) -> bool:
        stream = self.known.get(name)
        return stream is not None and LogPosition.from_json(stream.position) is not None

    def _settings(self, name: str) -> Settings:
        """Return how a table is to be loaded: as before, and whole where not by the log."""
        if name not in self.known:
            return Settings()
        before = replace(
            Settings.from_json(self.known[name].settings), full_refresh=False, heal=True
        )
        if self._follows(name):
            return replace(before, method="log")
        if before.load == "append":  # a history is gone on with, not replaced
            return before
        return replace(before, method="full", load="overwrite")

    def load(self, names: Sequence[str]) -> Summary:
        """Bring the tables of these collections up to date, those of equal settings together."""
        groups: dict[Settings, list[str]] = {}
        for name in names:
            groups.setdefault(self._settings(name), []).append(name)
        began = time.monotonic()
        done = [
            sync(
                self.source,
                self.target,
                schema=self.schema,
                select=members,
                settings=settings,
                jobs=self.jobs,
                observer=self.observer,
            )
            for settings, members in groups.items()
        ]
        return joined(done, time.monotonic() - began)

    def catch_up(self) -> Summary | None:
        """Apply what the log holds of the tables that are kept up by it; None where none is."""
        return self.load(self.followed) if self.followed else None

    def load_last(self, mongo: Connection, wait: Wait) -> Summary:
        """Bring all tables up to date; wait for another run that follows some of them."""
        until = DatabaseLog(mongo).clock() if self.followed else None
        summary = self.load(self.names)
        busy = [one for one in summary.streams if _is_busy(one)]
        if not busy or until is None:
            return summary
        self._await_follower(mongo.database, [one.collection for one in busy], until, wait)
        kept = [
            replace(one, error=None, method="log", load="upsert", notes=("kept up by another run",))
            if _is_busy(one)
            else one
            for one in summary.streams
        ]
        error = next((one.error for one in kept if one.error), None)
        return replace(summary, streams=tuple(kept), error=error)

    def _await_follower(
        self, database: str, names: Sequence[str], until: ClusterTime, wait: Wait
    ) -> None:
        ends = time.monotonic() + FOLLOWER_SECONDS_MAX
        while True:
            known = self.known_now(database)
            behind = [name for name in names if not _reached(known.get(name), until)]
            if not behind:
                return
            if time.monotonic() > ends:
                raise NoGoError(
                    f"the run that follows {', '.join(behind)} is behind",
                    why=f"in {FOLLOWER_SECONDS_MAX:g} s it has not come to the last write, at "
                    f"{until}",
                    fix="see what that run says, or stop it: then this one reads the log itself",
                )
            wait(LOOK_EVERY_SECONDS)


def joined(done: Sequence[Summary], seconds: float) -> Summary:
    """Return several runs as one."""
    return Summary(
        streams=tuple(stream for one in done for stream in one.streams),
        seconds=seconds,
        error=next((one.error for one in done if one.error), None),
        run=done[-1].run if done else "",
        notes=tuple(dict.fromkeys(note for one in done for note in one.notes)),
    )


def _is_busy(stream: StreamSummary) -> bool:
    return stream.error is not None and stream.error["code"] == BusyError.code


def _reached(stream: KnownStream | None, until: ClusterTime) -> bool:
    position = LogPosition.from_json(stream.position) if stream else None
    return position is not None and position.time >= until and not position.ahead
