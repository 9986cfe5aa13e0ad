"""What stands in a URI for other clients than libpq: Prisma's parameters, the schema among them.

For       `DATABASE_URL` as the applications have it that the tables belong to.
Touches   Nothing.
Promises  What libpq knows is left as it is; a password is never taken apart.
"""

from __future__ import annotations

from urllib.parse import unquote

_SCHEMES = ("postgresql://", "postgres://")
_OTHERS = frozenset(
    {
        "schema",
        "connection_limit",
        "pool_timeout",
        "pgbouncer",
        "socket_timeout",
        "statement_cache_size",
        "single_use_connections",
        "max_connection_lifetime",
        "max_idle_connection_lifetime",
        "sslaccept",
        "sslidentity",
    }
)


def for_libpq(uri: str) -> str:
    """Return the URI without the parameters that only Prisma's client understands."""
    head, parameters = _split(uri)
    kept = [one for one in parameters if one.partition("=")[0] not in _OTHERS]
    if len(kept) == len(parameters):
        return uri
    return head + ("?" + "&".join(kept) if kept else "")


def schema_of(uri: str) -> str | None:
    """Return the schema that a URI names as Prisma writes it: `?schema=app`."""
    for parameter in _split(uri)[1]:
        name, _, value = parameter.partition("=")
        if name == "schema" and value:
            return unquote(value)
    return None


def _split(uri: str) -> tuple[str, list[str]]:
    head, mark, query = uri.rpartition("?")
    if not mark or "@" in query or not uri.startswith(_SCHEMES):
        return uri, []
    return head, query.split("&")
