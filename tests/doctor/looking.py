"""Short ways to look at servers and to find one finding among many."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from landbridge.bridge import doctor
from landbridge.model.finding import Diagnosis, Finding

SECRET = "s3cr3t"


def look(source: str | None = None, target: str | None = None, **options: Any) -> Diagnosis:
    """What `doctor` says; a password that it says fails the test."""
    diagnosis = doctor(source, target, **options)
    assert SECRET not in str(diagnosis.to_json()) + str(diagnosis)
    return diagnosis


def found(diagnosis: Diagnosis, code: str, where: str = "") -> Finding:
    """The one finding of a code."""
    some = [one for one in diagnosis.findings if one.code == code and where in ("", one.where)]
    assert len(some) == 1, f"{code} stands {len(some)} times in {codes(diagnosis)}"
    return some[0]


def codes(diagnosis: Diagnosis) -> set[tuple[str, str]]:
    """Severity and code of every finding."""
    return {(one.severity, one.code) for one in diagnosis.findings}


def serious(diagnosis: Diagnosis) -> set[str]:
    """The codes of warnings and errors."""
    return {code for severity, code in codes(diagnosis) if severity in ("warning", "error")}


def in_database(uri: str, database: str) -> str:
    """The URI with a database."""
    return urlsplit(uri)._replace(path=f"/{database}").geturl()


def as_user(uri: str, user: str, database: str, password: str = SECRET) -> str:
    """The URI of a MongoDB for another user, who is looked up in `shop`."""
    host = urlsplit(uri).netloc.rpartition("@")[2]
    return f"mongodb://{user}:{password}@{host}/{database}?directConnection=true&authSource=shop"


def as_role(uri: str, role: str, password: str = SECRET) -> str:
    """The URI of a PostgreSQL for another role."""
    parts = urlsplit(uri)
    return parts._replace(netloc=f"{role}:{password}@{parts.netloc.rpartition('@')[2]}").geturl()
