"""A URI as a Prisma project has it opens a connection."""

from __future__ import annotations

from contextlib import closing

import pytest

from landbridge.errors import UsageError
from landbridge.postgres.connect import open_connection
from landbridge.postgres.uris import for_libpq, schema_of


def test_parameters_of_another_client_are_left_out(postgres_uri: str) -> None:
    joint = "&" if "?" in postgres_uri else "?"
    uri = f"{postgres_uri}{joint}schema=app&connection_limit=5&pgbouncer=true&connect_timeout=7"
    with closing(open_connection(uri, "test")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert schema_of(uri) == "app"


@pytest.mark.parametrize(
    ("uri", "plain", "schema"),
    [
        ("postgresql://h/d", "postgresql://h/d", None),
        ("postgresql://h/d?schema=my%20app", "postgresql://h/d", "my app"),
        ("postgresql://h/d?sslmode=require&schema=s", "postgresql://h/d?sslmode=require", "s"),
        ("postgresql://u:a?schema=b@h/d", "postgresql://u:a?schema=b@h/d", None),
        ("host=h dbname=d?schema=x", "host=h dbname=d?schema=x", None),
    ],
)
def test_what_libpq_is_given(uri: str, plain: str, schema: str | None) -> None:
    assert (for_libpq(uri), schema_of(uri)) == (plain, schema)


def test_what_nobody_knows_is_still_an_error(postgres_uri: str) -> None:
    joint = "&" if "?" in postgres_uri else "?"
    with pytest.raises(UsageError, match="invalid URI query parameter"):
        open_connection(f"{postgres_uri}{joint}scheme=app", "test")
