"""`landbridge run`: pairs of plugins and jobs of a project, one after another.

For       Who has a `meltano.yml`, and runs it here.
Touches   Nothing but what the bridge does.
Promises  Exit 0 when every collection of every pair was brought up to date; 1 when one was not,
          and the pairs after that one are not begun; 2 when the command or the file's settings
          could not be understood.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from landbridge.cli.command import Command, common_options, option
from landbridge.cli.project import environment_option, open_project
from landbridge.cli.shaping import DEFAULTS
from landbridge.errors import redact
from landbridge.model.settings import Settings

if TYPE_CHECKING:
    from landbridge.bridge import Pair
    from landbridge.model.summary import Summary

HOW, OUTPUT = "How it is run", "Output"


@click.command("run", cls=Command)
@click.argument("names", nargs=-1, required=True, metavar="EXTRACTOR LOADER | JOB…")
@environment_option
@option("--full-refresh", is_flag=True, group=HOW, help="Load all again, whatever was loaded.")
@option(
    "--take-over",
    is_flag=True,
    group=HOW,
    help="Replace tables of the same names that landbridge did not make.",
)
@option(
    "--max-delete-share",
    type=click.FloatRange(0, 100),
    default=DEFAULTS.max_delete_share_percent,
    show_default=True,
    metavar="P",
    group=HOW,
    help="Refuse to delete more than P percent of a table, where that is over 1,000 rows.",
)
@option(
    "--jobs",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    group=HOW,
    help="Collections at once.",
)
@option(
    "--explain",
    is_flag=True,
    group=OUTPUT,
    help="Say what would run how, and which line of the file says so; no server is asked.",
)
@option(
    "--dry-run",
    is_flag=True,
    group=OUTPUT,
    help="Show what would be done, from a sample; touch nothing.",
)
@common_options
def run_(
    *,
    names: tuple[str, ...],
    environment: str | None,
    full_refresh: bool,
    take_over: bool,
    max_delete_share: float,
    jobs: int,
    explain: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run plugins or jobs of the project.

    An extractor and a loader, or the name of a job; several run one after another. tap-mongodb and
    target-postgres, of any variant, are run by landbridge itself, with the meaning of their
    settings. The project is the meltano.yml of this folder, or of the nearest above it.

    \b
    Examples:
      landbridge run tap-mongodb target-postgres
      landbridge run full-sync --environment prod
      landbridge run tap-mongodb target-postgres --explain
    """
    from landbridge.config.blocks import pairs_of

    project = open_project(environment)
    pairs = pairs_of(project, names)
    if explain:
        from landbridge.cli.explaining import explained

        report = [explained(extractor, loader) for extractor, loader in pairs]
        if as_json:
            document = {"status": "ok", "pairs": [one.to_json() for one in report], "error": None}
            click.echo(json.dumps(document))
        else:
            for one in report:
                one.show()
        return 0

    from landbridge.bridge import Pair

    given = Settings(
        full_refresh=full_refresh,
        take_over=take_over,
        max_delete_share_percent=max_delete_share,
    )
    wanted = [Pair(*pair, given) for pair in pairs]
    if dry_run:
        _plan(wanted, as_json=as_json)
        return 0
    summary = _run(wanted, jobs, as_json=as_json)
    return 0 if summary.status == "ok" else 1


def _plan(pairs: Sequence[Pair], *, as_json: bool) -> None:
    from landbridge import bridge
    from landbridge.cli.report import show_plan
    from landbridge.model.report import SyncPlan

    plans = [bridge.plan_pair(pair) for pair in pairs]
    plan = SyncPlan(
        tuple(stream for one in plans for stream in one.streams),
        tuple(dict.fromkeys(note for one in plans for note in one.notes)),
    )
    if as_json:
        click.echo(json.dumps(plan.to_json()))
    else:
        show_plan(plan)


def _run(pairs: Sequence[Pair], jobs: int, *, as_json: bool) -> Summary:
    from landbridge import bridge
    from landbridge.cli.progress import shown_progress
    from landbridge.cli.report import show_summary, summary_document
    from landbridge.config import native
    from landbridge.model.summary import Summary

    whole = Summary()
    for number, pair in enumerate(pairs, 1):
        with shown_progress() as observer:
            summary = bridge.run_pair(pair, jobs=jobs, observer=observer)
        left = len(pairs) - number
        if summary.status != "ok" and left:
            names = ", ".join(f"{one.extractor.name} {one.loader.name}" for one in pairs[number:])
            summary = summary.with_note(f"not begun, because of what failed before: {names}")
        if not as_json:
            target = shlex.quote(redact(native.target_uri(pair.loader)))
            show_summary(summary, target_hint=f" --to {target}")
        whole = whole.then(summary)
        if summary.status != "ok":
            break
    if as_json:
        click.echo(json.dumps(summary_document(whole)))
    return whole
