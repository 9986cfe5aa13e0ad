"""`landbridge cutover check`: whether anybody writes.

For       The minutes before a cutover.
Touches   Nothing but what the bridge does.
Promises  Exit 0 where nobody has written, 1 where somebody has.
"""

from __future__ import annotations

import json

import click

from landbridge.cli.command import Command, common_options, selection_options
from landbridge.cli.cutover.options import WHAT, quiet_option, source_option
from landbridge.cli.ends import find_source
from landbridge.cli.sync import split_names


@click.command(cls=Command)
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
    from landbridge.cli.cutover.report import show_quiet
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
