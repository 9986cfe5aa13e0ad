"""`tap-mongodb` to `target-postgres`, said as a sync: ends, schema, and how each collection loads.

For       `run`, `select --list` and `config test`.
Touches   Nothing.
Promises  A setting has the meaning that it has in the plugin. One that would change the rows in a
          way that a sync can't is refused; any other without effect is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from landbridge.config import known, rules, values
from landbridge.config.replication import check_key
from landbridge.errors import UnsupportedError, UsageError
from landbridge.model.project import Plugin, Setting, StreamMetadata
from landbridge.model.settings import OPERATIONS, Load, Method, Settings

METHODS: dict[str, Method] = {
    "FULL_TABLE": "full",
    "INCREMENTAL": "incremental",
    "LOG_BASED": "log",
}
LOADS: dict[str, Load] = {"append-only": "append", "upsert": "upsert", "overwrite": "overwrite"}

_METHOD, _KEY = "replication-method", "replication-key"
_SELECTED = "selected"
_SSL_FILES = {
    "ssl_client_certificate": "sslcert",
    "ssl_client_private_key": "sslkey",
}
_SCHEMA_OF_EXTRACTOR = ("MELTANO_EXTRACT__LOAD_SCHEMA", "MELTANO_EXTRACTOR_NAMESPACE")


@dataclass(frozen=True, slots=True)
class Loading:
    """How one collection is loaded, and what is to be said of that."""

    settings: Settings
    reason: str
    note: str = ""


def is_native(extractor: Plugin, loader: Plugin) -> bool:
    """Whether landbridge runs this pair itself."""
    return extractor.base == known.TAP and loader.base == known.TARGET


def check_native(plugin: Plugin) -> None:
    """Refuse a plugin that does not run yet.

    Raises:
        UnsupportedError: it is not one of the pair that runs natively.

    """
    if plugin.base not in known.SETTINGS:
        raise UnsupportedError(
            f"{plugin.name} does not run yet",
            why=f"{plugin.place} names it; this version runs {known.TAP} and {known.TARGET}",
            fix="leave it out of what is run here",
        )


def check_settings(plugin: Plugin) -> None:
    """Read all that a run would look at in a plugin, as far as that goes without the other.

    Raises:
        UsageError: something is missing, or can't be read.
        UnsupportedError: the plugin, or something that it asks for, does not run yet.

    """
    if plugin.kind == "extractors":
        source_uri(plugin)
        rules.selection_of(plugin)
    else:
        target_uri(plugin)
        named_schema(plugin)
    for pattern in dict.fromkeys((rules.ALL, *(one.pattern for one in plugin.metadata))):
        loading_of(plugin, plugin, (pattern,))


def source_uri(plugin: Plugin) -> str:
    """Return the URI of the MongoDB of an extractor, with its database.

    Raises:
        UsageError: a setting is missing, or can't be read.
        UnsupportedError: a setting is refused.

    """
    _refuse(plugin)
    uri = values.setting(plugin, "mongodb_connection_string")
    database = values.text(plugin, "database")
    if uri is not None:
        return _with_database(str(uri.value), database)
    host = values.text(plugin, "host")
    if not host:
        raise UsageError(
            f"{plugin.name} does not say where its MongoDB is",
            why="neither mongodb_connection_string nor host is set",
            fix=f"landbridge config {plugin.name} set mongodb_connection_string "
            "mongodb://HOST:27017/DATABASE",
        )
    login = _login(values.text(plugin, "user"), values.text(plugin, "password"))
    port = values.integer(plugin, "port") or 27017
    options = {
        "authSource": values.text(plugin, "auth_database") if login else "",
        "replicaSet": values.text(plugin, "replica_set"),
        "tls": "true" if values.boolean(plugin, "ssl") else "",
    }
    given = urlencode({name: value for name, value in options.items() if value})
    return f"mongodb://{login}{host}:{port}/{quote(database)}" + (f"?{given}" if given else "")


def target_uri(plugin: Plugin) -> str:
    """Return the URI of the PostgreSQL of a loader.

    Raises:
        UsageError: a setting is missing, or can't be read.
        UnsupportedError: a setting is refused.

    """
    _refuse(plugin)
    url = values.setting(plugin, "sqlalchemy_url")
    if url is not None:
        scheme, mark, rest = str(url.value).partition("://")
        if not mark or scheme.partition("+")[0] not in ("postgresql", "postgres"):
            raise values.wrong(plugin, url, ("postgresql://USER:PASSWORD@HOST:5432/DATABASE",))
        return f"postgresql://{rest}"
    host = values.text(plugin, "host", "postgres_host")
    database = values.text(plugin, "database", "dbname", "postgres_database")
    for name, value in (("host", host), ("database", database)):
        if not value:
            raise UsageError(
                f"{plugin.name} does not say where its PostgreSQL is",
                why=f"{name} is not set",
                fix=f"landbridge config {plugin.name} set {name} …",
            )
    login = _login(
        values.text(plugin, "user", "postgres_username"),
        values.text(plugin, "password", "postgres_password"),
    )
    port = values.integer(plugin, "port", "postgres_port") or 5432
    options = _ssl(plugin)
    if host.startswith("/"):  # the folder of a socket
        options["host"], host = host, ""
    given = urlencode(options, quote_via=quote)
    return f"postgresql://{login}{host}:{port}/{quote(database)}" + (f"?{given}" if given else "")


def target_schema(extractor: Plugin, loader: Plugin) -> str:
    """Return the schema of the tables: the loader's, else the extractor's `load_schema`."""
    return named_schema(loader) or extractor.load_schema


def named_schema(loader: Plugin) -> str | None:
    """Return the schema that a loader names; None where it leaves that to the extractor."""
    given = loader.config.get("default_target_schema")
    if given is not None and set(given.missing) & set(_SCHEMA_OF_EXTRACTOR):
        return None
    return values.text(loader, "default_target_schema", "postgres_schema") or None


def loading_of(
    extractor: Plugin,
    loader: Plugin,
    stream: rules.Names,
    given: Settings | None = None,
) -> Loading:
    """Return how a collection is loaded; `given` is what the command line says beside the file.

    Raises:
        UsageError: a setting or a value of `metadata` can't be read.

    """
    said = rules.metadata_of(extractor.metadata, stream)
    method, key, method_origin = _method(said)
    load_setting = values.setting(loader, "load_method")
    if load_setting is not None and str(load_setting.value) not in LOADS:
        raise values.wrong(loader, load_setting, tuple(LOADS))
    chosen = LOADS[str(load_setting.value)] if load_setting is not None else None
    marks = values.boolean(loader, "activate_version") is not False
    removes = values.boolean(loader, "hard_delete") is True
    asked, load, note = method, chosen, ""
    if chosen == "overwrite" and method != "full":
        method = "full"
        note = (
            f"{_METHOD} {_word(asked)} ({method_origin}) reads what is new, load_method overwrite "
            f"({cast(Setting, load_setting).origin}) promises the whole table: every run reads "
            "the whole collection"
        )
    soft_delete = chosen != "overwrite" and chosen != "append" and marks and not removes
    if method == "full" and chosen in (None, "upsert"):
        # A full read tells what is gone; `activate_version` is what lets the target hear of it.
        load = "overwrite" if marks else "upsert"
    elif chosen is None:
        load = "upsert"
    settings = replace(
        given or Settings(),
        method=method,
        load=cast(Load, load),
        key=key,
        sweep=1 if marks and chosen != "append" else 0,
        soft_delete=soft_delete and load != "append",
        flatten_depth=_depth(extractor, loader),
        metadata=bool(
            values.boolean(loader, "add_record_metadata", "add_metadata_columns")
            or values.boolean(extractor, "add_record_metadata")
        ),
        operations=_operations(extractor),
    )
    reason = f"{_METHOD} {_word(asked)} ({method_origin})"
    if load_setting is not None:
        reason += f", load_method {load_setting.value} ({load_setting.origin})"
    return Loading(settings, reason, note)


def without_effect(plugin: Plugin) -> list[str]:
    """Return what the plugin's settings say and a sync does not look at."""
    there = known.SETTINGS[plugin.base]
    idle = [one for one in plugin.config.values() if one.name not in there]
    notes = [f"{plugin.name}: {one.name} has no effect here ({one.origin})" for one in idle]
    if plugin.schema:
        notes.append(f"{plugin.name}: schema has no effect here: types follow from the documents")
    notes += [
        f"{plugin.name}: {one.name} of {one.pattern} has no effect here ({one.origin})"
        for one in plugin.metadata
        if one.name not in (_METHOD, _KEY, _SELECTED)
    ]
    return notes


