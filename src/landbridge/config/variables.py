"""Variables: the environment, `.env`, and what `env:` in a project file adds to them.

For       Settings that variables give, and values that name variables.
Touches   The process's environment; a file `.env` beside the project file.
Promises  What is nearer to a plugin goes first: its own `env`, then the environment's, then the
          project's, then the process's, then `.env`. Each value knows where it comes from.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landbridge.errors import UsageError

_REFERENCE = re.compile(r"\$\{(\w+)\}|\$([A-Za-z_]\w*)")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class Variable:
    """A value and where it comes from."""

    value: str
    origin: str


Variables = Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class Expanded:
    """A value whose references are replaced."""

    value: Any
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def outside(folder: Path) -> dict[str, Variable]:
    """Return the variables of the process, and of `.env` where the process has none.

    Raises:
        UsageError: `.env` can't be read.

    """
    found: dict[str, Variable] = {}
    path = folder / ".env"
    if path.is_file():
        from dotenv import dotenv_values  # only where there is such a file: it takes its time

        try:
            values = dotenv_values(path)
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"cannot read {path}", why=str(error), fix="mend or remove it"
            ) from error
        found = {
            name: Variable(value, f"{name} in .env") for name, value in values.items() if value
        }
    return found | {name: Variable(value, f"variable {name}") for name, value in os.environ.items()}


def extended(variables: Variables, given: Mapping[str, Variable]) -> dict[str, Variable]:
    """Return `variables` with those of an `env:` laid over them; these may name the others."""
    extended = dict(variables)
    for name, variable in given.items():
        # `PATH: more:$PATH` names the variable that it replaces.
        value = expand(variable.value, extended).value
        extended[name] = Variable(str(value), variable.origin)
    return extended


def expand(value: Any, variables: Variables) -> Expanded:
    """Replace `${NAME}` and `$NAME` in text, and in the texts of lists and mappings."""
    used: list[str] = []
    missing: list[str] = []

    def of(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: of(part) for name, part in value.items()}
        if isinstance(value, list):
            return [of(part) for part in value]
        return _REFERENCE.sub(known, value) if isinstance(value, str) else value

    def known(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in variables:
            used.append(name)
            return variables[name].value
        missing.append(name)
        return match[0]

    return Expanded(of(value), tuple(dict.fromkeys(used)), tuple(dict.fromkeys(missing)))


def variable_name(prefix: str, setting: str) -> str:
    """Return the variable that gives a setting: `TARGET_POSTGRES_PASSWORD`."""
    return f"{_NOT_IN_NAMES.sub('_', prefix)}_{_NOT_IN_NAMES.sub('_', setting)}".upper()
