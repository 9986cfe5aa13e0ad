"""`meltano.yml` and what it includes, read into one frozen project under one environment.

For       Every command that works in a project.
Touches   The project's files, `.env` beside them, the process's environment.
Promises  All mistakes are told at once, each with its line. What is understood but has no effect
          is in `remarks`. Nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from landbridge.config import pipelines, plugins
from landbridge.config.plugins import Definition
from landbridge.config.reading import Reading
from landbridge.config.tree import Tree, not_usable, read_tree
from landbridge.config.variables import Variable, extended, outside
from landbridge.errors import UsageError
from landbridge.model.project import Environment, Foreign, PluginKind, Project

FILE = "meltano.yml"
ENVIRONMENT_VARIABLE = "MELTANO_ENVIRONMENT"

_KINDS: tuple[PluginKind, ...] = ("extractors", "loaders")
_KEYS = (
    "version", "default_environment", "project_id", "environments", "plugins", "schedules", "jobs",
    "env", "state_backend", "include_paths", "annotations",
)  # fmt: skip
_WILDCARDS = frozenset("*?[")
# They are about the other program alone: its own database, its usage statistics.
_OTHERS = ("send_anonymous_usage_stats", "database_uri", "elt", "requires_meltano")


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """One file of a project."""

    path: Path
    text: str  # its lines end in \n
    tree: Tree | None
    newline: str = "\n"  # how they end in the file

    def get(self, name: str) -> Tree | None:
        """Return a value at the top of the file."""
        return self.tree.get(name) if self.tree else None


def find_file(start: Path) -> Path:
    """Return the project file of a folder, or of the nearest folder above it that has one.

    Raises:
        UsageError: none has.

    """
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
    raise UsageError(
        "this is no project",
        why=f"neither {start} nor a folder above it holds a {FILE}",
        fix="go to the project's folder, or make one: landbridge init",
    )


def read_files(path: Path, texts: Mapping[Path, str] | None = None) -> list[ProjectFile]:
    """Return the project file, and after it those that its `include_paths` name.

    Args:
        path: the project file.
        texts: what is read instead of some of the files.

    Raises:
        ProjectError: one is not YAML, or an included file is not there.
        UsageError: one can't be read.

    """
    first = _read_file(path, path.name, texts or {})
    files = {path.resolve(): first}
    include = first.get("include_paths")
    if include is not None and include.kind != "list":
        raise not_usable(path.name, [f"{include.place}: include_paths should be a list"])
    for item in include.items() if include is not None else []:
        pattern = str(item.plain())
        found = sorted(one for one in path.parent.glob(pattern) if one.is_file())
        if not found and not _WILDCARDS & set(pattern):
            raise not_usable(path.name, [f"{item.place}: include_paths: there is no {pattern}"])
        for one in found:
            name = str(one.relative_to(path.parent))
            files.setdefault(one.resolve(), _read_file(one, name, texts or {}))
    return list(files.values())


def read_project(
    path: Path, environment: str | None = None, *, texts: Mapping[Path, str] | None = None
) -> Project:
    """Return the project under an environment.

    Args:
        path: the project file.
        environment: its name; by default what `MELTANO_ENVIRONMENT` or the file says.
        texts: what is read instead of some of the files.

    Raises:
        ProjectError: the files say what is not understood.
        UsageError: there is no such environment, or a file can't be read.

    """
    reading = Reading()
    files = read_files(path, texts)
    for file in files:
        for place, problem in file.tree.duplicates() if file.tree else ():
            reading.problem(place, problem)
        _look_at_top(reading, file, first=file is files[0])
    environments = reading.named(_lists(reading, files, "environments"), "environment")
    name = _environment(reading, files[0], dict(environments), environment)
    overrides = dict(environments).get(name)
    env = _env(reading, files, overrides)
    variables = outside(path.parent) | _told(path.parent, name)
    for part in env:
        variables = extended(variables, part)
    definitions, foreign = _definitions(reading, files, overrides)
    kinds = {one.name: one.kind for one in foreign}
    kinds |= {one.name: str(one.kind) for one in definitions}
    jobs = pipelines.read_jobs(reading, _lists(reading, files, "jobs"), kinds)
    schedules = pipelines.read_schedules(reading, _lists(reading, files, "schedules"), jobs, kinds)
    backend = files[0].get("state_backend")
    project = Project(
        file=path,
        name=reading.text(files[0].get("project_id"), "project_id") or path.parent.resolve().name,
        environment=name,
        environments=tuple(Environment(one, tree.place) for one, tree in environments),
        plugins=tuple(plugins.read_plugins(reading, definitions, variables)),
        foreign=tuple(foreign),
        jobs=tuple(jobs),
        schedules=tuple(schedules),
        env={key: variables[key].value for part in env for key in part},
        state_backend=backend.plain() if backend and backend.kind == "mapping" else {},
        remarks=tuple(sorted(reading.remarks, key=lambda one: one.place)),
    )
    if reading.problems:
        found = sorted(set(reading.problems))
        raise not_usable(path.name, [f"{place}: {text}" for place, text in found])
    return project


def _read_file(path: Path, name: str, texts: Mapping[Path, str]) -> ProjectFile:
    try:
        text = texts[path] if path in texts else path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {name}", why=str(error), fix="mend the file") from error
    newline = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    tree = read_tree(text, name)
    if tree is not None and tree.kind != "mapping":
        raise not_usable(name, [f"{tree.place}: it should be keys with values: plugins, jobs"])
    return ProjectFile(path, text, tree, newline)


def _look_at_top(reading: Reading, file: ProjectFile, *, first: bool) -> None:
    for name, (key, value) in reading.mapping(file.tree, file.path.name).items():
        if name in _OTHERS:
            continue
        if name not in _KEYS:
            reading.remark(key.place, f"{name} has no effect")
        elif not first and name in ("default_environment", "include_paths", "state_backend"):
            reading.remark(key.place, f"{name} has no effect in a file that is included")
        elif name == "state_backend":
            reading.remark(key.place, "state_backend: positions are kept in the target, not there")
        elif name == "version" and value.plain() != 1:
            reading.problem(value.place, f"version should be 1, and is {value.plain()}")


def _lists(reading: Reading, files: Sequence[ProjectFile], name: str) -> list[Tree]:
    return [item for file in files for item in reading.items(file.get(name), name)]


def _environment(
    reading: Reading, first: ProjectFile, there: Mapping[str, Tree], asked: str | None
) -> str:
    """Return the environment's name; empty where none was asked for."""
    default = first.get("default_environment")
    named_by = [
        ("--environment", asked),
        (ENVIRONMENT_VARIABLE, os.environ.get(ENVIRONMENT_VARIABLE)),
        (f"default_environment, {default.place}" if default else "",
         reading.text(default, "default_environment")),
    ]  # fmt: skip
    origin, name = next(((by, value) for by, value in named_by if value), ("", ""))
    if name and name not in there:
        known = ", ".join(there) or "none"
        raise UsageError(
            f"there is no environment {name}",
            why=f"{origin} names it; the project has {known}",
            fix="name one of these, or add it to environments",
        )
    return name or ""


