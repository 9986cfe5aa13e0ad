"""What a pair of plugins of a project comes to, and which line says so.

For       `landbridge run --explain`.
Touches   Standard output.
Promises  No server is asked. Addresses are shown without their passwords.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import click

from landbridge.cli.text import printable
from landbridge.config import native, rules
from landbridge.errors import redact
from landbridge.model.project import Plugin


@dataclass(frozen=True, slots=True)
class Line:
    """How the collections of a pattern are loaded."""

    pattern: str
    method: str
    load: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explained:
    """A pair as it would run."""

    extractor: str
    loader: str
    way: str
    source: str
    target: str
    schema: str
    select: tuple[str, ...]
    loading: tuple[Line, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object of the JSON report."""
        return asdict(self)

    def show(self) -> None:
        """Print it for a person."""
        lines = [
            f"{self.extractor} → {self.loader}: {self.way}",
            f"  from    {self.source}",
            f"  to      {self.target}, schema {self.schema}",
            f"  select  {', '.join(self.select)}",
        ]
        for one in self.loading:
            lines.append(f"  load    {one.pattern}: method {one.method}, load {one.load}")
            lines.append(f"          by {one.reason}")
        lines += [f"  note    {note}" for note in self.notes]
        click.echo(printable("\n".join(lines)))


def explained(extractor: Plugin, loader: Plugin) -> Explained:
    """Return what a pair comes to.

    Raises:
        UsageError, UnsupportedError: its settings can't be read, or ask for what does not run.

    """
    selection = rules.selection_of(extractor)
    patterns = dict.fromkeys(one.pattern for one in extractor.metadata)
    asked = ["*", *(one for one in patterns if one != "*")]
    loadings = {pattern: native.loading_of(extractor, loader, (pattern,)) for pattern in asked}
    notes = [
        *native.without_effect(extractor),
        *native.without_effect(loader),
        *selection.notes,
        *(one.note for one in loadings.values() if one.note),
    ]
    return Explained(
        extractor=extractor.name,
        loader=loader.name,
        way="landbridge's own, no plugin is installed or started",
        source=redact(native.source_uri(extractor)),
        target=redact(native.target_uri(loader)),
        schema=native.target_schema(extractor, loader),
        select=tuple(one.text for one in selection.rules),
        loading=tuple(
            Line(pattern, one.settings.method, one.settings.load, one.reason)
            for pattern, one in loadings.items()
        ),
        notes=tuple(dict.fromkeys(redact(note) for note in notes)),
    )
