"""`landbridge cutover go`: the evening itself.

For       The people who do it, and the script that they rehearse it with.
Touches   Nothing but what the bridge does; the signals that end this process.
Promises  The last line is the verdict; exit 0 for GO, 1 for NO-GO, 130 when interrupted.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from landbridge.cli.command import (
    Command,
    choice,
    common_options,
    option,
    selection_options,
    time_span,
)
from landbridge.cli.cutover.options import (
    HOOKS,
    HOW,
    MAPPED,
    WHAT,
    aggregates_option,
    end_options,
    figures_of,
    folder_option,
    jobs_option,
    mapping_options,
    quiet_option,
    through_of,
)
from landbridge.cli.ends import find_source, find_target
from landbridge.cli.sync import split_names
from landbridge.errors import InterruptedRunError
from landbridge.mapping.rules import Dangling

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@click.command(cls=Command)
@end_options
@selection_options(WHAT)
@mapping_options
@option(
    "--archive",
    metavar="DIR|s3://…",
    group=MAPPED,
    help="Where the archive goes.  [default: beside the log]",
)
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    metavar="N",
    group=MAPPED,
    help="Documents of one transaction.",
)
@option(
    "--dangling",
    type=choice(Dangling),
    default="quarantine",
    show_default=True,
    group=MAPPED,
    help="References that lead nowhere, where the mapping does not say: NULL, or set the document "
    "aside.",
)
@quiet_option
@option(
    "--on-freeze",
    metavar="CMD",
    group=HOOKS,
    help="Shell command that takes the application's writes off. When it fails nothing is loaded.",
)
@option(
    "--on-unfreeze",
    metavar="CMD",
    group=HOOKS,
    help="Shell command that lets writes in again. It is called after GO and after NO-GO, which it "
    "finds in LANDBRIDGE_VERDICT; also when this process is interrupted or dies.",
)
@option(
    "--hook-limit",
    "hook_seconds",
    type=time_span,
    default="2m",
    show_default=True,
    metavar="D",
    group=HOOKS,
    help="How long either command may take.",
)
@option(
    "--quarantine-max",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    group=HOW,
    help="A GO allows for so many documents that are set aside.",
)
@aggregates_option
@folder_option
@jobs_option
@common_options
def go(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    mapping: str | None,
    direct: bool,
    archive: str | None,
    batch_size: int,
    dangling: Dangling,
    quiet_seconds: float,
    on_freeze: str | None,
    on_unfreeze: str | None,
    hook_seconds: float,
    quarantine_max: int,
    aggregates: str | None,
    folder: Path,
    jobs: int,
    as_json: bool,
) -> int:
    """Cut over: freeze, load, compare, say GO or NO-GO.

    Looks at both ends first, then calls --on-freeze, waits until nobody writes, loads what is
    missing, compares by `verify --mode full`, and makes sure that nobody wrote meanwhile. Tables
    that are kept up by the log need its last entries only; with --mapping it exports, imports and
    compares. Whatever happens after the freeze, --on-unfreeze is called. What was loaded stays.
    The last line is the verdict: exit 0 for GO, 1 for NO-GO.

    \b
    Examples:
      landbridge cutover go --from mongodb://db/shop --to postgresql://db/shop \\
          --on-freeze ./writes-off.sh --on-unfreeze ./writes-on.sh
      landbridge cutover go --mapping mapping.yml --quarantine-max 3 --json > cutover.json
    """
    from_end, to_end = find_source(source), find_target(target)

    from landbridge import bridge
    from landbridge.cli.cutover.report import show_outcome, show_step
    from landbridge.cli.progress import of_checks, shown_progress

    through = through_of(
        mapping, schema, direct=direct, archive=archive, batch_size=batch_size, dangling=dangling
    )
    with told_when_interrupted(as_json), shown_progress() as observer, ended_like_ctrl_c():
        request = bridge.CutoverRequest(
            source=from_end.uri,
            target=to_end.uri,
            schema=schema,
            select=(*select, *split_names(collections)),
            exclude=exclude,
            through=through,
            figures=figures_of(aggregates),
            jobs=jobs,
            observer=observer,
            verify_observer=of_checks(observer),
        )
        outcome = bridge.cut_over(
            request,
            quiet_seconds=quiet_seconds,
            on_freeze=on_freeze,
            on_unfreeze=on_unfreeze,
            hook_seconds=hook_seconds,
            quarantine_max=quarantine_max,
            folder=folder,
            step_observer=show_step,
        )
    if as_json:
        click.echo(json.dumps(outcome.to_json()))
    else:
        show_outcome(outcome)
    return 0 if outcome.status == "ok" else 1


@contextmanager
def told_when_interrupted(as_json: bool) -> Iterator[None]:
    """Let a cutover that is interrupted end with its verdict too."""
    try:
        yield
    except InterruptedRunError:
        if not as_json:
            click.echo("NO-GO")
        raise


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Let SIGTERM and a terminal that is closed end the work as Ctrl-C does: by an exception."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    known = {number: signal.signal(number, interrupt) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        for number, before in known.items():
            signal.signal(number, before)
