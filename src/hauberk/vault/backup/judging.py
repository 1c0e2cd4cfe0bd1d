"""Whether a restored vault is whole. Nothing of what makes backups is used here but the page that both follow.

every file       has the SHA-256 that it had when the backup was made
the tables       are in order (SQLite's own check)
every artifact   opens with the vault's key and has the SHA-256 that the registry names
the ledger       is read from beginning to end: entries, hashes, the head's signature by the vault's log
the registry     says of every version what the ledger says of it
one model        is built and answers, where that is asked for
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

from hauberk.core.canonical import digest, parse_json
from hauberk.core.errors import IntegrityError
from hauberk.core.files import machine_errors
from hauberk.crypto.notes import parse_verifier
from hauberk.ledger.auditing import Audited, audit
from hauberk.ledger.opening import FILE as LEDGER_FILE
from hauberk.ledger.policy import Policy
from hauberk.vault import schema
from hauberk.vault.backup.layout import MANIFEST, Manifest
from hauberk.vault.place import Vault, open_vault
from hauberk.vault.settings import is_url

Check = Callable[[Vault], object]
"""A further check of a restored vault, which raises where something is wrong."""

_PACKAGE = "package/"
_PUBLICATION = "publication"


@dataclass(frozen=True)
class Judged:
    """What was found to be in order.

    Args:
        versions, artifacts, size_bytes: how many, and of how many plain bytes together.
        waiting: entries that the ledger had yet to get when the backup was made.
        ledger_origin, ledger_size, ledger_root: the ledger's head.
        model: the version that was opened, as NAME@NUMBER, and ``model_digest``; None where none was.
    """

    versions: int
    artifacts: int
    size_bytes: int
    waiting: int
    ledger_origin: str
    ledger_size: int
    ledger_root: str
    model: str | None = None
    model_digest: str | None = None


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare the files of a restored snapshot with its manifest.

    Raises:
        IntegrityError: one differs, is missing, or was added.
    """
    present = {
        one.relative_to(folder).as_posix()
        for one in folder.rglob("*")
        if one.is_file() and one.relative_to(folder).parts[0] != "artifacts"
    } - {MANIFEST}
    strange = sorted(present ^ manifest.files.keys())
    if strange:
        raise IntegrityError(f"the backup is not what was made: {strange[0]} is missing or was added")
    for name, expected in manifest.files.items():
        with machine_errors("read", folder / name), open(folder / name, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise IntegrityError(f"{name} in the backup is not what was put in: its SHA-256 differs")


def judge(folder: Path, checks: Sequence[Check] = (), *, open_model: bool = False) -> Judged:
    """Go through a whole vault.

    Raises:
        IntegrityError: something is not what it was, or lacks; or no model could be opened.

    Cost: reads and decrypts every artifact, and reads the ledger once.
    """
    with open_vault(folder) as vault:
        for file in _sqlite_files(vault):
            _check_tables(file)
        audited = audit(vault.ledger, Policy.of_log(parse_verifier(vault.settings.ledger_verifier)))
        with vault.database.read() as connection:
            versions = connection.execute(select(schema.versions)).all()
            files = connection.execute(select(schema.files)).all()
            events = connection.execute(select(schema.events)).all()
        parts = _by_version(files)
        blobs = {one.sha256: int(one.size_bytes) for one in files}
        for sha256, size in blobs.items():
            vault.artifacts.fetch(sha256, size, _nowhere)
        for event in events:
            if event.entry is not None:
                _check_told(vault, event, parts, audited)
        for check in checks:
            check(vault)
        opened = _open_one(vault, versions, parts) if open_model else None
        return Judged(
            versions=len(versions),
            artifacts=len(blobs),
            size_bytes=sum(blobs.values()),
            waiting=sum(one.entry is None for one in events),
            ledger_origin=audited.head.origin,
            ledger_size=audited.head.size,
            ledger_root=audited.head.root.hex(),
            model=opened and f"{opened.model}@{opened.number}",
            model_digest=opened and str(opened.subject),
        )


_Parts = Mapping[tuple[str, int], Sequence[Row[Any]]]


def _sqlite_files(vault: Vault) -> list[Path]:
    settings, folder = vault.settings, vault.folder
    found = [] if is_url(settings.database) else [folder / settings.database]
    return found if is_url(settings.ledger) else [*found, folder / settings.ledger / LEDGER_FILE]


def _check_tables(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
    if said != "ok":
        raise IntegrityError(f"{file.name} in the backup is damaged: {said.splitlines()[0]}")


def _by_version(files: Sequence[Row[Any]]) -> dict[tuple[str, int], list[Row[Any]]]:
    found: dict[tuple[str, int], list[Row[Any]]] = {}
    for one in files:
        found.setdefault((one.model, one.number), []).append(one)
    return found


def _nowhere(_data: memoryview) -> None:
    """Decrypted to be hashed, and forgotten."""


def _check_told(vault: Vault, event: Row[Any], parts: _Parts, audited: Audited) -> None:
    """Compare an event with what the ledger's entry says."""
    name = f"{event.model}@{event.number}"
    if not 0 <= event.entry < audited.head.size:
        raise IntegrityError(
            f"the ledger in the backup has {audited.head.size} entries and lacks entry {event.entry}, {name}"
        )
    told: Any = parse_json(vault.ledger.entry(event.entry), where=f"entry {event.entry}")
    facts = told.get("facts") or {}
    says = (told.get("kind"), (told.get("subject") or {}).get("name"), facts.get("version"))
    listed = {
        one.path: {"sha256": one.sha256, "size_bytes": one.size_bytes}
        for one in parts.get((event.model, event.number), ())
    }
    if says != (event.what, event.model, event.number) or (
        event.what == _PUBLICATION and facts.get("contents") != digest(listed)
    ):
        raise IntegrityError(f"entry {event.entry} of the ledger does not say of {name} what the vault says")


def _open_one(vault: Vault, versions: Sequence[Row[Any]], parts: _Parts) -> Row[Any]:
    """Build the newest package that is not revoked, and let it answer.

    Raises:
        IntegrityError: there is none, or it does not answer.
    """
    usable = [one for one in versions if one.kind == "package" and one.revoked_ms is None]
    if not usable:
        raise IntegrityError(
            "no model could be opened: the backup holds no package that is not sealed or revoked"
        )
    newest = max(usable, key=lambda one: (one.created_ms, one.model, one.number))
    with tempfile.TemporaryDirectory(dir=vault.folder) as folder:
        for one in parts[newest.model, newest.number]:
            if one.path.startswith(_PACKAGE):
                file = Path(folder) / one.path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(vault.artifacts.read(one.sha256, one.size_bytes))
        _run_once(Path(folder) / _PACKAGE, f"{newest.model}@{newest.number}")
    return newest


def _run_once(package: Path, name: str) -> None:
    import torch

    from hauberk.models import load

    classifier = load(package)
    with torch.no_grad():
        logits = classifier(torch.zeros(1, *classifier.input_shape))
    if not torch.isfinite(logits).all():
        raise IntegrityError(f"{name} was opened, and does not answer with numbers")
