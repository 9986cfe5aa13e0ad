"""The settings of the plugins that landbridge runs itself, in all their common variants.

For       Variables that give a setting, `config list`, and the translation to a sync.
Touches   Nothing.
Promises  A setting that stands in no list here is told to have no effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from landbridge.errors import redact

TAP = "tap-mongodb"
TARGET = "target-postgres"
HIDDEN = "(hidden)"

# Name -> default; None where there is none.
TAP_SETTINGS: Mapping[str, Any] = {
    "mongodb_connection_string": None,
    "host": None,
    "port": None,
    "user": None,
    "password": None,
    "database": None,
    "auth_database": None,
    "replica_set": None,
    "ssl": None,
    "flattening_enabled": False,
    "flattening_max_depth": None,
    "add_record_metadata": None,
    "operation_types": None,
}
TARGET_SETTINGS: Mapping[str, Any] = {
    "host": None,
    "port": None,
    "user": None,
    "password": None,
    "database": None,
    "sqlalchemy_url": None,
    "default_target_schema": None,
    "load_method": None,
    "activate_version": True,
    "hard_delete": False,
    "add_record_metadata": None,
    "flattening_enabled": None,
    "flattening_max_depth": None,
    "ssl_enable": None,
    "ssl_mode": None,
    "ssl_certificate_authority": None,
    "ssl_client_certificate_enable": None,
    "ssl_client_certificate": None,
    "ssl_client_private_key": None,
    # the other variants' names for the same
    "dbname": None,
    "ssl": None,
    "add_metadata_columns": None,
    "data_flattening_max_level": None,
    "postgres_host": None,
    "postgres_port": None,
    "postgres_username": None,
    "postgres_password": None,
    "postgres_database": None,
    "postgres_schema": None,
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {TAP: TAP_SETTINGS, TARGET: TARGET_SETTINGS}

# What changes the rows in a way that a sync doesn't, so that going on would be wrong.
REFUSED: Mapping[str, tuple[str, ...]] = {
    TAP: (
        "database_includes",
        "documentdb_credential_json_string",
        "mongodb_connection_string_file",
        "mongo",
        "prefix",
        "stream_prefix",
        "stream_maps",
    ),
    TARGET: ("schema_mapping", "ssh_tunnel", "stream_maps"),
}

_SECRET = re.compile(
    r"(?i)passw|passphrase|secret|token|credential|api_?key"
    r"|(?<!replication_)(?<!primary_)(?<!partition_)(?<!sort_)key(_id)?$"
)
_ADDRESS = re.compile(r"(?i)(uri|url|dsn|connection_string)$")
_QUERY_SECRET = re.compile(r"(?i)([?&][^=&]*(?:passw|token|secret|key)[^=&]*=)[^&]+")


def is_secret(name: str) -> bool:
    """Whether a setting, or a variable, of this name holds what nobody should read."""
    return bool(_SECRET.search(name))


def may_hold_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret, or an address that may have a login."""
    return bool(_SECRET.search(name) or _ADDRESS.search(name))


def shown(name: str, value: Any, *, secret: bool = False) -> Any:
    """Return the value as it may be shown: secrets hidden, addresses without their password."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {key: shown(str(key), part, secret=secret) for key, part in value.items()}
    if isinstance(value, list):
        return [shown(name, part, secret=secret) for part in value]
    if secret or is_secret(name):
        return HIDDEN
    if _ADDRESS.search(name) and "://" not in str(value):
        return HIDDEN
    return _QUERY_SECRET.sub(r"\1***", redact(value)) if isinstance(value, str) else value
