"""The command line, run in an empty folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.process import Run, clean_environment, command_line

SECONDS_MAX = 120


@pytest.fixture
def landbridge(tmp_path: Path) -> Run:
    """Return what runs the command line and gives its output and exit code."""

    def run(
        *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments),
            cwd=tmp_path,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )

    return run
