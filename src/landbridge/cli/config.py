"""`landbridge config`: what the settings of a project are, where they come from, and their change.

For       Who wonders why a plugin does what it does.
Touches   `config check` and `list`: nothing. `set` and `unset`: the project file, or `.env` for a
          secret. `test`: the plugin's server, by asking.
Promises  A secret is never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Command, Group, common_options
from landbridge.cli.project import environment_option, open_project, plugin_of
from landbridge.cli.text import printable
from landbridge.errors import redact

if TYPE_CHECKING:
    from landbridge.model.project import Plugin, Project

PLUGIN = "PLUGIN"


class ConfigGroup(Group):
    """`check`, and below every other word what is done with the plugin of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word for a plugin where it is no command."""
        if not args or args[0].startswith("-") or args[0] == "check":
            return super().resolve_command(ctx, args)
        ctx.obj = args[0]
        return args[0], self.commands[PLUGIN], args[1:]


@click.group(cls=ConfigGroup)
def config() -> None:
    """See and change the settings of the project's plugins.

    \b
    Examples:
      landbridge config check
      landbridge config target-postgres list
      landbridge config target-postgres test
    """


@config.command(cls=Command)
@environment_option
@common_options
def check(*, environment: str | None, as_json: bool) -> int:
    """Read the project, and say of every setting what it is and where it comes from.

    Secrets are hidden. What the file says that has no effect here is listed at the end, each with
    its line. No server is asked: that is `config PLUGIN test`.

    \b
    Examples:
      landbridge config check
      landbridge config check --environment prod --json
    """
    project = open_project(environment, quiet=True)
    document = _document(project)
    if as_json:
        click.echo(json.dumps(document))
        return 0
    named = f"environment {project.environment}" if project.environment else "no environment"
    click.echo(printable(f"{project.name} ({project.file}), {named}"))
    for plugin in project.plugins:
        click.echo()
        _show_plugin(plugin)
    click.echo()
    for job in project.jobs:
        tasks = ", ".join(" ".join(task) for task in job.tasks)
        click.echo(printable(f"job {job.name}: {tasks}  ({job.place})"))
    for one in project.schedules:
        what = f"job {one.job}" if one.job else f"{one.extractor} {one.loader}"
        click.echo(printable(f"schedule {one.name}: {one.interval} {what}  ({one.place})"))
    for note in document["notes"]:
        click.echo(printable(f"note: {note}"))
    return 0


@config.group(PLUGIN, cls=Group, invoke_without_command=True)
@environment_option
@click.pass_context
def plugin_group(context: click.Context, *, environment: str | None) -> None:
    """See and change the settings of one plugin; alone it prints them as JSON, secrets hidden.

    \b
    Examples:
      landbridge config tap-mongodb list
      landbridge config target-postgres set load_method overwrite
    """
    if context.invoked_subcommand is None:
        plugin = plugin_of(open_project(environment), context.obj)
        click.echo(json.dumps({name: one["value"] for name, one in _settings(plugin).items()}))


@plugin_group.command("list", cls=Command)
@environment_option
@common_options
@click.pass_context
def list_(context: click.Context, *, environment: str | None, as_json: bool) -> int:
    """List the settings with values and where they come from.

    \b
    Examples:
      landbridge config target-postgres list
      landbridge config target-postgres list --environment prod
    """
    plugin = _plugin(context, environment)
    if as_json:
        click.echo(json.dumps({"status": "ok", **_plugin_document(plugin), "error": None}))
    else:
        _show_plugin(plugin)
    return 0


@plugin_group.command(cls=Command)
@environment_option
@common_options
@click.pass_context
def test(context: click.Context, *, environment: str | None, as_json: bool) -> int:
    """Connect with the plugin's settings, and say what would hurt there.

    \b
    Examples:
      landbridge config tap-mongodb test
      landbridge config target-postgres test --environment prod
    """
    from landbridge import bridge
    from landbridge.cli.doctor import show_diagnosis

    plugin = _plugin(context, environment)
    diagnosis = bridge.check_plugin(plugin)
    if as_json:
        click.echo(json.dumps(diagnosis.to_json()))
    else:
        show_diagnosis(diagnosis)
        if diagnosis.status == "ok":
            click.echo(f"the settings of {printable(plugin.name)} are valid")
    return 0 if diagnosis.status == "ok" else 1


def _plugin(context: click.Context, environment: str | None) -> Plugin:
    """Return the plugin that stands before the command, under the environment of either."""
    above = context.parent.params.get("environment") if context.parent else None
    return plugin_of(open_project(environment or above), context.obj)


def _show_plugin(plugin: Plugin) -> None:
    from rich.text import Text

    from landbridge.cli.report import print_table, ruled_table

    parent = f", inherits from {plugin.inherited_from}" if plugin.inherited_from else ""
    variant = f", variant {plugin.variant}" if plugin.variant else ""
    click.echo(printable(f"{plugin.name} ({plugin.place}){variant}{parent}"))
    table = ruled_table()
    for heading in ("setting", "value", "from"):
        table.add_column(heading, overflow="fold")
    rows = [
        (name, "" if one["value"] is None else _text(one["value"]), one["origin"])
        for name, one in _settings(plugin).items()
    ]
    rows += [("select", rule.text, rule.origin) for rule in plugin.select or ()]
    rows += [
        (f"metadata {one.pattern}", f"{one.name}: {one.value}", one.origin)
        for one in plugin.metadata
    ]
    for row in rows:
        table.add_row(*(Text(printable(redact(text))) for text in row))
    print_table(table)


def _settings(plugin: Plugin) -> Mapping[str, dict[str, Any]]:
    """Return the settings as they may be shown; one whose variable is not set has no value."""
    from landbridge.config.known import shown

    found = {
        name: {"value": shown(name, one.value, secret=one.secret), "origin": one.origin}
        for name, one in plugin.config.items()
    }
    for name, one in plugin.config.items():
        if one.missing:
            found[name] = {"value": None, "origin": f"{one.origin}: {one.missing[0]} is not set"}
    return found


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plugin_document(plugin: Plugin) -> dict[str, Any]:
    from landbridge.config.known import SETTINGS

    return {
        "name": plugin.name,
        "kind": plugin.kind,
        "inherit_from": plugin.inherited_from,
        "variant": plugin.variant,
        "pip_url": redact(plugin.pip_url),
        "runs": plugin.base in SETTINGS,
        "settings": _settings(plugin),
        "select": [{"rule": one.text, "origin": one.origin} for one in plugin.select or ()],
        "metadata": [
            {"pattern": one.pattern, one.name: one.value, "origin": one.origin}
            for one in plugin.metadata
        ],
    }


def _document(project: Project) -> dict[str, Any]:
    """Return the JSON report of `config check`."""
    from landbridge.config import native
    from landbridge.config.known import SETTINGS

    notes = [str(remark) for remark in project.remarks]
    for plugin in project.plugins:
        if plugin.base in SETTINGS:
            notes += native.without_effect(plugin)
        else:
            notes.append(f"{plugin.place}: {plugin.name} does not run yet")
    return {
        "status": "ok",
        "project": project.name,
        "file": str(project.file),
        "environment": project.environment or None,
        "environments": [one.name for one in project.environments],
        "plugins": [_plugin_document(plugin) for plugin in project.plugins],
        "jobs": [{"name": one.name, "tasks": one.tasks} for one in project.jobs],
        "schedules": [
            {
                "name": one.name,
                "interval": one.interval,
                "job": one.job or None,
                "extractor": one.extractor or None,
                "loader": one.loader or None,
            }
            for one in project.schedules
        ],
        "notes": [redact(note) for note in notes],
        "error": None,
    }
