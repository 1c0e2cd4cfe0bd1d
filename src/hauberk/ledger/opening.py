"""A ledger by its place: a folder, a PostgreSQL database, or published tiles, which can only be read.

    DIR/
      ledger.sqlite   the tables
      key, key.pub    the log's secret key (mode 600), and the public one
      policy          a trust policy with this log and no witness, to start from

The key of a ledger in PostgreSQL lies in a file of whoever appends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import insert, inspect

from hauberk.core.clock import Clock, now
from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import ConfigError
from hauberk.core.files import directory_aside
from hauberk.crypto.notes import Checkpoint, Signer, generate, write_signers
from hauberk.crypto.secret import Random
from hauberk.ledger.checkpoint import sign_checkpoint
from hauberk.ledger.hashing import EMPTY_ROOT
from hauberk.ledger.places import place
from hauberk.ledger.published import PublishedLog
from hauberk.ledger.store import schema
from hauberk.ledger.store.database import ledger_database, no_ledger
from hauberk.ledger.store.log import Log
from hauberk.ledger.tiles import CHECKPOINT_PATH

FILE = "ledger.sqlite"
KEY = "key"
POLICY = "policy"
_POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


def open_ledger(where: str | Path, *, key: str | Path | None = None, clock: Clock = now) -> Log | PublishedLog:
    """A ledger to read, and to append to where that can be done.

    Args:
        where: a folder, a ``postgresql://`` URL, or where tiles are published: a folder, http(s), fsspec's.
        key: the signing key's file [default: the one in the folder]; only ``append`` reads it.
        clock: for the time of heads.

    Raises:
        DataError: there is no ledger, or one from a newer Hauberk.
        EnvironmentFailure: nobody answers there.
    """
    text = str(where)
    if text.startswith(_POSTGRES):
        return _opened(
            ledger_database(postgres_url(text), _shown(text)), None if key is None else Path(key), clock
        )
    if "://" not in text and (Path(where) / FILE).exists():
        file = Path(where) / FILE
        return _opened(ledger_database(sqlite_url(file), text), Path(key or Path(where) / KEY), clock)
    files = place(where)
    if files.read(CHECKPOINT_PATH) is None:
        raise no_ledger(files.where)
    return PublishedLog(files)


def open_log(where: str | Path, *, key: str | Path | None = None, clock: Clock = now) -> Log:
    """A ledger to append to.

    Raises:
        ConfigError: there is one, but only to read; else as ``open_ledger``.
    """
    opened = open_ledger(where, key=key, clock=clock)
    if isinstance(opened, Log):
        return opened
    raise ConfigError(
        f"{opened.where} is a published log, which can only be read",
        hint="append to the ledger that it was exported from",
    )


def create_ledger(
    where: str | Path,
    *,
    origin: str | None = None,
    key: str | Path | None = None,
    clock: Clock = now,
    random: Random = os.urandom,
) -> Log:
    """A new, empty ledger with a new key.

    Args:
        where: a folder that is not there or empty, or a ``postgresql://`` URL of a database without a ledger.
        origin: the log's name for all time, best the address where it will be published, without ``https://``
            [default: one made from the key].
        key: where the secret key goes [default: ``key`` in the folder; a database has none].

    Raises:
        ConfigError: there is a ledger or a key already, or the origin is no name.
        EnvironmentFailure: the place cannot be written; nothing is left behind.
    """
    text = str(where)
    if text.startswith(_POSTGRES):
        if key is None:
            raise ConfigError("a ledger in PostgreSQL needs a place for its key", hint="--key FILE")
        database = ledger_database(postgres_url(text), _shown(text))
        try:
            with _key_at(Path(key), origin, random) as signer:
                _fill(database, signer, clock)
        finally:
            database.close()
        return open_log(where, key=key, clock=clock)
    if "://" in text:
        raise ConfigError(
            f"{text}: a ledger is made in a folder or in PostgreSQL", hint="export publishes it elsewhere"
        )
    _make_folder(Path(where), origin, None if key is None else Path(key), clock, random)
    return open_log(where, key=key, clock=clock)


def _make_folder(folder: Path, origin: str | None, key: Path | None, clock: Clock, random: Random) -> None:
    if (folder / FILE).exists():
        raise ConfigError(f"{folder} holds a ledger already")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty", hint="choose a new folder for the ledger")
    with directory_aside(folder) as aside, _key_at(key or aside / KEY, origin, random) as signer:
        (aside / FILE).touch()
        database = ledger_database(sqlite_url(aside / FILE), str(folder))
        try:
            _fill(database, signer, clock)
        finally:
            database.close()
        (aside / POLICY).write_text(f"log {signer.verifier}\nquorum none\n")


@contextmanager
def _key_at(file: Path, origin: str | None, random: Random) -> Iterator[Signer]:
    """A new key in a file, which goes again when the block fails."""
    signer = generate(origin or f"hauberk-ledger-{random(8).hex()}", random=random)
    written = write_signers(file, [signer])
    try:
        yield signer
    except BaseException:
        for one in written:
            one.unlink(missing_ok=True)
        raise
    finally:
        signer.wipe()


def _fill(database: Database, signer: Signer, clock: Clock) -> None:
    """Tables, and the signed head of an empty tree."""
    with database.write() as connection:
        if inspect(connection).has_table(schema.log.name):
            raise ConfigError(f"{database.where} holds a ledger already")
        schema.metadata.create_all(connection)
        head = sign_checkpoint(Checkpoint(signer.name, 0, EMPTY_ROOT), [signer], clock=clock)
        connection.execute(
            insert(schema.log).values(
                id=1,
                version=schema.VERSION,
                verifier=str(signer.verifier),
                size=0,
                head=bytes(head),
                signed_ms=int(clock().timestamp() * 1000),
            )
        )


def _opened(database: Database, key: Path | None, clock: Clock) -> Log:
    try:
        return Log(database, key, clock=clock)
    except BaseException:
        database.close()
        raise


def _shown(url: str) -> str:
    return postgres_url(url).set(drivername="postgresql").render_as_string(hide_password=True)
