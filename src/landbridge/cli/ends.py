"""The two ends of a command: where each URI comes from, and how a hint repeats it.

For       Every command that takes `--from` or `--to`.
Touches   The environment, and a file `.env` in the working directory.
Promises  A flag goes before the environment, the environment before `.env`. A URI is shown
          without its password.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from landbridge.errors import UnsupportedError, UsageError, redact

SOURCE_VARIABLE = "MONGO_URI"
TARGET_VARIABLE = "DATABASE_URL"

_MONGODB = ("mongodb://", "mongodb+srv://")
_POSTGRESQL = ("postgresql://", "postgres://")
_FORWARD_ONLY = "this version copies from MongoDB to PostgreSQL, and not the other way"
_EXAMPLE = "--from mongodb://HOST/DATABASE --to postgresql://HOST/DATABASE"


@dataclass(frozen=True, slots=True)
class End:
    """A URI, and the flag that named it (empty where a variable did)."""

    uri: str
    flag: str

    @property
    def hint(self) -> str:
        """What to write in a command to name this end again, its password hidden."""
        return f" {self.flag} {shlex.quote(redact(self.uri))}" if self.flag else ""


def is_named(flag_value: str | None, variable: str) -> bool:
    """Return whether a flag, the environment or `.env` names this end."""
    return bool(flag_value or value_of(variable))


def value_of(variable: str) -> str | None:
    """Return what the environment, or else `.env`, has for a variable; None where it is empty."""
    return os.environ.get(variable) or _from_file(variable) or None


def find_source(flag_value: str | None) -> End:
    """Return the MongoDB end."""
    end = _find("--from", flag_value, SOURCE_VARIABLE, "mongodb://HOST/DATABASE")
    if end.uri.startswith(_POSTGRESQL):
        raise UnsupportedError(
            "cannot read from PostgreSQL", why=_FORWARD_ONLY, fix=f"write {_EXAMPLE}"
        )
    if not end.uri.startswith(_MONGODB):
        raise UsageError(
            f"{end.flag or SOURCE_VARIABLE} is not the URI of a MongoDB",
            why=f"{_opening(end.uri)}; it should begin with {' or '.join(_MONGODB)}",
            fix=f"write {_EXAMPLE}",
        )
    return end


def find_target(flag_value: str | None) -> End:
    """Return the PostgreSQL end."""
    end = _find("--to", flag_value, TARGET_VARIABLE, "postgresql://HOST/DATABASE")
    if end.uri.startswith(_MONGODB):
        raise UnsupportedError(
            "cannot write to MongoDB", why=_FORWARD_ONLY, fix=f"write {_EXAMPLE}"
        )
    if not end.uri.startswith(_POSTGRESQL):
        raise UsageError(
            f"{end.flag or TARGET_VARIABLE} is not the URI of a PostgreSQL",
            why=f"{_opening(end.uri)}; it should begin with {' or '.join(_POSTGRESQL)}",
            fix=f"write {_EXAMPLE}",
        )
    return end


def _opening(uri: str) -> str:
    """Say how a URI begins; what follows may be a password that nothing marks as one."""
    scheme, colon, _ = uri.partition("://")
    return f"it begins with {scheme}://" if colon else "it has no scheme"


def _find(flag: str, flag_value: str | None, variable: str, example: str) -> End:
    if flag_value:
        return End(flag_value, flag)
    value = value_of(variable)
    if value:
        return End(value, "")
    raise UsageError(
        f"{flag} is missing",
        why=f"neither {flag} nor {variable} (in the environment or in .env) is set",
        fix=f"add {flag} {example}, or set {variable}",
    )


def _from_file(variable: str) -> str | None:
    path = Path(".env")
    if not path.is_file():
        return None
    from dotenv import dotenv_values  # Only where there is such a file: it takes its time.

    try:
        return dotenv_values(path).get(variable)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("cannot read .env", why=str(error), fix="mend or remove it") from error
