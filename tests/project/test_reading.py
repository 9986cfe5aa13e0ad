"""`meltano.yml` as a project: what it says, what goes before what, what is told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.project.conftest import CARBON_LENS, Read, Written

from landbridge.config.project import find_file, read_project
from landbridge.errors import ProjectError, UsageError
from landbridge.model.project import Place

TWO = """\
version: 1
plugins:
  extractors:
    - name: tap-mongodb
      config: {database: shop, host: one}
      select: [orders.*]
      metadata:
        '*': {replication-method: FULL_TABLE}
    - name: tap-mongodb-eu
      inherit_from: tap-mongodb
      config:
        host: two
      metadata:
        orders: {replication-method: LOG_BASED}
  loaders:
    - name: target-postgres
"""


def test_the_file_of_the_team_is_read_whole(read: Read) -> None:
    project = read()
    assert (project.name, project.environment) == ("carbon-lens-bi", "dev")
    tap, target = project.plugins
    assert len(tap.select or ()) == 25
    assert [one.text for one in tap.select or ()][3] == "fire extinguishers.*"
    assert [(one.name, one.value) for one in tap.metadata] == [
        ("replication-method", "INCREMENTAL"),
        ("replication-key", "_id"),
    ]
    assert target.config["port"].value == 5432
    assert target.config["load_method"].origin == "meltano.yml:73"
    assert project.jobs[0].tasks == (("tap-mongodb", "target-postgres"),)
    assert project.schedules[0].interval == "@hourly"
    assert project.remarks == ()


def test_a_project_is_found_from_a_folder_below(written: Written, tmp_path: Path) -> None:
    path = written()
    (tmp_path / "scripts").mkdir()
    assert find_file(tmp_path / "scripts") == path
    with pytest.raises(UsageError, match="this is no project"):
        find_file(Path("/"))


def test_what_is_nearer_goes_first(
    read: Read, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TWO.replace(
        "plugins:\n",
        """\
environments:
  - name: prod
    env: {ZONE: north}
    config:
      plugins:
        extractors:
          - name: tap-mongodb
            config: {database: shop_prod, host: "${ZONE}.example.com"}
plugins:
""",
        1,
    )
    dev = read(text).plugins[0].config
    assert (dev["database"].value, dev["database"].origin) == ("shop", "meltano.yml:13")
    prod = read(text, "prod").plugins[0].config
    assert prod["host"].value == "north.example.com"
    assert prod["host"].origin == "environment, meltano.yml:9, from meltano.yml:4"
    written("TAP_MONGODB_DATABASE=of_dotenv\nTAP_MONGODB_HOST=of_dotenv\n", ".env")
    monkeypatch.setenv("TAP_MONGODB_HOST", "of_process")
    both = read(text, "prod").plugins[0].config
    assert both["database"].origin == "TAP_MONGODB_DATABASE in .env"
    assert both["host"].value == "of_process"
    assert both["host"].origin == "variable TAP_MONGODB_HOST"


def test_a_plugin_inherits_what_it_does_not_say_itself(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAP_MONGODB_REPLICA_SET", "rs0")
    monkeypatch.setenv("TAP_MONGODB_HOST", "of_parent")
    plugin = read(TWO).plugin("tap-mongodb-eu")
    assert plugin is not None
    assert (plugin.base, plugin.inherited_from) == ("tap-mongodb", "tap-mongodb")
    assert plugin.config["host"].value == "two"
    assert plugin.config["database"].origin == "meltano.yml:5, inherited from tap-mongodb"
    assert plugin.config["replica_set"].value == "rs0"
    assert [one.text for one in plugin.select or ()] == ["orders.*"]
    assert [(one.pattern, one.value) for one in plugin.metadata] == [
        ("*", "FULL_TABLE"),
        ("orders", "LOG_BASED"),
    ]
    monkeypatch.setenv("TAP_MONGODB_EU_DATABASE", "own")
    plugin = read(TWO).plugin("tap-mongodb-eu")
    assert plugin is not None and plugin.config["database"].value == "own"


def test_extras_may_stand_in_the_config_and_in_variables(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TWO.replace(
        "{database: shop, host: one}", "{database: shop, host: one, _load_schema: raw}"
    )
    monkeypatch.setenv("TAP_MONGODB__SELECT", '["customers.*"]')
    plugin = read(text).plugins[0]
    assert plugin.load_schema == "raw"
    assert [(one.text, one.origin) for one in plugin.select or ()] == [
        ("customers.*", "variable TAP_MONGODB__SELECT")
    ]


def test_values_are_what_they_look_like(read: Read) -> None:
    text = TWO.replace("host: two", "host: no\n        port: 010\n        user: 12:30:45")
    plugin = read(text).plugin("tap-mongodb-eu")
    assert plugin is not None
    assert [plugin.config[name].value for name in ("host", "port", "user")] == [
        "no",
        10,
        "12:30:45",
    ]


def test_a_variable_that_nothing_sets_is_noted(read: Read) -> None:
    password = read().plugins[1].config["password"]
    assert password.missing == ("TARGET_POSTGRES_PASSWORD",)
    assert password.secret


def test_an_included_file_is_read_with_its_own_lines(written: Written) -> None:
    written("jobs:\n  - name: copy\n    tasks: [tap-mongodb target-postgres]\n", "jobs/more.yml")
    path = written(f"include_paths: ['./jobs/*.yml']\n{TWO}")
    project = read_project(path)
    assert project.jobs[0].place == Place("jobs/more.yml", 2)


def test_a_pattern_of_files_may_match_none(written: Written) -> None:
    assert read_project(written(f"include_paths: ['apps/**/*.yml']\n{TWO}")).jobs == ()


def test_a_setting_may_name_its_variable(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THINGS_KEY", "of the variable")
    text = TWO.replace(
        "- name: target-postgres",
        "- name: target-things\n      settings: [{name: key, env: THINGS_KEY}]",
    )
    setting = read(text).plugins[2].config["key"]
    assert (setting.value, setting.origin) == ("of the variable", "variable THINGS_KEY")
    assert setting.secret


def test_tasks_may_be_lists_in_lists(read: Read) -> None:
    text = f"""{TWO}
