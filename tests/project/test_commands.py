"""The commands of the team's guide, one by one, with `landbridge` where `meltano` stood."""

from __future__ import annotations

import json
import shlex
from typing import Any

import psycopg
import pytest
from pymongo.database import Database
from tests.project.conftest import CARBON_LENS, Command, Written
from tests.project.test_run import QUERY

SELECTIONS = """\
meltano select tap-mongodb stationarycombustions "*"
meltano select tap-mongodb mobilecombustions "*"
meltano select tap-mongodb fugitiveemissions "*"
meltano select tap-mongodb "fire extinguishers" "*"
meltano select tap-mongodb purchasedelectricities "*"
meltano select tap-mongodb renewableelectricities "*"
meltano select tap-mongodb ferastationaries "*"
meltano select tap-mongodb feramobiles "*"
meltano select tap-mongodb feraelectricities "*"
meltano select tap-mongodb flighttravels "*"
meltano select tap-mongodb groundtravels "*"
meltano select tap-mongodb seatravels "*"
meltano select tap-mongodb accomodations "*"
meltano select tap-mongodb employeecommutings "*"
meltano select tap-mongodb wastegenerations "*"
meltano select tap-mongodb endoflifetreatments "*"
meltano select tap-mongodb upstreamtransportations "*"
meltano select tap-mongodb dtds "*"
meltano select tap-mongodb capitalgoods "*"
meltano select tap-mongodb rawmaterials "*"
meltano select tap-mongodb packagings "*"
meltano select tap-mongodb services "*"
meltano select tap-mongodb companies "*"
meltano select tap-mongodb sites "*"
meltano select tap-mongodb users "*"
"""
RUNNING = """\
meltano config tap-mongodb test
meltano config target-postgres test
meltano run tap-mongodb target-postgres
meltano run full-sync
meltano job list
"""


def typed(line: str) -> list[str]:
    return shlex.split(line)[1:]


def test_the_commands_of_the_guide_work_one_by_one(
    written: Written,
    landbridge: Command,
    carbon_lens: Database[dict[str, Any]],
    target: str,
    postgres: psycopg.Connection,
) -> None:
    path = written()
    done = landbridge(*typed("meltano select tap-mongodb --exclude '*'"))
    assert done.code == 0, done.err
    assert "      select: []\n" in path.read_text("utf-8")
    for number, line in enumerate(SELECTIONS.splitlines(), 1):
        before = path.read_text("utf-8").splitlines()
        done = landbridge(*typed(line))
        assert done.code == 0, f"{line}: {done.err}"
        after = path.read_text("utf-8").splitlines()
        assert len(after) == len(before) + 1, line
        # The first takes the place of `[]`; each other one is a new line and nothing else.
        assert (
            number == 1
            or [one for one in after if one not in before]
            == after[
                after.index("      select:") + number : after.index("      select:") + number + 1
            ]
        )
    done = landbridge(*typed("meltano select tap-mongodb --list --all"))
    assert "25 of 26 are selected" in done.out
    assert "[selected] fire extinguishers" in done.out
    assert "[excluded] emaillogs" in done.out
    rules = json.loads(landbridge("select", "tap-mongodb", "--list", "--json").out)["rules"]
    assert rules == [f"{typed(line)[2]}.*" for line in SELECTIONS.splitlines()]
    for line in RUNNING.splitlines():
        done = landbridge(*typed(line))
        assert done.code == 0, f"{line}: {done.out}{done.err}"
    assert postgres.execute(QUERY.encode()).fetchall()


def test_selecting_what_is_selected_leaves_the_file_alone(
    written: Written, landbridge: Command
) -> None:
    path = written()
    for line in SELECTIONS.splitlines():
        done = landbridge(*typed(line))
        assert (done.code, "already" in done.out) == (0, True)
    assert path.read_text("utf-8") == CARBON_LENS


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("emaillogs '*'", "        - emaillogs.*"),
        ("'*combustions' '*'", "        - '*combustions.*'"),
        ("emaillogs", "        - emaillogs.*"),
        ("--exclude users '*'", "        - '!users.*'"),
        ("--exclude 'e*' '*'", "        - '!e*.*'"),
        ("'[ab]*' '*'", "        - '[ab]*.*'"),
    ],
)
def test_a_pattern_is_one_line_that_can_be_taken_out_again(
    written: Written, landbridge: Command, words: str, line: str
) -> None:
    path = written()
    assert landbridge("select", "tap-mongodb", *shlex.split(words)).code == 0
    assert path.read_text("utf-8") == CARBON_LENS.replace(
        "        - users.*\n", f"        - users.*\n{line}\n"
    )
    assert landbridge("select", "tap-mongodb", "--rm", *shlex.split(words)).code == 0
    assert path.read_text("utf-8") == CARBON_LENS


