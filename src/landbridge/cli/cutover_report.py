"""Reports of a cutover for people: who writes, what each step came to, the verdict.

For       `landbridge cutover`.
Touches   Standard output; standard error for what goes on meanwhile.
Promises  The last line is the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from landbridge.cli.report import print_table, ruled_table
from landbridge.cli.text import count_of, duration, printable
from landbridge.model.cutover import Means, Quiet, Write

MEANS: dict[Means, str] = {
    "log": "by the log",
    "counters": "by the storage engine's counts of writes",
    "counts": "by the number of documents and their largest keys",
}


def show_quiet(found: Quiet) -> None:
    """Print who wrote, and whether the source is quiet."""
    if found.writes:
        show_writes(found.writes)
    for note in found.notes:
        click.echo(f"note: {printable(note)}")
    click.echo(printable(sentence(found)))


def show_writes(writes: Sequence[Write]) -> None:
    """Print writes as a table: what, how many, since when."""
    from rich.text import Text

    table = ruled_table()
    table.add_column("collection", overflow="fold")
    table.add_column("operation", no_wrap=True)
    table.add_column("writes", justify="right", no_wrap=True)
    table.add_column("first", no_wrap=True)
    table.add_column("last", no_wrap=True)
    table.add_column("such as _id", overflow="fold")
    for one in writes:
        cells = (one.collection, one.operation, f"{one.count:,}")
        times = (clock(one.first_at), clock(one.last_at))
        table.add_row(*(Text(printable(cell)) for cell in (*cells, *times, one.example)))
    print_table(table)
    click.echo()


def sentence(found: Quiet) -> str:
    """Return `quiet: no write to 7 collections of … in 30 s, by the log`."""
    place = f"{count_of(len(found.collections), 'collection')} of {found.source}"
    rest = f"to {place} in {duration(found.seconds)}, {MEANS[found.means]}"
    if not found.writes:
        return f"quiet: no write {rest}"
    return f"NOT QUIET: {count_of(sum(one.count for one in found.writes), 'write')} {rest}"


def clock(at: str) -> str:
    """Return the time of day of an ISO 8601 moment."""
    return at[11:19] + "Z"
