"""The ways that data takes in a cutover: into landbridge's own tables, or through a mapping.

For       A cutover and a watch, which load and compare without knowing which way it is.
Touches   Both ends, through the calls of the bridge.
Promises  What would make a load fail is found before anything is frozen, where it can be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from landbridge.bridge.checkup import doctor
from landbridge.bridge.cutover.loading import APPLICATION, Tables
from landbridge.bridge.exporting import export
from landbridge.bridge.mapped_import import BATCH_SIZE, import_mapped
from landbridge.bridge.verifying import verify
from landbridge.codec import names
from landbridge.config import selection
from landbridge.errors import MappingError, NoGoError, PreflightError, redact
from landbridge.mapping.check import problems
from landbridge.mapping.document import read_mapping
from landbridge.mapping.rules import Dangling, Mapping
from landbridge.model.amounts import count_of
from landbridge.model.archive import ExportSummary
from landbridge.model.finding import Diagnosis
from landbridge.model.settings import Settings
from landbridge.model.stream import Collection
from landbridge.model.summary import Observer, Summary
from landbridge.model.verification import Mode, Verification, VerifyObserver
from landbridge.mongo import catalog
from landbridge.mongo.connect import Connection
from landbridge.postgres import faults
from landbridge.postgres.connect import open_connection
from landbridge.postgres.relational import read_schema

NAMED_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """A mapping file, and how an import goes by it.

    Attributes:
        text: what the file holds.
        name: what messages call it.
        direct: whether documents come straight from MongoDB, without an archive.
        archive: where the archive is written, a folder or `s3://…`; None: beside the log.
        batch_size: documents of one transaction.
        dangling: what becomes of references that lead nowhere, where the mapping does not say.

    """

    text: str
    name: str
    direct: bool = False
    archive: str | None = None
    batch_size: int = BATCH_SIZE
    dangling: Dangling = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A file of named aggregates: what it holds, and what messages call it."""

    text: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to move, between which ends, and how.

    Attributes:
        source: MongoDB URI with a database.
        target: PostgreSQL URI.
        schema: target schema; the source database's name under the name policy by default.
        select: names or patterns of collections; all by default.
        exclude: names or patterns to leave out.
        through: the mapping into tables that exist; landbridge's own tables without one.
        figures: aggregates that are asked of both sides as well.
        jobs: collections at once.
        observer: hears of the load's progress.
        verify_observer: hears of the comparison's progress.

    """

    source: str
    target: str
    schema: str | None = None
    select: Sequence[str] = ()
    exclude: Sequence[str] = ()
    through: Through | None = None
    figures: Figures | None = None
    jobs: int = 3
    observer: Observer | None = None
    verify_observer: VerifyObserver | None = None

    @property
    def described(self) -> str:
        """`… to …`, without passwords."""
        return redact(f"{self.source} to {self.target}")


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a way has brought over, and the archive that it leaves."""

    summary: Summary
    archive: str | None = None


@dataclass(slots=True)
class Detail:
    """What a step comes to, in a few words."""

    text: str = ""


Stepping = Callable[[str], AbstractContextManager[Detail]]


class Way(Protocol):
    """How data comes over, and is compared."""

    @property
    def collections(self) -> Sequence[Collection]:
        """What moves."""

    @property
    def described(self) -> str:
        """The way in a few words."""

    def check(self) -> None:
        """Raise what would make the load fail, as far as it can be known before."""

    @property
    def catches_up(self) -> bool:
        """Whether there is something to bring over before the freeze."""

    def catch_up(self) -> None:
        """Bring over what is there before the freeze, so that less is left."""

    def load(self, step: Stepping, mongo: Connection) -> Loaded:
        """Bring over what is left; each part is a step."""

    def verify(self, mode: Mode) -> Verification:
        """Compare both sides."""


def way_of(request: Request, mongo: Connection, archive: Path) -> Way:
    """Return the way that a request takes; an archive goes to `archive` by default.

    Raises:
        LandbridgeError: an end can't be asked, or nothing is selected.

    """
    available = catalog.collections(mongo)
    if request.through is not None:
        mapping = read_mapping(request.through.text, request.through.name)
        mapped = chosen_by(mapping, available, request.select, request.exclude)
        return _MappedWay(request, request.through, mapping, tuple(mapped), archive)
    chosen = selection.select(available, request.select, request.exclude)
    tables = Tables.look_up(
        request.source,
        request.target,
        request.schema or names.table_name(mongo.database, Settings()),
        mongo,
        [one.name for one in chosen],
        request.jobs,
        request.observer,
    )
    return _TablesWay(request, tuple(chosen), tables)


def chosen_by(
    mapping: Mapping, available: Sequence[Collection], select: Sequence[str], exclude: Sequence[str]
) -> list[Collection]:
    """Return the collections that are selected and have a rule.

    Raises:
        SourceMissingError: there are none.

    """
    ruled = [one for one in available if mapping.of(one.name) is not None]
    if not select:
        return selection.select(ruled, (), exclude)
    return [
        one
        for one in selection.select(available, select, exclude)
        if mapping.of(one.name) is not None
    ]


def refuse_errors(*found: Diagnosis) -> None:
    """Raise `PreflightError` for what a check has found that makes a load fail."""
    errors = [one for each in found for one in each.findings if one.severity == "error"]
    if errors:
        raise PreflightError(
            f"the check before it found {count_of(len(errors), 'error')}",
            why="; ".join(f"{one.where}: {one.message}" for one in errors[:NAMED_MAX]),
            fix=next((one.fix for one in errors if one.fix), "see `landbridge doctor`"),
        )


