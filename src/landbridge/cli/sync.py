"""`landbridge sync`: bring PostgreSQL up to date with MongoDB.

For       Turning flags into one call of the bridge, and its answer into a report.
Touches   Nothing but what the bridge does.
Promises  Exit 0 when every collection was brought up to date, with or without quarantined
          documents; 1 when one was not; 2 when the command could not be understood.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import Any

import click

from landbridge.cli.command import (
    Command,
    choice,
    common_options,
    every_nth,
    option,
    selection_options,
    time_span,
)
from landbridge.cli.ends import SOURCE_VARIABLE, TARGET_VARIABLE, find_source, find_target
from landbridge.cli.shaping import DEFAULTS, care_options, shape_options
from landbridge.errors import UsageError
from landbridge.model import settings as choices
from landbridge.model.settings import Settings

ENDS, WHAT, HOW = "Where from, where to", "What", "How it is loaded"
INCREMENTAL, LOG = "With --method incremental", "With --method log"
OUTPUT = "Output"
# Lists made for other tools name these too; a collection that is made brings no document.
DDL_OPERATIONS = ("create", "drop", "rename", "dropDatabase", "invalidate")


@click.command(cls=Command)
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}, in the environment or "
    "in a file .env, which keeps the password out of the list of processes.",
)
@option(
    "--to", "target", metavar="URI", group=ENDS, help=f"The PostgreSQL. Or set {TARGET_VARIABLE}."
)
@option(
    "--schema",
    metavar="S",
    group=ENDS,
    help="Schema of the tables.  [default: the source database's name, by --names]",
)
@selection_options(WHAT)
@option(
    "--method",
    type=choice(choices.Method),
    default=DEFAULTS.method,
    show_default=True,
    group=WHAT,
    help="full: everything. incremental: what is new by --key, and a look at all ids for deletes. "
    "log: every change, from the source's change stream (needs a replica set).",
)
@option(
    "--load",
    type=choice(choices.Load),
    default=None,
    group=HOW,
    help="overwrite: the table becomes exactly the collection, deletes included. "
    "upsert: rows are inserted and updated; deletes come with --sweep or the log. "
    "append: every version of a document is kept.  [default: overwrite for full, else upsert]",
)
@option(
    "--key",
    default=DEFAULTS.key,
    show_default=True,
    metavar="F",
    group=INCREMENTAL,
    help="Field that grows with each change, dotted where it is nested: updatedAt, say.",
)
@option(
    "--lookback",
    "lookback_seconds",
    type=time_span,
    default=None,
    metavar="D",
    group=INCREMENTAL,
    help="Read again what lies so far before the last run: 10m, say.  [default: 5m for keys that "
    "hold a time]",
)
@option(
    "--sweep",
    type=every_nth,
    default="always",
    show_default=True,
    metavar="always|never|N",
    group=INCREMENTAL,
    help="Compare all ids with the table, for deletes: in each run, in none, in every Nth.",
)
@option(
    "--missing-key",
    type=choice(choices.MissingKey),
    default=DEFAULTS.missing_key,
    show_default=True,
    group=INCREMENTAL,
    help="Documents without the key: go on by their _id, or leave them to a full run.",
)
@option(
    "--follow",
    is_flag=True,
    group=LOG,
    help="Go on until told to stop (SIGTERM, Ctrl-C). Implies --method log.",
)
@option(
    "--operations",
    default=",".join(DEFAULTS.operations),
    show_default=True,
    metavar="LIST",
    group=LOG,
    help="Kinds of changes to apply.",
)
@option(
    "--on-ddl",
    type=choice(choices.OnDdl),
    default=DEFAULTS.on_ddl,
    show_default=True,
    group=LOG,
    help="A collection that is dropped or renamed: empty its table (--max-delete-share applies), "
    "or stop.",
)
@option(
    "--heal/--no-heal",
    default=None,
    group=LOG,
    help="Where the log no longer reaches back to the last run: compare all documents with the "
    "table, and fetch what differs; or fail.  [default: --heal with --follow]",
)
@option(
    "--index",
    "indexes",
    multiple=True,
    metavar="auto|F",
    group=HOW,
    help="Index a column, or with auto: references, updatedAt, createdAt and what the source "
    "has indexed. May be repeated.",
)
@option(
    "--soft-delete",
    is_flag=True,
    group=HOW,
    help="Mark rows in _sdc_deleted_at instead of deleting them.",
)
@option(
    "--full-refresh", is_flag=True, group=HOW, help="Forget what was loaded, and load all again."
)
@option(
    "--ranges",
    is_flag=True,
    group=HOW,
    help="Copy in ranges of _id, each committed, so that a very long load can resume.",
)
@option(
    "--compare",
    type=choice(choices.Compare),
    default=None,
    group=HOW,
    help="How rows that differ are found. values also sees what others wrote into the table.  "
    "[default: hash, or values where other roles may write]",
)
@option(
    "--jobs",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    metavar="N",
    group=HOW,
    help="Collections at once.",
)
@shape_options
@care_options
@option(
    "--dry-run",
    is_flag=True,
    group=OUTPUT,
    help="Show what would be done, from a sample; touch nothing.",
)
@common_options
def sync(
    *,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    method: choices.Method,
    load: choices.Load | None,
    follow: bool,
    operations: str,
    heal: bool | None,
    jobs: int,
    max_delete_share: float,
    rewrite_limit: int,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Bring PostgreSQL up to date with MongoDB.

    Copies every collection of a database, or those selected, each into a table of its name. Run
    it again at any time: rows that did not change are not written, views and grants on the tables
    stay, and readers see the old state or the new one, never half. After a crash the same command
    resumes.

    \b
    Examples:
      landbridge sync --from mongodb://localhost/shop --to postgresql://localhost/bi
      landbridge sync --select 'order*' --exclude orders_old --index auto --dry-run
      landbridge sync --from mongodb://localhost/shop --to postgresql://localhost/bi \\
          --schema raw --load upsert --json > report.json
    """
    from_end, to_end = find_source(source), find_target(target)
    if follow:
        method = "log"
    if load is not None:
        chosen["load"] = load
    settings = Settings(
        method=method,
        operations=operations_of(operations),
        heal=follow if heal is None else heal,
        max_delete_share_percent=max_delete_share,
        rewrite_limit_bytes=rewrite_limit,
        **chosen,
    )
    selected = (*select, *split_names(collections))

    from landbridge import bridge
    from landbridge.cli.progress import shown_progress
    from landbridge.cli.report import show_plan, show_summary, summary_document

    if dry_run:
        plan = bridge.plan_sync(
            from_end.uri,
            to_end.uri,
            schema=schema,
            select=selected,
            exclude=exclude,
            settings=settings,
        )
        if as_json:
            click.echo(json.dumps(plan.to_json()))
        else:
            show_plan(plan)
        return 0

    with shown_progress() as observer, ended_by_signals(follow) as ending:
        summary = bridge.sync(
            from_end.uri,
            to_end.uri,
            schema=schema,
            select=selected,
            exclude=exclude,
            settings=settings,
            jobs=jobs,
            observer=observer,
            follow=follow,
            ending=ending,
        )
    if as_json:
        click.echo(json.dumps(summary_document(summary)))
    else:
        show_summary(summary, target_hint=to_end.hint)
    return 0 if summary.status == "ok" else 1


@contextmanager
def ended_by_signals(follow: bool) -> Iterator[Event]:
    """Let the first SIGTERM or SIGINT end a run that follows, after what is under way."""
    ending = Event()
    if not follow:
        yield ending
        return
    known = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()
        signal.signal(number, known[signal.Signals(number)])  # a second one does not wait

    for number in known:
        signal.signal(number, end)
    try:
        yield ending
    finally:
        for number, before in known.items():
            signal.signal(number, before)


def split_names(text: str | None) -> list[str]:
    """Return the names of a list with commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def operations_of(text: str) -> tuple[str, ...]:
    """Return the kinds of changes in a list with commas; what only DDL does is passed over."""
    names = split_names(text)
    unknown = [name for name in names if name not in (*choices.OPERATIONS, *DDL_OPERATIONS)]
    if unknown:
        raise UsageError(
            f"--operations does not know {', '.join(unknown)}",
            why=f"changes are {', '.join(choices.OPERATIONS)}",
            fix="correct the list; drops and renames are --on-ddl's",
        )
    return tuple(name for name in names if name in choices.OPERATIONS)
