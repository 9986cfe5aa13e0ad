"""Who may do what at either end, and what became of the wish.

For       `landbridge setup`: the command line says it, the ends make it so.
Touches   Nothing.
Promises  No password in any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

StepState = Literal["there", "missing", "made"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAccess:
    """A database with its schemas, a role that loads them and a role that reads them."""

    database: str
    schemas: tuple[str, ...]  # in the order of the loader's search path
    loader: str
    reader: str
    owner: str | None = None  # of the database; None is the loader, where the database is new
    new_schemas: bool = False  # the reader also reads schemas that the loader makes later


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoAccess:
    """A database, a user who reads it, and where there is to be one, a user who follows it."""

    database: str
    reader: str
    follower: str | None = None

    @property
    def users(self) -> tuple[str, ...]:
        """The names of the users."""
        return (self.reader, self.follower) if self.follower else (self.reader,)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is to be so."""

    what: str
    state: StepState

    def to_json(self) -> dict[str, str]:
        """Return the step as the JSON report shows it."""
        return {"step": self.what, "state": self.state}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What was looked at or made."""

    script: str  # what a person may run instead
    steps: tuple[Step, ...] = ()  # empty where no server was asked
    notes: tuple[str, ...] = ()
    applied: bool = False
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the report of `--json`."""
        return {
            "status": "ok",
            "applied": self.applied,
            "steps": [step.to_json() for step in self.steps],
            "script": self.script,
            "notes": list(self.notes),
            "seconds": round(self.seconds, 3),
            "error": None,
        }
