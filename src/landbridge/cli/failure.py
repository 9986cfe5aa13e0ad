"""How a command ends when it does not end well.

For       `main`, which hands a command in and takes an exit code out.
Touches   Standard output (only with `--json`), standard error, the root logger.
Promises  Three lines for a person (what, why, fix), one document for a program; a traceback only
          with `--debug`; passwords hidden in all of them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Sequence

import click

from landbridge.cli.text import printable
from landbridge.errors import (
    InternalError,
    InterruptedRunError,
    LandbridgeError,
    UsageError,
    redact,
)
from landbridge.model.summary import Summary

EXIT_USAGE = 2


def guarded(command: click.Command, arguments: Sequence[str]) -> int:
    """Run `command`; tell every failure, and return the exit code."""
    # Looked up here and not in the parsed options, because parsing may be what fails.
    as_json, debug = "--json" in arguments, "--debug" in arguments
    start_log(debug)
    began = time.monotonic()
    try:
        code = command.main(list(arguments), prog_name="landbridge", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        return EXIT_USAGE
    except BrokenPipeError:
        # Whoever read our output has left. The interpreter would complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except BaseException as error:
        known = explain(error)
        if known is None:
            raise
        if debug:
            click.echo(redact(traceback.format_exc()), err=True)
        tell(known)
        if as_json:
            summary = Summary(error=known.to_json(), seconds=time.monotonic() - began)
            click.echo(json.dumps(summary.to_json()))
        return known.exit_code


def explain(error: BaseException) -> LandbridgeError | None:
    """Return what to tell a person about `error`; None for what is not ours to tell."""
    if isinstance(error, LandbridgeError):
        return error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "landbridge"
        return UsageError(
            f"`{path}` was not understood",
            why=error.format_message().replace("\n", " ").rstrip("."),
            fix=f"see {path} --help",
        )
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return InterruptedRunError(
            "interrupted",
            why="Ctrl-C was pressed; readers see the tables as they were last committed",
            fix="run the same command again: it resumes",
        )
    if isinstance(error, Exception):
        return InternalError.of(error)
    return None


def tell(error: LandbridgeError) -> None:
    """Print an error for a person: what, why, fix; an interruption needs one line only."""
    if isinstance(error, InterruptedRunError):
        click.echo(f"\n{error.what}; {error.fix}", err=True)
        return
    click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(error.what)}", err=True)
    click.echo(f"  why: {printable(error.why)}", err=True)
    click.echo(f"  fix: {printable(error.fix)}", err=True)


class RedactingFormatter(logging.Formatter):
    """Log lines without passwords."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, passwords replaced."""
        return redact(super().format(record))


def start_log(debug: bool) -> None:
    """Send the log to standard error: warnings, and with `debug` all that landbridge says."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("landbridge").setLevel(logging.DEBUG if debug else logging.WARNING)
