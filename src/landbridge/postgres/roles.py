"""Roles, a database, schemas and grants as wishes: each can be looked at, made, and printed.

For       `landbridge setup postgres`, applied or as a file.
Touches   The server, when a wish is looked at or made.
Promises  A wish that is made again changes nothing. No wish takes a right away from anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from landbridge.model.access import PostgresAccess

STATE_SCHEMA = "landbridge"
PUBLIC_SCHEMA = "public"

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that is to be so."""

    what: str
    holds: sql.Composable  # an expression: is it so already?
    statement: sql.Composed
    guarded: bool = False  # the statement fails, or does too much, where it is so already
    role: str | None = None  # whose password it sets


def is_so(connection: Connection, wish: Wish) -> bool:
    """Return whether a wish needs nothing done."""
    row = connection.execute(sql.SQL("SELECT coalesce({}, false)").format(wish.holds)).fetchone()
    return bool(row and row[0])


def role_wishes(
    access: PostgresAccess, verifiers: Mapping[str, str], *, rotate: bool
) -> list[Wish]:
    """Return the two roles; `verifiers` stand for their passwords."""
    wishes: list[Wish] = []
    for role in (access.loader, access.reader):
        name, password = sql.Identifier(role), sql.Literal(verifiers[role])
        wishes.append(
            Wish(
                f"role {role}",
                _exists("pg_roles", "rolname", role),
                sql.SQL(
                    "CREATE ROLE {} LOGIN PASSWORD {} NOSUPERUSER NOCREATEDB NOCREATEROLE"
                ).format(name, password),
                guarded=True,
                role=role,
            )
        )
        if rotate:
            wishes.append(
                Wish(
                    f"a new password for {role}",
                    sql.SQL("false"),
                    sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, password),
                    role=role,
                )
            )
    return wishes


def server_wishes(access: PostgresAccess) -> Iterator[Wish]:
    """Yield what else is made outside of the database, in order; the last one is the database."""
    loader = access.loader
    yield Wish(
        f"the administrator acts for {loader}",
        sql.SQL(
            "EXISTS (SELECT FROM pg_roles r WHERE r.rolname = {}"
            " AND pg_has_role(current_user, r.oid, 'USAGE'))"
        ).format(sql.Literal(loader)),
        sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(loader)),
        guarded=True,
    )
    yield Wish(
        f"database {access.database}",
        _exists("pg_database", "datname", access.database),
        sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(
            sql.Identifier(access.database), sql.Identifier(access.owner or loader)
        ),
        guarded=True,
    )


def database_wishes(access: PostgresAccess) -> Iterator[Wish]:
    """Yield what is made inside of the database, in order."""
    if access.owner is not None:
        yield Wish(
            f"database {access.database} belongs to {access.owner}",
            sql.SQL(
                "EXISTS (SELECT FROM pg_database WHERE datname = {} AND pg_get_userbyid(datdba)"
                " = {})"
            ).format(sql.Literal(access.database), sql.Literal(access.owner)),
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(access.database), sql.Identifier(access.owner)
            ),
        )
    more = ("CREATE",) if access.new_schemas else ()
    yield _database_grant(access.database, access.loader, ("CONNECT", "TEMPORARY", *more))
    yield _database_grant(access.database, access.reader, ("CONNECT",))
    for schema in (STATE_SCHEMA, *access.schemas):
        yield _schema(schema, access.loader)
        yield _schema_grant(schema, access.loader, ("USAGE", "CREATE"))
    for schema in access.schemas:
        yield _schema_grant(schema, access.reader, ("USAGE",))
        yield _select_on_all(schema, access.reader)
        yield _default(access, schema, "TABLES", "SELECT")
    if access.new_schemas:
        yield _default(access, None, "SCHEMAS", "USAGE")
        yield _default(access, None, "TABLES", "SELECT")
    yield _search_path(access.database, access.loader, access.schemas)
    yield _search_path(access.database, access.reader, tuple(reversed(access.schemas)))


def _database_grant(database: str, role: str, rights: Sequence[str]) -> Wish:
    return Wish(
        f"{role}: {', '.join(rights)} on the database {database}",
        sql.SQL(
            "(SELECT {rights} <@ array_agg(a.privilege_type) FROM pg_database d,"
            " aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a"
            " WHERE d.datname = {database} AND pg_get_userbyid(a.grantee) = {role})"
        ).format(rights=_texts(rights), database=sql.Literal(database), role=sql.Literal(role)),
        sql.SQL("GRANT {} ON DATABASE {} TO {}").format(
            _words(rights), sql.Identifier(database), sql.Identifier(role)
        ),
    )


