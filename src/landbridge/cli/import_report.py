"""The report of an import that was taken back.

For       `landbridge import --undo`.
Touches   Standard output; standard error for what was refused.
Promises  Rows that stayed are named with the reason, as far as they are few.
"""

from __future__ import annotations

import click

from landbridge.cli.text import count_of, duration, printable
from landbridge.errors import redact
from landbridge.model.importing import UndoSummary


def show_undo(summary: UndoSummary) -> None:
    """Print what was taken back, and what was not."""
    removed, restored = (count_of(n, "row") for n in (summary.removed, summary.restored))
    click.echo(
        f"import {summary.run}: {removed} removed, {restored} as they were before, in"
        f" {duration(summary.seconds)}"
    )
    for note in summary.notes:
        click.echo(printable(redact(note)))
    for row in summary.refused:
        click.echo(printable(f"  {row.table} {row.key}: {row.reason}"))
    more = summary.refused_count - len(summary.refused)
    if more > 0:
        click.echo(f"  and {count_of(more, 'more row')} that stayed")
    if summary.error is not None:
        label = click.style("error:", fg="red", bold=True)
        click.echo(f"{label} {printable(redact(summary.error['message']))}", err=True)
        click.echo(f"  fix: {printable(redact(summary.error['fix']))}", err=True)
