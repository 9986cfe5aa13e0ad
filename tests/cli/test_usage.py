"""Mistakes of a user: told in three lines, with exit code 2 or 1, and never a password."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.process import Run

FROM = ("--from", "mongodb://127.0.0.1:1/shop")
TO = ("--to", "postgresql://127.0.0.1:1/bi")

WRONG = {
    "no command of that name": ("sink",),
    "no source": ("sync", *TO),
    "no target": ("sync", *FROM),
    "no option of that name": ("sync", "--fast"),
    "an option without its value": ("sync", "--from"),
    "not one of the words": ("sync", "--types", "exact"),
    "jobs too few": ("sync", "--jobs", "0"),
    "not a size": ("sync", "--rewrite-limit", "1XB"),
    "a share over all": ("sync", "--max-delete-share", "101"),
    "a source of another kind": ("sync", "--from", "mysql://h/d", *TO),
    "a source without scheme": ("sync", "--from", "u:secret@h", *TO),
    "a target of another kind": ("sync", *FROM, "--to", "bi"),
    "entry not a number": ("quarantine", "show", "first", *TO),
    "entry missing": ("quarantine", "show", *TO),
}
UNSUPPORTED = {
    "from PostgreSQL": ("sync", "--from", "postgresql://u:secret@h/d", *TO),
    "to MongoDB": ("sync", *FROM, "--to", "mongodb://u:secret@h/d"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_use_is_told_in_three_lines(landbridge: Run, arguments: tuple[str, ...]) -> None:
    done = landbridge(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    what, why, fix = done.stderr.splitlines()
    assert what.startswith("error: ") and why.startswith("  why: ") and fix.startswith("  fix: ")
    assert "secret" not in done.stderr


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_wrong_use_honours_json(landbridge: Run, arguments: tuple[str, ...]) -> None:
    done = landbridge(*arguments, "--json")
    if "--from" in arguments[-1:]:
        return  # Then --json is the value of --from.

    report = json.loads(done.stdout)
    assert (done.returncode, report["status"], report["error"]["code"]) == (2, "failed", "usage")
    assert report["error"]["message"] and report["error"]["fix"]
    assert report["streams"] == []
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_this_version_does_not_do_is_said(landbridge: Run, arguments: tuple[str, ...]) -> None:
    done = landbridge(*arguments, "--json")

    report = json.loads(done.stdout)
    assert (done.returncode, report["error"]["code"]) == (1, "unsupported")
    assert "secret" not in done.stdout + done.stderr


def test_variables_and_a_file_stand_in_for_the_uris(landbridge: Run, tmp_path: Path) -> None:
    """Each place is told by the complaint that the URI found there causes."""
    uris = {"MONGO_URI": "mongodb://127.0.0.1/shop", "DATABASE_URL": "mongodb://in-environment"}
    (tmp_path / ".env").write_text("MONGO_URI=postgresql://in-file/d\nDATABASE_URL=x://y\n")

    assert "cannot read from PostgreSQL" in landbridge("sync").stderr
    assert "cannot write to MongoDB" in landbridge("sync", env=uris).stderr
    assert "begins with z://" in landbridge("sync", "--to", "z://y", env=uris).stderr


def test_a_size_is_read_as_postgresql_writes_it() -> None:
    from landbridge.cli.command import byte_size

    assert [byte_size(text) for text in ("1GB", "500mb", "64 kB", "7", "7B", "2TB")] == [
        1 << 30,
        500 << 20,
        64 << 10,
        7,
        7,
        2 << 40,
    ]


def test_an_unexpected_error_is_called_a_bug_and_hides_passwords(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import click

    from landbridge.cli.failure import guarded

    @click.command()
    @click.option("--debug", is_flag=True)
    @click.option("--json", is_flag=True)
    def broken(**_: object) -> None:
        raise RuntimeError("lost postgresql://ana:secret@db/bi")

    assert guarded(broken, ["--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "internal"
    assert "Traceback" not in told.err

    assert guarded(broken, ["--debug"]) == 1
    debugged = capsys.readouterr()
    assert "Traceback" in debugged.err
    assert "secret" not in told.out + told.err + debugged.out + debugged.err


def test_an_interruption_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import click

    from landbridge.cli.failure import guarded

    @click.command()
    def interrupted() -> None:
        raise KeyboardInterrupt

    assert guarded(interrupted, []) == 130
    assert capsys.readouterr().err.strip() == "interrupted; run the same command again: it resumes"
