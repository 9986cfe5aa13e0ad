"""The demo, run as a newcomer runs it."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pymongo
from tests.cli.process import Run, clean_environment, command_line

from landbridge.embedded import MongoServer, PostgresServer


def test_the_demo_tells_the_whole_story(landbridge: Run) -> None:
    done = landbridge("demo", env={"COLUMNS": "100"})

    assert done.returncode == 0, done.stderr
    told = done.stdout
    assert max(map(len, told.splitlines())) <= 100
    assert "25 inserted, with a new field verifiedBy; 40 updated; 10 deleted" in told
    second = told[told.index("Second sync") :]
    records = next(line.split() for line in second.splitlines() if "stationarycomb" in line)
    assert [records[2], records[3], records[5]] == ["25", "40", "10"]
    assert re.search(r"sitename +year +month +total_emissions", told)
    assert re.search(r"carbonlens +stationarycombustions +8,015", told)
    assert "GeoNames" in told and "CC BY 4.0" in told
    assert "quarantine" in told
    assert "Traceback" not in done.stderr


def test_with_keep_psql_can_connect_until_ctrl_c(
    mongod: MongoServer, postgresql: PostgresServer, tmp_path: Path
) -> None:
    """On servers that the environment names, which get back as they were."""
    environment = {
        "LANDBRIDGE_TEST_MONGODB": mongod.uri,
        "LANDBRIDGE_TEST_POSTGRES": postgresql.uri,
    }
    process = subprocess.Popen(
        command_line("demo", "--keep"),
        cwd=tmp_path,
        env=clean_environment(environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    found: dict[str, str] = {}
    for line in process.stdout:
        if match := re.search(r"PGPASSFILE=(\S+)", line):
            found["passfile"] = match[1]
        if match := re.search(r"psql -h (\S+) -p (\d+) -U (\S+) -d (\S+)", line):
            found |= dict(zip(("host", "port", "user", "dbname"), match.groups(), strict=True))
        if "mongosh" in line:
            break
    with psycopg.connect(**found) as connection:  # type: ignore[arg-type]
        count = connection.execute("select count(*) from carbonlens.sites").fetchone()
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)

    assert count == (48,)
    assert process.returncode == 0
    assert "gone" in rest
    assert not Path(found["passfile"]).exists()
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        assert {"carbonLens", "geonames"}.isdisjoint(client.list_database_names())
    with psycopg.connect(postgresql.uri) as connection:
        left = connection.execute("select 1 from pg_database where datname = 'carbon_lens_bi'")
        assert left.fetchone() is None


def test_the_demo_does_not_mix_with_other_data(landbridge: Run, mongod: MongoServer) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongod.uri) as client:
        client["carbonLens"]["mine"].insert_one({})
        done = landbridge("demo", env={"LANDBRIDGE_TEST_MONGODB": mongod.uri})
        kept = client["carbonLens"]["mine"].count_documents({})
        client.drop_database("carbonLens")

    assert (done.returncode, kept) == (1, 1)
    assert "has a database carbonLens already" in done.stderr
