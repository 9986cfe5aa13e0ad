"""The verifier is the one of the RFC, and lets the password in."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode

import psycopg
import pytest
from psycopg import sql
from tests.setup.conftest import Server

from landbridge.errors import UsageError
from landbridge.postgres.scram import verifier

# The exchange of RFC 7677, section 3.
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
EXCHANGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s={SALT},i=4096,c=biws,r={NONCE}"
SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_verifier_answers_the_exchange_of_the_rfc() -> None:
    text = verifier("pencil", b64decode(SALT))
    kind, iterations_and_salt, keys = text.split("$")
    server_key = b64decode(keys.split(":")[1])

    assert kind == "SCRAM-SHA-256"
    assert iterations_and_salt == f"4096:{SALT}"
    signature = hmac.digest(server_key, EXCHANGE.encode(), "sha256")
    assert b64encode(signature).decode() == SIGNATURE


def test_two_verifiers_of_one_password_differ_and_hide_it() -> None:
    first, second = verifier("pencil"), verifier("pencil")
    assert first != second
    assert "pencil" not in first


def test_the_server_lets_the_password_in_and_no_other(postgres_server: Server, fresh: str) -> None:
    role, password = f"guest_{fresh}", " a'b\"c\\d$:@/%~"
    with postgres_server.postgres() as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(role), sql.Literal(verifier(password))
            )
        )
    postgres_server.postgres(postgres_server.of(role, password, "postgres")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres_server.postgres(postgres_server.of(role, password + " ", "postgres"))


@pytest.mark.parametrize("password", ["", "pässword", "tab\t", "nul\0", "nbsp\u00a0"])
def test_a_password_that_clients_read_in_two_ways_is_refused(password: str) -> None:
    with pytest.raises(UsageError) as caught:
        verifier(password)
    assert not password or password not in str(caught.value)
