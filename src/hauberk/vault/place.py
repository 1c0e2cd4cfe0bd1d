"""A vault by its folder, wherever its parts lie.

    DIR/
      vault.toml      where the parts are, and the policy
      vault.key       mode 600; without it nothing of the vault can be read
      vault.sqlite    the database, unless it is in PostgreSQL
      artifacts/      encrypted, unless they are in an object store
      ledger/         the vault's own log, unless it writes into another one

A machine that is to work on the same vault gets a copy of ``vault.toml``, ``vault.key`` and the ledger's key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from sqlalchemy import select

from hauberk.core.clock import Clock, now
from hauberk.core.database import Database, postgres_url, sqlite_url
from hauberk.core.errors import DataError, IntegrityError
from hauberk.crypto import owner_key
from hauberk.crypto.secret import Random
from hauberk.ledger.opening import open_log
from hauberk.vault import schema
from hauberk.vault.gate import Gate, OwnerGate
from hauberk.vault.keys import VaultKeys
from hauberk.vault.migrating import check_version
from hauberk.vault.settings import FILE, Policy, Settings, is_url

if TYPE_CHECKING:
    from hauberk.ledger.store.log import Log
    from hauberk.vault.artifacts import Artifacts

KEY = "vault.key"
DATABASE = "vault.sqlite"
ARTIFACTS = "artifacts"
LEDGER = "ledger"
POSTGRES = ("postgresql://", "postgres://", "postgresql+psycopg://")


class Vault:
    """An open vault. Use it in a ``with`` block, or ``close`` it.

    Args:
        folder: where its ``vault.toml`` lies.
        gate: answers who may; ``gate.actor`` is who acts.
    """

    def __init__(
        self,
        folder: Path,
        settings: Settings,
        database: Database,
        keys: VaultKeys,
        *,
        gate: Gate,
        clock: Clock = now,
        random: Random = os.urandom,
    ) -> None:
        self.folder, self.settings, self.database, self.keys = folder, settings, database, keys
        self.gate, self.clock, self.random = gate, clock, random

    @property
    def where(self) -> str:
        """For messages."""
        return str(self.folder)

    @property
    def policy(self) -> Policy:
        return self.settings.policy

    @cached_property
    def artifacts(self) -> Artifacts:
        """Where the bytes of versions lie."""
        from hauberk.vault.artifacts import Artifacts
        from hauberk.vault.blob_places import blob_place

        return Artifacts(blob_place(_resolved(self.folder, self.settings.artifacts)), self.keys, self.random)

    @cached_property
    def ledger(self) -> Log:
        """The log into which publications, deployments and revocations go.

        Raises:
            IntegrityError: it is signed by another key than the one that the vault was made with.
        """
        key = _resolved(self.folder, self.settings.ledger_key)
        log = open_log(_resolved(self.folder, self.settings.ledger), key=key, clock=self.clock)
        if str(log.verifier) != self.settings.ledger_verifier:
            log.close()
            raise IntegrityError(
                f"the ledger {log.where} is signed by {log.verifier}; {self.folder / FILE} names another"
            )
        return log

    def now_ms(self) -> int:
        """POSIX milliseconds."""
        return int(self.clock().timestamp() * 1000)

    def close(self) -> None:
        """Close database and ledger, and wipe the keys."""
        if "ledger" in self.__dict__:
            self.ledger.close()
        self.database.close()
        self.keys.wipe()

    def __enter__(self) -> Vault:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_vault(
    where: str | Path, *, gate: Gate | None = None, clock: Clock = now, random: Random = os.urandom
) -> Vault:
    """A vault to work with.

    Args:
        where: its folder.
        gate: answers who may [default: the owner of the folder, who may do everything].
        clock, random: for times, and for nonces.

    Raises:
        DataError: no vault, one from a newer Hauberk, or one whose tables are older: ``upgrade_vault``.
        ConfigError: the key may be read by others, or ``vault.toml`` says what cannot be.
        IntegrityError: the key is not the one that the database was made with.
        EnvironmentFailure: the database does not answer.
    """
    folder = Path(where)
    settings = Settings.load(folder)
    keys = VaultKeys(owner_key.read(folder / KEY, "vault"), random=random)
    try:
        with closed_on_error(database_of(folder, settings)) as database:
            with database.read() as connection:
                check_version(connection, database.where)
                found = connection.execute(select(schema.state.c.key_check)).scalar_one_or_none()
            if found != keys.check_value():
                raise IntegrityError(f"{folder / KEY} is not the key of the vault in {database.where}")
    except BaseException:
        keys.wipe()
        raise
    return Vault(folder, settings, database, keys, gate=gate or OwnerGate(), clock=clock, random=random)


def database_of(folder: Path, settings: Settings) -> Database:
    """Connections to a vault's database."""
    text = settings.database
    if text.startswith(POSTGRES):
        url = postgres_url(text)
        shown = url.set(drivername="postgresql").render_as_string(hide_password=True)
        return Database(url, shown, noun="vault", absent=no_vault)
    return Database(sqlite_url(folder / text), str(folder / text), noun="vault", absent=no_vault)


@contextmanager
def closed_on_error(database: Database) -> Iterator[Database]:
    try:
        yield database
    except BaseException:
        database.close()
        raise


def _resolved(folder: Path, where: str) -> str:
    return where if is_url(where) else str(folder / where)


def no_vault(where: str) -> DataError:
    return DataError(f"{where} holds no vault", hint="hauberk vault init --vault DIR")
