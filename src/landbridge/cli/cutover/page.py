"""The plan of a cutover as Markdown: a page that a team prints, corrects and signs.

For       `landbridge cutover plan`.
Touches   Nothing.
Promises  Every command can be copied as it stands, but for passwords, which are not shown. Times
          are those that were measured; what was not is named with the command that does.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from landbridge import __version__
from landbridge.cli.text import duration, printable, size
from landbridge.model.cutover import CutoverPlan, Measured, Part

COLLECTIONS_NAMED_MAX = 12
UNKNOWN = "not measured"
_KEPT = " --json > verify.json"  # of a verification the target keeps no history
DRY_RUN_AT, REHEARSAL_AT, FREEZE_AT = "T-48h", "T-24h", "T-1h"


@dataclass(frozen=True, slots=True)
class Flags:
    """What the user wrote, for the commands of the plan to repeat."""

    source: str  # with a space before, or empty
    target: str
    schema: str | None
    mapping: str | None
    direct: bool
    select: tuple[str, ...]
    exclude: tuple[str, ...]
    quiet_seconds: float

    @property
    def selection(self) -> str:
        """The flags that pick collections."""
        text = f" --collections {shlex.quote(','.join(self.select))}" if self.select else ""
        return text + "".join(f" --exclude {shlex.quote(one)}" for one in self.exclude)

    @property
    def shape(self) -> str:
        """The flags that say what the tables are."""
        text = f" --schema {shlex.quote(self.schema)}" if self.schema else ""
        text += f" --mapping {shlex.quote(self.mapping)}" if self.mapping else ""
        return text

    @property
    def path(self) -> str:
        """The flag that says by which path an import comes."""
        return " --direct" if self.direct else ""

    @property
    def ends(self) -> str:
        """Both ends."""
        return self.source + self.target


def markdown(plan: CutoverPlan, flags: Flags) -> str:
    """Return the whole page."""
    parts = [
        _heading(plan),
        _what_moves(plan, flags),
        _checks(plan),
        _criteria(plan, flags),
        _timeline(plan, flags),
        _rollback(plan, flags),
    ]
    if plan.can_follow and not plan.mapped:
        parts.append(_warm(plan, flags))
    return "\n".join(part.strip() + "\n" for part in parts).rstrip()


def command_of(work: str, flags: Flags) -> str:
    """Return the command that does one kind of work, and measures it."""
    origin = flags.source or ' --from "$MONGO_URI"' if flags.direct else " --input output/TIMESTAMP"
    commands = {
        "sync": f"landbridge sync{flags.ends}{flags.shape}{flags.selection}",
        "export": f"landbridge export{flags.source}{flags.selection}",
        "import": f"landbridge import{origin}{flags.target}{flags.shape}{flags.selection}",
        "verify": f"landbridge verify{flags.ends}{flags.shape}{flags.selection} --mode full",
    }
    return commands[work]


def _heading(plan: CutoverPlan) -> str:
    length = plan.window_seconds
    window = UNKNOWN if length is None else f"about {duration(length)}"
    return f"""\
# Cutover of {_cell(plan.database)} to PostgreSQL

Made at {plan.at[:16].replace("T", " ")} UTC by landbridge {__version__}. From
`{plan.source}` ({plan.role}) to `{plan.target}`, schema `{plan.schema}`.

The window, from the freeze to the verdict: **{window}**{_pauses(plan)}.
"""


def _pauses(plan: CutoverPlan) -> str:
    return ", without the pause that proves that nobody writes" if plan.window_seconds else ""


def _what_moves(plan: CutoverPlan, flags: Flags) -> str:
    heads = ["collection", "documents", "size", *plan.works, "set aside"]
    rows = []
    for part in plan.parts:
        aside = _set_aside(plan, part)
        rows.append(
            [
                _cell(part.collection),
                "unknown" if part.documents is None else f"{part.documents:,}",
                "unknown" if part.bytes is None else size(part.bytes),
                *(_time(part.measured.get(work)) for work in plan.works),
                "" if aside is None else f"{aside:,}",
            ]
        )
    documents = sum(part.documents or 0 for part in plan.parts)
    length = size(sum(part.bytes or 0 for part in plan.parts))
    each = [plan.seconds_of(work) for work in plan.works]
    whole = ["" if one is None else duration(one) for one in each]
    rows.append(["**all**", f"{documents:,}", length, *whole, f"{_all_aside(plan):,}"])
    text = f"## What moves\n\n{_table(heads, rows)}"
    lines = [
        f"- {work}: `{command_of(work, flags)}{_KEPT if work == 'verify' else ''}`"
        for work, seconds in zip(plan.works, each, strict=True)
        if seconds is None
    ]
    if lines:
        text += "\nNot measured yet for all collections; this does it:\n\n"
        text += "\n".join(lines) + "\n"
        if plan.seconds_of("verify") is None:
            text += "\nThen make this plan again, with `--report verify.json`.\n"
    measured = [one.at for part in plan.parts for one in part.measured.values()]
    if measured:
        text += f"\nTimes are of runs between {_day(min(measured))} and {_day(max(measured))} UTC."
        text += " Where collections go side by side, all take less than their sum."
        text += " A load that found its rows there already was shorter than one of new rows.\n"
    return text


def _checks(plan: CutoverPlan) -> str:
    text = "## What stands in the way\n\n"
    if not plan.findings:
        return text + "Nothing that `landbridge doctor` warns of.\n"
    rows = [[one.severity, one.where, one.message, one.fix] for one in plan.findings]
    return text + _table(
        ["", "where", "what", "what mends it"], [list(map(_cell, r)) for r in rows]
    )


def _criteria(plan: CutoverPlan, flags: Flags) -> str:
    return f"""
