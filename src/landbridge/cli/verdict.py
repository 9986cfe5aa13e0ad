"""What a verification found, for people: counts, figures, differences, and the last word.

For       `landbridge verify`, and the cutover.
Touches   Standard output; standard error for the streams that failed.
Promises  A difference is never shown by colour alone. What is left out of a list is counted.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from landbridge.cli.report import print_table, ruled_table
from landbridge.cli.text import count_of, duration, printable
from landbridge.errors import redact
from landbridge.model.verification import Aggregate, StreamVerdict, Verification

if TYPE_CHECKING:  # rich is loaded only where something is drawn
    from rich.table import Table
    from rich.text import Text

DIFFERENCES_SHOWN_MAX = 20
GROUPS_SHOWN_MAX = 10
MARKS = {"equal": "✅", "different": "❌", "failed": "❌"}
METRICS = ("count", "nulls", "distinct", "min", "max", "sum")


def verification_document(verification: Verification) -> dict[str, Any]:
    """Return the JSON report, without any password that a server may have echoed."""
    streams = tuple(
        replace(
            one,
            error=None if one.error is None else {k: redact(v) for k, v in one.error.items()},
            notes=tuple(map(redact, one.notes)),
        )
        for one in verification.streams
    )
    return replace(verification, streams=streams).to_json()


def show_verification(verification: Verification, *, mapping: str | None = None) -> None:
    """Print what was found, the counts first and the verdict last; `mapping` is its file."""
    for stream in verification.streams:
        # A name with a line end in it must not look like the line of another.
        click.echo(printable(count_line(stream)).replace("\n", "\\n"))
    for stream in verification.streams:
        _show_stream(stream)
    for note in verification.notes:
        click.echo(f"note: {printable(redact(note))}")
    step = _next_step(verification, mapping)
    if step:
        click.echo(f"next: {step}")
    click.echo()
    click.echo(verdict_line(verification))


def _next_step(verification: Verification, mapping: str | None) -> str:
    """Return the command that helps with what differs, to be given the same ends."""
    streams = [stream for stream in verification.streams if stream.table]
    apart = [stream for stream in streams if stream.status == "different"]
    way = "" if mapping is None else f" --mapping {shlex.quote(mapping)}"
    if any(stream.mode in ("count", "aggregate") for stream in apart):
        return f"landbridge verify{way} --mode full"
    if mapping is None:
        return "landbridge verify --mode full --repair" if apart else ""
    return f"landbridge import{way}" if any(s.missing or s.different for s in apart) else ""


def count_line(stream: StreamVerdict) -> str:
    """Return the line of the runbook: both counts, and what is between them."""
    if stream.error:
        return f"{MARKS['failed']} {stream.collection} → could not be compared"
    unexplained = stream.delta + stream.quarantined
    mark = MARKS["equal"] if stream.status == "equal" else MARKS["different"]
    line = (
        f"{mark} {stream.collection} → Mongo: {stream.source_count:,}"
        f" | Postgres: {stream.target_count:,} | Δ {stream.delta:,}"
    )
    if stream.quarantined:
        line += f" ({stream.quarantined:,} in quarantine)"
    if stream.status != "equal" and not unexplained:
        line += f"  {_what_differs(stream)}"
    return line


def _what_differs(stream: StreamVerdict) -> str:
    ids = [
        f"{len(found):,} {word}"
        for found, word in (
            (stream.missing, "missing"),
            (stream.extra, "extra"),
            (stream.different, "different"),
        )
        if found
    ]
    apart = sum(not one.equal for one in stream.aggregates)
    if apart:
        ids.append(f"{count_of(apart, 'figure')} not the same")
    return ", ".join(ids) or "hashes not the same"


def verdict_line(verification: Verification) -> str:
    """Return the last line: the verdict in one word, and of how much."""
    words = {"equal": "EQUAL", "different": "DIFFERENT", "failed": "FAILED"}
    tables = len(verification.streams)
    apart = sum(stream.status != "equal" for stream in verification.streams)
    detail = count_of(tables, "collection")
    if apart:
        detail = f"{apart:,} of {detail}"
    return f"{words[verification.status]}: {detail}, {duration(verification.seconds)}"


def _show_stream(stream: StreamVerdict) -> None:
    columns = [one for one in stream.aggregates if not one.group]
    groups = [one for one in stream.aggregates if one.group]
    details = (columns, groups, stream.missing, stream.extra, stream.different, stream.notes)
    if not any(details) and not stream.error and stream.source_hash is None:
        return
    click.echo()
    heading = f"{stream.collection} → {stream.table}" if stream.table else stream.collection
    click.echo(click.style(printable(heading), bold=True))
    if stream.error:
        error = {name: printable(redact(text)) for name, text in stream.error.items()}
        click.echo(f"  {error['message']}\n  fix: {error['fix']}", err=True)
    if columns:
        print_table(_figures(columns))
    for name, members in _by_name(groups).items():
        click.echo(printable(f"{name}:"))
        print_table(_grouped(members))
    for word, ids in (("missing", stream.missing), ("extra", stream.extra)):
        _show_ids(word, [(one, "") for one in ids])
    _show_ids("different", [(one.id, ", ".join(one.fields)) for one in stream.different])
    if stream.repaired:
        click.echo(f"{count_of(stream.repaired, 'document')} repaired")
    if stream.source_hash is not None:
        click.echo(f"hash of the source {stream.source_hash}")
        click.echo(f"hash of the target {stream.target_hash}")
    for note in stream.notes:
        click.echo(f"note: {printable(redact(note))}")


def _figures(columns: Sequence[Aggregate]) -> Table:
    """Return a line for each column; two where the sides differ."""
    from rich.text import Text

    table = ruled_table()
    table.add_column("column", overflow="fold")
    for metric in METRICS:
        table.add_column(metric, overflow="fold", justify="right")
    table.add_column("", overflow="fold")
    for name, members in _by_name(columns).items():
        apart = [one for one in members if not one.equal]
        if not apart:
            table.add_row(Text(printable(name)), *_cells(members, "source"), "")
            continue
        words = "≠ " + ", ".join(one.metric for one in apart)
        rows = (("source", name, "Mongo"), ("target", "", "Postgres"))
        for side, label, remark in rows:
            # What has no column of its own in the table is told at the end of the line.
            others = [one for one in apart if one.metric not in METRICS]
            remark += "".join(f" {one.metric} {_written(getattr(one, side))}" for one in others)
            remark += f"  {words}" if side == "target" else ""
            cells = _cells(members, side)
            table.add_row(Text(printable(label)), *cells, Text(remark), style="red")
    return table


def _cells(members: Sequence[Aggregate], side: str) -> list[Text]:
    from rich.text import Text

    found = {one.metric: one for one in members}
    cells = []
    for metric in METRICS:
        one = found.get(metric)
        text = "" if one is None else _written(getattr(one, side))
        cells.append(Text(text if one is None or one.judged else f"≈ {text}"))
    return cells


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:,}"
    if value is None:
        return "–"
    return printable(str(value)).replace("\n", "\\n")


def _grouped(members: Sequence[Aggregate]) -> Table:
    """Return a line for each group, the largest first; those that differ are always there."""
    from rich.text import Text

    table = ruled_table()
    table.add_column(", ".join(printable(name) for name in members[0].group), overflow="fold")
    table.add_column("Mongo", justify="right")
    table.add_column("Postgres", justify="right")
    table.add_column("")
    apart = [one for one in members if not one.equal]
    same = [one for one in members if one.equal]
    shown = [*apart[:DIFFERENCES_SHOWN_MAX], *same[: max(0, GROUPS_SHOWN_MAX - len(apart))]]
    for one in shown:
        label = ", ".join("–" if value is None else _written(value) for value in one.group.values())
        table.add_row(
            Text(label),
            _written(one.source),
            _written(one.target),
            "" if one.equal else "≠",
            style=None if one.equal else "red",
        )
    if len(shown) < len(members):
        table.add_row(Text(f"… {len(members) - len(shown):,} more"), "", "", "")
    return table


def _show_ids(word: str, found: Sequence[tuple[str, str]]) -> None:
    if not found:
        return
    click.echo(f"{word}: {count_of(len(found), 'document')}")
    for identity, fields in found[:DIFFERENCES_SHOWN_MAX]:
        click.echo(printable(f"  {identity}" + (f"  {fields}" if fields else "")))
    if len(found) > DIFFERENCES_SHOWN_MAX:
        click.echo(f"  … {len(found) - DIFFERENCES_SHOWN_MAX:,} more: see --json or --html")


def _by_name(members: Iterable[Aggregate]) -> dict[str, list[Aggregate]]:
    found: dict[str, list[Aggregate]] = {}
    for one in members:
        found.setdefault(one.name, []).append(one)
    return found
