"""Plugins: what a file says of each, what they inherit, and what variables and environments set.

For       `project.read_project`.
Touches   Nothing.
Promises  A setting is looked for in this order: a variable of the plugin, the environment's part
          of the file, the plugin's own part, the same for the plugin that it inherits from, and
          at last the default.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from landbridge.config.known import SETTINGS, is_secret
from landbridge.config.reading import Reading
from landbridge.config.tree import Tree
from landbridge.config.variables import Variable, Variables, expand, extended, variable_name
from landbridge.model.project import (
    Plugin,
    PluginKind,
    SelectRule,
    Setting,
    StreamMetadata,
)

EXTRAS = ("select", "select_filter", "metadata", "schema", "load_schema")
_OWN_KEYS = (
    "name", "inherit_from", "variant", "pip_url", "executable", "namespace", "config", "env",
    "settings", *EXTRAS,
)  # fmt: skip
# What describes a plugin for people and for other programs, and changes nothing that is run.
_DESCRIPTIONS = (
    "annotations", "capabilities", "commands", "description", "docs", "domain_url", "hide_extras",
    "keywords", "label", "logo_url", "maintenance_status", "quality", "repo",
    "settings_group_validation", "settings_preamble", "python", "requires", "venv",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Definition:
    """A plugin as a file has it."""

    name: str
    kind: PluginKind
    tree: Tree
    in_environment: Tree | None = None

    def layers(self) -> Iterator[Tree]:
        """Yield where the file speaks of the plugin, what goes first first."""
        if self.in_environment is not None:
            yield self.in_environment
        yield self.tree


@dataclass(slots=True)
class _Found:
    """Settings by name, the first that was found for each."""

    settings: dict[str, Setting] = field(default_factory=dict)

    def add(self, setting: Setting) -> None:
        self.settings.setdefault(setting.name, setting)

    def add_variables(
        self, names: Iterable[str], prefixes: Iterable[str], variables: Variables
    ) -> None:
        for prefix in dict.fromkeys(prefixes):
            for name in names:
                variable = variables.get(variable_name(prefix, name))
                if variable is not None:
                    self.add(Setting(name, variable.value, variable.origin))


def read_plugins(
    reading: Reading, definitions: Sequence[Definition], variables: Variables
) -> list[Plugin]:
    """Return the plugins with all that they inherit."""
    by_name = {one.name: one for one in definitions}
    return [_plugin(reading, one, _chain(reading, one, by_name), variables) for one in definitions]


def _chain(
    reading: Reading, definition: Definition, by_name: Mapping[str, Definition]
) -> list[Definition]:
    """Return a plugin and those it inherits from, the nearest first."""
    chain = [definition]
    while True:
        last = chain[-1]
        parent_tree = last.tree.get("inherit_from")
        parent = by_name.get(reading.text(parent_tree, "inherit_from"))
        if parent is None or parent_tree is None:
            return chain
        if parent in chain:
            if parent is definition:  # told once, not for all that lead into the circle
                names = " → ".join(one.name for one in [*chain, parent])
                reading.problem(parent_tree.place, f"inherit_from goes in a circle: {names}")
            return chain
        if parent.kind != definition.kind:
            reading.problem(
                parent_tree.place,
                f"{last.name} is one of the {last.kind}, {parent.name} one of the {parent.kind}",
            )
            return chain
        chain.append(parent)


def _plugin(
    reading: Reading, definition: Definition, chain: Sequence[Definition], outer: Variables
) -> Plugin:
    reading.pass_over(definition.tree, (*_OWN_KEYS, *_DESCRIPTIONS), definition.name)
    if definition.in_environment is not None:
        reading.pass_over(
            definition.in_environment,
            ("name", "config", "env", *EXTRAS),
            f"{definition.name} in the environment",
        )
    last = chain[-1]
    base = reading.text(last.tree.get("inherit_from"), "inherit_from") or last.name
    env: dict[str, Variable] = {}
    for one in reversed(chain):
        for layer in reversed(list(one.layers())):
            env |= reading.variables(layer.get("env"))
    variables = extended(outer, env)

    def own(key: str) -> str:
        return next((t for one in chain if (t := reading.text(one.tree.get(key), key))), "")

    namespace = own("namespace") or base.replace("-", "_")
    found, secrets = _settings(reading, definition, chain, base, variables)
    config = {
        name: replace(one, secret=one.secret or name in secrets or is_secret(name))
        for name, one in sorted(found.items())
        if not name.startswith("_")
    }
    extras = {name: found.get(f"_{name}") for name in EXTRAS}
    return Plugin(
        name=definition.name,
        kind=definition.kind,
        place=definition.tree.place,
        base=base,
        namespace=namespace,
        load_schema=str(_value(extras["load_schema"]) or namespace),
        inherited_from=chain[1].name if len(chain) > 1 else base if base != last.name else "",
        variant=own("variant"),
        pip_url=own("pip_url"),
        executable=own("executable"),
        config=config,
        select=_rules(reading, definition, chain, extras["select"]),
        select_filter=_rules(reading, definition, chain, extras["select_filter"]) or (),
        metadata=tuple(_metadata(reading, chain, extras["metadata"])),
        schema=_object(reading, definition, extras["schema"]),
        env={name: one.value for name, one in variables.items() if name in env},
    )


def _settings(
    reading: Reading,
    definition: Definition,
    chain: Sequence[Definition],
    base: str,
    variables: Variables,
) -> tuple[dict[str, Setting], set[str]]:
    """Return all settings, the extras among them as `_select`, and which are declared secret."""
    found = _Found()
    defaults = SETTINGS.get(base, {})
    declared = _declared(reading, chain)
    for name, one_declared in declared.items():
        if named := variables.get(one_declared.variable):
            found.add(Setting(name, named.value, named.origin))
    for one in chain:
        layers = [_layer(reading, part) for part in one.layers()]
        names = {*defaults, *declared, *(f"_{name}" for name in EXTRAS)}
        names |= {name for layer in layers for name in layer}
        prefix_of_namespace = reading.text(one.tree.get("namespace"), "namespace") or one.name
        found.add_variables(names, (one.name, prefix_of_namespace), variables)
        for number, layer in enumerate(layers):
            in_environment = number == 0 and one.in_environment is not None
            for name, tree in layer.items():
                value = expand(tree.plain(), variables)
                origin = _origin(tree, definition, one, in_environment)
                for used in value.used:
                    origin = f"{origin}, from {variables[used].origin}"
                secret = any(is_secret(used) for used in value.used)
                found.add(Setting(name, value.value, origin, secret, value.missing))
    found.add_variables({*defaults, *declared}, (base,), variables)
    for name, value in {**defaults, **{k: d.default for k, d in declared.items()}}.items():
        if value is not None:
            found.add(Setting(name, value, "default"))
    return found.settings, {name for name, one_of in declared.items() if one_of.secret}


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a custom plugin says of one of its settings."""

    default: Any
    secret: bool
    variable: str  # another name for the variable that gives it


