"""A vault out of a snapshot: in an empty place, checked before it appears there.

Everything happens in a folder beside the place, which takes its name only when the restored vault was judged to
be whole. A restore that was stopped half-way leaves that folder, and the next one clears it away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from hauberk.core.errors import ConfigError, DataError, EnvironmentFailure, IntegrityError
from hauberk.core.files import machine_errors, read_bytes, write_atomic
from hauberk.crypto.age import Identity
from hauberk.vault.backup import layout
from hauberk.vault.backup.copying import empty_postgres, load_postgres, require_empty
from hauberk.vault.backup.judging import Check, Judged, check_files, judge
from hauberk.vault.backup.keys import open_keys
from hauberk.vault.backup.layout import Manifest
from hauberk.vault.backup.restic import Repository, Snapshot
from hauberk.vault.making import upgrade_vault
from hauberk.vault.place import ARTIFACTS, DATABASE, KEY, LEDGER, POSTGRES
from hauberk.vault.settings import FILE as SETTINGS
from hauberk.vault.settings import Settings, refuse_password

LATEST = "latest"


@dataclass(frozen=True)
class Target:
    """Where the parts go that do not lie in the folder.

    Args:
        database: a ``postgresql://`` URL of an empty database, for a vault that has its tables in PostgreSQL.
        ledger: the same for a ledger that has a PostgreSQL database of its own.
    """

    database: str | None = None
    ledger: str | None = None

    def __post_init__(self) -> None:
        for one in (self.database, self.ledger):
            if one is None:
                continue
            refuse_password(one)
            if not one.startswith(POSTGRES):
                raise ConfigError(f"{one} is no PostgreSQL database", hint="postgresql://USER@HOST/DATABASE")


@dataclass(frozen=True)
class Restored:
    """A vault that was put back and judged to be whole."""

    snapshot: Snapshot
    manifest: Manifest
    judged: Judged


def restore(
    repository: Repository,
    folder: Path,
    identities: Sequence[Identity],
    *,
    snapshot: str = LATEST,
    target: Target | None = None,
    checks: Sequence[Check] = (),
    open_model: bool = False,
) -> Restored:
    """Put a backup into a place of its own and judge it.

    Args:
        folder: not there, or empty.
        identities: of a recipient of the backup's keys.
        snapshot: its id, or ``latest``.
        checks: further checks of the restored vault, each of which raises.
        open_model: whether one model must also be built and run.

    Raises:
        ConfigError: the place is not empty, or a database is missing or too many.
        DataError: no such snapshot, or one from a newer Hauberk.
        NoIdentityMatched: password or identity do not open it.
        IntegrityError: something in it is damaged, or the vault is not whole; nothing appears at ``folder``.
        EnvironmentFailure: no space, no network, no database; the same.

    Limits: a ledger that is put back lacks what was logged since. Whoever appends to it while the other one is
    still used, or while others hold its later heads, forks it.
    """
    place = target or Target()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder} exists and is not empty", hint="restore to a new folder, and look at it first"
        )
    for one in (place.database, place.ledger):
        if one is not None:
            require_empty(one)
    chosen = choose(repository, snapshot)
    with _aside(folder) as aside:
        repository.restore(chosen.id, aside)
        manifest = Manifest.load(aside)
        check_files(aside, manifest)
        with _databases(aside, place) as settings:
            _put_keys(aside, identities)
            write_atomic(aside / SETTINGS, settings.to_toml().encode())
            _clear(aside)
            upgrade_vault(aside)
            judged = judge(aside, checks, open_model=open_model)
            with machine_errors("write", folder):
                if folder.exists():
                    folder.rmdir()
                os.replace(aside, folder)
    return Restored(chosen, manifest, judged)


def choose(repository: Repository, snapshot: str) -> Snapshot:
    """One snapshot of a repository.

    Raises:
        DataError: there is none of that name.
        ConfigError: the latest of several vaults is asked for.
    """
    found = repository.snapshots()
    if not found:
        raise DataError(f"{repository.address.written} holds no backup of a vault")
    if snapshot == LATEST:
        vaults = sorted({one.vault for one in found})
        if len(vaults) > 1:
            raise ConfigError(
                f"{repository.address.written} holds backups of {len(vaults)} vaults: {', '.join(vaults)}",
                hint="hauberk backup list shows them; choose one with --snapshot ID",
            )
        return found[-1]
    for one in found:
        if one.id == snapshot:
            return one
    raise DataError(
        f"{repository.address.written} holds no snapshot '{snapshot}'", hint="hauberk backup list shows them"
    )


@contextmanager
def _aside(folder: Path) -> Iterator[Path]:
    """A folder of its owner alone beside ``folder``; away again when the block fails."""
    aside = folder.absolute().with_name(f".{folder.absolute().name}.restore")
    with machine_errors("write", folder):
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{aside}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentFailure(f"another restore to {folder} is running") from None
            shutil.rmtree(aside, ignore_errors=True)  # of one that was stopped
            aside.mkdir(mode=0o700)
            try:
                yield aside
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        finally:
            Path(f"{aside}.lock").unlink(missing_ok=True)
            os.close(lock)


@contextmanager
def _databases(aside: Path, target: Target) -> Iterator[Settings]:
    """Database and ledger at their places, and the settings that name them.

    When the block fails, what was loaded into PostgreSQL goes again.
    """
    old = Settings.load(aside)
    dumps = [
        (aside / layout.DUMP, target.database, "--database"),
        (aside / layout.LEDGER_DUMP, target.ledger, "--ledger-database"),
    ]
    for file, url, option in dumps:
        if file.exists() and url is None:
            raise ConfigError(
                "the backup is of a vault in PostgreSQL and needs an empty database",
                hint=f"{option} postgresql://USER@HOST/DATABASE",
            )
        if url is not None and not file.exists():
            raise ConfigError(f"{option}: the backup holds nothing for that database, leave it out")
    settings = replace(
        old,
        database=target.database or DATABASE,
        artifacts=ARTIFACTS,
        ledger=_ledger(old, target),
        ledger_key=layout.LEDGER_KEY,
    )
    loaded: list[str] = []
    try:
        for file, url, _option in dumps:
            if url is not None:
                load_postgres(file, url)
                loaded.append(url)
        yield settings
    except BaseException:
        for one in loaded:
            empty_postgres(one)
        raise


def _ledger(old: Settings, target: Target) -> str:
    if target.database is not None and old.ledger == old.database:
        return target.database
    return target.ledger or LEDGER


def _put_keys(aside: Path, identities: Sequence[Identity]) -> None:
    found = open_keys(read_bytes(aside / layout.KEYS, what="sealed keys"), identities)
    for name in (KEY, layout.LEDGER_KEY):
        key = found.get(name)
        if key is None:
            raise IntegrityError(f"the backup's keys lack {name}")
        write_atomic(aside / name, bytes(key), mode=0o600)
        key.wipe()


def _clear(aside: Path) -> None:
    """Take away what belongs to the snapshot and not to a vault."""
    for name in (layout.MANIFEST, layout.KEYS, layout.DUMP, layout.LEDGER_DUMP):
        (aside / name).unlink(missing_ok=True)
    (aside / ARTIFACTS).mkdir(exist_ok=True)
    for file in aside.rglob("*"):
        if file.is_file():
            file.chmod(0o600)
