"""`landbridge init`: a project to start from.

For       Who has no `meltano.yml` yet.
Touches   The folder that is named, or this one.
Promises  A file that is there is left as it is.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from landbridge.cli.command import Command, common_options
from landbridge.cli.text import printable
from landbridge.errors import UsageError


@click.command(cls=Command, short_help="Write a project to start from.")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@common_options
def init(*, folder: Path | None, as_json: bool) -> int:
    """Write a project to start from: meltano.yml, .env.example, .gitignore.

    FOLDER is made where it is not there; by default it is this one. Files that are there stay.

    \b
    Examples:
      landbridge init bi-project
      landbridge init && landbridge config check
    """
    from landbridge.config.starter import files_of

    folder = folder or Path()
    name = re.sub(r"[^\w-]+", "-", folder.resolve().name).strip("-") or "project"
    files = files_of(name)
    first = folder / next(iter(files))
    if first.exists():
        raise UsageError(
            f"{first} is there already",
            why="init writes a new project",
            fix="name another folder, or use what is there: landbridge config check",
        )
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            if not (folder / file).exists():
                (folder / file).write_text(text, encoding="utf-8")
                written.append(str(folder / file))
    except OSError as error:
        raise UsageError(f"cannot write {folder}", why=str(error), fix="see its rights") from error
    if as_json:
        click.echo(json.dumps({"status": "ok", "files": written, "error": None}))
        return 0
    for file in written:
        click.echo(printable(f"made {file}"))
    click.echo("next: set the two addresses in meltano.yml, then landbridge config check")
    return 0