def test_what_is_left_out_goes_before_what_is_taken_in(
    written: Written, landbridge: Command, carbon_lens: Database[dict[str, Any]]
) -> None:
    written()
    landbridge("select", "tap-mongodb", "--exclude", "users", "*")
    done = landbridge("select", "tap-mongodb", "users", "*")
    assert "!users.* goes before users.*" in done.out
    assert "[excluded] users" in landbridge("select", "tap-mongodb", "--list", "--all").out


def test_leaving_out_one_of_all_keeps_the_others(
    written: Written, landbridge: Command, carbon_lens: Database[dict[str, Any]]
) -> None:
    text = CARBON_LENS[: CARBON_LENS.index("      select:")]
    written(text + CARBON_LENS[CARBON_LENS.index("  loaders:") :])
    assert "26 of 26" in landbridge("select", "tap-mongodb", "--list").out
    landbridge("select", "tap-mongodb", "--exclude", "emaillogs", "*")
    assert "25 of 26" in landbridge("select", "tap-mongodb", "--list").out


def test_an_environment_has_patterns_of_its_own(
    written: Written, landbridge: Command, carbon_lens: Database[dict[str, Any]]
) -> None:
    written()
    landbridge("select", "tap-mongodb", "sites", "*", "--environment", "prod")
    done = landbridge("--environment", "prod", "select", "tap-mongodb", "--list")
    assert "1 of 26" in done.out
    assert "25 of 26" in landbridge("select", "tap-mongodb", "--list").out


def test_jobs_are_added_changed_and_removed(written: Written, landbridge: Command) -> None:
    path = written()
    tasks = "[tap-mongodb target-postgres, [tap-mongodb, target-postgres]]"
    assert landbridge("job", "add", "twice", "--tasks", tasks).code == 0
    report = json.loads(landbridge("job", "list", "twice", "--format", "json").out)
    assert report["jobs"] == [{"job_name": "twice", "tasks": ["tap-mongodb target-postgres"] * 2}]
    assert landbridge("job", "add", "twice", "--tasks", tasks).code == 2
    once = "tap-mongodb target-postgres"
    assert landbridge("job", "set", "twice", "--tasks", once).code == 0
    assert path.read_text("utf-8") == (
        CARBON_LENS + "  - name: twice\n    tasks:\n      - tap-mongodb target-postgres\n"
    )
    assert landbridge("job", "remove", "twice").code == 0
    assert path.read_text("utf-8") == CARBON_LENS
    assert landbridge("job", "remove", "twice").code == 2
    done = landbridge("job", "add", "other", "--tasks", "tap-mongodb target")
    assert (done.code, "there is no plugin target" in done.err) == (2, True)
    assert path.read_text("utf-8") == CARBON_LENS


def test_schedules_are_added_changed_and_removed(written: Written, landbridge: Command) -> None:
    path = written()
    done = landbridge("schedule", "add", "night", "--job", "full-sync", "--interval", "@daily")
    assert done.code == 0, done.err
    pair = ("--extractor", "tap-mongodb", "--loader", "target-postgres")
    assert landbridge("schedule", "set", "night", "--interval", "30 1 * * *", *pair).code == 0
    schedules = json.loads(landbridge("schedule", "list", "--json").out)["schedules"]
    assert [one["name"] for one in schedules] == ["carbon-lens-hourly-sync", "night"]
    assert schedules[1] == {
        "name": "night",
        "interval": "30 1 * * *",
        "job": None,
        "extractor": "tap-mongodb",
        "loader": "target-postgres",
    }
    assert landbridge("schedule", "remove", "night").code == 0
    assert path.read_text("utf-8") == CARBON_LENS


@pytest.mark.parametrize(
    "words",
    [
        "add night --job full-sync --interval @sometimes",
        "add night --job full-sync --interval '0 25 * * *'",
        "add night --job none --interval @daily",
        "add night --interval @daily",
        "add night --extractor tap-mongodb --interval @daily",
        "add carbon-lens-hourly-sync --job full-sync --interval @daily",
        "set night --interval @daily",
        "set carbon-lens-hourly-sync",
        "set carbon-lens-hourly-sync --interval '* * *'",
        "remove night",
    ],
)
def test_a_wrong_schedule_leaves_the_file_alone(
    written: Written, landbridge: Command, words: str
) -> None:
    path = written()
    assert landbridge("schedule", *shlex.split(words)).code == 2
    assert path.read_text("utf-8") == CARBON_LENS


