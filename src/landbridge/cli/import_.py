"""`landbridge import`: an archive, or a MongoDB, into tables.

For       Turning flags into one call of the bridge, and its answer into a report.
Touches   The mapping file, by reading; nothing else but what the bridge does.
Promises  Exit 0 when every collection was imported, with or without quarantined documents; 1 when
          one was not; 2 when the command could not be understood.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from landbridge.cli.command import Command, choice, common_options, option, selection_options
from landbridge.cli.ends import (
    SOURCE_VARIABLE,
    TARGET_VARIABLE,
    End,
    find_source,
    find_target,
    is_named,
)
from landbridge.cli.shaping import CARE, DEFAULTS, SHAPE, care_options, shape_options
from landbridge.cli.sync import split_names
from landbridge.errors import UsageError
from landbridge.mapping import rules
from landbridge.model import settings as choices
from landbridge.model.importing import OnError, Undone
from landbridge.model.settings import Settings
from landbridge.model.summary import Progress

if TYPE_CHECKING:
    from landbridge.model.report import SyncPlan
    from landbridge.model.summary import Summary

ENDS, WHAT, HOW, OUTPUT = "Where from, where to", "What", "How it is loaded", "Output"
MAPPED = "Into tables that exist already (--mapping)"
BATCH_SIZE = 500


@click.command("import", cls=Command)
@option(
    "--input",
    "place",
    metavar="DIR|s3://…",
    group=ENDS,
    help="The archive: a folder of landbridge export or of mongoexport, one document a line.",
)
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"Or straight from a MongoDB, with its database. Or set {SOURCE_VARIABLE}.",
)
@option(
    "--to", "target", metavar="URI", group=ENDS, help=f"The PostgreSQL. Or set {TARGET_VARIABLE}."
)
@option(
    "--schema",
    metavar="S",
    group=ENDS,
    help="Schema of the tables.  [default: the name of the database that was exported, by --names]",
)
@selection_options(WHAT)
@option(
    "--load",
    type=choice(choices.Load),
    default=DEFAULTS.load,
    show_default=True,
    group=HOW,
    help="overwrite: the table becomes exactly what the archive holds. upsert: rows are inserted "
    "and updated, none is deleted. append: every version of a document is kept.",
)
@option(
    "--on-error",
    type=choice(OnError),
    default="continue",
    show_default=True,
    group=HOW,
    help="A line that is no document: read everything first and stop at the first one, with "
    "nothing written, or set it aside in quarantine and go on. With --mapping also a document "
    "that does not fit.",
)
@option(
    "--full-refresh", is_flag=True, group=HOW, help="Forget what was loaded, and load all again."
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
@option(
    "--mapping",
    metavar="FILE",
    group=MAPPED,
    help="Fill tables that exist already, as this file says; landbridge mapping propose writes it.",
)
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=BATCH_SIZE,
    show_default=True,
    metavar="N",
    group=MAPPED,
    help="Documents of one transaction.",
)
@option(
    "--dangling",
    type=choice(rules.Dangling),
    default="quarantine",
    show_default=True,
    group=MAPPED,
    help="A reference to a document that is not there: leave it NULL, or set its document aside.",
)
@option(
    "--undo",
    metavar="RUN",
    group=MAPPED,
    help="Take back what an import by a mapping wrote; RUN is the id that its report ends with.",
)
@shape_options
@care_options
@option(
    "--dry-run",
    is_flag=True,
    group=OUTPUT,
    help="Read and check everything, show what would be made, write nothing.",
)
@common_options
def import_(
    *,
    place: str | None,
    source: str | None,
    target: str | None,
    schema: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    on_error: OnError,
    jobs: int,
    mapping: str | None,
    batch_size: int,
    dangling: rules.Dangling,
    undo: str | None,
    max_delete_share: float,
    rewrite_limit: int,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> int:
    """Load an archive of documents into tables.

    Reads what landbridge export wrote, or a folder of mongoexport's files (.jsonl or .json, also
    .gz or .zst), and makes a table for each collection, as sync would. Checksums and counts are
    confirmed before a table changes. Run it again at any time: rows that did not change are not
    written. With --mapping the documents fill tables that exist already.

    \b
    Examples:
      landbridge import --input output/2026-01-15T09-00-00Z --to postgresql://localhost/bi
      landbridge import --input s3://archive/shop --collections users,orders --dry-run
      landbridge import --input output/2026-01-15T09-00-00Z --mapping mapping.yml --batch-size 500
      landbridge import --undo 5f0c7a0e-2b1d-4a59-8f5e-0d8d7f8f3c11
    """
    if undo is not None:
        _check_alone(place, source, mapping)
        return _undo(find_target(target), undo, as_json)
    _check_ends(place, source, schema, mapping)
    _check_way(mapping)
    to_end = find_target(target)
    from_uri = find_source(source).uri if place is None else None
    settings = Settings(
        max_delete_share_percent=max_delete_share, rewrite_limit_bytes=rewrite_limit, **chosen
    )
    picked: dict[str, Any] = {
        "select": (*select, *split_names(collections)),
        "exclude": exclude,
    }

    from landbridge import bridge
    from landbridge.cli.import_report import show_import
    from landbridge.cli.progress import shown_progress
    from landbridge.cli.report import show_plan, show_summary, summary_document

    plan: SyncPlan | None = None
    summary: Summary | None = None
    with shown_progress() as observer:
        if mapping is not None:
            summary = bridge.import_mapped(
                to_end.uri,
                _read_text(mapping),
                mapping_name=mapping,
                input=place,
                source=from_uri,
                batch_size=batch_size,
                dry_run=dry_run,
                on_error=on_error,
                dangling=dangling,
                observer=observer,
                **picked,
            )
        else:
            picked |= {"schema": schema, "settings": settings}
            if place is not None and dry_run:
                plan = bridge.plan_import(
                    place, to_end.uri, on_error=on_error, observer=observer, **picked
                )
            elif place is not None:
                summary = bridge.import_files(
                    place, to_end.uri, on_error=on_error, jobs=jobs, observer=observer, **picked
                )
            elif from_uri is not None and dry_run:
                plan = bridge.plan_sync(from_uri, to_end.uri, **picked)
            elif from_uri is not None:
                summary = bridge.sync(from_uri, to_end.uri, jobs=jobs, observer=observer, **picked)
    if plan is not None:
        if as_json:
            click.echo(json.dumps(plan.to_json()))
        else:
            show_plan(plan)
        return 0
    assert summary is not None
    if as_json:
        click.echo(json.dumps(summary_document(summary)))
    else:
        if mapping is not None:
            show_import(summary, target_hint=to_end.hint)
        else:
            show_summary(summary, target_hint=to_end.hint)
    return 0 if summary.status == "ok" else 1


def _undo(target: End, run: str, as_json: bool) -> int:
    from landbridge import bridge
    from landbridge.cli.import_report import show_undo
    from landbridge.cli.progress import shown_progress

    with shown_progress() as observer:

        def observe(step: Undone) -> None:
            observer(Progress(f"undo of {step.run}", "reading", step.rows, step.total))

        summary = bridge.undo_import(target.uri, run, observer=observe)
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    else:
        show_undo(summary)
    return 0 if summary.status == "ok" else 1


def _check_alone(place: str | None, source: str | None, mapping: str | None) -> None:
    if place is not None or source is not None or mapping is not None:
        raise UsageError(
            "--undo stands alone",
            why="it takes back an earlier import, and reads no documents",
            fix="leave --input, --from and --mapping out",
        )


def _check_ends(
    place: str | None, source: str | None, schema: str | None, mapping: str | None
) -> None:
    if place is not None and source is not None:
        raise UsageError(
            "--input and --from exclude each other",
            why="documents come from an archive or from a MongoDB",
            fix="leave one of them out",
        )
    if place is None and not is_named(source, SOURCE_VARIABLE):
        raise UsageError(
            "--input is missing",
            why="nothing says where the documents are",
            fix="name the folder that landbridge export wrote: --input output/2026-01-15T09-00-00Z",
        )
    if mapping is not None and schema is not None:
        raise UsageError(
            "--schema and --mapping exclude each other",
            why="the mapping names the schema of its tables",
            fix="leave --schema out, or change the schema in the mapping",
        )


def _check_way(mapping: str | None) -> None:
    """Refuse what would be passed over: flags of the other way to load."""
    context = click.get_current_context()
    for option_ in context.command.params:
        if context.get_parameter_source(option_.name or "") is not ParameterSource.COMMANDLINE:
            continue
        flag, group = option_.opts[0], getattr(option_, "group", "")
        if mapping is None and group == MAPPED:
            raise UsageError(
                f"{flag} cannot be used without --mapping",
                why="it is about tables that exist already, which a mapping names",
                fix=f"name the mapping by --mapping, or leave {flag} out",
            )
        if mapping is not None and (group in (SHAPE, CARE) or flag in ("--load", "--full-refresh")):
            raise UsageError(
                f"{flag} cannot be used with --mapping",
                why="it is about tables that landbridge makes",
                fix=f"leave {flag} out: the mapping says what becomes of a document",
            )


def _read_text(path: str) -> str:
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {path}", why=why, fix="check the path") from error
