"""A snapshot of a vault, while others push, promote and log.

Database and ledger are copied as they were at one moment at which neither was ahead of the other: between the
two looks the ledger has not grown. So the ledger has every entry that the database names, and of the audit
trail the database has every line that a head in the ledger covers. Nobody is kept waiting for that; where the
ledger grew, the look is repeated. Artifacts come last: what the database names was written before its row was,
and never changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path, PurePath

from sqlalchemy import select

from hauberk.core.clock import timestamp
from hauberk.core.errors import EnvironmentFailure, IntegrityError
from hauberk.core.files import machine_errors, read_bytes, write_atomic
from hauberk.crypto.age import Recipient
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.opening import FILE as LEDGER_FILE
from hauberk.vault import place, schema
from hauberk.vault.backup import layout
from hauberk.vault.backup.copying import Pinned, PinnedPostgres, PinnedSqlite
from hauberk.vault.backup.keys import seal_keys
from hauberk.vault.backup.restic import Repository, Stored
from hauberk.vault.blob_places import blob_place
from hauberk.vault.settings import FILE as SETTINGS
from hauberk.vault.settings import is_url

STAGE = ".backup"
_LOCK = ".backup.lock"
_ID_DIGITS = 12
_BLOCK_BYTES = 8 << 20
_MOST_LOOKS = 500
_PAUSE_S = 0.01


@dataclass(frozen=True)
class Made:
    """One backup.

    Args:
        vault: which vault, as ``Manifest.vault``.
        stored: what the engine says of it.
        artifacts: how many blobs are in it.
    """

    vault: str
    stored: Stored
    artifacts: int


def vault_id(vault: place.Vault) -> str:
    """Names a vault among the snapshots of a repository; made from its key, and tells nothing about it."""
    return hashlib.sha256(vault.keys.check_value()).hexdigest()[:_ID_DIGITS]


def back_up(vault: place.Vault, repository: Repository, recipients: Sequence[Recipient]) -> Made:
    """One consistent snapshot of database, ledger and artifacts.

    Args:
        recipients: who can open the vault's keys in it; best of identities that are on none of these machines.

    Raises:
        AccessDenied: the gate does not let this caller make backups.
        ConfigError: nobody could open the keys.
        IntegrityError: an artifact that a version needs is missing.
        EnvironmentFailure: another backup of this vault is running, no space, no network; no snapshot is made.

    Cost: a copy of database and ledger in the vault's folder, for as long as it runs; artifacts in a folder are
    linked, those in an object store fetched.
    """
    vault.gate.check("backup.run", detail=f"backup to {repository.address.written}")
    with _stage(vault.folder) as stage:
        _databases(vault, stage)
        _keys(vault, stage, recipients)
        _settings(vault, stage)
        _manifest(vault, stage)
        artifacts = _artifacts(vault, stage)
        stored = repository.store(stage, vault_id(vault))
    return Made(vault_id(vault), stored, artifacts)


@contextmanager
def _stage(folder: Path) -> Iterator[Path]:
    """An empty folder of the vault's owner alone, at the same place each time: the engine knows it again."""
    stage = folder / STAGE
    with machine_errors("write", stage):
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentFailure(
                    f"another backup of {folder} is running", hint="try again later"
                ) from None
            shutil.rmtree(stage, ignore_errors=True)  # of one that was killed
            stage.mkdir(mode=0o700)
            try:
                yield stage
            finally:
                shutil.rmtree(stage, ignore_errors=True)
        finally:
            os.close(lock)


def _databases(vault: place.Vault, stage: Path) -> None:
    """Database and ledger, and what lies beside a ledger in a folder but its key."""
    (stage / layout.LEDGER).mkdir()
    with ExitStack() as open_until_copied:
        for pinned, name in _one_moment(vault, open_until_copied):
            pinned.copy(stage / name)
    if not is_url(vault.settings.ledger):
        for name in ("policy", "key.pub"):
            file = vault.folder / vault.settings.ledger / name
            with suppress(FileNotFoundError), machine_errors("copy", file):
                shutil.copyfile(file, stage / layout.LEDGER / name)


