"""`landbridge mapping propose`: a mapping for a person to edit.

For       Moving documents into tables that exist already.
Touches   The file that `--out` names; nothing else but what the bridge does.
Promises  A file that exists is left alone. The mapping goes to standard output or into the file,
          the summary to standard error. Exit 0 when there is a mapping, whatever is open in it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.command import Command, Group, common_options, option, selection_options
from landbridge.cli.ends import SOURCE_VARIABLE, TARGET_VARIABLE, find_source, find_target
from landbridge.cli.sync import split_names
from landbridge.errors import UsageError

if TYPE_CHECKING:
    from landbridge.bridge.proposing import ProposedMapping

ENDS, WHAT, OUTPUT = "Where from, where to", "What", "Output"
POINTS_SHOWN_MAX = 20


@click.group(cls=Group, short_help="Propose a mapping for tables that exist.")
def mapping() -> None:
    """Propose how documents become rows of tables that exist already.

    \b
    Examples:
      landbridge mapping propose --from mongodb://localhost/estate --to schema.prisma
    """


@mapping.command("propose", cls=Command)
@option(
    "--from",
    "source",
    metavar="URI|DIR",
    group=ENDS,
    help="The MongoDB, with its database, or an archive: a folder or s3://… "
    f"Or set {SOURCE_VARIABLE}.",
)
@option(
    "--to",
    "target",
    metavar="URI|FILE",
    group=ENDS,
    help="The PostgreSQL that holds the tables, or a schema.prisma file, or its folder. "
    f"Or set {TARGET_VARIABLE}.",
)
@option(
    "--schema",
    metavar="S",
    group=ENDS,
    help="Schema of the tables.  [default: that of ?schema= in the URI, or public]",
)
@selection_options(WHAT)
@option(
    "--sample",
    type=click.IntRange(min=1),
    default=100_000,
    show_default=True,
    metavar="N",
    group=WHAT,
    help="Documents to look at in each collection; of larger ones a random part.",
)
@option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    group=OUTPUT,
    help="Write the mapping into a new file.  [default: standard output]",
)
@common_options
def propose(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    sample: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Propose a mapping of collections to the tables that exist, as a file to read and edit.

    Looks at the documents and at the tables: which collection fills which table, which field which
    column and how sure that is, the values of enums, what ids become, arrays that are tables of
    their own, references. What was left out or guessed stands in the file as a comment. Nothing is
    written to either end.

    \b
    Examples:
      landbridge mapping propose --from mongodb://localhost/estate \\
          --to postgresql://localhost/estate --out mapping.yml
      landbridge mapping propose --from output/2026-11-25T14-00-00Z --to prisma/schema.prisma
      landbridge mapping propose --collections users,properties --json
    """
    if out is not None and out.exists():
        raise UsageError(
            f"{out} exists already",
            why="a mapping that a person may have edited is never written over",
            fix="name another file by --out, or move that one away",
        )
    origin = _origin(source)
    goal = _goal(target)

    from landbridge import bridge
    from landbridge.cli.progress import shown_progress

    with shown_progress() as observer:
        proposed = bridge.propose_mapping(
            origin,
            goal,
            schema=schema,
            select=(*select, *split_names(collections)),
            exclude=exclude,
            documents=sample,
            observer=observer,
        )
    if out is not None:
        _write(out, proposed.text)
    if as_json:
        document: dict[str, Any] = {**proposed.to_json(), "out": str(out) if out else None}
        click.echo(json.dumps(document))
        return
    if out is None:
        click.echo(proposed.text, nl=False)
    show_summary(proposed, out)


def _origin(source: str | None) -> str:
    """Return the URI of a MongoDB, or where an archive lies."""
    if source and ("://" not in source or source.startswith("s3://")):
        return source
    return find_source(source).uri


def _goal(target: str | None) -> str | Path:
    """Return the URI of a PostgreSQL, or the path of a schema file."""
    if target and "://" not in target and "=" not in target:
        return Path(target)
    return find_target(target).uri


def _write(out: Path, text: str) -> None:
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(
            f"cannot write {out}",
            why=error.strerror or str(error),
            fix="name a file in a folder that exists and can be written to",
        ) from None


def show_summary(proposed: ProposedMapping, out: Path | None) -> None:
    """Print what was proposed, and what to look at, on standard error."""
    from rich.console import Console
    from rich.text import Text

    from landbridge.cli.report import ruled_table
    from landbridge.cli.text import count_of, printable

    table = ruled_table()
    table.add_column("collection", overflow="fold")
    table.add_column("table", overflow="fold")
    for heading in ("documents", "columns", "lowest confidence", "open points"):
        table.add_column(heading, justify="right")
    for one in proposed.collections:
        table.add_row(
            Text(printable(one.collection)),
            Text(printable(one.table or "left out")),
            f"{one.documents:,}",
            f"{one.mapped} of {one.columns}" if one.columns else "",
            "" if one.lowest is None else f"{one.lowest:.2f}",
            str(len(one.points)) if one.points else "",
        )
    console = Console(stderr=True)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip(), err=True)
    points = [f"{one.collection}: {point}" for one in proposed.collections for point in one.points]
    if points:
        click.echo("\nto look at, before it is used:", err=True)
    for point in points[:POINTS_SHOWN_MAX]:
        click.echo(f"  {printable(point)}", err=True)
    if len(points) > POINTS_SHOWN_MAX:
        more = count_of(len(points) - POINTS_SHOWN_MAX, "more point")
        click.echo(f"  and {more}, as comments in the mapping", err=True)
    if proposed.problems:
        click.echo("\nuntil these are mended, an import refuses it:", err=True)
    for problem in proposed.problems:
        click.echo(f"  {printable(problem)}", err=True)
    if proposed.tables_left:
        left = printable(", ".join(proposed.tables_left))
        click.echo(f"\ntables that nothing fills: {left}", err=True)
    if out is not None:
        click.echo(f"\nthe mapping is in {out}", err=True)
    sys.stderr.flush()