## Go or no-go

It is a GO when all of these hold, and a NO-GO when one does not:

- [ ] nobody has written to the source for {duration(flags.quiet_seconds)} after the freeze
- [ ] every collection was loaded without an error
- [ ] no more documents were set aside than the team has agreed to (`--quarantine-max`; the last
  load set aside {_all_aside(plan):,})
- [ ] `verify --mode full` finds no missing, extra or different document
- [ ] nobody has written to the source until the verdict
"""


def _timeline(plan: CutoverPlan, flags: Flags) -> str:
    return "## Timeline\n\n" + "\n".join(_moments(plan, flags))


def _moments(plan: CutoverPlan, flags: Flags) -> Iterator[str]:
    yield _moment(
        DRY_RUN_AT,
        "announce the window; dry run against staging",
        ["landbridge doctor" + flags.ends, *(command_of(work, flags) for work in plan.works)],
        "Keep the reports (`--json`), correct what they show, and make this plan again.",
    )
    yield _moment(
        REHEARSAL_AT,
        "the whole evening once, against staging; sign off",
        [_go(plan, flags)],
        "The application of staging is frozen and unfrozen by the same two commands.",
    )
    yield _moment(
        FREEZE_AT,
        "freeze content and scripts",
        [f"landbridge cutover check{flags.source}{flags.selection}"],
        "Says who still writes. Users go on until T.",
    )
    yield _moment("T", "cut over", [_go(plan, flags)], _steps(plan, flags))
    yield _moment(
        _verdict_at(plan),
        "the verdict",
        [],
        "`--on-unfreeze` finds it in `LANDBRIDGE_VERDICT`. `GO`: it points the application at "
        "PostgreSQL, then lets writes in. `NO-GO`: it lets writes in, to MongoDB as before.",
    )
    yield _moment(
        "to T+24h",
        "watch latency, errors and database metrics",
        [f"landbridge cutover watch{flags.ends}{flags.shape}{flags.selection} --for 24h"],
        "Compares while nothing but landbridge writes to these tables; says who still writes to "
        "MongoDB.",
    )
    yield _moment(
        "T+24h",
        "archive the folder of the evening (`cutover/`): log, reports, archive",
        [],
        "",
    )


def _set_aside(plan: CutoverPlan, part: Part) -> int | None:
    """Return how many documents the last load set aside; None where there was none."""
    loads = [part.measured.get(work) for work in plan.works if work in ("sync", "import")]
    return next((one.quarantined for one in loads if one is not None), None)


def _all_aside(plan: CutoverPlan) -> int:
    return sum(_set_aside(plan, part) or 0 for part in plan.parts)


def _go(plan: CutoverPlan, flags: Flags) -> str:
    aside = _all_aside(plan)
    return (
        f"landbridge cutover go{flags.ends}{flags.shape}{flags.path}{flags.selection}"
        f" --quiet-for {flags.quiet_seconds:g}s"
        + (f" --quarantine-max {aside}" if aside else "")
        + " --on-freeze './writes-off.sh' --on-unfreeze './writes-on.sh'"
    )


def _steps(plan: CutoverPlan, flags: Flags) -> str:
    lines = ["Freezes writes, then:", ""]
    lines.append(f"- quiet: {duration(flags.quiet_seconds)} without a write")
    for work in plan.works:
        seconds = plan.seconds_of(work)
        took = UNKNOWN if seconds is None else f"{duration(seconds)} when last measured"
        lines.append(f"- {work}: {took}")
    return "\n".join(lines)


def _verdict_at(plan: CutoverPlan) -> str:
    seconds = plan.window_seconds
    return "T+?" if seconds is None else f"T+{duration(seconds)}"


def _rollback(plan: CutoverPlan, flags: Flags) -> str:
    lines = [
        "- MongoDB is only read by all of this. To go back, point the application at MongoDB "
        "again; its configuration stays until T+24h.",
        "- What PostgreSQL holds after a NO-GO stays, to find out why: `cutover/` has the "
        "differences.",
    ]
    if plan.mapped:
        lines.append(
            "- An import can be taken back within 30 days, by the id of its run, which is in the "
            f"report: `landbridge import --undo RUN{flags.target}`. Rows that the application has "
            "changed since are refused, and listed."
        )
    lines.append(
        "- After the cause is mended, run `landbridge cutover go` again: it writes only what "
        "differs."
    )
    return "## Rollback\n\n" + "\n".join(lines)


def _warm(plan: CutoverPlan, flags: Flags) -> str:
    now = "They are kept up already." if plan.follows else "They are not yet kept up."
    return f"""
## A window of seconds

The source is a replica set, so that the tables can be kept up by its log until the freeze. {now}
Start days before, and leave it running:

```sh
landbridge sync{flags.ends}{flags.shape}{flags.selection} --method log --follow
```

`cutover go` then waits for the last changes instead of loading all, and compares.
"""


def _moment(when: str, what: str, commands: list[str], more: str) -> str:
    text = f"### {when}: {what}\n\n"
    if commands:
        text += "```sh\n" + "\n".join(commands) + "\n```\n\n"
    return text + (f"{more}\n" if more else "")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _cell(text: str) -> str:
    """Return foreign text so that it stays within its cell."""
    return printable(text).replace("|", "\\|").replace("\n", " ")


def _time(measured: Measured | None) -> str:
    return "" if measured is None else duration(measured.seconds)


def _day(at: str) -> str:
    return at[:16].replace("T", " ")
