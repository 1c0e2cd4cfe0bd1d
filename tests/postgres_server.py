"""A real PostgreSQL server for tests, started and stopped by an ordinary user from Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

USER = "hauberk"
_PLACES = ("/usr/local/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "60",
    "fsync": "off",  # tests kill processes, they do not cut the power
    "autovacuum": "off",
}


def find(program: str) -> str | None:
    """One of the server's programs."""
    return shutil.which(program, path=os.pathsep.join((*_PLACES, os.environ.get("PATH", ""))))


class Server:
    """A server of one's own on a free loopback port.

    Raises:
        RuntimeError: no program, or no ordinary user to run it as.
    """

    def __init__(self) -> None:
        if find("initdb") is None or find("pg_ctl") is None:
            raise RuntimeError("no PostgreSQL programs")
        self._user = _ordinary_user()
        self._folder = Path(tempfile.mkdtemp(prefix="hauberk-pg-", dir="/tmp"))
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self._folder, account.pw_uid, account.pw_gid)
        self._data = self._folder / "data"
        self._run(
            "initdb", "-D", self._data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        options = f"{settings} -p {self.port} -k {self._folder}"
        self._run(
            "pg_ctl", "-D", self._data, "-w", "-t", "60", "-l", self._folder / "log", "-o", options, "start"
        )

    def stop(self, *, how: str = "fast") -> None:
        """``immediate`` is a crash: connections break, and the next start recovers."""
        self._run("pg_ctl", "-D", self._data, "-w", "-t", "60", "-m", how, "stop")

    def remove(self) -> None:
        try:
            self.stop(how="immediate")
        except subprocess.CalledProcessError:
            pass  # it was stopped already
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        self._run(
            "psql",
            "-h",
            "127.0.0.1",
            "-p",
            self.port,
            "-U",
            USER,
            "-c",
            f'CREATE DATABASE "{name}"',
            "postgres",
        )
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: object) -> None:
        # the server outlives pg_ctl and must not keep a pipe of ours open
        with open(os.devnull, "r+b") as nothing:
            subprocess.run(
                [find(program) or program, *map(str, arguments)],
                check=True,
                cwd=self._folder,
                user=self._user,
                group=self._user and pwd.getpwnam(self._user).pw_gid,
                extra_groups=[] if self._user else None,
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                timeout=120,
            )


def _ordinary_user() -> str | None:
    """Whom to run as: the server refuses root. None where we are ordinary ourselves."""
    if os.geteuid():
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise RuntimeError("no ordinary user to run PostgreSQL as")
