"""A project as its file, its environment and the variables say it: plugins, jobs, schedules.

For       Every command that works in a project.
Touches   Nothing.
Promises  Frozen. Each setting knows where its value comes from, and whether it may be shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

PluginKind = Literal["extractors", "loaders"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in a file that has no effect, or another one than it seems."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a plugin with its value."""

    name: str
    value: Any
    origin: str  # a place, "variable NAME", "NAME in .env", "default"
    secret: bool = False
    missing: tuple[str, ...] = ()  # variables that the value names and nothing sets


@dataclass(frozen=True, slots=True)
class SelectRule:
    """One pattern of `select`: `orders.*`, `!orders_old.*`."""

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class StreamMetadata:
    """One value that `metadata` gives to the streams of a pattern."""

    pattern: str
    name: str
    value: Any
    origin: str


@dataclass(frozen=True, slots=True)
class Plugin:
    """An extractor or a loader, what it inherits already in place."""

    name: str
    kind: PluginKind
    place: Place
    base: str  # the name at the end of `inherit_from`: what kind of plugin it really is
    namespace: str
    load_schema: str
    inherited_from: str = ""
    variant: str = ""
    pip_url: str = ""
    executable: str = ""
    config: Mapping[str, Setting] = field(default_factory=dict)
    select: tuple[SelectRule, ...] | None = None  # None: nothing is said, which means all
    select_filter: tuple[SelectRule, ...] = ()  # of what is selected, these alone are run
    metadata: tuple[StreamMetadata, ...] = ()
    schema: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something of another kind that a task may name: a mapper, a utility."""

    name: str
    kind: str
    place: Place


@dataclass(frozen=True, slots=True)
class Environment:
    """A name under which a project has other settings."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Job:
    """Tasks under one name; each is a list of blocks, which are names of plugins."""

    name: str
    tasks: tuple[tuple[str, ...], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job, or a pair of plugins, is to run."""

    name: str
    interval: str
    place: Place
    job: str = ""
    extractor: str = ""
    loader: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Project:
    """A project under one of its environments."""

    file: Path
    name: str
    environment: str  # empty: none
    environments: tuple[Environment, ...]
    plugins: tuple[Plugin, ...]
    foreign: tuple[Foreign, ...]
    jobs: tuple[Job, ...]
    schedules: tuple[Schedule, ...]
    env: Mapping[str, str]
    state_backend: Mapping[str, Any]
    remarks: tuple[Remark, ...]

    def plugin(self, name: str) -> Plugin | None:
        """Return the plugin of a name."""
        return next((one for one in self.plugins if one.name == name), None)

    def job(self, name: str) -> Job | None:
        """Return the job of a name."""
        return next((one for one in self.jobs if one.name == name), None)
