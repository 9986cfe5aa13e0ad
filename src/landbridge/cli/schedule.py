"""`landbridge schedule`: when jobs are to run, in the project file.

For       Who keeps the times of runs beside the runs.
Touches   `list`: nothing. The others: the project file.
Promises  Comments and order of the file stay. An interval that never comes is refused.
"""

from __future__ import annotations

import json

import click

from landbridge.cli.command import Command, Group, common_options, option
from landbridge.cli.job import told
from landbridge.cli.project import environment_option, open_project
from landbridge.cli.text import printable
from landbridge.errors import UsageError

WHAT, WHEN = "What runs", "When"


@click.group(cls=Group)
def schedule() -> None:
    """See and change the schedules of the project.

    \b
    Examples:
      landbridge schedule list
      landbridge schedule add hourly --job full-sync --interval @hourly
    """


@schedule.command("list", cls=Command)
@option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    group="Output",
    help="json: the same as --json.",
)
@environment_option
@common_options
def list_(*, form: str, environment: str | None, as_json: bool) -> int:
    """List the schedules: when, and what runs.

    \b
    Examples:
      landbridge schedule list
      landbridge schedule list --json
    """
    schedules = open_project(environment).schedules
    if as_json or form == "json":
        found = [
            {
                "name": one.name,
                "interval": one.interval,
                "job": one.job or None,
                "extractor": one.extractor or None,
                "loader": one.loader or None,
            }
            for one in schedules
        ]
        click.echo(json.dumps({"status": "ok", "schedules": found, "error": None}))
        return 0
    for one in schedules:
        what = f"job {one.job}" if one.job else f"{one.extractor} {one.loader}"
        click.echo(printable(f"{one.name}: {one.interval} {what}"))
    if not schedules:
        click.echo("no schedules; add one: landbridge schedule add NAME --job JOB --interval …")
    return 0


@schedule.command(cls=Command)
@click.argument("name")
@option("--interval", required=True, metavar="I", group=WHEN, help="Cron, or @hourly and the like.")
@option("--job", metavar="JOB", group=WHAT, help="The job that runs.")
@option("--extractor", metavar="E", group=WHAT, help="Or the extractor of a pair…")
@option("--loader", metavar="L", group=WHAT, help="…and its loader.")
@common_options
def add(
    *,
    name: str,
    interval: str,
    job: str | None,
    extractor: str | None,
    loader: str | None,
    as_json: bool,
) -> int:
    """Add a schedule to the project file.

    \b
    Examples:
      landbridge schedule add hourly --job full-sync --interval @hourly
      landbridge schedule add night --extractor tap-mongodb --loader target-postgres \\
          --interval "30 1 * * *"
    """
    from landbridge.config import project_edit

    project = open_project(None)
    if any(one.name == name for one in project.schedules):
        raise UsageError(
            f"there is a schedule {name} already",
            why="two of one name could not be told apart",
            fix=f"landbridge schedule set {name} …",
        )
    _check(interval, job, extractor, loader)
    given = {"interval": interval, "job": job, "extractor": extractor, "loader": loader}
    entry = {key: value for key, value in given.items() if value}
    project_edit.add_named(project, "schedules", {"name": name, **entry})
    return told(f"schedule {name} is added", as_json=as_json)


@schedule.command("set", cls=Command)
@click.argument("name")
@option("--interval", metavar="I", group=WHEN, help="Cron, or @hourly and the like.")
@option("--job", metavar="JOB", group=WHAT, help="The job that runs.")
@option("--extractor", metavar="E", group=WHAT, help="The extractor of a pair.")
@option("--loader", metavar="L", group=WHAT, help="The loader of a pair.")
@common_options
def set_(
    *,
    name: str,
    interval: str | None,
    job: str | None,
    extractor: str | None,
    loader: str | None,
    as_json: bool,
) -> int:
    """Change a schedule.

    \b
    Examples:
      landbridge schedule set hourly --interval "*/30 * * * *"
    """
    from landbridge.config import project_edit

    given = {"interval": interval, "job": job, "extractor": extractor, "loader": loader}
    values = {key: value for key, value in given.items() if value}
    if not values:
        raise UsageError(
            "there is nothing to change",
            why="neither --interval, --job, --extractor nor --loader is given",
            fix=f"landbridge schedule set {name} --interval @daily",
        )
    if interval is not None:
        _check_interval(interval)
    # A schedule runs a job or a pair: the one takes the place of the other.
    replaced = ("extractor", "loader") if job else ("job",) if extractor or loader else ()
    project = open_project(None)
    changes = {**values, **dict.fromkeys(replaced)}
    project_edit.change_named(project, "schedules", name, changes)
    return told(f"schedule {name} is changed", as_json=as_json)


@schedule.command(cls=Command)
@click.argument("name")
@common_options
def remove(*, name: str, as_json: bool) -> int:
    """Take a schedule out of the project file.

    \b
    Examples:
      landbridge schedule remove hourly
    """
    from landbridge.config import project_edit

    project_edit.remove_named(open_project(None), "schedules", name)
    return told(f"schedule {name} is removed", as_json=as_json)


def _check(interval: str, job: str | None, extractor: str | None, loader: str | None) -> None:
    _check_interval(interval)
    if bool(job) == bool(extractor or loader) or bool(extractor) != bool(loader):
        raise UsageError(
            "a schedule runs a job, or a pair",
            why="--job, or --extractor with --loader, says which",
            fix="add --job JOB",
        )


def _check_interval(interval: str) -> None:
    from landbridge.config.intervals import problem_of

    if problem := problem_of(interval):
        raise UsageError(
            "--interval cannot be read", why=problem, fix='write @hourly, or "0 * * * *"'
        )
