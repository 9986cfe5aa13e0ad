"""Reports for people: what a run did, what it would do, what was set aside.

For       The verbs, which hand in what the bridge returned.
Touches   Standard output; standard error for the streams that failed.
Promises  A table fits 100 columns on a terminal and is never cut in a pipe. Whatever a run says
          about a document that is not an ordinary row is shown here, and never in colour alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.text import count_of, duration, printable, size
from landbridge.errors import redact
from landbridge.model.report import QuarantineEntry, StreamPlan, SyncPlan
from landbridge.model.summary import StreamSummary, Summary, Tally

if TYPE_CHECKING:  # rich is loaded only where something is drawn
    from rich.console import Console
    from rich.table import Table

TABLE_WIDTH_MAX = 100
PIPE_WIDTH = 1000  # Nothing that reads a pipe wants a table cut.
CHANGES_SHOWN_MAX = 5
ERRORS_SHOWN_MAX = 5
CHANGES = {
    "add": "new column {column} {type} for field {path}",
    "widen": "column {column} is now {type}: {decision}",
    "variant": "values of {path} that are of another kind are in column {column} {type}",
    "table": "the elements of {path} are rows of a table of their own",
    "rest": "{path} is kept in column {column}: {decision}",
    "key": "new column {column} {type}: {decision}",
    "discard": "values of {path} are left out: {decision}",
}
TALLY_COLUMNS = ("read", "inserted", "updated", "unchanged", "deleted", "quarantined")


def console_for_stdout() -> Console:
    """Return the console that reports are printed on."""
    from rich.console import Console

    if not sys.stdout.isatty():
        return Console(width=PIPE_WIDTH, highlight=False, markup=False)
    return Console(highlight=False, markup=False)


def summary_document(summary: Summary) -> dict[str, Any]:
    """Return the JSON report of a run, without any password that a server may have echoed."""
    streams = tuple(
        replace(stream, error=_clean(stream.error), notes=tuple(map(redact, stream.notes)))
        for stream in summary.streams
    )
    cleaned = replace(
        summary,
        streams=streams,
        error=_clean(summary.error),
        notes=tuple(map(redact, summary.notes)),
    )
    return cleaned.to_json()


def show_summary(summary: Summary, *, target_hint: str) -> None:
    """Print what a run did; `target_hint` is the flag that names its target again."""
    show_counts(summary)
    for line in remarks(summary):
        click.echo(line)
    show_errors(summary)
    if any(stream.tally.quarantined for stream in summary.streams):
        click.echo(f"next: landbridge quarantine list{target_hint}")


def show_counts(summary: Summary) -> None:
    """Print one line for each stream, and their sum."""
    from rich.text import Text

    table = ruled_table(show_footer=len(summary.streams) > 1)
    total = sum_of(stream.tally for stream in summary.streams)
    table.add_column("collection", footer="total", overflow="fold")
    for name in TALLY_COLUMNS:
        table.add_column(name, footer=f"{getattr(total, name):,}", justify="right", no_wrap=True)
    table.add_column("seconds", footer=f"{summary.seconds:.1f}", justify="right", no_wrap=True)
    for stream in summary.streams:
        counts = [f"{getattr(stream.tally, name):,}" for name in TALLY_COLUMNS]
        failed = stream.error is not None
        table.add_row(
            Text(name_of(stream)),
            *counts,
            "failed" if failed else f"{stream.seconds:.1f}",
            style="red" if failed else None,
        )
    ends = {(stream.database, stream.target_schema) for stream in summary.streams}
    for database, schema in sorted(ends):
        click.echo(f"{printable(database)} → schema {printable(schema)}")
    print_table(table)
    click.echo()


def remarks(summary: Summary) -> list[str]:
    """Return what the counts alone do not say, one line each."""
    lines = list(summary.notes)
    for stream in summary.streams:
        name, tally = stream.collection, stream.tally
        lines += [f"{name}: {note}" for note in stream.notes]
        lines += [f"{name}: {change}" for change in changes_of(stream)]
        if tally.discarded:
            lines.append(
                f"{name}: {count_of(tally.discarded, 'value')} discarded, as --contract asks"
            )
    events = sum(stream.events for stream in summary.streams)
    if events:
        lines.append(f"{count_of(events, 'change')} of the log applied (by collection in --json)")
    by_value = sum(stream.tally.by_value for stream in summary.streams)
    if by_value:
        lines.append(
            f"{count_of(by_value, 'value')} kept by value, not by byte: null is absent, jsonb "
            "sorts keys (by field in --json)"
        )
    return [printable(redact(line)) for line in lines]


def changes_of(stream: StreamSummary) -> list[str]:
    """Return how the shape of a table changed; the ordinary columns of a new table are none."""
    changes = stream.schema_changes
    if any(change.change == "create" for change in changes):
        changes = tuple(c for c in changes if c.change not in ("create", "add", "widen"))
    lines = [
        CHANGES.get(change.change, "{change} of column {column}: {decision}").format(
            **asdict(change)
        )
        for change in changes[:CHANGES_SHOWN_MAX]
    ]
    more = len(changes) - CHANGES_SHOWN_MAX
    if more > 0:
        lines.append(f"and {count_of(more, 'more change')} of its columns, see --json")
    return lines


def show_errors(summary: Summary) -> None:
    """Print why streams failed, as `main` prints the error of a command."""
    errors = [(f"{stream.stream}: ", stream.error) for stream in summary.streams if stream.error]
    if summary.error is not None and not errors:
        errors = [("", summary.error)]
    for prefix, error in errors[:ERRORS_SHOWN_MAX]:
        label = click.style("error:", fg="red", bold=True)
        click.echo(f"{label} {printable(redact(prefix + error['message']))}", err=True)
        click.echo(f"  fix: {printable(redact(error['fix']))}", err=True)
    more = len(errors) - ERRORS_SHOWN_MAX
    if more > 0:
        click.echo(f"and {count_of(more, 'more error')}, see --json", err=True)


def show_plan(plan: SyncPlan) -> None:
    """Print what a sync would do."""
    for stream in plan.streams:
        show_stream_plan(stream)
    for note in plan.notes:
        click.echo(printable(redact(note)))
    count = count_of(len(plan.streams), "collection")
    click.echo(f"{count}; nothing was touched")
    click.echo("next: the same command without --dry-run")


def show_stream_plan(stream: StreamPlan) -> None:
    """Print what a sync would do with one collection."""
    from rich.table import Table
    from rich.text import Text

    documents = (
        "an unknown number of" if stream.documents is None else f"about {stream.documents:,}"
    )
    length = "" if stream.bytes is None else f", {size(stream.bytes)}"
    made = "into the table that is there" if stream.exists else "into a new table"
    click.echo(printable(f"{stream.stream} → {stream.table}"))
    click.echo(f"  {documents} documents{length}; {stream.load} {made}; layout {stream.layout}")
    click.echo(f"  columns, from a sample of {count_of(stream.sampled, 'document')}:")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for column in stream.columns:
        path = f"field {column.path}" if column.path not in ("", column.name) else ""
        table.add_row("   ", *(Text(printable(t)) for t in (column.name, column.type, path)))
    print_table(table)
    for note in stream.notes:
        click.echo(f"  note: {printable(redact(note))}")
    for statement in stream.ddl:
        click.echo("  " + printable(redact(statement)).replace("\n", "\n  "))
    click.echo()


def show_entries(entries: Sequence[QuarantineEntry]) -> None:
    """Print quarantine entries: which document, and below it why."""
    for entry in entries:
        heading = f"entry {entry.id}  {entry.stream}  _id {entry.document_id}  {entry.at[:16]}"
        reason = f"field {entry.path}: {entry.reason}" if entry.path else entry.reason
        click.echo(printable(heading))
        click.echo(
            click.wrap_text(
                printable(reason), TABLE_WIDTH_MAX, initial_indent="  ", subsequent_indent="    "
            )
        )


def show_entry(entry: QuarantineEntry) -> None:
    """Print one quarantine entry with its document."""
    replaced = "yes, its older row left the table" if entry.replaced else "no"
    for label, value in (
        ("entry", str(entry.id)),
        ("stream", entry.stream),
        ("table", entry.table),
        ("_id", entry.document_id),
        ("field", entry.path),
        ("problem", entry.problem),
        ("reason", entry.reason),
        ("replaced", replaced),
        ("run", entry.run),
        ("since", entry.at),
        ("document", entry.document or "not kept"),
    ):
        click.echo(f"{label:9} {printable(value)}")


def ruled_table(show_footer: bool = False) -> Table:
    """Return an empty table with a line below its headings."""
    from rich import box
    from rich.table import Table

    return Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        show_footer=show_footer,
    )


def print_table(table: Table) -> None:
    """Print a table without the blanks that pad its lines."""
    console = console_for_stdout()
    with console.capture() as captured:
        console.print(
            table, width=min(console.width, TABLE_WIDTH_MAX) if sys.stdout.isatty() else None
        )
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def name_of(stream: StreamSummary) -> str:
    """Return the collection's name, with the table's where that differs."""
    name = printable(stream.collection)
    table = printable(stream.target_table)
    return name if name == table else f"{name}\n→ {table}"


def sum_of(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of all counts."""
    total: dict[str, int] = dict.fromkeys(TALLY_COLUMNS, 0)
    for tally in tallies:
        for name in TALLY_COLUMNS:
            total[name] += getattr(tally, name)
    return Tally(**total)


def rate(documents: int, seconds: float) -> str:
    """Return `12,000 documents in 0.8 s, 15,000 a second`."""
    text = f"{count_of(documents, 'document')} in {duration(seconds)}"
    return f"{text}, {documents / seconds:,.0f} a second" if seconds > 0 else text


def _clean(error: dict[str, str] | None) -> dict[str, str] | None:
    return None if error is None else {name: redact(text) for name, text in error.items()}
