"""The cutover itself: freeze, load the rest, compare, GO or NO-GO, unfreeze.

For       `landbridge cutover go`.
Touches   The target, through the calls that load it; the user's two commands; its own folder.
Promises  GO only where all was loaded, compared and found equal, and nobody wrote meanwhile. Once
          the freeze has begun the unfreeze is called, after a NO-GO, an interruption or a bug too.
          What was loaded stays.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from landbridge.bridge.cutover.folder import (
    ARCHIVE_NAME,
    REPORT_NAME,
    VERIFICATION_HTML,
    VERIFICATION_JSON,
    Folder,
    opened,
)
from landbridge.bridge.cutover.hooks import HOOK_SECONDS, Guard, run_hook
from landbridge.bridge.cutover.quiet import QUIET_SECONDS, quiet_of, refuse_negative
from landbridge.bridge.cutover.ways import Detail, Loaded, Request, Way, way_of
from landbridge.errors import (
    HookError,
    InternalError,
    InterruptedRunError,
    LandbridgeError,
    NoGoError,
    UsageError,
)
from landbridge.model.amounts import count_of, duration
from landbridge.model.cutover import Outcome, Quiet, Step, StepObserver, Verdict, Write
from landbridge.model.verification import Verification
from landbridge.mongo.connect import Connection, connect
from landbridge.mongo.quiet import QuietWatch, watch
from landbridge.verify.page import page_of

_log = logging.getLogger("landbridge")

FOLDER = Path("cutover")
QUIET_TRIES = 3  # what was under way when writes were frozen may still come in
NAMED_MAX = 5
UNFREEZE = "unfreeze"


def go(
    request: Request,
    *,
    quiet_seconds: float = QUIET_SECONDS,
    on_freeze: str | None = None,
    on_unfreeze: str | None = None,
    hook_seconds: float = HOOK_SECONDS,
    quarantine_max: int = 0,
    folder: Path = FOLDER,
    step_observer: StepObserver | None = None,
) -> Outcome:
    """Cut over: freeze, load what is missing, compare everything, and say whether it holds.

    Args:
        request: the ends, what moves between them, and how.
        quiet_seconds: how long nobody may have written after the freeze.
        on_freeze: shell command that takes the application's writes off.
        on_unfreeze: shell command that lets writes in again; it finds `GO` or `NO-GO` in
            `LANDBRIDGE_VERDICT`.
        hook_seconds: how long either command may take.
        quarantine_max: how many documents may be set aside for a GO.
        folder: where a folder for this cutover is made, with its log and its reports.
        step_observer: called when a step begins and when it ends.

    Returns:
        The verdict and all that speaks for it. A failure is a NO-GO, not raised.

    Raises:
        UsageError: a URI or a value can't be read; nothing was frozen.
        BusyError: another cutover is under way in this folder.
        InterruptedRunError: by Ctrl-C or a signal; what was frozen is unfrozen.

    """
    refuse_negative(quiet_seconds)
    with opened(folder) as (kept, unfinished):
        evening = _Evening(
            request, quiet_seconds, on_freeze, on_unfreeze, hook_seconds, quarantine_max, kept,
            step_observer,
        )  # fmt: skip
        evening.notes += [
            f"an earlier cutover was ended in the middle: see {path}" for path in unfinished
        ]
        return evening.run()


@dataclass(slots=True)
class _Evening:
    """One cutover under way."""

    request: Request
    quiet_seconds: float
    on_freeze: str | None
    on_unfreeze: str | None
    hook_seconds: float
    quarantine_max: int
    folder: Folder
    step_observer: StepObserver | None
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[LandbridgeError] = field(default_factory=list)
    guard: Guard | None = None
    frozen_at: float | None = None  # monotonic
    frozen_seconds: float | None = None
    quiet: Quiet | None = None
    loaded: Loaded | None = None
    verification: Verification | None = None

    def run(self) -> Outcome:
        """Do all steps, and the unfreeze whatever becomes of them."""
        began = time.monotonic()
        self.folder.say(f"landbridge cutover go: {self.request.described}")
        interrupted: BaseException | None = None
        try:
            with ExitStack() as stack:
                self._until_verdict(stack)
        except LandbridgeError as error:
            self.errors.append(error)
        except Exception as error:
            _log.debug("the cutover failed unexpectedly", exc_info=True)
            self.errors.append(InternalError.of(error))
        except BaseException as error:  # Ctrl-C
            interrupted = error
        verdict: Verdict = "NO-GO" if self.errors or interrupted else "GO"
        self._unfreeze(verdict)
        if interrupted is not None:  # told now that it is known whether writes are on
            self.errors.insert(0, self._interruption())
        outcome = self._outcome(verdict, time.monotonic() - began)
        self.folder.say("\n".join([*outcome.reasons, verdict]))
        try:
            self.folder.keep(REPORT_NAME, outcome.to_json())
        except OSError as error:  # it is told, at least
            note = f"the report could not be kept in {self.folder.path}: {error}"
            outcome = replace(outcome, notes=(*outcome.notes, note))
        if interrupted is not None:
            raise self._interruption() from interrupted
        if self.frozen_at is None and self.errors and isinstance(self.errors[0], UsageError):
            raise self.errors[0]
        return outcome

    # -- the steps ------------------------------------------------------------------------

    def _until_verdict(self, stack: ExitStack) -> None:
        with self._step("look") as detail:
            mongo = stack.enter_context(connect(self.request.source))
            way = way_of(self.request, mongo, self.folder.path / ARCHIVE_NAME)
            way.check()
            detail.text = way.described
        if way.catches_up:
            with self._step("catch up"):
                way.catch_up()
        self._freeze()
        watched = self._wait_until_quiet(mongo, way)
        self._load(way, mongo)
        self._verify(way)
        self._still_quiet(watched)

    def _freeze(self) -> None:
        self.guard = Guard(self.on_unfreeze, self.folder, self.hook_seconds)
        if self.on_freeze is None:
            self.notes.append("no --on-freeze: that nobody writes is for others to see to")
            return
        with self._step("freeze"):
            self.frozen_at = time.monotonic()
            run_hook(
                "freeze", self.on_freeze, self.folder, self.guard, seconds_max=self.hook_seconds
            )

    def _wait_until_quiet(self, mongo: Connection, way: Way) -> QuietWatch:
        with self._step("quiet") as detail:
            began = time.monotonic()
            for _ in range(QUIET_TRIES):
                watched = watch(mongo, way.collections)
                watched.look(self.quiet_seconds, Event(), until_busy=True)
                names = [one.name for one in way.collections]
                place = f"{mongo.identity}/{mongo.database}"
                self.quiet = quiet_of(watched, place, names, began)
                if not watched.writes:
                    detail.text = f"no write for {duration(self.quiet_seconds)}"
                    self.notes += watched.notes
                    return watched
            raise NoGoError(
                "somebody writes to the source",
                why=f"in {duration(time.monotonic() - began)} after the freeze: "
                + _listed(watched.writes),
                fix="take these writers off, see `landbridge cutover check`, and go again",
            )

    def _load(self, way: Way, mongo: Connection) -> None:
        self.loaded = way.load(self._step, mongo)
        summary = self.loaded.summary
        failed = [one for one in summary.streams if one.error]
        if summary.status != "ok":
            whys = [f"{one.collection}: {(one.error or {})['message']}" for one in failed]
            raise NoGoError(
                "not everything was loaded",
                why="; ".join(whys[:NAMED_MAX]) or (summary.error or {}).get("message", ""),
                fix=(summary.error or {}).get("fix") or "mend what failed, and go again",
            )
        self._refuse_aside({one.collection: one.tally.quarantined for one in summary.streams})

    def _refuse_aside(self, counts: dict[str, int]) -> None:
        """Raise `NoGoError` where more documents are set aside than a GO allows for."""
        aside = sum(counts.values())
        if aside > self.quarantine_max:
            where = ", ".join(f"{count:,} of {name}" for name, count in counts.items() if count)
            raise NoGoError(
                f"{count_of(aside, 'document')} set aside",
                why=f"{where}; --quarantine-max allows {self.quarantine_max:,}",
                fix="see `landbridge quarantine list`; mend them, or allow as many",
            )

    def _verify(self, way: Way) -> None:
        with self._step("verify") as detail:
            found = way.verify("full")
            self.verification = found
            self.folder.keep(VERIFICATION_JSON, found.to_json())
            page = self.folder.keep_text(VERIFICATION_HTML, page_of(found))
            if found.status != "equal":
                raise NoGoError(
                    "source and target differ" if found.status == "different"
                    else "the comparison failed",
                    why=differences_of(found),
                    fix=f"see {page}",
                )  # fmt: skip
            # By the log a run does not meet those again that an earlier one set aside.
            self._refuse_aside({one.collection: one.quarantined for one in found.streams})
            detail.text = equal_of(found)

    def _still_quiet(self, watched: QuietWatch) -> None:
        with self._step("still quiet") as detail:
            watched.look(0.0, Event())
            if watched.writes:
                raise NoGoError(
                    "somebody wrote to the source during the cutover",
                    why=_listed(watched.writes),
                    fix="take these writers off, see `landbridge cutover check`, and go again",
                )
            detail.text = "no write since the freeze"

    def _unfreeze(self, verdict: Verdict) -> None:
        begun = self.frozen_at is not None
        if self.on_unfreeze is not None and (begun or self.on_freeze is None):
            guard = self.guard or Guard(None, self.folder, self.hook_seconds)
            with suppress(HookError), self._step(UNFREEZE) as detail:
                detail.text = f"told {verdict}"
                try:
                    run_hook(
                        "unfreeze",
                        self.on_unfreeze,
                        self.folder,
                        guard,
                        seconds_max=self.hook_seconds,
                        verdict=verdict,
                    )
                except HookError as error:
                    self.errors.append(error)
                    raise
        elif begun:
            self.notes.append("no --on-unfreeze: writes are still off")
        if self.frozen_at is not None:
            self.frozen_seconds = time.monotonic() - self.frozen_at
        if self.guard is not None:
            self.guard.dismiss()

    # -- what is told ---------------------------------------------------------------------

    @contextmanager
    def _step(self, name: str) -> Iterator[Detail]:
        """Tell of a step when it begins and when it ends."""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        began, detail = time.monotonic(), Detail()
        self._tell(Step(name, "running", at))
        try:
            yield detail
        except BaseException as error:
            what = error.what if isinstance(error, LandbridgeError) else type(error).__name__
            if isinstance(error, KeyboardInterrupt):
                what = "interrupted"
            seconds = time.monotonic() - began
            self._tell(Step(name, "failed", at, seconds, what))
            raise
        self._tell(Step(name, "ok", at, time.monotonic() - began, detail.text))

    def _tell(self, step: Step) -> None:
        if step.status == "running":
            self.folder.say(f"{step.name}: begun")
        else:
            self.steps.append(step)
            took = f"{step.name}: {step.status} after {duration(step.seconds)}"
            self.folder.say(took + (f": {step.detail}" if step.detail else ""))
        if self.step_observer is not None:
            self.step_observer(step)

    def _interruption(self) -> InterruptedRunError:
        done = [one.name for one in self.steps if one.status == "ok" and one.name != UNFREEZE]
        if self.frozen_at is None:
            writes = "nothing was frozen"
        elif any(one.name == UNFREEZE and one.status == "ok" for one in self.steps):
            writes = "writes are on again"
        else:
            writes = "WRITES ARE STILL OFF"
        return InterruptedRunError(
            f"NO-GO: interrupted after: {', '.join(done) or 'nothing'}; {writes}",
            why="Ctrl-C was pressed, or the process was told to end",
            fix="run the same command again: what is loaded stays, and only the rest is written",
        )

    @property
    def _worst(self) -> LandbridgeError | None:
        """What to do something about first: writes that are still off before all else."""
        hooks = [one for one in self.errors if isinstance(one, HookError)]
        return next(iter([*hooks[-1:], *self.errors]), None)

    def _outcome(self, verdict: Verdict, seconds: float) -> Outcome:
        loaded = self.loaded
        return Outcome(
            verdict=verdict,
            steps=tuple(self.steps),
            reasons=tuple(f"{one.what}: {one.why}" for one in self.errors),
            folder=str(self.folder.path),
            archive=loaded.archive if loaded else None,
            frozen_seconds=self.frozen_seconds,
            quiet=self.quiet,
            load=loaded.summary if loaded else None,
            verification=self.verification,
            notes=tuple(dict.fromkeys(self.notes)),
            seconds=seconds,
            error=self._worst.to_json() if self._worst else None,
        )


def equal_of(found: Verification) -> str:
    """Return how many documents have their rows, and how many are known to have none."""
    aside = sum(one.quarantined for one in found.streams)
    documents = sum(one.source_count for one in found.streams) - aside
    text = f"{count_of(documents, 'document')} equal"
    return f"{text}, {aside:,} set aside" if aside else text


def differences_of(found: Verification) -> str:
    """Return what a verification found, in a line."""
    if found.error:
        return found.error["message"]
    lines = []
    for one in found.streams:
        if one.status == "equal":
            continue
        if one.error:
            lines.append(f"{one.collection}: {one.error['message']}")
            continue
        counts = (("missing", one.missing), ("extra", one.extra), ("different", one.different))
        kinds = [f"{len(some):,} {name}" for name, some in counts if some]
        kinds += [f"{one.unnamed:,} not named"] if one.unnamed else []
        lines.append(f"{one.collection}: {', '.join(kinds) or f'delta {one.delta:+,}'}")
    more = len(lines) - NAMED_MAX
    return "; ".join(lines[:NAMED_MAX]) + (f"; and {more} more" if more > 0 else "")


def _listed(writes: Sequence[Write]) -> str:
    """Return `3 updates of orders, the last at …` for each."""
    return "; ".join(
        f"{count_of(one.count, one.operation)} of {one.collection}, the last at {one.last_at}"
        for one in writes[:NAMED_MAX]
    )