def test_a_setting_is_one_line(written: Written, landbridge: Command) -> None:
    path = written()
    assert landbridge("config", "target-postgres", "set", "load_method", "upsert").code == 0
    assert path.read_text("utf-8") == CARBON_LENS.replace(
        "load_method: overwrite ", "load_method: upsert "
    )
    assert landbridge("config", "target-postgres", "set", "load_method", "overwrite").code == 0
    assert landbridge("config", "tap-mongodb", "set", "ssl", "true").code == 0
    assert "        ssl: true\n" in path.read_text("utf-8")
    assert landbridge("config", "tap-mongodb", "unset", "ssl").code == 0
    assert path.read_text("utf-8") == CARBON_LENS
    done = landbridge("config", "tap-mongodb", "unset", "ssl")
    assert (done.code, "nothing is changed" in done.out) == (0, True)


def test_lines_keep_their_ends(written: Written, landbridge: Command) -> None:
    path = written()
    path.write_bytes(CARBON_LENS.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    assert landbridge("select", "tap-mongodb", "emaillogs", "*").code == 0
    text = path.read_bytes()
    assert text.count(b"\r\n") == text.count(b"\n") == CARBON_LENS.count("\n") + 1
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in path.parent.iterdir()] == ["meltano.yml"]


def test_a_plugin_of_an_included_file_is_changed_there(
    written: Written, landbridge: Command
) -> None:
    first, second = CARBON_LENS.split("plugins:\n")
    included = written(f"# these are the plugins\nplugins:\n{second}", "parts/plugins.yml")
    main = written(f"include_paths: [parts/*.yml]\n{first}")
    assert landbridge("select", "tap-mongodb", "emaillogs", "*").code == 0
    assert "        - emaillogs.*\n" in included.read_text("utf-8")
    assert main.read_text("utf-8") == f"include_paths: [parts/*.yml]\n{first}"


def test_metadata_is_set_by_the_parts_of_its_path(written: Written, landbridge: Command) -> None:
    path = written()
    words = ("_metadata", "fire extinguishers", "replication-method", "FULL_TABLE")
    assert landbridge("config", "tap-mongodb", "set", *words).code == 0
    assert (
        "          replication-key: _id\n"
        "        fire extinguishers:\n"
        "          replication-method: FULL_TABLE\n"
    ) in path.read_text("utf-8")


def test_an_environment_gets_a_part_of_its_own(written: Written, landbridge: Command) -> None:
    path = written()
    done = landbridge("--environment=prod", "config", "tap-mongodb", "set", "database", "live")
    assert done.code == 0, done.err
    text = path.read_text("utf-8")
    made = """\
  - name: prod
    config:
      plugins:
        extractors:
          - name: tap-mongodb
            config:
              database: live
"""
    assert text == CARBON_LENS.replace("  - name: prod\n", made)
    shown = landbridge("config", "tap-mongodb", "list", "--environment", "prod", "--json").out
    assert json.loads(shown)["settings"]["database"]["value"] == "live"


def test_a_secret_goes_into_dotenv(written: Written, landbridge: Command) -> None:
    path = written()
    secret = 'it\'s $5 "#1"'
    done = landbridge("config", "target-postgres", "set", "password", secret)
    assert done.code == 0, done.err
    assert secret not in done.out + done.err
    assert path.read_text("utf-8") == CARBON_LENS
    dotenv = path.with_name(".env")
    assert dotenv.stat().st_mode & 0o777 == 0o600
    done = landbridge("run", "full-sync", "--explain")
    assert done.code == 0, done.err
    assert landbridge("config", "target-postgres", "unset", "password").code == 0
    assert "TARGET_POSTGRES_PASSWORD" not in dotenv.read_text("utf-8")


def test_what_goes_before_a_change_is_told(
    written: Written, landbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    written()
    monkeypatch.setenv("TAP_MONGODB_DATABASE", "other")
    done = landbridge("config", "tap-mongodb", "set", "database", "mine")
    assert "database = other  (variable TAP_MONGODB_DATABASE)" in done.out


def test_a_new_project_is_one_that_reads(
    landbridge: Command, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TARGET_POSTGRES_PASSWORD", "x")
    assert landbridge("init", "bi project").code == 0
    monkeypatch.chdir(tmp_path / "bi project")
    report = json.loads(landbridge("config", "check", "--json").out)
    assert (report["project"], report["notes"]) == ("bi-project", [])
    assert landbridge("run", "sync", "--explain").code == 0
    assert landbridge("init").code == 2
