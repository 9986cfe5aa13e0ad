"""The reports of an import by a mapping, and of one that was taken back.

For       `landbridge import --mapping` and `--undo`.
Touches   Standard output; standard error for what went wrong.
Promises  What kept documents out is told by column and constraint. Rows that stayed are named with
          the reason, as far as they are few.
"""

from __future__ import annotations

import click

from landbridge.cli.report import print_table, remarks, ruled_table, show_counts, show_errors
from landbridge.cli.text import count_of, duration, printable
from landbridge.errors import redact
from landbridge.model.importing import UndoSummary
from landbridge.model.summary import Summary

ROW_SHOWN_MAX = 160  # characters of a sample
EXAMPLE_SHOWN_MAX = 110


def show_import(summary: Summary, *, target_hint: str) -> None:
    """Print what an import did, or would do where it has no run: it was a dry one then."""
    show_counts(summary)
    _show_rows(summary)
    _show_violations(summary)
    _show_samples(summary)
    for line in remarks(summary):
        click.echo(line)
    show_errors(summary)
    if not summary.run:
        if summary.status == "ok":
            click.echo("next: the same command without --dry-run")
        return
    if any(stream.tally.quarantined for stream in summary.streams):
        click.echo(f"next: landbridge quarantine list{target_hint}")
    if _wrote(summary):
        click.echo(f"to take it back: landbridge import --undo {summary.run}{target_hint}")


def _wrote(summary: Summary) -> bool:
    tables = [counts for stream in summary.streams for counts in stream.rows.values()]
    return any(counts[name] for counts in tables for name in ("inserted", "updated", "deleted"))


def _show_rows(summary: Summary) -> None:
    """Print what happens to the rows of each table, where arrays fill tables of their own."""
    from rich.text import Text

    if all(len(stream.rows) < 2 for stream in summary.streams):
        return
    table = ruled_table()
    table.add_column("table", overflow="fold")
    names = ("inserted", "updated", "unchanged", "deleted")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for stream in summary.streams:
        for row, counts in stream.rows.items():
            table.add_row(Text(printable(row)), *(f"{counts[name]:,}" for name in names))
    print_table(table)
    click.echo()


def _show_violations(summary: Summary) -> None:
    """Print what keeps documents out: column or constraint, how many, an example of each."""
    from rich.text import Text

    table = ruled_table()
    table.add_column("column or constraint", overflow="fold")
    table.add_column("problem", no_wrap=True)
    table.add_column("documents", justify="right", no_wrap=True)
    table.add_column("for example", overflow="fold", ratio=1)
    for stream in summary.streams:
        for one in stream.violations:
            where = f"{one['table']}.{one['column']}" if one["column"] else one["table"]
            example = printable(_cut(one["examples"][0], EXAMPLE_SHOWN_MAX))
            table.add_row(
                Text(printable(where)), one["problem"], f"{one['documents']:,}", Text(example)
            )
    if table.row_count:
        print_table(table)
        click.echo()


def _show_samples(summary: Summary) -> None:
    for stream in summary.streams:
        for name, rows in stream.samples.items():
            for row in rows[:1]:
                values = ", ".join(
                    f"{column}: {value}" for column, value in row.items() if value is not None
                )
                shown = _cut(" ".join(values.split()), ROW_SHOWN_MAX)
                click.echo(printable(f"a row of {name}: {shown}"))


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def show_undo(summary: UndoSummary) -> None:
    """Print what was taken back, and what was not."""
    removed, restored = (count_of(n, "row") for n in (summary.removed, summary.restored))
    click.echo(
        f"import {summary.run}: {removed} removed, {restored} as they were before, in"
        f" {duration(summary.seconds)}"
    )
    for note in summary.notes:
        click.echo(printable(redact(note)))
    # A row that the import wrote twice, as for a reference set later, is refused twice.
    for line in dict.fromkeys(f"  {row.table} {row.key}: {row.reason}" for row in summary.refused):
        click.echo(printable(line))
    more = summary.refused_count - len(summary.refused)
    if more > 0:
        click.echo(f"  and {count_of(more, 'more change')} that stayed")
    if summary.error is not None:
        label = click.style("error:", fg="red", bold=True)
        click.echo(f"{label} {printable(redact(summary.error['message']))}", err=True)
        click.echo(f"  fix: {printable(redact(summary.error['fix']))}", err=True)
