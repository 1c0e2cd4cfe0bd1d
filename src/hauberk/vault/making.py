"""Making a vault, and bringing an older one's tables up to date."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sqlalchemy import insert

from hauberk.core.clock import Clock, now
from hauberk.core.database import Database
from hauberk.core.errors import ConfigError, DataError
from hauberk.core.files import directory_aside
from hauberk.crypto import owner_key
from hauberk.crypto.secret import Random
from hauberk.ledger.opening import create_ledger, open_log
from hauberk.vault import schema
from hauberk.vault.keys import VaultKeys
from hauberk.vault.migrating import migrate, version_of
from hauberk.vault.place import (
    ARTIFACTS,
    DATABASE,
    KEY,
    LEDGER,
    POSTGRES,
    Vault,
    closed_on_error,
    database_of,
    open_vault,
)
from hauberk.vault.settings import FILE, Settings, is_url, refuse_password


def create_vault(
    where: str | Path,
    *,
    database: str | None = None,
    artifacts: str | None = None,
    ledger: str | Path | None = None,
    ledger_key: str | Path | None = None,
    clock: Clock = now,
    random: Random = os.urandom,
) -> Vault:
    """A new, empty vault with a new key; its folder is mode 700 and appears whole or not at all.

    Args:
        where: a folder that is not there, or is empty.
        database: a ``postgresql://`` URL without a password [default: SQLite in the folder].
        artifacts: an fsspec URL or another folder [default: in the folder].
        ledger: an existing ledger to write into, and ``ledger_key`` its secret key [default: a new one].

    Raises:
        ConfigError: there is a vault already, or a URL holds a password.
        EnvironmentFailure: a place cannot be written; the folder is not there then.
    """
    folder = Path(where)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not empty", hint="choose a new folder for the vault")
    for one in (database, artifacts, ledger):
        refuse_password(str(one))
    if database is not None and not database.startswith(POSTGRES):
        raise ConfigError("a vault's database is in its folder or at postgresql://USER@HOST/DATABASE")
    settings = Settings(database or DATABASE, _absolute(artifacts) or ARTIFACTS, LEDGER, f"{LEDGER}/key", "new")
    with directory_aside(folder) as aside:
        key = owner_key.generate(aside / KEY, "vault", random=random)
        settings = _with_ledger(settings, aside, ledger, ledger_key, clock, random)
        if not is_url(settings.artifacts):
            (aside / settings.artifacts).mkdir(parents=True, exist_ok=True)
        (aside / FILE).write_text(settings.to_toml())
        if database is None:
            (aside / DATABASE).touch()
        keys = VaultKeys(key, random=random)
        with closed_on_error(database_of(aside, settings)) as made:
            _fill(made, keys, clock)
        made.close()
        keys.wipe()
        for private in aside.glob(f"{DATABASE}*"):
            private.chmod(0o600)
    folder.chmod(0o700)
    return open_vault(folder, clock=clock, random=random)


def upgrade_vault(where: str | Path) -> tuple[str, str]:
    """Bring the tables to this Hauberk's version; the version before and after.

    Raises:
        DataError: there is no vault, or one from a newer Hauberk.
    """
    folder = Path(where)
    database = database_of(folder, Settings.load(folder))
    try:
        with database.write() as connection:
            if version_of(connection) is None:
                raise DataError(f"{database.where} holds no vault", hint="hauberk vault init --vault DIR")
            before = migrate(connection, database.where)
    finally:
        database.close()
    return str(before), schema.VERSION


def _fill(database: Database, keys: VaultKeys, clock: Clock) -> None:
    with database.write() as connection:
        if version_of(connection) is not None:
            raise ConfigError(
                f"{database.where} holds a vault already",
                hint="to work on it from here, copy its vault.toml, its vault.key and its ledger's key",
            )
        migrate(connection, database.where)
        created = int(clock().timestamp() * 1000)
        connection.execute(insert(schema.state).values(id=1, created_ms=created, key_check=keys.check_value()))


def _with_ledger(
    settings: Settings,
    aside: Path,
    ledger: str | Path | None,
    key: str | Path | None,
    clock: Clock,
    random: Random,
) -> Settings:
    if ledger is None:
        with create_ledger(aside / LEDGER, clock=clock, random=random) as log:
            return replace(settings, ledger_verifier=str(log.verifier))
    place = _absolute(str(ledger)) or ""
    secret = _absolute(str(key)) if key is not None else f"{place}/key"
    if is_url(place) and key is None:
        raise ConfigError(f"{ledger}: say where the secret key of this ledger lies", hint="--ledger-key FILE")
    with open_log(place, key=secret, clock=clock) as log:
        return replace(settings, ledger=place, ledger_key=str(secret), ledger_verifier=str(log.verifier))


def _absolute(where: str | None) -> str | None:
    """A place that stays right wherever it is read from."""
    return where if where is None or is_url(where) else str(Path(where).resolve())