jobs:
  - name: nightly
    tasks:
      - tap-mongodb target-postgres
      - [tap-mongodb-eu target-postgres, [tap-mongodb, target-postgres]]
"""
    assert read(text).jobs[0].tasks == (
        ("tap-mongodb", "target-postgres"),
        ("tap-mongodb-eu", "target-postgres", "tap-mongodb", "target-postgres"),
    )


def test_what_has_no_effect_is_told_with_its_line(read: Read) -> None:
    text = f"""{TWO}
ff: {{strict_env_var_mode: true}}
state_backend: {{uri: "s3://states"}}
"""
    text = text.replace("  loaders:", "  utilities:\n    - name: dbt-postgres\n  loaders:").replace(
        "      inherit_from", "      speed: high\n      inherit_from"
    )
    assert [str(one) for one in read(text).remarks] == [
        "meltano.yml:10: speed of tap-mongodb-eu has no effect",
        "meltano.yml:17: dbt-postgres: utilities are not run",
        "meltano.yml:21: ff has no effect",
        "meltano.yml:22: state_backend: positions are kept in the target, not there",
    ]


def with_job(tasks: str) -> str:
    return f"{TWO}jobs:\n  - name: x\n    tasks: [{tasks}]\n"


def with_schedule(interval: str) -> str:
    return f"{TWO}schedules:\n  - name: s\n    interval: '{interval}'\n    job: x\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("version: 1\nplugins:\n\textractors: []\n", ":3: it is indented by a tab"),
        ("version: 2\n", ":1: version should be 1"),
        ("- a\n", ":1: it should be keys with values"),
        ("version: 1\nversion: 1\n", ":2: version stands in line 1 already"),
        (
            TWO.replace("config: {", "inherit_from: tap-mongodb-eu\n      config: {"),
            "inherit_from goes in a circle: tap-mongodb → tap-mongodb-eu → tap-mongodb",
        ),
        (
            TWO.replace("tap-mongodb-eu", "tap-mongodb"),
            ":9: one of the extractors tap-mongodb is there already, meltano.yml:4",
        ),
        (
            TWO.replace("target-postgres", "tap-mongodb"),
            ":16: tap-mongodb is one of the extractors already",
        ),
        (with_job("tap-mongo target-postgres"), ":19: job x: there is no plugin tap-mongo"),
        (with_job("tap-mongodb"), "job x: after the extractor tap-mongodb comes no loader"),
        (with_job(""), ":18: job x has no tasks"),
        (with_schedule("@sometimes"), ":19: schedule s: @sometimes is not one of"),
        (with_schedule("0 0 31 2 *"), "is no cron expression: Bad day-of-month"),
        (with_schedule("61 * * * *"), "'61 * * * *' is no cron expression"),
        (with_schedule("0 * * *"), "has not the five fields of cron"),
        (with_schedule("@daily"), ":20: schedule s: there is no job x"),
        (f"{TWO}include_paths: [gone.yml]\n", ":17: include_paths: there is no gone.yml"),
    ],
)
def test_a_mistake_is_told_with_its_line(read: Read, text: str, problem: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read(text)
    assert problem in str(caught.value)


def test_all_mistakes_are_told_at_once(read: Read) -> None:
    with pytest.raises(ProjectError) as caught:
        read(TWO + "jobs:\n  - name: x\n  - name: x\n    tasks: [y]\n")
    assert len(caught.value.problems) == 2


def test_an_environment_that_is_not_there_is_told(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "production")
    with pytest.raises(UsageError, match="the project has dev, staging, prod"):
        read()
    assert read(CARBON_LENS, "prod").environment == "prod"
