"""Reports of a cutover for people: who writes, what each step came to, the verdict.

For       `landbridge cutover`.
Touches   Standard output; standard error for what goes on meanwhile.
Promises  The last line is the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from landbridge.cli.report import print_table, ruled_table
from landbridge.cli.text import count_of, duration, printable
from landbridge.errors import redact
from landbridge.model.cutover import Means, Outcome, Quiet, Round, Step, Watch, Write

MEANS: dict[Means, str] = {
    "log": "by the log",
    "counters": "by the storage engine's counts of writes",
    "counts": "by the number of documents and their largest keys",
}


def show_quiet(found: Quiet) -> None:
    """Print who wrote, and whether the source is quiet."""
    if found.writes:
        show_writes(found.writes)
    for note in found.notes:
        click.echo(f"note: {printable(note)}")
    click.echo(printable(sentence(found)))


def show_writes(writes: Sequence[Write]) -> None:
    """Print writes as a table: what, how many, since when."""
    from rich.text import Text

    table = ruled_table()
    table.add_column("collection", overflow="fold")
    table.add_column("operation", no_wrap=True)
    table.add_column("writes", justify="right", no_wrap=True)
    table.add_column("first", no_wrap=True)
    table.add_column("last", no_wrap=True)
    table.add_column("such as _id", overflow="fold")
    for one in writes:
        cells = (one.collection, one.operation, f"{one.count:,}")
        times = (clock(one.first_at), clock(one.last_at))
        table.add_row(*(Text(printable(cell)) for cell in (*cells, *times, one.example)))
    print_table(table)
    click.echo()


def sentence(found: Quiet) -> str:
    """Return `quiet: no write to 7 collections of … in 30 s, by the log`."""
    place = f"{count_of(len(found.collections), 'collection')} of {found.source}"
    rest = f"to {place} in {duration(found.seconds)}, {MEANS[found.means]}"
    if not found.writes:
        return f"quiet: no write {rest}"
    return f"NOT QUIET: {count_of(sum(one.count for one in found.writes), 'write')} {rest}"


def clock(at: str) -> str:
    """Return the time of day of an ISO 8601 moment."""
    return at[11:19] + "Z"


def show_step(step: Step) -> None:
    """Say on standard error that a step begins, or what it came to."""
    if step.status == "running":
        click.echo(f"{clock(step.at)} {step.name} …", err=True)
        return
    text = f"{step.name}: {step.status}, {duration(step.seconds)}"
    click.echo(
        printable(redact(f"{' ' * 9} {text}" + (f", {step.detail}" if step.detail else ""))),
        err=True,
    )


def show_outcome(outcome: Outcome) -> None:
    """Print every step with its time, why it is a NO-GO, and the verdict."""
    from rich.text import Text

    table = ruled_table()
    table.add_column("step", no_wrap=True)
    table.add_column("at", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("", overflow="fold")
    for step in outcome.steps:
        cells = (step.name, clock(step.at), duration(step.seconds), step.status, step.detail)
        style = "red" if step.status == "failed" else ""
        table.add_row(*(Text(printable(redact(cell)), style=style) for cell in cells))
    print_table(table)
    click.echo()
    for note in outcome.notes:
        click.echo(f"note: {printable(redact(note))}")
    for reason in outcome.reasons:
        click.echo(f"because: {printable(redact(reason))}")
    if outcome.error is not None:
        click.echo(f"fix: {printable(redact(outcome.error['fix']))}")
    if outcome.frozen_seconds is not None:
        click.echo(f"writes were off for {duration(outcome.frozen_seconds)}")
    click.echo(f"kept in {printable(outcome.folder)}")
    done: str = outcome.verdict
    if outcome.verdict == "GO" and outcome.error is not None:
        done += ", but --on-unfreeze failed: writes may still be off"
    click.echo(done)


def show_round(found: Round, *, err: bool = False) -> None:
    """Print what a round found, in a line."""
    from landbridge.bridge.cutover.going import differences_of, equal_of
    from landbridge.bridge.cutover.watching import written

    status = found.verification.status
    what = equal_of if status == "equal" else differences_of
    text = f"{found.at} round {found.number}: {status.upper()}: {what(found.verification)}"
    if found.writes:
        text += f"; {written(found.writes)}"
    click.echo(printable(redact(text)), err=err)


def show_watch(found: Watch) -> None:
    """Print what all rounds came to."""
    for note in found.notes:
        click.echo(f"note: {printable(redact(note))}")
    bad = len(found.not_equal)
    rounds = count_of(found.rounds, "round")
    if bad:
        click.echo(f"{found.status.upper()}: {bad:,} of {rounds} found a difference or failed")
    else:
        click.echo(f"EQUAL in {rounds}")
