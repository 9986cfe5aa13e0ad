"""What an export did, or would do, as a person reads it.

For       `landbridge export`.
Touches   Standard output; standard error for the collections that failed.
Promises  Documents that were left out are named, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable

import click

from landbridge.cli.report import print_table, ruled_table
from landbridge.cli.text import count_of, printable, size
from landbridge.errors import redact
from landbridge.model.archive import ExportedFile, ExportSummary

MEGABYTE = 1_000_000
NOTES_SHOWN_MAX = 5


def show_export(summary: ExportSummary) -> None:
    """Print one line for each collection, then what is to be said of them."""
    if summary.dry_run:
        _show_plan(summary)
        return
    _show_files(summary)
    for line in _remarks(summary):
        click.echo(printable(redact(line)))
    for file in summary.files:
        if file.error:
            _show_error(f"{file.stream}: {file.error['message']}", file.error["fix"])
    if summary.error and not any(file.error for file in summary.files):
        _show_error(summary.error["message"], summary.error["fix"])


def _show_files(summary: ExportSummary) -> None:
    from rich.text import Text

    whole = [one for one in summary.files if not one.error]
    documents, written = _sums(one for one in whole)
    table = ruled_table(show_footer=len(summary.files) > 1)
    table.add_column("collection", footer="total", overflow="fold")
    table.add_column("file", overflow="fold")
    table.add_column("documents", footer=f"{documents:,}", justify="right", no_wrap=True)
    table.add_column("bytes", footer=size(written), justify="right", no_wrap=True)
    table.add_column("MB/s", justify="right", no_wrap=True)
    table.add_column("seconds", footer=f"{summary.seconds:.1f}", justify="right", no_wrap=True)
    for one in summary.files:
        file = one.file
        cells = ("", "", "", "failed") if one.error else (
            f"{file.documents:,}", size(file.bytes), _rate(one), _seconds(one)
        )  # fmt: skip
        style = "red" if one.error else None
        names = (Text(printable(file.collection)), Text(printable(file.name)))
        table.add_row(*names, *cells, style=style)
    click.echo(f"→ {printable(summary.out)}")
    print_table(table)
    click.echo()


def _show_plan(summary: ExportSummary) -> None:
    from rich.text import Text

    table = ruled_table(show_footer=len(summary.files) > 1)
    documents, _ = _sums(summary.files)
    table.add_column("collection", footer="total", overflow="fold")
    table.add_column("file", overflow="fold")
    table.add_column("documents", footer=f"{documents:,}", justify="right", no_wrap=True)
    table.add_column("bytes of BSON", justify="right", no_wrap=True)
    for one in summary.files:
        names = (Text(printable(one.file.collection)), Text(printable(one.file.name)))
        known = "unknown" if one.source_bytes is None else size(one.source_bytes)
        table.add_row(*names, f"{one.file.documents:,}", known)
    click.echo(f"would write into {printable(summary.out)}; nothing was written")
    print_table(table)


def _remarks(summary: ExportSummary) -> list[str]:
    lines = list(summary.notes)
    moments = {one.file.consistent_at for one in summary.files if not one.error} - {None}
    if len(moments) == 1:
        lines.append(f"as of cluster time {moments.pop()}, where nothing else is said")
    for one in summary.files:
        name = one.file.collection
        lines += [f"{name}: {note}" for note in one.file.notes]
        if len(moments) > 1 and one.file.consistent_at:
            lines.append(f"{name}: as of cluster time {one.file.consistent_at}")
        if one.file.rejected:
            left_out = count_of(one.file.rejected, "document")
            lines.append(f"{name}: {left_out} left out, whole in {one.file.rejected_name}:")
        for rejection in one.rejected[:NOTES_SHOWN_MAX]:
            field = f"field {rejection.path}: " if rejection.path else ""
            lines.append(f"  _id {rejection.document_id}: {field}{rejection.reason}")
    return lines


def _show_error(what: str, fix: str) -> None:
    click.echo(click.style(f"error: {printable(redact(what))}", fg="red"), err=True)
    click.echo(f"  fix: {printable(redact(fix))}", err=True)


def _sums(files: Iterable[ExportedFile]) -> tuple[int, int]:
    every = [one.file for one in files]
    return sum(file.documents for file in every), sum(file.bytes for file in every)


def _rate(one: ExportedFile) -> str:
    if not one.file.seconds:
        return ""
    return f"{one.file.bytes_plain / MEGABYTE / one.file.seconds:,.0f}"


def _seconds(one: ExportedFile) -> str:
    return "there already" if one.kept else f"{one.file.seconds:.1f}"
