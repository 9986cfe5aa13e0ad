"""`landbridge quarantine list | show | retry`: what was set aside, and why.

For       Looking at documents that could not become rows, and loading them once they can.
Touches   Nothing but what the bridge does.
Promises  A document is shown as it was read; no password of a connection is shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from landbridge.cli.command import Command, Decorated, Group, choice, common_options, option
from landbridge.cli.ends import TARGET_VARIABLE, find_target
from landbridge.model import settings as choices

LIMIT_DEFAULT = 100


def target_option(command: Decorated) -> Decorated:
    """Add `--to`."""
    return option(
        "--to",
        "target",
        metavar="URI",
        help=f"The PostgreSQL. Or set {TARGET_VARIABLE}, in the environment or in .env.",
    )(command)


def stream_option(purpose: str) -> Callable[[Decorated], Decorated]:
    """Return what adds `--stream`."""
    return option(
        "--stream", metavar="S", help=f"{purpose} this stream only, written database.collection."
    )


@click.group(cls=Group)
def quarantine() -> None:
    """Show what was set aside, and why; try it again.

    A document that its table cannot hold exactly is kept whole in the target database, with its
    reason. Nothing of it is cut, rounded or made up.

    \b
    Examples:
      landbridge quarantine list --to postgresql://localhost/bi
      landbridge quarantine show 17 --to postgresql://localhost/bi
      landbridge quarantine retry --stream shop.orders --to postgresql://localhost/bi
    """


@quarantine.command("list", cls=Command)
@target_option
@stream_option("Show")
@option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT_DEFAULT,
    show_default=True,
    metavar="N",
    help="Show at most N entries, the oldest first.",
)
@common_options
def list_entries(target: str | None, stream: str | None, limit: int, as_json: bool) -> None:
    """List the documents that are set aside.

    \b
    Examples:
      landbridge quarantine list --to postgresql://localhost/bi
      landbridge quarantine list --stream shop.orders --limit 10 --json
    """
    end = find_target(target)

    from landbridge import bridge
    from landbridge.cli.report import show_entries

    entries = bridge.list_quarantine(end.uri, stream=stream, limit=limit)
    if as_json:
        _print_json({"entries": [asdict(entry) for entry in entries]})
    elif not entries:
        click.echo("Nothing is set aside.")
    else:
        show_entries(entries)
        if len(entries) == limit:
            click.echo(f"There may be more: these are the oldest {limit:,}. See --limit.")
        click.echo(f"next: landbridge quarantine show {entries[0].id}{end.hint}")


@quarantine.command(cls=Command)
@click.argument("entry", type=int)
@target_option
@common_options
def show(entry: int, target: str | None, as_json: bool) -> None:
    """Show one entry with its whole document, as extended JSON.

    \b
    Examples:
      landbridge quarantine show 17 --to postgresql://localhost/bi
      landbridge quarantine show 17 --json > entry.json
    """
    end = find_target(target)

    from landbridge import bridge
    from landbridge.cli.report import show_entry

    found = bridge.show_quarantine(end.uri, entry)
    if as_json:
        _print_json({"entry": asdict(found)})
    else:
        show_entry(found)


@quarantine.command(cls=Command)
@click.argument("entries", type=int, nargs=-1, metavar="[ENTRY]...")
@target_option
@stream_option("Try")
@option("--nul", type=choice(choices.Nul), help="What to do with NUL in strings this time.")
@option(
    "--contract",
    type=choice(choices.Contract),
    help="What to do with values that have no column this time.",
)
@common_options
def retry(
    entries: tuple[int, ...],
    target: str | None,
    stream: str | None,
    nul: choices.Nul | None,
    contract: choices.Contract | None,
    as_json: bool,
) -> int:
    """Load what is set aside, where its table can hold it now.

    Tries the entries with these numbers, or all, under the settings of their stream's last load
    but for the ones given here; give later syncs the same. One that still does not fit stays
    where it is.

    \b
    Examples:
      landbridge quarantine retry --nul escape --to postgresql://localhost/bi
      landbridge quarantine retry 17 18 --contract evolve
      landbridge quarantine retry --stream shop.orders
    """
    end = find_target(target)

    from landbridge import bridge
    from landbridge.cli.progress import shown_progress
    from landbridge.cli.report import show_summary, summary_document

    with shown_progress() as observer:
        summary = bridge.retry_quarantine(
            end.uri,
            entries=entries,
            stream=stream,
            nul=nul,
            contract=contract,
            observer=observer,
        )
    if as_json:
        click.echo(json.dumps(summary_document(summary)))
    elif not summary.streams:
        click.echo("\n".join(summary.notes) or "Nothing is set aside that could be tried again.")
    else:
        show_summary(summary, target_hint=end.hint)
    return 0 if summary.status == "ok" else 1


def _print_json(content: dict[str, Any]) -> None:
    click.echo(json.dumps({"status": "ok", **content, "error": None}))