def _schema(schema: str, loader: str) -> Wish:
    return Wish(
        f"schema {schema}",
        _exists("pg_namespace", "nspname", schema),
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(
            sql.Identifier(schema), sql.Identifier(loader)
        ),
    )


def _schema_grant(schema: str, role: str, rights: Sequence[str]) -> Wish:
    return Wish(
        f"{role}: {', '.join(rights)} on the schema {schema}",
        sql.SQL(
            "(SELECT {rights} <@ array_agg(a.privilege_type) FROM pg_namespace n,"
            " aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a"
            " WHERE n.nspname = {schema} AND pg_get_userbyid(a.grantee) = {role})"
        ).format(rights=_texts(rights), schema=sql.Literal(schema), role=sql.Literal(role)),
        sql.SQL("GRANT {} ON SCHEMA {} TO {}").format(
            _words(rights), sql.Identifier(schema), sql.Identifier(role)
        ),
    )


def _select_on_all(schema: str, role: str) -> Wish:
    return Wish(
        f"{role}: SELECT on the tables that are in {schema}",
        sql.SQL(
            "(SELECT bool_and(c.oid IS NULL OR has_table_privilege(r.oid, c.oid, 'SELECT'))"
            " FROM pg_roles r, pg_namespace n LEFT JOIN pg_class c"
            " ON c.relnamespace = n.oid AND c.relkind IN ('r', 'v', 'm', 'f', 'p')"
            " WHERE n.nspname = {schema} AND r.rolname = {role})"
        ).format(schema=sql.Literal(schema), role=sql.Literal(role)),
        sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(
            sql.Identifier(schema), sql.Identifier(role)
        ),
    )


def _default(access: PostgresAccess, schema: str | None, kind: str, right: str) -> Wish:
    """Return a grant on what the loader makes later, in one schema or anywhere."""
    where = sql.SQL("IN SCHEMA {} ").format(sql.Identifier(schema)) if schema else sql.SQL("")
    return Wish(
        f"{access.reader}: {right} on the {kind.lower()} that {access.loader} makes later"
        + (f" in {schema}" if schema else ""),
        sql.SQL(
            "EXISTS (SELECT FROM pg_default_acl d LEFT JOIN pg_namespace n"
            " ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a"
            " WHERE pg_get_userbyid(d.defaclrole) = {loader} AND d.defaclobjtype = {kind}"
            " AND n.nspname IS NOT DISTINCT FROM {schema}"
            " AND pg_get_userbyid(a.grantee) = {reader} AND a.privilege_type = {right})"
        ).format(
            loader=sql.Literal(access.loader),
            kind=sql.Literal({"TABLES": "r", "SCHEMAS": "n"}[kind]),
            schema=sql.Literal(schema),
            reader=sql.Literal(access.reader),
            right=sql.Literal(right),
        ),
        sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} {}GRANT {} ON {} TO {}").format(
            sql.Identifier(access.loader),
            where,
            sql.SQL(right),
            sql.SQL(kind),
            sql.Identifier(access.reader),
        ),
    )


def _search_path(database: str, role: str, schemas: Sequence[str]) -> Wish:
    path = list(dict.fromkeys((*schemas, PUBLIC_SCHEMA)))
    return Wish(
        f"{role}: search path {', '.join(path)}",
        sql.SQL(
            "EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
            " WHERE d.datname = {} AND pg_get_userbyid(s.setrole) = {}"
            " AND 'search_path=' || concat_ws(', ', {}) = ANY (s.setconfig))"
        ).format(
            sql.Literal(database),
            sql.Literal(role),
            sql.SQL(", ").join(
                sql.SQL("quote_ident({})").format(sql.Literal(schema)) for schema in path
            ),
        ),
        sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path TO {}").format(
            sql.Identifier(role),
            sql.Identifier(database),
            sql.SQL(", ").join(map(sql.Identifier, path)),
        ),
    )


def _exists(catalog: str, column: str, name: str) -> sql.Composed:
    return sql.SQL("EXISTS (SELECT FROM {} WHERE {} = {})").format(
        sql.Identifier(catalog), sql.Identifier(column), sql.Literal(name)
    )


def _texts(words: Sequence[str]) -> sql.Composed:
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(map(sql.Literal, words)))


def _words(words: Sequence[str]) -> sql.Composed:
    """Join keywords of this module's own."""
    return sql.SQL(", ").join(map(sql.SQL, words))
