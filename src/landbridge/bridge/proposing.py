"""A mapping proposed from two ends: what the documents hold, and what the tables demand.

For       `landbridge mapping propose`, and notebooks.
Touches   Both ends, by reading only.
Promises  Nothing is written. At most `documents` documents of a collection are looked at, and the
          file says where they were not all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.bridge import surveying
from landbridge.bridge.run import silent
from landbridge.config import selection
from landbridge.errors import MatchlessError, SchemaFileError, TargetMissingError
from landbridge.mapping.known_ids import shares
from landbridge.mapping.prisma import read_prisma
from landbridge.mapping.profile import CollectionProfile
from landbridge.mapping.propose import CollectionProposal, Proposal, propose
from landbridge.mapping.writing import write_mapping
from landbridge.model.relational import RelationalSchema
from landbridge.model.summary import Observer
from landbridge.postgres import faults
from landbridge.postgres.connect import open_connection
from landbridge.postgres.relational import read_schema
from landbridge.postgres.uris import schema_of

DOCUMENTS = 100_000  # of a collection that are looked at, unless told otherwise
SCHEMA = "public"
PRISMA_EXTENSION = ".prisma"
SCHEMA_FILE_BYTES_MAX = 10_000_000
NAMES_SHOWN_MAX = 10

HEAD = (
    "A mapping to read and edit, then: landbridge import --mapping FILE",
    "`confidence` is how sure the proposal is; nothing goes by it.",
)


@dataclass(frozen=True, slots=True)
class ProposedMapping:
    """A mapping file, and what to look at in it."""

    text: str
    schema: str
    collections: tuple[CollectionProposal, ...]
    tables_left: tuple[str, ...]
    problems: tuple[str, ...]  # for which an import would refuse it as it is
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON report of `mapping propose`."""
        return {
            "status": "ok",
            "schema": self.schema,
            "mapping": self.text,
            "collections": [one.to_json() for one in self.collections],
            "tables_left": list(self.tables_left),
            "problems": list(self.problems),
            "seconds": round(self.seconds, 3),
            "error": None,
        }


@dataclass(frozen=True, slots=True)
class _Target:
    schema: RelationalSchema
    generators: Mapping[tuple[str, str], str]


def propose_mapping(
    source: str,
    target: str | Path,
    *,
    schema: str | None = None,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    documents: int = DOCUMENTS,
    observer: Observer | None = None,
) -> ProposedMapping:
    """Return a mapping of collections to the tables that exist.

    Args:
        source: URI of a MongoDB with its database, or the place of an archive.
        target: URI of a PostgreSQL, or the path of a Prisma schema file.
        schema: that holds the tables; else the one that the URI names by `?schema=`, or `public`.
        select: names or patterns of collections; all where it is empty.
        exclude: names or patterns of collections to leave out.
        documents: how many of a collection are looked at; larger ones are sampled.
        observer: called with every step of progress.

    Raises:
        LandbridgeError: an end that can't be read, or one that has nothing for the other.

    """
    began = time.monotonic()
    named = schema_of(target) if isinstance(target, str) else None
    wanted = _target(target, schema or named or SCHEMA)
    profiles, references = _look(source, select, exclude, documents, observer or silent)
    proposal = propose(wanted.schema, profiles, references, wanted.generators)
    _check(proposal, wanted.schema)
    return ProposedMapping(
        text=write_mapping(proposal.mapping, proposal.comments, HEAD),
        schema=wanted.schema.name,
        collections=proposal.collections,
        tables_left=proposal.tables_left,
        problems=proposal.problems,
        seconds=time.monotonic() - began,
    )


def _target(target: str | Path, schema: str) -> _Target:
    if isinstance(target, Path):
        read = read_prisma(_files(target), schema)
        if not read.schema.tables:
            raise TargetMissingError(
                f"{target} has no table in schema {schema}",
                why="its models are in other schemas",
                fix="name one of those by --schema",
            )
        return _Target(read.schema, read.generators)
    with (
        closing(open_connection(target, "landbridge mapping")) as connection,
        faults.translated("the tables of the target could not be read"),
    ):
        found = read_schema(connection, schema)
        if found is None or not found.tables:
            what = "does not exist" if found is None else "has no tables"
            raise TargetMissingError(
                f"schema {schema} {what}",
                why="a mapping is proposed for tables that exist",
                fix="name the schema that holds the tables by --schema, or a schema.prisma by --to",
            )
    return _Target(found, {})


def _files(target: Path) -> dict[str, str]:
    """Return the text of a schema file, or of all that lie in a folder and below it."""
    paths = sorted(target.rglob("*" + PRISMA_EXTENSION)) if target.is_dir() else [target]
    if not paths:
        raise SchemaFileError(
            f"cannot read {target}",
            why=f"it is a folder without a {PRISMA_EXTENSION} file",
            fix="name a schema.prisma file or its folder, or a PostgreSQL by its URI",
        )
    return {str(path): _file_text(path) for path in paths}


def _file_text(path: Path) -> str:
    what = f"cannot read {path}"
    fix = "name a schema.prisma file, or a PostgreSQL by its URI"
    try:
        if path.stat().st_size > SCHEMA_FILE_BYTES_MAX:
            raise SchemaFileError(what, why="it is too large to be a schema", fix=fix)
        return path.read_text("utf-8")
    except OSError as error:
        raise SchemaFileError(what, why=error.strerror or str(error), fix=fix) from None
    except UnicodeDecodeError:
        raise SchemaFileError(what, why="it is not text in UTF-8", fix=fix) from None


def _look(
    source: str,
    select: Sequence[str],
    exclude: Sequence[str],
    documents: int,
    observer: Observer,
) -> tuple[list[CollectionProfile], dict[tuple[str, str], dict[str, float]]]:
    """Return what the chosen collections hold, and what their fields refer to."""
    with surveying.opened(source) as survey:
        chosen = selection.select(survey.collections(), select, exclude)
        profiles = [survey.look(one, documents, observer) for one in chosen]
        known = survey.known(chosen, profiles)
    references = {
        (profile.name, path): found
        for profile in profiles
        for path, candidates in profile.candidates()
        if (found := shares(candidates, known))
    }
    return profiles, references


def _check(proposal: Proposal, schema: RelationalSchema) -> None:
    """Refuse a proposal that maps nothing."""
    if proposal.mapping.collections:
        return
    tables = ", ".join(table.name.name for table in schema.tables[:NAMES_SHOWN_MAX])
    reasons = "; ".join(
        f"{one.collection}: {'; '.join(one.points)}"
        for one in proposal.collections[:NAMES_SHOWN_MAX]
    )
    raise MatchlessError(
        f"no collection has a table in schema {schema.name}",
        why=f"{reasons} (tables: {tables})",
        fix="name the schema that is meant by --schema, give its tables a primary key of one"
        " column, or write the mapping by hand",
    )
