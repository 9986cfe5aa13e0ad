"""`landbridge verify`: whether the tables hold what the collections hold.

For       Turning flags into one call of the bridge, and what it found into a report.
Touches   Nothing but what the bridge does; the file that `--html` names.
Promises  Exit 0 when everything that was looked at is equal, 1 when something differs or a
          collection could not be compared, 2 when the command could not be understood.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from landbridge.cli.command import Command, choice, common_options, option, selection_options
from landbridge.cli.ends import SOURCE_VARIABLE, TARGET_VARIABLE, find_source, find_target
from landbridge.cli.sync import split_names
from landbridge.errors import StopError, UsageError
from landbridge.model.verification import Mode

ENDS, WHAT, HOW = "Where from, where to", "What", "How it is compared"
JOBS = 2
RESUME_FOLDER = ".landbridge/verify"


@click.command(cls=Command)
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}.",
)
@option(
    "--to", "target", metavar="URI", group=ENDS, help=f"The PostgreSQL. Or set {TARGET_VARIABLE}."
)
@option(
    "--schema",
    metavar="S",
    group=ENDS,
    help="Schema of the tables.  [default: the source database's name]",
)
@selection_options(WHAT)
@option(
    "--mode",
    type=choice(Mode),
    default="aggregate",
    show_default=True,
    group=HOW,
    help="count: how many. aggregate: figures of every column, and how often each of its few "
    "values comes. hash: every document by the hash that was stored when it was loaded. "
    "full: every document and every field, derived again.",
)
@option(
    "--mapping",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    group=HOW,
    help="The tables are those that landbridge import has filled by this mapping.",
)
@option(
    "--aggregates",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    group=HOW,
    help="Figures that both sides are to answer: a YAML list of {name, collection, match, group, "
    "metric}.",
)
@option(
    "--repair",
    is_flag=True,
    group=HOW,
    help="Load the documents that differ once more, delete rows that have none, and compare again. "
    "With --mode hash or full.",
)
@option(
    "--jobs",
    type=click.IntRange(min=1),
    default=JOBS,
    show_default=True,
    metavar="N",
    group=HOW,
    help="Collections at once.",
)
@option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    group="Output",
    help="Write the whole report as one HTML file too, to be kept.",
)
@common_options
def verify(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    mode: Mode,
    mapping: str | None,
    aggregates: str | None,
    repair: bool,
    jobs: int,
    html: str | None,
    as_json: bool,
) -> int:
    """Compare tables with the collections that they were made of.

    Reads both sides again, by code that loads nothing, and says what is equal and what is not.

    \b
    Examples:
      landbridge verify --from mongodb://localhost/shop --to postgresql://localhost/bi
      landbridge verify --mode count --collections users,properties
      landbridge verify --mode full --repair
    """
    from_end, to_end = find_source(source), find_target(target)
    if html is not None and not Path(html).absolute().parent.is_dir():
        raise UsageError(
            f"--html {html} cannot be written",
            why="there is no such folder",
            fix="make the folder first, or name another file",
        )

    from landbridge import bridge
    from landbridge.cli.progress import of_checks, shown_progress
    from landbridge.cli.verdict import show_verification, verification_document

    with shown_progress() as observer:
        verification = bridge.verify(
            from_end.uri,
            to_end.uri,
            schema=schema,
            select=(*select, *split_names(collections)),
            exclude=exclude,
            mode=mode,
            mapping=None if mapping is None else read_text(mapping, "--mapping"),
            mapping_name=mapping or "",
            aggregates=None if aggregates is None else read_text(aggregates, "--aggregates"),
            aggregates_name=aggregates or "",
            repair=repair,
            jobs=jobs,
            resume=RESUME_FOLDER,
            observer=of_checks(observer),
        )
    if html is not None:
        _write(html, bridge.verification_page(verification))
    if as_json:
        click.echo(json.dumps(verification_document(verification)))
    else:
        show_verification(verification, mapping=mapping)
    return 0 if verification.status == "equal" else 1


def _write(path: str, page: str) -> None:
    try:
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise StopError(
            f"{path} was not written", why=str(error), fix="name a file that can be written"
        ) from error


def read_text(path: str, flag: str) -> str:
    """Return the text of a file that a flag names."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{flag} {path} cannot be read", why=str(error), fix="name a text file that is there"
        ) from error
