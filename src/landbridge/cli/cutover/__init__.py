"""`landbridge cutover plan | check | go | watch`: leaving MongoDB, on one evening.

For       The people who do a cutover, and the script that they rehearse it with.
Touches   Nothing but what the bridge does.
Promises  Exit 0 for a plan, a quiet source, a GO, a day without a difference; 1 for their
          contrary; 2 when the command could not be understood.
"""

from __future__ import annotations

import click

from landbridge.cli.command import Group
from landbridge.cli.cutover.check import check
from landbridge.cli.cutover.go import go
from landbridge.cli.cutover.plan import plan
from landbridge.cli.cutover.watch import watch


@click.group(cls=Group, short_help="Leave MongoDB on one evening.")
def cutover() -> None:
    """Leave MongoDB on one evening: plan it, check, go, watch the day after.

    `plan` writes the timeline, with times that were measured in dry runs. `check` proves that
    nobody writes. `go` freezes the application, brings the rest over, compares every document,
    and says GO or NO-GO. `watch` compares again and again.

    \b
    Examples:
      landbridge cutover plan --from mongodb://db/shop --to postgresql://db/shop > cutover.md
      landbridge cutover check --from mongodb://db/shop --quiet-for 30s
      landbridge cutover go --on-freeze ./writes-off.sh --on-unfreeze ./writes-on.sh
      landbridge cutover watch --for 24h --every 30m
    """


for command in (plan, check, go, watch):
    cutover.add_command(command)
