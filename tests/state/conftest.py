"""Roles that may do little."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from psycopg import sql
from tests.layouts.checks import Postgres


@pytest.fixture
def role_uri(postgres: Postgres, postgres_uri: str) -> Iterator[str]:
    """The URI of the same database for a role without any right of its own."""
    name = f"{postgres.info.dbname}_role"
    role = sql.Identifier(name)
    postgres.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(role))
    parts = urlsplit(postgres_uri)
    yield parts._replace(netloc=f"{name}:secret@{parts.hostname}:{parts.port}").geturl()
    postgres.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
    postgres.execute(sql.SQL("DROP ROLE {}").format(role))