def _one_moment(vault: place.Vault, stack: ExitStack) -> list[tuple[Pinned, str]]:
    for _ in range(_MOST_LOOKS):
        with ExitStack() as looked:
            before = peek(vault.ledger.head()).size
            found = [(looked.enter_context(closing(pin())), name) for pin, name in _pins(vault)]
            if peek(vault.ledger.head()).size == before:
                stack.enter_context(looked.pop_all())
                return found
        time.sleep(_PAUSE_S)
    raise EnvironmentFailure(
        f"the ledger of {vault.where} grows without a pause, so that it could not be copied",
        hint="try again later",
    )


def _pins(vault: place.Vault) -> list[tuple[Callable[[], Pinned], str]]:
    """The database, and then the ledger, unless they are one."""
    where, ledger = vault.settings.database, vault.settings.ledger
    if is_url(where):
        found: list[tuple[Callable[[], Pinned], str]] = [(partial(PinnedPostgres, where), layout.DUMP)]
    else:
        found = [(partial(PinnedSqlite, vault.folder / where), layout.SQLITE)]
    if is_url(ledger) and ledger != where:
        found.append((partial(PinnedPostgres, ledger), layout.LEDGER_DUMP))
    elif not is_url(ledger):
        found.append((partial(PinnedSqlite, vault.folder / ledger / LEDGER_FILE), layout.LEDGER_SQLITE))
    return found


def _keys(vault: place.Vault, stage: Path, recipients: Sequence[Recipient]) -> None:
    found = {
        place.KEY: read_bytes(vault.folder / place.KEY, what="vault key"),
        layout.LEDGER_KEY: read_bytes(vault.folder / vault.settings.ledger_key, what="ledger's key"),
    }
    write_atomic(stage / layout.KEYS, seal_keys(found, recipients, random=vault.random), mode=0o600)


def _settings(vault: place.Vault, stage: Path) -> None:
    """``vault.toml``, and the public keys that its policy names, where they lie in the vault's folder."""
    policy = vault.settings.policy
    for name in (SETTINGS, *policy.signed_by, *policy.authorities):
        if PurePath(name).is_absolute() or ".." in PurePath(name).parts:
            continue  # outside of the vault, and not its own
        target = stage / name
        with machine_errors("copy", vault.folder / name):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(vault.folder / name, target)


def _manifest(vault: place.Vault, stage: Path) -> None:
    files = sorted(one for one in stage.rglob("*") if one.is_file())
    made = layout.Manifest(
        vault=vault_id(vault),
        created=timestamp(vault.clock),
        hauberk=metadata.version("hauberk"),
        tables=schema.VERSION,
        files={one.relative_to(stage).as_posix(): _sha256(one) for one in files},
    )
    write_atomic(stage / layout.MANIFEST, made.to_bytes())


def _artifacts(vault: place.Vault, stage: Path) -> int:
    """Every blob that a version needs, under the name that it has in the vault."""
    with vault.database.read() as connection:
        needed = connection.execute(select(schema.files.c.sha256).distinct()).scalars().all()
    where, names = vault.settings.artifacts, sorted(map(vault.keys.blob_name, needed))
    far = blob_place(where) if is_url(where) else None
    for name in names:
        target = stage / layout.ARTIFACTS / name[:2] / name
        with machine_errors("copy", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if far is None:
                _link(vault.folder / where / name[:2] / name, target)
                continue
        size = far.size(name) or 0
        with far.reading(name) as read, open(target, "xb") as file:
            for at in range(0, size, _BLOCK_BYTES):
                block = memoryview(bytearray(min(_BLOCK_BYTES, size - at)))
                read(at, block)
                file.write(block)
    return len(names)


def _link(blob: Path, target: Path) -> None:
    """Blobs never change, so that a second name is as good as a copy; on another disk it has to be one."""
    try:
        os.link(blob, target)
    except FileNotFoundError:
        raise IntegrityError(
            f"{blob.parent.parent} lacks {blob.name[:16]}…, which a version needs",
            hint="put it back from an earlier backup: hauberk restore",
        ) from None
    except OSError:
        shutil.copy2(blob, target)


def _sha256(file: Path) -> str:
    with machine_errors("read", file), file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
