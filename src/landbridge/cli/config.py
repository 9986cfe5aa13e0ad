"""`landbridge config`: what the settings of a project are, where they come from, and their change.

For       Who wonders why a plugin does what it does.
Touches   `config check` and `list`: nothing. `set` and `unset`: the project file, or `.env` for a
          secret. `test`: the plugin's server, by asking.
Promises  A secret is never shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Command, Group, common_options
from landbridge.cli.project import environment_option, open_project, plugin_of
from landbridge.cli.text import printable
from landbridge.errors import LandbridgeError, redact

if TYPE_CHECKING:
    from landbridge.model.project import Plugin, Project, Setting

PLUGIN = "PLUGIN"
PRINT = "print"
# Meltano 4 has the verb first, the versions before it the plugin; both are understood.
VERBS = ("list", "set", "unset", "test", PRINT)


class ConfigGroup(Group):
    """`check`, and below every other word what is done with the plugin of that name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word for a plugin where it is no command, or the one after a verb."""
        if not args or args[0].startswith("-") or args[0] == "check":
            return super().resolve_command(ctx, args)
        if args[0] in VERBS and args[1:]:
            args = [args[1], *([] if args[0] == PRINT else args[:1]), *args[2:]]
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
        _show_unset(plugin)
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


@plugin_group.command("set", cls=Command)
@click.argument("words", nargs=-1, required=True, metavar="NAME… VALUE")
@environment_option
@common_options
@click.pass_context
def set_(
    context: click.Context, *, words: tuple[str, ...], environment: str | None, as_json: bool
) -> int:
    """Give a setting a value, in the project file; a secret goes into .env.

    Comments and order of the file stay. Without --environment the plugin's own part is changed,
    whatever default_environment says. A VALUE may be true, false, a number, JSON or text; several
    words of a NAME are the parts of a path.

    \b
    Examples:
      landbridge config tap-mongodb set database carbonLens
      landbridge config target-postgres set load_method upsert --environment dev
      landbridge config tap-mongodb set _metadata orders replication-method LOG_BASED
    """
    from landbridge.config import project_edit
    from landbridge.config.known import may_hold_secret

    if len(words) < 2:
        raise click.UsageError("Name a setting and its value.")
    *name, value = words
    named = _named_environment(context, environment)
    plugin = _plugin(context, environment)
    project = open_project(named, quiet=True)
    path = project_edit.path_of(name)
    setting = plugin.config.get(path[-1])
    secret = path[0] == "config" and (
        may_hold_secret(path[-1]) or (setting is not None and setting.secret)
    )
    if secret and ("://" not in value or "@" in value):  # an address alone gives nothing away
        variable = project_edit.set_secret(project, plugin, path[-1], value)
        done = f"{variable} is set in .env, for every environment"
        return _tell(done, plugin, path, context, as_json=as_json)
    project_edit.set_setting(project, plugin, path, project_edit.typed(value), named)
    done = f"{' '.join(name)} of {plugin.name} is set in {project.file.name}"
    return _tell(done, plugin, path, context, as_json=as_json)


@plugin_group.command(cls=Command)
@click.argument("words", nargs=-1, required=True, metavar="NAME…")
@environment_option
@common_options
@click.pass_context
def unset(
    context: click.Context, *, words: tuple[str, ...], environment: str | None, as_json: bool
) -> int:
    """Take a setting out of the project file, and out of .env.

    \b
    Examples:
      landbridge config target-postgres unset hard_delete
      landbridge config tap-mongodb unset database --environment dev
    """
    from landbridge.config import project_edit

    named = _named_environment(context, environment)
    plugin = _plugin(context, environment)
    project = open_project(named, quiet=True)
    path = project_edit.path_of(words)
    found = project_edit.unset_setting(project, plugin, path, named)
    if named is None and path[0] == "config":
        found = project_edit.unset_secret(project, plugin, path[-1]) or found
    name = " ".join(words)
    done = f"{name} of {plugin.name} is {'taken out' if found else 'not set, nothing is changed'}"
    return _tell(done, plugin, path, context, as_json=as_json)


def _named_environment(context: click.Context, environment: str | None) -> str | None:
    """Return the environment that stands in the command itself: where a change goes."""
    above = context.parent.params.get("environment") if context.parent else None
    return environment or above


def _tell(
    done: str, plugin: Plugin, path: Sequence[str], context: click.Context, *, as_json: bool
) -> int:
    """Say what was done, and what the setting is now where something else goes before it."""
    environment = _named_environment(context, context.params.get("environment"))
    project = open_project(environment, quiet=True)
    now = plugin_of(project, plugin.name).config.get(path[-1]) if path[0] == "config" else None
    value = _setting(now) if now is not None else None
    if as_json:
        click.echo(json.dumps({"status": "ok", "done": done, "setting": value, "error": None}))
    else:
        click.echo(printable(done))
        if value is not None:
            click.echo(printable(f"  {path[-1]} = {_text(value['value'])}  ({value['origin']})"))
    return 0


def _plugin(context: click.Context, environment: str | None) -> Plugin:
    """Return the plugin that stands before the command, under the environment of either."""
    return plugin_of(open_project(_named_environment(context, environment)), context.obj)


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


def _show_unset(plugin: Plugin) -> None:
    """Print which settings could be set, and the variable of one."""
    from landbridge.config.known import SETTINGS
    from landbridge.config.variables import variable_name

    unset = [name for name in SETTINGS.get(plugin.base, {}) if name not in plugin.config]
    if unset:
        variable = variable_name(plugin.name, unset[0])
        names = ", ".join(unset)
        click.echo(printable(f"not set: {names}; each may be a variable such as {variable}"))


def _settings(plugin: Plugin) -> Mapping[str, dict[str, Any]]:
    """Return the settings as they may be shown; one whose variable is not set has no value."""
    return {name: _setting(one) for name, one in plugin.config.items()}


def _setting(setting: Setting) -> dict[str, Any]:
    from landbridge.config.known import shown

    if setting.missing:
        return {"value": None, "origin": f"{setting.origin}: {setting.missing[0]} is not set"}
    value = shown(setting.name, setting.value, secret=setting.secret)
    return {"value": value, "origin": setting.origin}


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
            try:
                native.check_settings(plugin)
            except LandbridgeError as error:
                notes.append(f"{error.what}: {error.why}")
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