def is_deselected(plugin: Plugin, stream: rules.Names) -> bool:
    """Whether `metadata` says `selected: false` of a collection."""
    one = rules.metadata_of(plugin.metadata, stream).get(_SELECTED)
    return one is not None and one.value is False


def _refuse(plugin: Plugin) -> None:
    check_native(plugin)
    for one in plugin.config.values():
        name = one.name.partition(".")[0]
        off = not one.value or (isinstance(one.value, dict) and one.value.get("enable") is False)
        if name in known.REFUSED[plugin.base] and not off:
            raise UnsupportedError(
                f"{plugin.name}: {one.name} is not understood yet",
                why=f"{one.origin} sets it, and without it other rows would arrive",
                fix=f"landbridge config {plugin.name} unset {one.name}, if the rows are right "
                "without it",
            )


def _with_database(uri: str, database: str) -> str:
    """Put the database into a URI, without losing where its user is looked up."""
    parts = urlsplit(uri)
    there = parts.path.strip("/")
    if not database or there == quote(database) or not parts.scheme.startswith("mongodb"):
        return uri
    query = parts.query
    if there and "@" in parts.netloc and "authsource=" not in query.lower():
        query = f"{query}&authSource={there}".lstrip("&")
    return urlunsplit((parts.scheme, parts.netloc, f"/{quote(database)}", query, ""))