def _told(folder: Path, environment: str) -> dict[str, Variable]:
    """Return the variables that a project file may count on, whoever runs it."""
    return {
        "MELTANO_PROJECT_ROOT": Variable(str(folder.resolve()), "the project's folder"),
        "MELTANO_ENVIRONMENT": Variable(environment, "the environment"),
    }


def _env(
    reading: Reading, files: Sequence[ProjectFile], overrides: Tree | None
) -> list[dict[str, Variable]]:
    """Return what each `env:` sets; what goes first comes last."""
    env = [reading.variables(file.get("env")) for file in reversed(files)]
    if overrides is not None:
        reading.pass_over(overrides, ("name", "config", "env", "annotations"), "the environment")
        env.append(reading.variables(overrides.get("env")))
    return env


def _definitions(
    reading: Reading, files: Sequence[ProjectFile], overrides: Tree | None
) -> tuple[list[Definition], list[Foreign]]:
    """Return the extractors and loaders, and the names of all else that tasks may hold."""
    sections = [
        (kind, value)
        for file in files
        for kind, (_, value) in reading.mapping(file.get("plugins"), "plugins").items()
    ]
    in_environment = dict(_overriding(reading, overrides))
    found: list[Definition] = []
    foreign: list[Foreign] = []
    kind_of: dict[str, str] = {}
    for kind in dict.fromkeys(kind for kind, _ in sections):
        items = [
            item for one, value in sections if one == kind for item in reading.items(value, kind)
        ]
        for name, tree in reading.named(items, f"one of the {kind}"):
            if name in kind_of:
                reading.problem(tree.place, f"{name} is one of the {kind_of[name]} already")
                continue
            kind_of[name] = kind
            if kind in _KINDS:
                native: PluginKind = "extractors" if kind == "extractors" else "loaders"
                found.append(Definition(name, native, tree, in_environment.pop((kind, name), None)))
            else:
                foreign.append(Foreign(name, kind, tree.place))
                reading.remark(tree.place, f"{name}: {kind} are not run")
                foreign += [
                    Foreign(one, "mappers", item.place)
                    for one, item in reading.named(
                        reading.items(tree.get("mappings"), "mappings"), "mapping"
                    )
                ]
    for (kind, name), tree in in_environment.items():
        if kind in _KINDS:
            reading.remark(tree.place, f"{name} is none of the {kind}: this has no effect")
    return found, foreign


def _overriding(reading: Reading, overrides: Tree | None) -> Iterator[tuple[tuple[str, str], Tree]]:
    """Yield what an environment says of plugins, by kind and name."""
    if overrides is None:
        return
    config = overrides.get("config")
    if config is None:
        return
    reading.pass_over(config, ("plugins",), "the environment's config")
    for kind, (_, value) in reading.mapping(config.get("plugins"), "plugins").items():
        for name, tree in reading.named(reading.items(value, kind), f"one of the {kind}"):
            yield (kind, name), tree
