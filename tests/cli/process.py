"""How the tests start the command line: as a person does, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping

Run = Callable[..., subprocess.CompletedProcess[str]]

ENTRY = "import sys; from landbridge.cli import main; sys.exit(main())"


def command_line(*arguments: str) -> list[str]:
    """Return the command that starts landbridge with this Python."""
    return [sys.executable, "-c", ENTRY, *arguments]


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without anything that names a database."""
    kept = {k: v for k, v in os.environ.items() if k not in ("MONGO_URI", "DATABASE_URL")}
    return kept | dict(extra or {})