def _login(user: str, password: str) -> str:
    if not user:
        return ""
    secret = f":{quote(password, safe='')}" if password else ""
    return f"{quote(user, safe='')}{secret}@"


def _ssl(plugin: Plugin) -> dict[str, str]:
    if values.boolean(plugin, "ssl_enable") is False:
        return {}
    mode = values.text(plugin, "ssl_mode")
    if not mode and values.boolean(plugin, "ssl_enable"):
        mode = "verify-full"
    if not mode and values.boolean(plugin, "ssl"):
        mode = "require"
    options = {"sslmode": mode, "sslrootcert": values.text(plugin, "ssl_certificate_authority")}
    if values.boolean(plugin, "ssl_client_certificate_enable"):
        options |= {theirs: values.text(plugin, ours) for ours, theirs in _SSL_FILES.items()}
    return {name: value for name, value in options.items() if value}


def _method(said: dict[str, StreamMetadata]) -> tuple[Method, str, str]:
    """Return the method, the key, and where the method is said."""
    method, key = said.get(_METHOD), said.get(_KEY)
    if key is not None and key.value is not None:
        check_key(str(key.value))
    field = str(key.value) if key is not None and key.value else "_id"
    if method is None:
        return ("incremental", field, key.origin) if key else ("full", field, "default")
    if str(method.value) not in METHODS:
        raise UsageError(
            f"{_METHOD} cannot be {method.value!r}",
            why=f"{method.origin} says so; it is {', '.join(METHODS)}",
            fix="mend that line",
        )
    return METHODS[str(method.value)], field, method.origin


def _word(method: Method) -> str:
    return next(word for word, one in METHODS.items() if one == method)


def _depth(extractor: Plugin, loader: Plugin) -> int:
    for plugin in (extractor, loader):
        if values.boolean(plugin, "flattening_enabled"):
            depth = values.integer(plugin, "flattening_max_depth")
            return 1 if depth is None else depth
    return values.integer(loader, "data_flattening_max_level") or 0


def _operations(extractor: Plugin) -> tuple[str, ...]:
    given = values.setting(extractor, "operation_types")
    if given is None:
        return OPERATIONS
    words = given.value if isinstance(given.value, list) else _listed(str(given.value))
    return tuple(name for name in OPERATIONS if name in words)


def _listed(text: str) -> Sequence[Any]:
    """Return the words of a list that a variable gives: JSON, or with commas."""
    return [word.strip(" \"'") for word in text.strip("[] ").split(",")]
