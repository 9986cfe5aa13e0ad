"""What all commands share: help that is sorted by purpose, common options, sizes and times.

For       The files of the verbs.
Touches   Nothing.
Promises  Options appear in help under the group they name, in the order they are written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, get_args

import click

HELP_WIDTH_MAX = 100
_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"(\d+)\s*([kmgt]?b)?", re.IGNORECASE)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)", re.IGNORECASE)

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Option(click.Option):
    """An option that knows under which heading of the help it stands."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Leave the range out: the help says what matters of it."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class _Help(click.Command):
    """Help with one heading for each group of options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"max_content_width": HELP_WIDTH_MAX})
        super().__init__(*args, **kwargs)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, each group under its heading."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records, col_max=26)


class Command(_Help):
    """A verb."""


class Group(click.Group, _Help):
    """A command that has commands below it, listed in the order they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, the one to start with first."""
        return list(self.commands)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first: they are what a newcomer looks for."""
        self.format_commands(ctx, formatter)
        _Help.format_options(self, ctx, formatter)


def byte_size(text: str | int) -> int:
    """Read a size: a number of bytes, or one with kB, MB, GB, TB, which are powers of 1,024."""
    match = _SIZE.fullmatch(str(text).strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no size; write 500MB, 1GB or a number of bytes.")
    number, unit = match.groups()
    return int(number) * _UNITS[(unit or "").upper()]


def time_span(text: str | float) -> float:
    """Read a span of time as seconds: a number of them, or one with s, m, h or d."""
    match = _SPAN.fullmatch(str(text).strip())
    if match is None:
        raise click.BadParameter(f"{text!r} is no span of time; write 90s, 30m, 1h or 1d.")
    return float(match[1]) * _SECONDS[(match[2] or "s").lower()]


def interval(text: str | float) -> float:
    """Read a span of time that something is repeated after: it is not nothing."""
    seconds = time_span(text)
    if not seconds or str(text).strip().isdigit():  # nobody means seconds here
        raise click.BadParameter(f"{text!r} is no interval; write 30m, 1h or 1d.")
    return seconds


def every_nth(text: str | int) -> int:
    """Read `always`, `never` or every Nth; return N, 0 for never."""
    words = {"always": 1, "never": 0}
    name = str(text).strip().lower()
    if name in words:
        return words[name]
    if not name.isdigit() or int(name) == 0:
        raise click.BadParameter(f"{text!r} is not always, never or a number such as 24.")
    return int(name)


def option(*names: str, **attributes: Any) -> Callable[[Decorated], Decorated]:
    """Declare an option with a group."""
    return click.option(*names, cls=Option, **attributes)


def debug_option(command: Decorated) -> Decorated:
    """Add `--debug`, which `main` looks for itself."""
    return option(
        "--debug",
        is_flag=True,
        expose_value=False,
        group="Output",
        help="Show tracebacks and the program's own log on standard error.",
    )(command)


def common_options(command: Decorated) -> Decorated:
    """Add `--json` and `--debug`, which every verb that reports has."""
    return option(
        "--json",
        "as_json",
        is_flag=True,
        group="Output",
        help="Print one JSON document on standard output; all else goes to standard error.",
    )(debug_option(command))


def selection_options(group: str) -> Callable[[Decorated], Decorated]:
    """Declare the options that pick collections, for every verb that is about some of them."""

    def add(command: Decorated) -> Decorated:
        command = option(
            "--exclude",
            multiple=True,
            metavar="P",
            group=group,
            help="Collections to leave out. May be repeated.",
        )(command)
        command = option(
            "--collections", metavar="A,B", group=group, help="The same, as a list with commas."
        )(command)
        return option(
            "--select",
            multiple=True,
            metavar="P",
            group=group,
            help="Collections to take: a name, or a pattern with * and ?. May be repeated.  "
            "[default: all]",
        )(command)

    return add


def choice(alias: Any) -> click.Choice[str]:
    """Return the words that a setting takes."""
    return click.Choice(get_args(alias))
