"""`landbridge cutover watch`: the day after.

For       The team that has cut over.
Touches   Nothing but what the bridge does.
Promises  Exit 0 where every round was equal, 1 where one was not.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

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
    HOW,
    WHAT,
    aggregates_option,
    end_options,
    figures_of,
    folder_option,
    jobs_option,
    mapping_option,
    through_of,
)
from landbridge.cli.ends import find_source, find_target
from landbridge.cli.sync import ended_by_signals, split_names
from landbridge.model.verification import Mode


@click.command(cls=Command)
@end_options
@selection_options(WHAT)
@mapping_option
@option(
    "--for",
    "for_seconds",
    type=time_span,
    default="24h",
    show_default=True,
    metavar="D",
    group=HOW,
    help="How long to go on.",
)
@option(
    "--every",
    "every_seconds",
    type=time_span,
    default="30m",
    show_default=True,
    metavar="D",
    group=HOW,
    help="Time from the beginning of one round to that of the next.",
)
@option(
    "--mode",
    type=choice(Mode),
    default="full",
    show_default=True,
    group=HOW,
    help="How each round compares, as in verify.",
)
@aggregates_option
@folder_option
@jobs_option
@common_options
def watch(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    mapping: str | None,
    for_seconds: float,
    every_seconds: float,
    mode: Mode,
    aggregates: str | None,
    folder: Path,
    jobs: int,
    as_json: bool,
) -> int:
    """Compare again and again, the day after.

    Each round is a line: equal or not, and who has written to the source since the last one,
    which after a cutover nobody should. A difference ends nothing: exit 1 comes at the end. SIGTERM
    or Ctrl-C end it after the round under way.

    \b
    Examples:
      landbridge cutover watch --from mongodb://db/shop --to postgresql://db/shop
      landbridge cutover watch --for 2h --every 10m --mode count --json > watch.json
    """
    from_end, to_end = find_source(source), find_target(target)

    from landbridge import bridge
    from landbridge.cli.cutover.report import show_round, show_watch

    request = bridge.CutoverRequest(
        source=from_end.uri,
        target=to_end.uri,
        schema=schema,
        select=(*select, *split_names(collections)),
        exclude=exclude,
        through=through_of(mapping, schema),
        figures=figures_of(aggregates),
        jobs=jobs,
    )
    with ended_by_signals(follow=True) as ending:
        found = bridge.watch_cutover(
            request,
            for_seconds=for_seconds,
            every_seconds=every_seconds,
            mode=mode,
            folder=folder,
            round_observer=partial(show_round, err=as_json),
            ending=ending,
        )
    if as_json:
        click.echo(json.dumps(found.to_json()))
    else:
        show_watch(found)
    return 0 if found.status == "equal" else 1
