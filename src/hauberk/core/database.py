"""Connections to SQLite and PostgreSQL: what is committed is on disk, and what goes wrong is said in one line.

SQLite takes the write lock when a transaction begins, so its writers come one after the other. PostgreSQL's do
where the first thing that each does is to lock the same row.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import QueuePool

from hauberk.core.errors import (
    ConfigError,
    DependencyMissing,
    EnvironmentFailure,
    HauberkError,
    IntegrityError,
)

BUSY_TIMEOUT_S = 60.0
_CONNECT_TIMEOUT_S = 10
_CACHE_KIB = 32_768

_FULL = ("the disk is full", "free some space; what was acknowledged before is kept")
_READ_ONLY = ("it may not be written", "use it as a user who may write there")
_SQLITE_CODES = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "check that the folder exists and may be read and written",
    ),
    sqlite3.SQLITE_BUSY: (f"another process has held it for {BUSY_TIMEOUT_S:.0f} s", "try again later"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", None),
}
_NOT_IN_ORDER = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_POSTGRES_CODES = {
    "53100": _FULL,
    "25006": _READ_ONLY,
    "42501": ("this role has not the right to do that", "GRANT it, or use another role"),
}
_NO_TABLE = "42P01"
_AWAY = ("08", "57P")  # the connection broke, or the server is stopping


class Database:
    """A pool of connections to one database.

    Args:
        url: as SQLAlchemy writes it.
        where: what messages call it; no password.
        noun: what it is to its user, such as "ledger".
        absent: the error where its tables are not there, made from ``where``.
    """

    def __init__(
        self,
        url: URL,
        where: str,
        *,
        noun: str,
        absent: Callable[[str], HauberkError],
    ) -> None:
        self.where, self._noun, self._absent = where, noun, absent
        self._sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self._sqlite else _postgres_engine(url, noun)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; all that it sees in the block is of one moment.

        Raises:
            EnvironmentFailure: the database does not answer, or the disk fails.
            IntegrityError: the file is damaged.
        """
        with self._said(), self._engine.connect() as connection:
            if not self._sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: on disk when the block has ended, or nothing of it happened. Raises as ``read``."""
        with self._said(), self._engine.connect() as connection:
            connection.execution_options(hauberk_writes=True)
            with connection.begin():
                if not self._sqlite:  # a server may be set to answer before the disk has it
                    connection.exec_driver_sql("SET LOCAL synchronous_commit TO on")
                yield connection

    def forget(self) -> None:
        """Leave nothing of erased rows in files that the database keeps besides (SQLite's log of changes).

        Raises:
            EnvironmentFailure: somebody is still reading what was there before.
        """
        if self._sqlite:
            with self._said(), self._engine.connect() as connection:
                busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
            if busy:
                raise EnvironmentFailure(
                    f"erased in {self.where}, but a reader keeps the old rows alive in its -wal file",
                    hint="end it, and erase again",
                )

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._clear(error) from error

    def _clear(self, error: DBAPIError) -> HauberkError:
        cause: Any = error.orig
        first = (str(cause).splitlines() or ["no reason given"])[0]
        if self._sqlite:
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            if code in _NOT_IN_ORDER:
                return IntegrityError(f"{self.where} is damaged, or no database: {first}")
            if "no such table" in first:
                return self._absent(self.where)
            reason, hint = _SQLITE_CODES.get(code, (first, None))
        else:
            state = getattr(cause, "sqlstate", None) or ""
            if state == _NO_TABLE:
                return self._absent(self.where)
            reason, hint = _POSTGRES_CODES.get(state, (first, None))
            if not state or state.startswith(_AWAY):
                reason = f"the database does not answer ({first})"
                hint = "what was acknowledged is kept; try again when it is back"
        return EnvironmentFailure(f"could not use the {self._noun} {self.where}: {reason}", hint=hint)


def sqlite_url(file: Path) -> URL:
    return URL.create("sqlite", database=str(file))


def postgres_url(text: str) -> URL:
    """A ``postgresql://`` URL with the driver that is used here.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return make_url(text).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise ConfigError(
            "this postgresql:// URL cannot be read", hint="postgresql://USER@HOST:PORT/DATABASE"
        ) from None


def _sqlite_engine(url: URL) -> Engine:
    file = Path(str(url.database)).resolve()
    writable = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)
    mode = "rw" if writable else _read_only_mode(file)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(
            f"{file.as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        if writable:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON").fetchone()
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("hauberk_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _read_only_mode(file: Path) -> str:
    """A folder that may not be written has no place for what readers share: the file is taken as it lies there,
    unless a writer elsewhere has changes waiting beside it."""
    waiting = file.with_name(f"{file.name}-wal")
    return "ro" if waiting.exists() and waiting.stat().st_size else "ro&immutable=1"


def _postgres_engine(url: URL, noun: str) -> Engine:
    try:
        return create_engine(
            url,
            pool_pre_ping=True,  # a server that was started anew gets a new connection
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S, "application_name": "hauberk"},
        )
    except (ImportError, NoSuchModuleError):
        raise DependencyMissing.extra(f"a {noun} in PostgreSQL", "postgres") from None
