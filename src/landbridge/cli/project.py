"""What the commands share that work in a project: which one, under which environment.

For       `run`, `select`, `config`, `job`, `schedule`.
Touches   The project's files, by reading.
Promises  What has no effect in the file is told on standard error, each with its line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from landbridge.cli.command import option
from landbridge.cli.text import printable
from landbridge.errors import UsageError, redact

if TYPE_CHECKING:
    from landbridge.model.project import Plugin, PluginKind, Project

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

PROJECT = "Project"
ENVIRONMENT = "landbridge.environment"  # where the option before the command is kept


def environment_option(command: Decorated) -> Decorated:
    """Add `--environment`, which every command of a project has."""
    return option(
        "--environment",
        metavar="E",
        group=PROJECT,
        callback=lambda context, _, value: value or context.meta.get(ENVIRONMENT),
        help="The environment of the project.  [default: MELTANO_ENVIRONMENT, or "
        "default_environment of the file]",
    )(command)


def open_project(environment: str | None, *, quiet: bool = False) -> Project:
    """Return the project of the working directory; tell what has no effect in it.

    Raises:
        UsageError: there is none, or no such environment.
        ProjectError: its file can't be used.

    """
    from landbridge.config.project import find_file, read_project

    project = read_project(find_file(Path.cwd()), environment)
    if not quiet:
        for remark in project.remarks:
            click.echo(printable(redact(f"note: {remark}")), err=True)
    return project


def plugin_of(project: Project, name: str, kind: PluginKind | None = None) -> Plugin:
    """Return a plugin by its name.

    Raises:
        UsageError: the project has none of that name.

    """
    plugin = project.plugin(name)
    if plugin is not None and kind in (None, plugin.kind):
        return plugin
    known = [one.name for one in project.plugins if kind in (None, one.kind)]
    raise UsageError(
        f"there is no {'plugin' if kind is None else kind.removesuffix('s')} {name}",
        why=f"{project.file.name} has {', '.join(known) or 'none'}",
        fix="name one of these, or add it to the file",
    )
