"""`landbridge cutover plan`: the timeline, with times that were measured.

For       A team that prepares a cutover.
Touches   Nothing but what the bridge does.
Promises  Nothing is changed. Exit 0 where there is a plan.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from landbridge.cli.command import Command, common_options, option, selection_options
from landbridge.cli.cutover.options import (
    ARCHIVES,
    CUTOVERS,
    WHAT,
    end_options,
    mapping_options,
    quiet_option,
    through_of,
)
from landbridge.cli.ends import find_source, find_target
from landbridge.cli.sync import split_names


@click.command(cls=Command)
@end_options
@selection_options(WHAT)
@mapping_options
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
    mapping: str | None,
    direct: bool,
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
      landbridge cutover plan --mapping mapping.yml --report verify.json --json
    """
    from_end, to_end = find_source(source), find_target(target)
    selected = (*select, *split_names(collections))

    from landbridge import bridge
    from landbridge.cli.cutover.page import Flags, markdown

    made = bridge.plan_cutover(
        from_end.uri,
        to_end.uri,
        schema=schema,
        select=selected,
        exclude=exclude,
        through=through_of(mapping, schema, direct=direct),
        archives=Path(ARCHIVES),
        cutovers=Path(CUTOVERS),
        reports=reports,
    )
    if as_json:
        click.echo(json.dumps(made.to_json()))
    else:
        flags = Flags(
            source=from_end.hint,
            target=to_end.hint,
            schema=schema,
            mapping=mapping,
            direct=direct,
            select=selected,
            exclude=exclude,
            quiet_seconds=quiet_seconds,
        )
        click.echo(markdown(made, flags))
    return 0
