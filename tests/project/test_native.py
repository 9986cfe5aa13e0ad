"""The settings of the two plugins as a sync has them: addresses, methods, loads."""

from __future__ import annotations

import json

import pytest
from tests.project.conftest import Read

from landbridge.config import native
from landbridge.errors import UsageError
from landbridge.model.project import Plugin
from landbridge.model.settings import OPERATIONS, Settings

HEAD = "plugins:\n  extractors:\n    - name: tap-mongodb\n      config: "


def plugins(read: Read, tap: dict[str, object], target: dict[str, object]) -> tuple[Plugin, Plugin]:
    text = f"{HEAD}{json.dumps(tap)}\n  loaders:\n    - name: target-postgres\n"
    extractor, loader = read(f"{text}      config: {json.dumps(target)}\n").plugins
    return extractor, loader


def settings(read: Read, tap: dict[str, object], target: dict[str, object]) -> Settings:
    return native.loading_of(*plugins(read, tap, target), ("orders",)).settings


@pytest.mark.parametrize(
    ("config", "uri"),
    [
        (
            {"mongodb_connection_string": "mongodb://u:p@h:1/shop?authSource=admin"},
            "mongodb://u:p@h:1/shop?authSource=admin",
        ),
        (
            {"mongodb_connection_string": "mongodb://h", "database": "shop"},
            "mongodb://h/shop",
        ),
        # Where the user is looked up stays what it was.
        (
            {"mongodb_connection_string": "mongodb://u:p@h/users?ssl=true", "database": "shop"},
            "mongodb://u:p@h/shop?ssl=true&authSource=users",
        ),
        (
            {"mongodb_connection_string": "mongodb+srv://u:p@h/?w=1", "database": "shop"},
            "mongodb+srv://u:p@h/shop?w=1",
        ),
        (
            {"host": "h", "port": "27018", "user": "u@x", "password": "p:/@", "database": "shop",
             "auth_database": "admin", "replica_set": "rs0", "ssl": "true"},
            "mongodb://u%40x:p%3A%2F%40@h:27018/shop?authSource=admin&replicaSet=rs0&tls=true",
        ),
        ({"host": "h", "database": "shop"}, "mongodb://h:27017/shop"),
    ],
)  # fmt: skip
def test_a_source_is_an_address(read: Read, config: dict[str, object], uri: str) -> None:
    assert native.source_uri(plugins(read, config, {})[0]) == uri


@pytest.mark.parametrize(
    ("config", "uri"),
    [
        (
            {"host": "h", "user": "u", "password": "p@/:é", "database": "bi", "ssl_mode": "allow"},
            "postgresql://u:p%40%2F%3A%C3%A9@h:5432/bi?sslmode=allow",
        ),
        ({"host": "h", "database": "bi", "port": 6432}, "postgresql://h:6432/bi"),
        (
            {"host": "/run/pg", "database": "bi", "user": "u"},
            "postgresql://u@:5432/bi?host=%2Frun%2Fpg",
        ),
        (
            {"sqlalchemy_url": "postgresql+psycopg2://u:p@h/bi", "host": "other"},
            "postgresql://u:p@h/bi",
        ),
        (
            {"host": "h", "database": "bi", "ssl_enable": True,
             "ssl_certificate_authority": "/ca.pem"},
            "postgresql://h:5432/bi?sslmode=verify-full&sslrootcert=%2Fca.pem",
        ),
        (
            {"host": "h", "database": "bi", "ssl_enable": False, "ssl_mode": "require"},
            "postgresql://h:5432/bi",
        ),
        (
            {"host": "h", "database": "bi", "ssl_mode": "require", "ssl_client_certificate": "/c",
             "ssl_client_private_key": "/k", "ssl_client_certificate_enable": True},
            "postgresql://h:5432/bi?sslmode=require&sslcert=%2Fc&sslkey=%2Fk",
        ),
        ({"host": "h", "dbname": "bi", "ssl": "true"}, "postgresql://h:5432/bi?sslmode=require"),
        (
            {"postgres_host": "h", "postgres_port": 1, "postgres_username": "u",
             "postgres_password": "p", "postgres_database": "bi"},
            "postgresql://u:p@h:1/bi",
        ),
    ],
)  # fmt: skip
def test_a_target_is_an_address(read: Read, config: dict[str, object], uri: str) -> None:
    assert native.target_uri(plugins(read, {}, config)[1]) == uri


def test_another_database_is_no_target(read: Read) -> None:
    loader = plugins(read, {}, {"sqlalchemy_url": "mysql://u:hush@h/bi"})[1]
    with pytest.raises(UsageError) as caught:
        native.target_uri(loader)
    assert "hush" not in str(caught.value)


def test_the_schema_is_the_loaders_or_the_extractors(read: Read) -> None:
    for target, schema in (
        ({"default_target_schema": "raw"}, "raw"),
        ({"postgres_schema": "raw"}, "raw"),
        ({}, "tap_mongodb"),
        ({"default_target_schema": "$MELTANO_EXTRACT__LOAD_SCHEMA"}, "tap_mongodb"),
    ):
        assert native.target_schema(*plugins(read, {}, dict(target))) == schema


def test_objects_are_flattened_as_deep_as_is_said(read: Read) -> None:
    for tap, target, depth in (
        ({}, {}, 0),
        ({"flattening_enabled": True}, {}, 1),
        ({"flattening_enabled": True, "flattening_max_depth": 3}, {}, 3),
        ({"flattening_enabled": False, "flattening_max_depth": 3}, {}, 0),
        ({}, {"flattening_enabled": "true", "flattening_max_depth": "2"}, 2),
        ({}, {"data_flattening_max_level": 4}, 4),
    ):
        assert settings(read, dict(tap), dict(target)).flatten_depth == depth


def test_operations_are_those_that_are_listed(read: Read) -> None:
    assert settings(read, {}, {}).operations == OPERATIONS
    listed = ["create", "insert", "update"]
    assert settings(read, {"operation_types": listed}, {}).operations == ("insert", "update")
    by_variable = {"operation_types": '["insert", "delete"]'}
    assert settings(read, by_variable, {}).operations == ("insert", "delete")


def test_overwrite_goes_before_every_method(read: Read) -> None:
    text = (
        f"{HEAD}{{}}\n      metadata: {{'*': {{replication-method: LOG_BASED}}}}\n"
        "  loaders:\n    - name: target-postgres\n      config: {load_method: overwrite}\n"
    )
    extractor, loader = read(text).plugins
    loading = native.loading_of(extractor, loader, ("orders",))
    assert (loading.settings.method, loading.settings.load) == ("full", "overwrite")
    assert "LOG_BASED (meltano.yml:5)" in loading.note
    assert "load_method overwrite (meltano.yml:8)" in loading.note


def test_what_has_no_effect_is_named(read: Read) -> None:
    extractor, loader = plugins(read, {"start_date": "2020"}, {"batch_size_rows": 10})
    assert native.without_effect(extractor) == [
        "tap-mongodb: start_date has no effect here (meltano.yml:4)"
    ]
    assert native.without_effect(loader) == [
        "target-postgres: batch_size_rows has no effect here (meltano.yml:7)"
    ]
