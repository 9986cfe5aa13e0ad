"""What the commands of a cutover share: their ends, what moves, the mapping, the folder.

For       The files of `landbridge cutover`.
Touches   Reads the files that the user names.
Promises  An option has one text, whichever of the commands shows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Decorated, option, time_span
from landbridge.cli.ends import SOURCE_VARIABLE, TARGET_VARIABLE
from landbridge.cli.verify import read_text
from landbridge.errors import UsageError

if TYPE_CHECKING:
    from landbridge.bridge import Figures, Through

ENDS, WHAT, QUIET = "Where from, where to", "What", "Before it"
MAPPED, HOOKS, HOW = "Into an existing schema", "The application", "How it goes"
ARCHIVES, CUTOVERS = "output", "cutover"  # folders, in the one where the command runs
QUIET_DEFAULT = "30s"


def source_option(command: Decorated) -> Decorated:
    """Add `--from`."""
    return option(
        "--from",
        "source",
        metavar="URI",
        group=ENDS,
        help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}.",
    )(command)


def end_options(command: Decorated) -> Decorated:
    """Add `--from`, `--to` and `--schema`."""
    command = option(
        "--schema",
        metavar="S",
        group=ENDS,
        help="Schema of the tables.  [default: the source database's name]",
    )(command)
    command = option(
        "--to",
        "target",
        metavar="URI",
        group=ENDS,
        help=f"The PostgreSQL. Or set {TARGET_VARIABLE}.",
    )(command)
    return source_option(command)


def quiet_option(command: Decorated) -> Decorated:
    """Add `--quiet-for`."""
    return option(
        "--quiet-for",
        "quiet_seconds",
        type=time_span,
        default=QUIET_DEFAULT,
        show_default=True,
        metavar="D",
        group=QUIET,
        help="How long nobody may have written to the source: 30s, 2m.",
    )(command)


def mapping_options(command: Decorated) -> Decorated:
    """Add `--mapping` and `--direct`."""
    command = option(
        "--direct",
        is_flag=True,
        group=MAPPED,
        help="Import straight from MongoDB; else an archive is made first, and kept.",
    )(command)
    return mapping_option(command)


def mapping_option(command: Decorated) -> Decorated:
    """Add `--mapping`."""
    return option(
        "--mapping",
        metavar="FILE",
        group=MAPPED,
        help="Import into the tables of an existing schema, by this mapping.",
    )(command)


def aggregates_option(command: Decorated) -> Decorated:
    """Add `--aggregates`."""
    return option(
        "--aggregates",
        metavar="FILE",
        group=HOW,
        help="Figures to ask of both sides as well, as in verify.",
    )(command)


def folder_option(command: Decorated) -> Decorated:
    """Add `--folder`."""
    return option(
        "--folder",
        type=click.Path(path_type=Path, file_okay=False),
        default=CUTOVERS,
        show_default=True,
        metavar="DIR",
        group=HOW,
        help="Where a folder is made for the log and the reports.",
    )(command)


def jobs_option(command: Decorated) -> Decorated:
    """Add `--jobs`."""
    return option(
        "--jobs",
        type=click.IntRange(min=1),
        default=3,
        show_default=True,
        metavar="N",
        group=HOW,
        help="Collections at once.",
    )(command)


def through_of(mapping: str | None, schema: str | None, **chosen: Any) -> Through | None:
    """Return a mapping and how to import by it; None where none is named.

    Raises:
        UsageError: it can't be read, or something else asks for one.

    """
    if mapping is None:
        if chosen.get("direct") or chosen.get("archive"):
            raise UsageError(
                "--direct and --archive need --mapping",
                why="without a mapping the tables are loaded as `sync` does, with no archive",
                fix="name the mapping, or leave them out",
            )
        return None
    if schema is not None:
        raise UsageError(
            "--schema cannot be used with --mapping",
            why="the mapping names the schema of its tables",
            fix="leave --schema out, or correct `schema:` in the mapping",
        )

    from landbridge import bridge

    return bridge.Through(text=read_text(mapping, "--mapping"), name=mapping, **chosen)


def figures_of(aggregates: str | None) -> Figures | None:
    """Return a file of named aggregates; None where none is named.

    Raises:
        UsageError: it can't be read.

    """
    if aggregates is None:
        return None

    from landbridge import bridge

    return bridge.Figures(text=read_text(aggregates, "--aggregates"), name=aggregates)
