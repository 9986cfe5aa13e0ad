"""Changes of a project, made in the file and at the place where the project says such things.

For       `config set`, `config unset`, `select`, `job`, `schedule`.
Touches   The project's files; `.env` beside them, for secrets.
Promises  A file is replaced whole or not at all, and only by one that reads as a project.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from landbridge.config import edit, plugins
from landbridge.config.project import ProjectFile, read_files, read_project
from landbridge.config.tree import Tree
from landbridge.config.variables import variable_name
from landbridge.errors import ProjectError, UsageError
from landbridge.model.project import Plugin, Project

_INTEGER = re.compile(r"-?(0|[1-9]\d*)")


def typed(text: str) -> Any:
    """Return what a word of the command line stands for: yes or no, a number, JSON, or text."""
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def path_of(words: Sequence[str]) -> tuple[str, ...]:
    """Return where a setting stands below its plugin: `_select`, `_metadata orders selected`."""
    name = ".".join(words)
    first, _, rest = name.partition(".")
    if first.removeprefix("_") not in plugins.EXTRAS or not first.startswith("_"):
        return "config", name
    if not rest:
        return (first[1:],)
    if len(words) > 2:
        return first[1:], *words[1:]
    pattern, _, last = rest.rpartition(".")
    return (first[1:], pattern, last) if pattern else (first[1:], last)


def set_setting(
    project: Project, plugin: Plugin, path: Sequence[str], value: Any, environment: str | None
) -> None:
    """Give a setting a value, in the plugin's part of the file or in that of an environment."""
    file, place = _place(project, plugin, environment)
    _save(project, file, edit.with_value(file.text, [*place, *path], value))


def unset_setting(
    project: Project, plugin: Plugin, path: Sequence[str], environment: str | None
) -> bool:
    """Take a setting out of the file; return whether it was there."""
    file, place = _place(project, plugin, environment)
    tree = edit.find(file.tree, [*place, *path])
    if tree is None:
        return False
    _save(project, file, edit.without(file.text, [*place, *path]))
    return True


def set_secret(project: Project, plugin: Plugin, name: str, value: str) -> str:
    """Write a secret into `.env`, which only its owner may read; return the variable's name."""
    from dotenv import set_key

    if "${" in value:
        raise UsageError(
            f"{name} cannot be kept in .env",
            why="it holds ${, which stands for a variable there",
            fix=f"export {variable_name(plugin.name, name)} instead",
        )
    path, variable = project.file.parent / ".env", variable_name(plugin.name, name)
    if not path.exists():
        path.touch(mode=0o600)
    set_key(path, variable, value, quote_mode="auto")
    return variable


def unset_secret(project: Project, plugin: Plugin, name: str) -> bool:
    """Take a secret out of `.env`; return whether it was there."""
    from dotenv import dotenv_values, unset_key

    path, variable = project.file.parent / ".env", variable_name(plugin.name, name)
    if not path.is_file() or variable not in dotenv_values(path):
        return False
    unset_key(path, variable)
    return True


def change_rules(
    project: Project,
    plugin: Plugin,
    change: Callable[[list[str]], list[str]],
    environment: str | None,
) -> bool:
    """Change the patterns of `select`; return whether anything changed.

    One pattern more, or one less, is one line more or less in the file.
    """
    file, place = _place(project, plugin, environment)
    path = [*place, "select"]
    if edit.find(file.tree, path) is None and edit.find(file.tree, [*place, "config", "_select"]):
        path = [*place, "config", "_select"]
    tree = edit.find(file.tree, path)
    before = [] if tree is None else list(tree.plain() or [])
    after = change(list(before))
    if after == before and tree is not None:
        return False
    text = file.text
    if after:
        for number in reversed(range(len(before))):
            if before[number] not in after:
                text = edit.without(text, [*path, number])
        for rule in after:
            if rule not in before:
                text = edit.with_item(text, path, rule)
    else:
        text = edit.with_value(text, path, [])
    _save(project, file, text)
    return True


