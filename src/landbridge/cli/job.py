"""`landbridge job`: tasks under one name, in the project file.

For       Who runs more than one pair of plugins.
Touches   `list`: nothing. The others: the project file.
Promises  Comments and order of the file stay. A task that names what is not there is refused.
"""

from __future__ import annotations

import json
from typing import Any

import click

from landbridge.cli.command import Command, Group, common_options, option
from landbridge.cli.project import environment_option, open_project
from landbridge.cli.text import printable
from landbridge.errors import UsageError

HOW = "What it is"


@click.group(cls=Group)
def job() -> None:
    """See and change the jobs of the project.

    \b
    Examples:
      landbridge job list
      landbridge job add nightly --tasks "tap-mongodb target-postgres"
    """


def tasks_option(command: Any) -> Any:
    """Add `--tasks`."""
    return option(
        "--tasks",
        required=True,
        group=HOW,
        metavar="T",
        help="An extractor and a loader, or several tasks in brackets: "
        '"[tap-a target-b, [tap-c, target-b]]".',
    )(command)


@job.command("list", cls=Command)
@click.argument("name", required=False)
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
def list_(*, name: str | None, form: str, environment: str | None, as_json: bool) -> int:
    """List the jobs with their tasks, or one of them.

    \b
    Examples:
      landbridge job list
      landbridge job list full-sync --json
    """
    project = open_project(environment)
    jobs = [one for one in project.jobs if name in (None, one.name)]
    if name is not None and not jobs:
        raise UsageError(
            f"there is no job {name}",
            why=f"the project has {', '.join(one.name for one in project.jobs) or 'none'}",
            fix="see landbridge job list",
        )
    if as_json or form == "json":
        found = [
            {"job_name": one.name, "tasks": [" ".join(task) for task in one.tasks]} for one in jobs
        ]
        click.echo(json.dumps({"status": "ok", "jobs": found, "error": None}))
        return 0
    for one in jobs:
        tasks = ", ".join(" ".join(task) for task in one.tasks)
        click.echo(printable(f"{one.name}: {tasks}"))
    if not jobs:
        click.echo("no jobs; add one: landbridge job add NAME --tasks …")
    return 0


@job.command(cls=Command)
@click.argument("name")
@tasks_option
@common_options
def add(*, name: str, tasks: str, as_json: bool) -> int:
    """Add a job to the project file.

    \b
    Examples:
      landbridge job add full-sync --tasks "tap-mongodb target-postgres"
      landbridge job add both --tasks "[tap-a target-postgres, tap-b target-postgres]"
    """
    from landbridge.config import project_edit

    project = open_project(None)
    known = project.job(name)
    if known is not None:
        raise UsageError(
            f"there is a job {name} already",
            why=f"it stands in {known.place}",
            fix=f"landbridge job set {name} --tasks …",
        )
    project_edit.add_named(project, "jobs", {"name": name, "tasks": tasks_of(tasks)})
    return told(f"job {name} is added", as_json=as_json)


@job.command("set", cls=Command)
@click.argument("name")
@tasks_option
@common_options
def set_(*, name: str, tasks: str, as_json: bool) -> int:
    """Give a job other tasks.

    \b
    Examples:
      landbridge job set full-sync --tasks "[tap-mongodb target-postgres]"
    """
    from landbridge.config import project_edit

    project_edit.change_named(open_project(None), "jobs", name, {"tasks": tasks_of(tasks)})
    return told(f"job {name} is changed", as_json=as_json)


@job.command(cls=Command)
@click.argument("name")
@common_options
def remove(*, name: str, as_json: bool) -> int:
    """Take a job out of the project file.

    \b
    Examples:
      landbridge job remove full-sync
    """
    from landbridge.config import project_edit

    project_edit.remove_named(open_project(None), "jobs", name)
    return told(f"job {name} is removed", as_json=as_json)


def told(done: str, *, as_json: bool) -> int:
    """Say what was done."""
    if as_json:
        click.echo(json.dumps({"status": "ok", "done": done, "error": None}))
    else:
        click.echo(printable(done))
    return 0


def tasks_of(text: str) -> list[Any]:
    """Return the tasks that a word of the command line names."""
    from landbridge.config.tree import read_tree
    from landbridge.errors import ProjectError

    try:
        tree = read_tree(text, "--tasks") if text.lstrip().startswith("[") else None
    except ProjectError as error:
        raise UsageError(
            "--tasks cannot be read", why=error.why, fix="close its brackets"
        ) from error
    return [text] if tree is None else list(tree.plain())