def _declared(reading: Reading, chain: Sequence[Definition]) -> dict[str, _Declared]:
    declared: dict[str, _Declared] = {}
    for one in chain:
        items = reading.items(one.tree.get("settings"), "settings")
        for name, tree in reading.named(items, "setting"):
            value, kind, sensitive = (tree.get(key) for key in ("value", "kind", "sensitive"))
            secret = reading.text(kind, "kind") == "password" or (
                sensitive is not None and sensitive.plain() is True
            )
            variable = reading.text(tree.get("env"), "env")
            default = value.plain() if value else None
            declared.setdefault(name, _Declared(default, secret, variable))
    return declared


def _layer(reading: Reading, tree: Tree) -> dict[str, Tree]:
    """Return what one part of the file sets, the extras under the names that begin with `_`."""
    entries = reading.mapping(tree.get("config"), "config")
    layer = {name: value for name, (_, value) in entries.items()}
    for name in EXTRAS:
        value = tree.get(name)
        if value is not None:
            layer.setdefault(f"_{name}", value)
    return layer


def _origin(tree: Tree, asked: Definition, found: Definition, in_environment: bool) -> str:
    origin = str(tree.place)
    if in_environment:
        origin = f"environment, {origin}"
    return origin if found is asked else f"{origin}, inherited from {found.name}"


def _value(setting: Setting | None) -> Any:
    return None if setting is None else setting.value


def _rules(
    reading: Reading,
    definition: Definition,
    chain: Sequence[Definition],
    setting: Setting | None,
) -> tuple[SelectRule, ...] | None:
    """Return the patterns of a list, each with its line where it has one."""
    if setting is None or setting.value is None:
        return None
    value = _from_json(setting.value)
    if not isinstance(value, list) or not all(isinstance(rule, str) for rule in value):
        reading.problem(
            definition.tree.place,
            f"{setting.name[1:]} of {definition.name} should be a list of patterns",
        )
        return None
    places: dict[str, str] = {}
    for one in reversed(chain):
        for layer in reversed(list(one.layers())):
            tree = _layer(reading, layer).get(setting.name)
            if tree is not None and tree.kind == "list" and str(tree.place) in setting.origin:
                places = {str(item.plain()): str(item.place) for item in tree.items()}
    return tuple(SelectRule(rule, places.get(rule, setting.origin)) for rule in value)


def _metadata(
    reading: Reading, chain: Sequence[Definition], setting: Setting | None
) -> Iterator[StreamMetadata]:
    """Yield what `metadata` says, of all layers; what is nearer to the plugin comes later."""
    for one in reversed(chain):
        for layer in reversed(list(one.layers())):
            tree = _layer(reading, layer).get("_metadata")
            for pattern, (_, values) in reading.mapping(tree, "metadata").items():
                for name, (_, value) in reading.mapping(values, pattern).items():
                    yield StreamMetadata(pattern, name, value.plain(), str(value.place))
    if setting is None or not isinstance(setting.value, str):
        return
    given = _from_json(setting.value)  # by a variable
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
        reading.problem(
            chain[0].tree.place,
            f"metadata of {chain[0].name} by {setting.origin} is no JSON object",
        )
        return
    for pattern, values in given.items():
        for name, value in values.items():
            yield StreamMetadata(pattern, name, value, setting.origin)


def _object(reading: Reading, definition: Definition, setting: Setting | None) -> Mapping[str, Any]:
    value = _from_json(_value(setting) or {})
    if isinstance(value, dict):
        return value
    reading.problem(
        definition.tree.place, f"schema of {definition.name} should be keys with values"
    )
    return {}


def _from_json(value: Any) -> Any:
    """Read what a variable gives as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
