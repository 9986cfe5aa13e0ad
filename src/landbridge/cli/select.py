"""`landbridge select`: which collections an extractor takes, in its project file.

For       Who adds a collection, or leaves one out.
Touches   The project file; with `--list` the extractor's MongoDB, by asking for its collections.
Promises  Comments and order of the file stay; a pattern is one line.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from landbridge.cli.command import Command, common_options, option
from landbridge.cli.project import environment_option, open_project, plugin_of
from landbridge.cli.text import count_of, printable
from landbridge.errors import UsageError

if TYPE_CHECKING:
    from landbridge.model.project import Plugin

HOW = "What is done"


@click.command(cls=Command)
@click.argument("extractor")
@click.argument("collection", required=False)
@click.argument("fields", required=False)
@option(
    "--list",
    "listing",
    is_flag=True,
    group=HOW,
    help="List the patterns, and the collections that are selected.",
)
@option("--all", "all_", is_flag=True, group=HOW, help="With --list: also those that are not.")
@option("--exclude", is_flag=True, group=HOW, help="Leave out what the pattern matches.")
@option(
    "--rm",
    "--remove",
    "remove",
    is_flag=True,
    group=HOW,
    help="Take the pattern out of the file.",
)
@environment_option
@common_options
def select(
    *,
    extractor: str,
    collection: str | None,
    fields: str | None,
    listing: bool,
    all_: bool,
    exclude: bool,
    remove: bool,
    environment: str | None,
    as_json: bool,
) -> int:
    """Select collections of an extractor.

    COLLECTION is a name or a pattern with *, ? and [...]; FIELDS is *, for whole documents. Without
    a pattern everything is selected; what --exclude names is left out, whatever else selects it.
    --exclude '*' alone clears all patterns: nothing is selected then, until something is.

    \b
    Examples:
      landbridge select tap-mongodb "fire extinguishers" "*"
      landbridge select tap-mongodb --exclude 'log*' '*'
      landbridge select tap-mongodb --list --all
    """
    project = open_project(environment)
    plugin = plugin_of(project, extractor, "extractors")
    if listing or collection is None:
        if exclude or remove:
            raise UsageError(
                "select does not know which collection",
                why="--exclude and --rm are for a pattern",
                fix=f"landbridge select {extractor} --exclude COLLECTION '*'",
            )
        return _list(plugin, all_=all_, as_json=as_json)

    from landbridge.config import project_edit

    rule = f"{'!' if exclude else ''}{collection}.{fields or '*'}"
    clears = exclude and not remove and collection == "*" and fields is None

    def change(rules: list[str]) -> list[str]:
        if clears:
            return []
        if remove:
            return [one for one in rules if one != rule]
        if exclude and plugin.select is None:
            rules = ["*.*"]  # without a pattern all is selected, and the rest is to stay so
        return rules if rule in rules else [*rules, rule]

    changed = project_edit.change_rules(project, plugin, change, environment)
    return _tell_change(extractor, rule, environment, clears, remove, changed, as_json=as_json)


def _tell_change(
    extractor: str,
    rule: str,
    environment: str | None,
    clears: bool,
    remove: bool,
    changed: bool,
    *,
    as_json: bool,
) -> int:
    now = plugin_of(open_project(environment, quiet=True), extractor)
    rules = [one.text for one in now.select or ()]
    what = "all patterns are cleared" if clears else f"{rule} is {'out' if remove else 'in'}"
    if not changed:
        what += " already"
    notes = [count_of(len(rules), "pattern") if rules else "nothing is selected"]
    opposite = f"!{rule}"
    if not rule.startswith("!") and opposite in rules and opposite != "!*.*":
        notes.append(f"{opposite} goes before {rule}: take it out with --exclude --rm")
    expected = rule not in rules if remove or clears else rule in rules
    if not expected and not (clears and not rules):
        origin = now.select[0].origin if now.select else "default"
        notes.append(f"{origin} goes before what was changed")
    if as_json:
        document = {"status": "ok", "changed": changed, "rules": rules, "notes": notes}
        click.echo(json.dumps({**document, "error": None}))
    else:
        click.echo(printable(f"{extractor}: {what}; {'; '.join(notes)}"))
    return 0


def _list(plugin: Plugin, *, all_: bool, as_json: bool) -> int:
    from landbridge import bridge
    from landbridge.config import native, rules

    native.check_native(plugin)
    selection = rules.selection_of(plugin)
    streams = bridge.list_streams(plugin)
    shown = [(name, selected) for name, selected in streams if selected or all_]
    notes = selection.notes
    texts = [one.text for one in plugin.select or ()] or (["*.*"] if plugin.select is None else [])
    if as_json:
        found = [{"collection": name, "selected": selected} for name, selected in shown]
        document = {"status": "ok", "rules": texts, "collections": found, "notes": notes}
        click.echo(json.dumps({**document, "error": None}))
        return 0
    lines = ["Enabled patterns:", *(f"  {text}" for text in texts), "", "Collections:"]
    lines += [f"  [{'selected' if selected else 'excluded'}] {name}" for name, selected in shown]
    lines += ["", f"{sum(selected for _, selected in streams)} of {len(streams)} are selected"]
    lines += [f"note: {note}" for note in notes]
    click.echo(printable("\n".join(lines)))
    return 0
