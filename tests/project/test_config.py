"""`landbridge config`: what the settings are, and whether they lead to a server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pymongo.database import Database
from tests.project.conftest import CARBON_LENS, Command, Written

SECRETS = """\
version: 1
default_environment: dev
environments:
  - name: dev
  - name: prod
    config:
      plugins:
        extractors:
          - name: tap-things
            config: {api_key: prod-key}
plugins:
  extractors:
    - name: tap-things
      namespace: things
      settings:
        - name: pin
          kind: password
        - name: page_size
          value: 50
      config:
        api_key: dev-key
        pin: 1234
        endpoint_url: https://me:hush@example.com/?token=hush2&x=1
        nested: {auth_token: hush3, region: north}
        speed: ${SPEED}
        hook_url: https://example.com/${HOOK_TOKEN}
        path: "md:things?motherduck_token=hush4&x=1"
"""


def test_every_setting_is_told_with_its_origin(
    written: Written, landbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    written()
    monkeypatch.setenv("TARGET_POSTGRES_PASSWORD", "s3cret")
    done = landbridge("config", "check")
    assert done.code == 0, done.err
    assert "your_password" not in done.out
    assert "s3cret" not in done.out
    report = json.loads(landbridge("config", "check", "--json").out)
    tap, target = report["plugins"]
    assert tap["settings"]["mongodb_connection_string"] == {
        "value": "mongodb://meltano_reader:***@localhost:27017/carbonLens?authSource=admin",
        "origin": "meltano.yml:18",
    }
    assert target["settings"]["password"] == {
        "value": "(hidden)",
        "origin": "variable TARGET_POSTGRES_PASSWORD",
    }
    assert len(tap["select"]) == 25
    assert report["jobs"] == [{"name": "full-sync", "tasks": [["tap-mongodb", "target-postgres"]]}]
    assert report["environments"] == ["dev", "staging", "prod"]
    assert report["notes"] == []
    listed = landbridge("config", "tap-mongodb", "list").out
    assert "not set: host, port" in listed
    assert "TAP_MONGODB_HOST" in listed


def test_secrets_are_hidden_wherever_they_stand(
    written: Written, landbridge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(SECRETS)
    monkeypatch.setenv("HOOK_TOKEN", "hush5")
    shown = landbridge("config", "tap-things", "list", "--json").out
    shown += landbridge("config", "tap-things", "list").out
    shown += landbridge("config", "tap-things").out
    shown += landbridge("config", "check", "--environment", "prod").out
    for secret in ("hush", "dev-key", "prod-key", "1234"):
        assert secret not in shown
    settings = json.loads(landbridge("config", "tap-things", "list", "--json").out)["settings"]
    assert settings["nested"]["value"] == {"auth_token": "(hidden)", "region": "north"}
    assert settings["page_size"] == {"value": 50, "origin": "default"}
    assert settings["speed"] == {"value": None, "origin": "meltano.yml:25: SPEED is not set"}


def test_a_plugin_that_does_not_run_is_named(written: Written, landbridge: Command) -> None:
    written(SECRETS)
    report = json.loads(landbridge("config", "check", "--json").out)
    assert report["notes"] == ["meltano.yml:13: tap-things does not run yet"]
    done = landbridge("config", "tap-things", "test", "--json")
    assert json.loads(done.out)["error"]["code"] == "unsupported"


@pytest.mark.parametrize("words", [("list", "--environment", "prod"), ("--environment", "prod")])
def test_the_environment_may_be_named(
    written: Written, landbridge: Command, words: tuple[str, ...]
) -> None:
    written(CARBON_LENS.replace("- name: prod", PROD))
    done = landbridge("config", "tap-mongodb", *words)
    assert "carbonProd" in done.out


PROD = """- name: prod
    config:
      plugins:
        extractors:
          - name: tap-mongodb
            config: {database: carbonProd}"""


def test_the_settings_lead_to_the_servers(
    written: Written, landbridge: Command, carbon_lens: Database[dict[str, Any]], target: str
) -> None:
    written()
    for plugin in ("tap-mongodb", "target-postgres"):
        done = landbridge("config", plugin, "test")
        assert done.code == 0, done.out + done.err
        assert f"the settings of {plugin} are valid" in done.out


@pytest.mark.parametrize(
    ("plugin", "name", "value", "told"),
    [
        ("target-postgres", "TARGET_POSTGRES_PASSWORD", "wrong", "password is missing or wrong"),
        ("target-postgres", "TARGET_POSTGRES_DATABASE", "nowhere", "no such database"),
        ("target-postgres", "TARGET_POSTGRES_PORT", "1", "check host and port"),
        ("tap-mongodb", "TAP_MONGODB_DATABASE", "nowhere", "database nowhere does not exist"),
    ],
)
def test_wrong_settings_are_told(
    written: Written,
    landbridge: Command,
    carbon_lens: Database[dict[str, Any]],
    target: str,
    monkeypatch: pytest.MonkeyPatch,
    plugin: str,
    name: str,
    value: str,
    told: str,
) -> None:
    written()
    monkeypatch.setenv(name, value)
    done = landbridge("config", plugin, "test")
    assert done.code == 1
    assert told in done.out
    assert json.loads(landbridge("config", plugin, "test", "--json").out)["status"] != "ok"


@pytest.mark.parametrize(
    ("plugin", "words", "told"),
    [
        ("target-postgres", "load_method merge", "load_method cannot be 'merge'"),
        ("target-postgres", "port many", "port cannot be 'many'"),
        ("tap-mongodb", "flattening_max_depth deep", "flattening_max_depth cannot be 'deep'"),
        ("tap-mongodb", "_metadata sites replication-method ALL", "it is FULL_TABLE, INCREMENTAL"),
        ("tap-mongodb", "_select users.name", "select of tap-mongodb should be a list"),
        ("tap-mongodb", '_select ["users.name"]', "cannot select single fields"),
    ],
)
def test_a_value_that_is_none_is_told_before_a_server_is_asked(
    written: Written,
    landbridge: Command,
    monkeypatch: pytest.MonkeyPatch,
    plugin: str,
    words: str,
    told: str,
) -> None:
    written()
    monkeypatch.setenv("TARGET_POSTGRES_PASSWORD", "x")
    done = landbridge("config", plugin, "set", *words.split())
    if done.code == 0:
        assert told in landbridge("config", "check").out
        done = landbridge("config", plugin, "test")
    assert (done.code != 0, told in done.err) == (True, True), done.err


@pytest.mark.parametrize("verb", ["list", "print", "test", "unset ssl", "set ssl true"])
def test_the_verb_may_come_first(
    written: Written, landbridge: Command, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written()
    monkeypatch.setenv(
        "TAP_MONGODB_MONGODB_CONNECTION_STRING",
        "mongodb://localhost:1/?serverSelectionTimeoutMS=50",
    )
    word, *rest = verb.split()
    first = landbridge("config", word, "tap-mongodb", *rest)
    changed = path.read_text("utf-8")
    written()
    second = landbridge("config", "tap-mongodb", *([] if word == "print" else [word]), *rest)
    assert (first.code, first.out) == (second.code, second.out)
    assert changed == path.read_text("utf-8")


def test_a_plugin_that_is_not_there_is_told(written: Written, landbridge: Command) -> None:
    written()
    done = landbridge("config", "tap-mongo", "list")
    assert done.code == 2
    assert "meltano.yml has tap-mongodb, target-postgres" in done.err
