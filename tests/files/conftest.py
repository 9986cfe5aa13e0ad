"""A store of each kind, empty: a local folder, and a bucket of a real S3 server on loopback."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests.s3 import S3Server

from landbridge.files import Store, open_store


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "local":
        return open_store(str(tmp_path / "archive"))
    server: S3Server = request.getfixturevalue("s3")
    return open_store(f"s3://{server.bucket}/{uuid.uuid4().hex}/archive")
