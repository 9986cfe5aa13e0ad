"""What the pages show is run: `bash`, `sql` and `python` blocks, page by page, in their order.

In them a `mongodb://…/NAME` stands for the test's MongoDB and a `postgresql://…` for a fresh
database; `MONGO_URI` and `DATABASE_URL` name the same. A block in `sh` or `text` is only shown.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymongo
import pytest
from tests.docs.pages import PAGES, RUN, Block, blocks, name_of
from tests.docs.sources import REALTY, fill, prepare

from landbridge.embedded import MongoServer

SECONDS_MAX = 120
SOURCE = re.compile(r"mongodb://[^\s'\"`/]+/(?P<database>\w+)[^\s'\"`]*")
TARGET = re.compile(r"postgresql://[^\s'\"`]+")

WITH_COMMANDS = [page for page in PAGES if any(block.language in RUN for block in blocks(page))]


@pytest.fixture
def source_of(mongod: MongoServer, page: Path) -> Iterator[dict[str, str]]:
    """The URI of each database that the page names, filled."""
    names = dict.fromkeys(match["database"] for match in SOURCE.finditer(page.read_text("utf-8")))
    with pymongo.MongoClient(mongod.uri) as client:
        for name in names:
            fill(client[name])
        yield {name: urlsplit(mongod.uri)._replace(path=f"/{name}").geturl() for name in names}
        for name in names:
            client.drop_database(name)


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name_of)
def test_what_a_page_shows_works(
    page: Path, source_of: dict[str, str], postgres_uri: str, tmp_path: Path
) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MONGO_URI": next(iter(source_of.values()), ""),
        "DATABASE_URL": postgres_uri,
    }
    if REALTY in source_of:
        with psycopg.connect(postgres_uri, autocommit=True) as connection:
            prepare(connection, tmp_path)
    for block in blocks(page):
        text = SOURCE.sub(lambda match: source_of[match["database"]], block.text)
        text = TARGET.sub(lambda match: postgres_uri, text)
        where = f"{name_of(page)}:{block.line}"
        if block.language == "sql":
            query(where, text, postgres_uri)
        elif block.language in RUN:
            run(where, Block(block.language, text, block.line), environment, tmp_path)


def query(where: str, text: str, uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        try:
            cursor = connection.execute(text.encode())
        except psycopg.Error as error:
            pytest.fail(f"{where}: {error}")
        if cursor.description:
            assert cursor.fetchall(), f"{where}: the query returns nothing"


def run(where: str, block: Block, environment: dict[str, str], folder: Path) -> None:
    if block.language == "python":
        command = [sys.executable, "-c", block.text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS_MAX
    )
    assert done.returncode == 0, f"{where}: {done.stdout}{done.stderr}"
