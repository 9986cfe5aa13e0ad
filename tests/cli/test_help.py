"""Help: every command has it, with an example; the reference page shows it word for word."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.cli.process import Run

from landbridge import __version__
from landbridge.cli import commands

ROOT = Path(__file__).parents[2]
DRIVERS_AND_HEAVY = "('bson', 'psycopg', 'pymongo', 'rich', 'landbridge.codec')"


def walk(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for below in command.commands.values():
            yield from walk(below, f"{name} {below.name}")


@pytest.mark.parametrize(("name", "command"), list(walk(commands, "landbridge")))
def test_every_command_has_help_with_an_example(name: str, command: click.Command) -> None:
    context = click.Context(command, info_name=name, terminal_width=100)
    text = command.get_help(context)

    assert "Examples:\n" in text or "Start here:\n" in text
    assert text.count("landbridge ") >= 2
    assert max(map(len, text.splitlines())) <= 100


def test_every_option_says_what_it_does() -> None:
    for name, command in walk(commands, "landbridge"):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts}"


def test_the_reference_page_shows_the_help_word_for_word() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "reference"), "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_help_loads_no_driver_and_nothing_heavy() -> None:
    probe = (
        "import sys; from landbridge.cli import main; main(['sync', '--help']);"
        f"print([name for name in {DRIVERS_AND_HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)

    assert done.stdout.startswith("Usage: landbridge sync")
    assert done.stderr.strip() == "[]"


def test_version_and_bare_call(landbridge: Run) -> None:
    assert landbridge("--version").stdout == f"landbridge {__version__}\n"
    bare = landbridge()
    assert (bare.returncode, bare.stdout) == (2, "")
    assert "landbridge demo" in bare.stderr
