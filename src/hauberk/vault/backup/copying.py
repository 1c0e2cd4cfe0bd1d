"""One moment of a database, in a file, while others go on writing; and back from the file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Protocol

from sqlalchemy import MetaData, inspect

from hauberk.core.database import BUSY_TIMEOUT_S, Database, postgres_url
from hauberk.core.errors import ConfigError, EnvironmentFailure, HauberkError, IntegrityError
from hauberk.vault.backup.programs import Ended, run

_PACKAGE = "postgresql-client"
_CONNECT_TIMEOUT_S = "10"


class Pinned(Protocol):
    """One moment of a database, for as long as it is open: what is committed later is not in it, and no writer
    has to wait."""

    def copy(self, target: Path) -> None:
        """Write that moment to a file.

        Raises:
            EnvironmentFailure: the disk is full, or the database does not answer.
            IntegrityError: the database is damaged.
        """

    def close(self) -> None: ...


class PinnedSqlite:
    """Of a file, by SQLite's own backup."""

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._said():
            uri = f"{file.resolve().as_uri()}?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_TIMEOUT_S)
            self._connection.execute("BEGIN")
            self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # from here on

    def copy(self, target: Path) -> None:
        with self._said(), closing(sqlite3.connect(target)) as made:
            self._connection.backup(made)
            made.execute("PRAGMA journal_mode = DELETE").fetchone()  # one file, without a -wal beside it

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise IntegrityError(
                    f"{self._file} is damaged: {error}", hint="restore the last backup"
                ) from error
            raise EnvironmentFailure(f"could not copy {self._file}: {error}") from error


class PinnedPostgres:
    """Of a PostgreSQL database, by ``pg_dump``: its custom form, uncompressed, so that what did not change is
    stored once."""

    def __init__(self, url: str) -> None:
        self._url, self._kept = url, ExitStack()
        database = self._kept.enter_context(closing(_database(url)))
        connection = self._kept.enter_context(database.read())
        self._snapshot = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()

    def copy(self, target: Path) -> None:
        arguments = ["--format=custom", "--compress=0", "--no-owner", "--no-privileges"]
        moment = f"--snapshot={self._snapshot}"
        done = _postgres("pg_dump", [*arguments, moment, f"--file={target}", f"--dbname={_plain(self._url)}"])
        if done.code:
            raise _failed(done, "dump", self._url)

    def close(self) -> None:
        self._kept.close()


def load_postgres(file: Path, url: str) -> None:
    """Put a dump into an empty database: all of it, or nothing.

    Raises:
        ConfigError: the database is not empty.
        EnvironmentFailure: the server does not answer or has no room.
    """
    require_empty(url)
    arguments = ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    done = _postgres("pg_restore", [*arguments, f"--dbname={_plain(url)}", file])
    if done.code:
        raise _failed(done, "restore into", url)


def require_empty(url: str) -> None:
    """Raises ``ConfigError`` where a PostgreSQL database has tables."""
    with closing(_database(url)) as database, database.read() as connection:
        tables = inspect(connection).get_table_names()
    if tables:
        raise ConfigError(
            f"{_shown(url)} is not empty: it has {len(tables)} tables, such as '{sorted(tables)[0]}'",
            hint="createdb a new one, and name that with --database",
        )


def empty_postgres(url: str) -> None:
    """Drop all tables of a database that ``load_postgres`` has filled."""
    with closing(_database(url)) as database, database.write() as connection:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)


def _database(url: str) -> Database:
    return Database(postgres_url(url), _shown(url), noun="database", absent=_no_table)


def _no_table(where: str) -> HauberkError:
    return EnvironmentFailure(f"{where} changed while it was read")


def _postgres(program: str, arguments: list[object]) -> Ended:
    return run(
        program,
        ["--no-password", *arguments],
        package=_PACKAGE,
        environment={"PGCONNECT_TIMEOUT": _CONNECT_TIMEOUT_S, "LC_ALL": "C"},
    )


def _failed(done: Ended, action: str, url: str) -> EnvironmentFailure:
    said = [one.partition("error: ")[2] or one for one in done.said]
    reason, hint = (said or [f"it ended with {done.code}"])[0], None
    if "version mismatch" in reason:
        reason, hint = f"{reason} ({' '.join(said[1:2])})", "install the server's version of postgresql-client"
    elif "connection to server" in reason or "could not translate" in reason:
        hint = "try again when it is back"
    return EnvironmentFailure(f"could not {action} {_shown(url)}: {reason}", hint=hint)


def _plain(url: str) -> str:
    """As libpq reads it; there is no password in it."""
    return postgres_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _shown(url: str) -> str:
    return postgres_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
