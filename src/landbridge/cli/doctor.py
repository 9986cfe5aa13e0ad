"""`landbridge doctor`: what will hurt, before it does.

For       A person who is about to run the first sync, or whose sync has become slow.
Touches   Nothing but what the bridge does.
Promises  Exit 0 when no finding is an error, 1 when one is, 2 when the command could not be
          understood. Each finding says its severity in a word, never in colour alone.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from landbridge.cli.command import (
    Command,
    choice,
    common_options,
    interval,
    option,
    selection_options,
)
from landbridge.cli.ends import (
    SOURCE_VARIABLE,
    TARGET_VARIABLE,
    find_source,
    find_target,
    is_named,
)
from landbridge.cli.sync import split_names
from landbridge.errors import UsageError
from landbridge.model.settings import Method

if TYPE_CHECKING:
    from landbridge.model.finding import Diagnosis

ENDS, WHAT, HOW = "Where from, where to", "What", "How it is to be loaded"
COLOURS = {"error": "red", "warning": "yellow", "info": None, "ok": "green"}
SERIOUS = ("error", "warning")


@click.command(cls=Command, short_help="Say what will hurt, before it does.")
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}. Left out, the target alone is "
    "looked at.",
)
@option(
    "--to",
    "target",
    metavar="URI",
    group=ENDS,
    help=f"The PostgreSQL. Or set {TARGET_VARIABLE}. Left out, the source alone is looked at.",
)
@option(
    "--schema",
    metavar="S",
    group=ENDS,
    help="Schema of the tables.  [default: the source database's name]",
)
@selection_options(WHAT)
@option(
    "--method",
    type=choice(Method),
    default="full",
    show_default=True,
    group=HOW,
    help="The method that the sync is to use; each needs other things of the source.",
)
@option(
    "--key",
    metavar="F",
    default="_id",
    show_default=True,
    group=HOW,
    help="The field that incremental reads by.",
)
@option(
    "--every",
    type=interval,
    default="1h",
    show_default=True,
    metavar="D",
    group=HOW,
    help="How often the sync is to run, such as 30m, 1h or 1d: the log must reach back longer.",
)
@common_options
def doctor(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    method: Method,
    key: str,
    every: float,
    as_json: bool,
) -> int:
    """Say what will hurt, before it does: rights, indexes, the log, limits, settings.

    Asks both servers, or the one that is named, what a sync by a method would meet there, and
    shows what it found, the worst first, with the command that mends it. Nothing is made, changed
    or scanned.

    \b
    Examples:
      landbridge doctor --from mongodb://localhost/shop --to postgresql://localhost/bi
      landbridge doctor --from mongodb://localhost/shop --method log --every 30m
      landbridge doctor --select 'order*' --method incremental --key updatedAt --json
    """
    from_uri = find_source(source).uri if is_named(source, SOURCE_VARIABLE) else None
    to_uri = find_target(target).uri if is_named(target, TARGET_VARIABLE) else None
    if from_uri is None and to_uri is None:
        raise UsageError(
            "there is nothing to look at",
            why=f"neither --from, --to, {SOURCE_VARIABLE} nor {TARGET_VARIABLE} (in the environment"
            " or in .env) is set",
            fix="add --from mongodb://HOST/DATABASE, --to postgresql://HOST/DATABASE, or both",
        )

    from landbridge import bridge

    diagnosis = bridge.doctor(
        from_uri,
        to_uri,
        method=method,
        key=key,
        schema=schema,
        select=(*select, *split_names(collections)),
        exclude=exclude,
        every_seconds=every,
    )
    if as_json:
        click.echo(json.dumps(diagnosis.to_json()))
    else:
        show_diagnosis(diagnosis)
    return 0 if diagnosis.status == "ok" else 1


def show_diagnosis(diagnosis: Diagnosis) -> None:
    """Print the findings as a table, and at the end whether a sync can start."""
    from rich.text import Text

    from landbridge.cli.report import print_table, ruled_table
    from landbridge.cli.text import printable

    table = ruled_table()
    table.add_column("severity", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("what", overflow="fold", ratio=1)
    table.add_column("fix", overflow="fold", ratio=1)
    for finding in diagnosis.findings:
        colour = COLOURS[finding.severity]
        table.add_row(
            Text(finding.severity, style=colour or ""),
            *(Text(printable(text)) for text in (finding.where, finding.message, finding.fix)),
        )
    print_table(table)
    click.echo()
    fixes = [one.fix for one in diagnosis.findings if one.severity in SERIOUS and one.fix]
    if fixes and sys.stdout.isatty():  # where the table has broken them into lines
        click.echo("to mend, as it can be copied:")
        for fix in dict.fromkeys(fixes):
            click.echo(f"  {printable(fix)}")
        click.echo()
    click.echo(printable(diagnosis.verdict))
