"""The command line: one file a verb; each parses, calls the bridge, and shows what it returns.

For       People at a terminal, and scripts that read `--json`.
Touches   Standard output (reports), standard error (progress, errors, logs), the environment.
Promises  Exit code 0 done, 1 failed, 2 wrong use, 130 interrupted. A mistake of the user is told
          in three lines, never by a traceback. No password is ever printed. No database driver is
          loaded before a command runs, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from landbridge import __version__
from landbridge.cli.command import Group
from landbridge.cli.config import config
from landbridge.cli.cutover import cutover
from landbridge.cli.demo import demo
from landbridge.cli.doctor import doctor
from landbridge.cli.export import export
from landbridge.cli.import_ import import_
from landbridge.cli.init import init
from landbridge.cli.job import job
from landbridge.cli.mapping import mapping
from landbridge.cli.project import ENVIRONMENT
from landbridge.cli.quarantine import quarantine
from landbridge.cli.run_ import run_
from landbridge.cli.schedule import schedule
from landbridge.cli.select import select
from landbridge.cli.setup import setup
from landbridge.cli.sync import sync
from landbridge.cli.verify import verify


@click.group(cls=Group)
@click.version_option(__version__, message="landbridge %(version)s")
@click.option("--environment", metavar="E", help="The environment of a project, for its commands.")
@click.pass_context
def commands(context: click.Context, environment: str | None) -> None:
    """Moves MongoDB collections into PostgreSQL tables: exactly, fast, with proof.

    Every document becomes a row, or is set aside whole with its reason, and each run says how
    many went where. Run the same command again: only rows that differ are written.

    \b
    Start here:
      landbridge demo
          See it work on a MongoDB and a PostgreSQL of its own, in about a minute.
      landbridge sync --from mongodb://localhost/shop --to postgresql://localhost/bi --dry-run
          See what would be made of your own collections; nothing is touched.
      landbridge sync --from mongodb://localhost/shop --to postgresql://localhost/bi
          Do it. The tables are in the schema "shop".
      landbridge run tap-mongodb target-postgres
          Do what the meltano.yml of this folder says.
    """
    context.meta[ENVIRONMENT] = environment


for command in (
    demo, sync, init, run_, select, config, job, schedule, verify, export, import_, mapping,
    cutover, setup, doctor, quarantine,
):  # fmt: skip
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    from landbridge.cli.failure import guarded

    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape; a report never dies of it.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    return guarded(commands, sys.argv[1:] if arguments is None else list(arguments))


def run() -> NoReturn:
    """Run one command as a program, and end at once with its exit code.

    The interpreter's own way out waits for the drivers' background threads: up to half a second
    after everything is committed, closed and printed.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # whoever read it has left
            stream.flush()
    os._exit(code)