@dataclass(frozen=True, slots=True)
class _TablesWay:
    """Into the tables that landbridge makes: by the log where they follow it, else whole."""

    request: Request
    collections: tuple[Collection, ...]
    tables: Tables

    @property
    def described(self) -> str:
        followed = len(self.tables.followed)
        text = f"{count_of(len(self.collections), 'collection')} into {self.tables.schema}"
        return f"{text}, {followed:,} by the log" if followed else text

    def check(self) -> None:
        refuse_errors(
            doctor(
                self.request.source,
                self.request.target,
                method="log" if self.tables.followed else "full",
                schema=self.tables.schema,
                select=[one.name for one in self.collections],
            )
        )

    @property
    def catches_up(self) -> bool:
        return bool(self.tables.followed)

    def catch_up(self) -> None:
        self.tables.catch_up()

    def load(self, step: Stepping, mongo: Connection) -> Loaded:
        with step("sync") as detail:
            summary = self.tables.load_last(mongo, Event().wait)
            detail.text = changes_of(summary)
        return Loaded(summary)

    def verify(self, mode: Mode) -> Verification:
        return verify(
            self.request.source,
            self.request.target,
            schema=self.tables.schema,
            select=[one.name for one in self.collections],
            mode=mode,
            jobs=self.request.jobs,
            observer=self.request.verify_observer,
            **_asked(self.request.figures),
        )


@dataclass(frozen=True, slots=True)
class _MappedWay:
    """Into tables that exist, by a mapping, over an archive that is kept."""

    request: Request
    through: Through
    mapping: Mapping
    collections: tuple[Collection, ...]
    archive: Path

    @property
    def described(self) -> str:
        count = count_of(len(self.collections), "collection")
        return f"{count} into {self.mapping.schema}, by {self.through.name}"

    @property
    def catches_up(self) -> bool:
        return False

    def catch_up(self) -> None:
        """Do nothing: only the whole can be imported."""

    def check(self) -> None:
        refuse_errors(
            doctor(self.request.source, None, select=self._names),
            doctor(None, self.request.target),
        )
        check_mapping(self.request.target, self.mapping, self.through.name)

    def load(self, step: Stepping, mongo: Connection) -> Loaded:
        archive = None
        if not self.through.direct:
            with step("export") as detail:
                exported = export(
                    self.request.source,
                    self.through.archive or str(self.archive),
                    select=self._names,
                    jobs=self.request.jobs,
                    observer=self.request.observer,
                )
                refuse_incomplete(exported)
                archive = exported.out
                documents = sum(one.file.documents for one in exported.files)
                detail.text = f"{count_of(documents, 'document')} into {archive}"
        with step("import") as detail:
            summary = import_mapped(
                self.request.target,
                self.through.text,
                mapping_name=self.through.name,
                input=archive,
                source=None if archive else self.request.source,
                select=self._names,
                batch_size=self.through.batch_size,
                dangling=self.through.dangling,
                observer=self.request.observer,
            )
            detail.text = changes_of(summary)
        return Loaded(summary, archive)

    def verify(self, mode: Mode) -> Verification:
        return verify(
            self.request.source,
            self.request.target,
            select=self._names,
            mode=mode,
            jobs=self.request.jobs,
            observer=self.request.verify_observer,
            mapping=self.through.text,
            mapping_name=self.through.name,
            **_asked(self.request.figures),
        )

    @property
    def _names(self) -> list[str]:
        return [one.name for one in self.collections]


def check_mapping(target: str, mapping: Mapping, name: str) -> None:
    """Hold a mapping against the tables of the target.

    Raises:
        MappingError: they do not agree.

    """
    what = "cannot read the target's schema"
    with open_connection(target, APPLICATION) as connection, faults.translated(what):
        schema = read_schema(connection, mapping.schema)
    found = problems(mapping, schema) if schema else [f"schema: there is no {mapping.schema}"]
    if found:
        raise MappingError(
            f"{name} does not agree with the tables of {mapping.schema}",
            found,
            fix="mend the mapping, or the tables; nothing was frozen",
        )


def refuse_incomplete(exported: ExportSummary) -> None:
    """Raise `NoGoError` where an archive lacks documents.

    Documents that no JSON can hold lie beside it, and an import does not read them.
    """
    if exported.error is not None:
        raise NoGoError(
            "not everything was exported",
            why=exported.error["message"],
            fix=exported.error["fix"],
        )
    lacking = {
        one.file.collection: one.file.rejected for one in exported.files if one.file.rejected
    }
    if lacking:
        where = ", ".join(f"{count:,} of {name}" for name, count in lacking.items())
        raise NoGoError(
            "the archive lacks documents",
            why=f"no JSON can hold {where}",
            fix=f"mend them, see {exported.out}; or import them by --direct",
        )


def changes_of(summary: Summary) -> str:
    """Return `1,234 read, 3 inserted, 0 updated, 0 deleted`."""
    tallies = [one.tally for one in summary.streams]
    names_ = ("read", "inserted", "updated", "deleted", "quarantined")
    sums = {name: sum(getattr(one, name) for one in tallies) for name in names_}
    return ", ".join(f"{value:,} {name}" for name, value in sums.items() if value) or "no change"


def _asked(figures: Figures | None) -> dict[str, Any]:
    """Return the named aggregates as `verify` takes them."""
    return {} if figures is None else {"aggregates": figures.text, "aggregates_name": figures.name}
