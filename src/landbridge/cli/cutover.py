"""`landbridge cutover plan | check | go | watch`: leaving MongoDB, on one evening.

For       The people who do a cutover, and the script that they rehearse it with.
Touches   Nothing but what the bridge does.
Promises  Exit 0 for a plan, a quiet source, a GO, a day without a difference; 1 for their
          contrary; 2 when the command could not be understood.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from landbridge.cli.command import (
    Command,
    Decorated,
    Group,
    common_options,
    option,
    selection_options,
    time_span,
)
from landbridge.cli.ends import SOURCE_VARIABLE, TARGET_VARIABLE, find_source, find_target
from landbridge.cli.sync import split_names

ENDS, WHAT, QUIET = "Where from, where to", "What", "Before it"
ARCHIVES, CUTOVERS = "output", "cutover"  # folders, in the one where the command runs
QUIET_DEFAULT = "30s"


def source_option(command: Decorated) -> Decorated:
    """Add `--from`."""
    return option(
        "--from",
        "source",
        metavar="URI",
        group=ENDS,
        help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}.",
    )(command)


def end_options(command: Decorated) -> Decorated:
    """Add `--from`, `--to` and `--schema`."""
    command = option(
        "--schema",
        metavar="S",
        group=ENDS,
        help="Schema of the tables.  [default: the source database's name]",
    )(command)
    command = option(
        "--to",
        "target",
        metavar="URI",
        group=ENDS,
        help=f"The PostgreSQL. Or set {TARGET_VARIABLE}.",
    )(command)
    return source_option(command)


def quiet_option(command: Decorated) -> Decorated:
    """Add `--quiet-for`."""
    return option(
        "--quiet-for",
        "quiet_seconds",
        type=time_span,
        default=QUIET_DEFAULT,
        show_default=True,
        metavar="D",
        group=QUIET,
        help="How long nobody may have written to the source: 30s, 2m.",
    )(command)


@click.group(cls=Group)
def cutover() -> None:
    """Leave MongoDB on one evening: plan it, check, go, watch the day after.

    `plan` writes the timeline, with times that were measured in dry runs. `check` proves that
    nobody writes. `go` freezes the application, brings the rest over, compares every document,
    and says GO or NO-GO. `watch` compares again and again.

    \b
    Examples:
      landbridge cutover plan --from mongodb://db/shop --to postgresql://db/shop > cutover.md
      landbridge cutover check --from mongodb://db/shop --quiet-for 30s
    """


@cutover.command("plan", cls=Command)
@end_options
@selection_options(WHAT)
@quiet_option
@option(
    "--report",
    "reports",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="FILE",
    group=WHAT,
    help="A report of a dry run, as export, import, sync or verify print it with --json: its "
    "times go into the plan. May be repeated.",
)
@common_options
def plan(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    quiet_seconds: float,
    reports: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Print the timeline of a cutover as Markdown, for these two ends.

    Sizes come from the source. Times are those of the last runs: from the history in the target,
    from archives in ./output, from earlier cutovers in ./cutover, and from --report. What was
    never measured is named, with the command that measures it. Nothing is changed.

    \b
    Examples:
      landbridge cutover plan --from mongodb://db/shop --to postgresql://db/shop > cutover.md
      landbridge cutover plan --collections users,orders --report verify.json --json
    """
    from_end, to_end = find_source(source), find_target(target)
    selected = (*select, *split_names(collections))

    from landbridge import bridge
    from landbridge.cli.cutover_plan import Flags, markdown

    made = bridge.plan_cutover(
        from_end.uri,
        to_end.uri,
        schema=schema,
        select=selected,
        exclude=exclude,
        archives=Path(ARCHIVES),
        cutovers=Path(CUTOVERS),
        reports=reports,
    )
    if as_json:
        click.echo(json.dumps(made.to_json()))
    else:
        flags = Flags(from_end.hint, to_end.hint, schema, None, selected, exclude, quiet_seconds)
        click.echo(markdown(made, flags))
    return 0


@cutover.command("check", cls=Command)
@source_option
@selection_options(WHAT)
@quiet_option
@common_options
def check(
    *,
    source: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    quiet_seconds: float,
    as_json: bool,
) -> int:
    """Prove that nobody writes to the source; say who does.

    Watches the collections: on a replica set by its log, which holds every write; on a standalone
    by the storage engine's counts of writes. Exit 0 when nothing was written, 1 when something
    was.

    \b
    Examples:
      landbridge cutover check --from mongodb://db/shop
      landbridge cutover check --collections users,orders --quiet-for 2m --json
    """
    from_end = find_source(source)
    selected = (*select, *split_names(collections))

    from landbridge import bridge
    from landbridge.cli.cutover_report import show_quiet
    from landbridge.cli.text import duration

    click.echo(f"watching for {duration(quiet_seconds)}", err=True)
    found = bridge.check_quiet(
        from_end.uri, select=selected, exclude=exclude, quiet_seconds=quiet_seconds
    )
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        show_quiet(found)
    return 0 if found.status == "quiet" else 1
