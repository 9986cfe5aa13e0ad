"""The verifier that PostgreSQL keeps instead of a password: SCRAM-SHA-256, RFC 5802 and 7677.

For       Files and statements that set a password without holding it.
Touches   Nothing but the source of random bytes.
Promises  The password can't be read from a verifier; two verifiers of one password differ.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode

from landbridge.errors import UsageError

ITERATIONS = 4096  # as PostgreSQL's own
SALT_BYTES = 16


def verifier(password: str, salt: bytes | None = None) -> str:
    """Return what `CREATE ROLE … PASSWORD` takes in place of the password.

    Raises:
        UsageError: the password is empty, or holds what clients do not agree on.

    """
    if not password or any(not " " <= character <= "~" for character in password):
        raise UsageError(
            "a password can't be used",
            why="it is empty"
            if not password
            else "it holds characters outside of printable ASCII,"
            " which clients turn into bytes in more than one way",
            fix="choose one of letters, digits and signs of ASCII, or let setup make one",
        )
    salt = salt or os.urandom(SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server_key = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(value: bytes) -> str:
    return b64encode(value).decode("ascii")
