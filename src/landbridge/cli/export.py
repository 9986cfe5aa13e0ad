"""`landbridge export`: collections as files of JSON lines, in a folder or on S3.

For       Turning flags into one call of the bridge, and its answer into a report.
Touches   Nothing but what the bridge does.
Promises  Exit 0 when every document is in the archive; 1 when a collection failed or a document
          had to be left out; 2 when the command could not be understood.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from landbridge.cli.command import Command, common_options, option, selection_options
from landbridge.cli.ends import SOURCE_VARIABLE, find_source
from landbridge.cli.sync import split_names

if TYPE_CHECKING:
    from landbridge.model.archive import Compression

ENDS, WHAT, HOW, OUTPUT = "Where from, where to", "What", "How it is written", "Output"


@click.command(cls=Command)
@option(
    "--from",
    "source",
    metavar="URI",
    group=ENDS,
    help=f"The MongoDB, with its database. Or set {SOURCE_VARIABLE}, in the environment or "
    "in a file .env.",
)
@option(
    "--out",
    metavar="DIR|s3://…",
    group=ENDS,
    help="A folder, or s3://BUCKET/PREFIX with the usual AWS variables. One that holds an "
    "unfinished export is gone on with.  [default: output/TIME]",
)
@selection_options(WHAT)
@option(
    "--query",
    metavar="JSON",
    group=WHAT,
    help="Only documents that this filter finds, in extended JSON; for every collection.",
)
@option(
    "--compress",
    type=click.Choice(["none", "zstd", "gzip"]),
    default="none",
    show_default=True,
    group=HOW,
    help="Compress each file: .jsonl, .jsonl.zst or .jsonl.gz.",
)
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    group=HOW,
    help="Documents of one reply of the server.  [default: as many as make 3.5 MB]",
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
    "--dry-run",
    is_flag=True,
    group=OUTPUT,
    help="Connect, count, and show the files; write nothing.",
)
@common_options
def export(
    *,
    source: str | None,
    out: str | None,
    select: tuple[str, ...],
    collections: str | None,
    exclude: tuple[str, ...],
    query: str | None,
    compress: Compression,
    batch_size: int | None,
    jobs: int,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Write collections as JSON lines.

    Each collection becomes a file with one document a line, in canonical extended JSON, as
    mongoimport reads it. A manifest is written last, with counts and checksums. On a replica set
    all collections are as of one time. After a crash the same command with the same --out goes
    on.

    \b
    Examples:
      landbridge export --from mongodb://localhost/shop --out archive/shop
      landbridge export --collections users,orders --compress zstd --out s3://backups/shop
      landbridge export --select 'order*' --query '{"status": "open"}' --dry-run
    """
    from_end = find_source(source)

    from landbridge import bridge
    from landbridge.cli.export_report import show_export
    from landbridge.cli.progress import shown_progress

    with shown_progress() as observer:
        summary = bridge.export(
            from_end.uri,
            out,
            select=(*select, *split_names(collections)),
            exclude=exclude,
            query=query,
            compress=compress,
            batch_size=batch_size,
            jobs=jobs,
            dry_run=dry_run,
            observer=observer,
        )
    if as_json:
        click.echo(json.dumps(summary.to_json()))
    else:
        show_export(summary)
    return 0 if summary.status == "ok" else 1