def add_named(project: Project, section: str, entry: Mapping[str, Any]) -> None:
    """Add a job or a schedule at the end of its list."""
    files = read_files(project.file)
    file = next((one for one in files if one.get(section) is not None), files[0])
    _save(project, file, edit.with_item(file.text, [section], dict(entry)))


def change_named(project: Project, section: str, name: str, values: Mapping[str, Any]) -> None:
    """Change keys of a job or a schedule; None takes a key out."""
    file, number = _named(project, section, name)
    text = file.text
    for key, value in values.items():
        if value is not None:
            text = edit.with_value(text, [section, number, key], value)
        elif edit.find(file.tree, [section, number, key]) is not None:
            text = edit.without(text, [section, number, key])
    _save(project, file, text)


def remove_named(project: Project, section: str, name: str) -> None:
    """Take a job or a schedule out of the file."""
    file, number = _named(project, section, name)
    _save(project, file, edit.without(file.text, [section, number]))


def _named(project: Project, section: str, name: str) -> tuple[ProjectFile, int]:
    for file in read_files(project.file):
        for number, tree in enumerate(_items(file.get(section))):
            if _name(tree) == name:
                return file, number
    raise UsageError(
        f"there is no {section.removesuffix('s')} {name}",
        why=f"{project.file.name} has {', '.join(_names(project, section)) or 'none'}",
        fix=f"see landbridge {section.removesuffix('s')} list",
    )


def _names(project: Project, section: str) -> list[str]:
    return [_name(one) for file in read_files(project.file) for one in _items(file.get(section))]


def _place(
    project: Project, plugin: Plugin, environment: str | None
) -> tuple[ProjectFile, list[str | int]]:
    """Return the file that speaks of a plugin, and the path there; an environment's may be new."""
    files = read_files(project.file)
    if environment is None:
        for file in files:
            for number, tree in enumerate(_items(edit.find(file.tree, ["plugins", plugin.kind]))):
                if _name(tree) == plugin.name:
                    return file, ["plugins", plugin.kind, number]
    for file in files:
        for number, tree in enumerate(_items(file.get("environments"))):
            if _name(tree) != environment:
                continue
            path: list[str | int] = ["environments", number, "config", "plugins", plugin.kind]
            there = _items(edit.find(file.tree, path))
            for at, one in enumerate(there):
                if _name(one) == plugin.name:
                    return file, [*path, at]
            text = edit.with_item(file.text, path, {"name": plugin.name})
            again = read_files(project.file, {file.path: text})
            made = next(one for one in again if one.path == file.path)
            return made, [*path, len(there)]
    raise UsageError(
        f"there is no environment {environment}",
        why=f"{project.file.name} has {', '.join(one.name for one in project.environments)}",
        fix="name one of these, or add it to environments",
    )


def _items(tree: Tree | None) -> list[Tree]:
    return tree.items() if tree is not None and tree.kind == "list" else []


def _name(tree: Tree) -> str:
    name = tree.get("name")
    return "" if name is None else str(name.plain())


def _save(project: Project, file: ProjectFile, text: str) -> None:
    """Replace a file by its new text, if the project can be read with it."""
    try:
        read_project(project.file, project.environment or None, texts={file.path: text})
    except ProjectError as error:
        raise UsageError(
            "the change was not made",
            why=f"the file could not be used with it: {error.why}",
            fix="name what the project has",
        ) from error
    path = file.path.resolve()
    try:
        with tempfile.NamedTemporaryFile(
            "wb", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as new:
            new.write(text.replace("\n", file.newline).encode("utf-8"))
        os.chmod(new.name, path.stat().st_mode & 0o7777)
        os.replace(new.name, path)
    except OSError as error:
        raise UsageError(f"cannot write {path}", why=str(error), fix="see its rights") from error
