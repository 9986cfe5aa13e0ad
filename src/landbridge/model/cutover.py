"""What a cutover speaks of: writes that were seen, steps that were taken, a verdict, a plan.

For       `landbridge cutover`, its reports, and whoever goes by its verdict.
Touches   Nothing.
Promises  A verdict is `GO` only where every step before it ended well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from landbridge.model.finding import Finding, Role
from landbridge.model.summary import Summary
from landbridge.model.verification import Verification

# How writes are found: in the log; by the storage engine's own counts of writes; or by what a
# write changes as a rule, the number of documents and the largest keys.
Means = Literal["log", "counters", "counts"]
Verdict = Literal["GO", "NO-GO"]
StepStatus = Literal["running", "ok", "failed"]


@dataclass(frozen=True, slots=True)
class Write:
    """Writes of one kind to one collection; times are ISO 8601, UTC."""

    collection: str
    operation: str  # as a change stream names it, or `write` where only that is known
    count: int
    first_at: str
    last_at: str
    example: str = ""  # `_id` of the last one, canonical extended JSON; empty where not known

    def and_then(self, later: Write) -> Write:
        """Return both as one."""
        return replace(
            self,
            count=self.count + later.count,
            last_at=later.last_at,
            example=later.example or self.example,
        )


@dataclass(frozen=True, slots=True)
class Quiet:
    """Whether a source was written to while it was watched."""

    source: str  # without credentials
    collections: tuple[str, ...]
    means: Means
    seconds: float
    writes: tuple[Write, ...] = ()
    notes: tuple[str, ...] = ()  # what the means can't see

    @property
    def status(self) -> Literal["quiet", "busy"]:
        """`quiet` where no write was seen."""
        return "busy" if self.writes else "quiet"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `cutover check`."""
        return {
            "status": self.status,
            "source": self.source,
            "collections": list(self.collections),
            "means": self.means,
            "seconds": round(self.seconds, 3),
            "writes": [asdict(write) for write in self.writes],
            "notes": list(self.notes),
            "error": None,
        }


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a cutover."""

    name: str
    status: StepStatus
    at: str  # when it began; ISO 8601, UTC
    seconds: float = 0.0
    detail: str = ""


StepObserver = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cutover ended, and everything that speaks for its verdict."""

    verdict: Verdict
    steps: tuple[Step, ...]
    reasons: tuple[str, ...] = ()  # of a NO-GO
    folder: str = ""  # where its log and its reports lie
    archive: str | None = None
    frozen_seconds: float | None = None  # from the call of --on-freeze to the end of --on-unfreeze
    quiet: Quiet | None = None
    load: Summary | None = None
    verification: Verification | None = None
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    error: dict[str, str] | None = None

    @property
    def status(self) -> Literal["ok", "failed"]:
        """`ok` where it is a GO and nothing is left to do."""
        return "ok" if self.verdict == "GO" and self.error is None else "failed"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `cutover go`."""
        return {
            "status": self.status,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "steps": [asdict(step) | {"seconds": round(step.seconds, 3)} for step in self.steps],
            "frozen_seconds": _rounded(self.frozen_seconds),
            "folder": self.folder,
            "archive": self.archive,
            "quiet": self.quiet.to_json() if self.quiet else None,
            "load": self.load.to_json() if self.load else None,
            "verification": self.verification.to_json() if self.verification else None,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Round:
    """One verification of a watch."""

    number: int
    at: str  # ISO 8601, UTC
    verification: Verification
    writes: tuple[Write, ...] = ()  # to the source since the round before

    def to_json(self) -> dict[str, Any]:
        """Return the round's object of the JSON report."""
        return {
            "number": self.number,
            "at": self.at,
            "status": self.verification.status,
            "writes": [asdict(write) for write in self.writes],
            "verification": self.verification.to_json(),
        }


RoundObserver = Callable[[Round], None]


@dataclass(frozen=True, slots=True)
class Watch:
    """What the rounds of a watch found; of those that were equal only their number is kept."""

    rounds: int
    last: Round | None = None
    not_equal: tuple[Round, ...] = ()
    seconds: float = 0.0
    ended_early: bool = False
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> Literal["equal", "different", "failed"]:
        """The worst that a round found."""
        found = {one.verification.status for one in self.not_equal}
        return "different" if "different" in found else "failed" if found else "equal"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `cutover watch`."""
        return {
            "status": self.status,
            "rounds": self.rounds,
            "last": self.last.to_json() if self.last else None,
            "not_equal": [one.to_json() for one in self.not_equal],
            "ended_early": self.ended_early,
            "seconds": round(self.seconds, 3),
            "notes": list(self.notes),
            "error": None,
        }


# -- the plan -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measured:
    """How long a kind of work took for one collection the last time; None in all where not yet."""

    seconds: float
    documents: int
    at: str  # ISO 8601, UTC
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """One collection of a plan: its size, and what is known of the work on it."""

    collection: str
    documents: int | None
    bytes: int | None
    measured: dict[str, Measured] = field(default_factory=dict)  # by kind of work


@dataclass(frozen=True, slots=True)
class CutoverPlan:
    """What a plan of a cutover is made of."""

    source: str  # without credentials
    database: str
    target: str  # without its password
    schema: str
    role: Role
    mapped: bool  # into an existing schema, by a mapping
    parts: tuple[Part, ...]
    works: tuple[str, ...]  # the kinds of work of the window, in their order
    whole: dict[str, Measured] = field(default_factory=dict)  # of work measured as a whole
    findings: tuple[Finding, ...] = ()
    follows: bool = False  # the tables are kept up by the log already
    can_follow: bool = False
    at: str = ""  # ISO 8601, UTC

    def seconds_of(self, work: str) -> float | None:
        """Return how long a kind of work took for all collections; None where one is missing."""
        if work in self.whole:
            return self.whole[work].seconds
        known = [part.measured.get(work) for part in self.parts]
        if not known or any(one is None for one in known):
            return None
        return sum(one.seconds for one in known if one is not None)

    @property
    def window_seconds(self) -> float | None:
        """The measured length of the window without its pauses; None where a part is missing."""
        each = [self.seconds_of(work) for work in self.works]
        return None if any(one is None for one in each) else sum(one or 0.0 for one in each)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `cutover plan`."""
        return {
            "status": "ok",
            **asdict(self),
            "works": {work: _rounded(self.seconds_of(work)) for work in self.works},
            "window_seconds": _rounded(self.window_seconds),
            "error": None,
        }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
