"""A vault: its settings, people, trail, bytes and backups, and the models that are in use there.

Every look is allowed by the vault's own gate and stands in its trail, as anybody else's. What is in use is what
an alias names; of a model without aliases, the newest version that is not revoked.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hauberk.access import check_trail, schema
from hauberk.assurance.finding import Subject
from hauberk.assurance.gathering.packages import gather_model
from hauberk.assurance.gathering.people import gather_identities, gather_keys
from hauberk.assurance.target import Logged, Model, VaultFacts
from hauberk.assurance.text import Text
from hauberk.assurance.trust import Trust
from hauberk.core.canonical import digest, file_digest
from hauberk.core.errors import HauberkError
from hauberk.core.evidence import Evidence
from hauberk.core.files import write_atomic
from hauberk.crypto.notes import parse_verifier
from hauberk.ledger.policy import Policy
from hauberk.vault import schema as vault_schema
from hauberk.vault.content import EVIDENCE, PACKAGE, SEALED
from hauberk.vault.doctor import rights
from hauberk.vault.listing import visible
from hauberk.vault.place import KEY
from hauberk.vault.pulling import admitted, evidence_of, seen, signature_of, writing
from hauberk.vault.registry import File, Version
from hauberk.vault.settings import FILE, is_url

if TYPE_CHECKING:
    from hauberk.vault import Vault

_LOOK = "model.evaluate"
_KEEP = re.compile(r"--keep-(\w+)[ =](\d+)")
_UNITS = ("*.service", "hauberk-backup*", "*.cron")


def gather_vault(
    vault: Vault, *, at: datetime, documents: Iterable[Evidence], schedules: Sequence[Path] = ()
) -> VaultFacts:
    """Everything about the vault that is not about one model.

    Args:
        documents: evidence about no model, among which its drills are looked for.
        schedules: folders in which files of ``hauberk backup schedule`` may lie.

    Raises:
        AccessDenied: the caller may not read the trail and who may do what.
    """
    from hauberk.vault.backup.making import vault_id

    vault.gate.check("audit.read", detail="audit")
    vault.gate.check("access.view", detail="audit")
    own = vault_id(vault)
    drills = [one for one in documents if one.kind == "backup-drill" and one.subject.get("name") == own]
    trail, covered, first = _trail(vault)
    return VaultFacts(
        subject=Subject("vault", vault.folder.resolve().name, digest({"vault": own})),
        place=str(vault.folder),
        policy={**vars(vault.policy)},
        identities=gather_identities(vault),
        keys=gather_keys(vault, at),
        trail=trail,
        trail_logged=covered,
        trail_days=None if first is None else (at - first).total_seconds() / 86400,
        drills=tuple(sorted(drills, key=lambda one: one.created, reverse=True)),
        keep=_schedule(vault, schedules),
        encrypted=_encrypted(vault),
        exposed=tuple(_exposed(vault)),
    )


def in_use(vault: Vault) -> list[Version]:
    """What an alias names, and of other models the newest that is not revoked."""
    found: dict[str, list[Version]] = {}
    for one in visible(vault):
        found.setdefault(one.model, []).append(one)
    chosen = []
    for versions in found.values():
        named = [one for one in versions if one.aliases]
        good = [one for one in versions if one.revoked is None]
        chosen += named or good[-1:]
    return chosen


def gather_version(vault: Vault, reference: str, trust: Trust, *, at: datetime) -> Model:
    """One version as a package that is laid out, looked at and thrown away.

    Raises:
        AccessDenied, DataError: it may not be looked at, or is not there.
    """
    version = seen(vault, reference, _LOOK)
    names = (str(version.number), *version.aliases)
    try:
        version, files = admitted(vault, reference, _LOOK)
        with tempfile.TemporaryDirectory(prefix="hauberk-audit-") as folder:
            place = _lay_out(vault, version, files, Path(folder))
            if version.kind == "sealed":
                return _of_sealed(vault, version, files, place, trust, at)
            model = gather_model(
                place, trust, at=at, place=str(version), versions=names, evidence=Path(folder) / EVIDENCE
            )
            return replace(model, logged=_published(vault, trust, (*model.evidence, *model.related)))
    except HauberkError as error:
        if error.exit_code == 3:
            raise
        subject = Subject("model", str(version), version.subject)
        return Model(subject=subject, place=str(version), vault_version=names, broken=str(error))


def _published(vault: Vault, trust: Trust, documents: Iterable[Evidence]) -> Logged:
    """A version's publication binds every file of it, and ``admitted`` has proven that the ledger holds it."""
    verifier = vault.settings.ledger_verifier
    if trust.logs and verifier not in trust.logs:
        return Logged(
            where=vault.ledger.where,
            why=Text(
                f"the policy trusts other logs than the vault's: {verifier}",
                f"策略信任的账本不含保管库的账本：{verifier}",
            ),
        )
    head = Policy.of_log(parse_verifier(verifier)).check(vault.ledger.head())
    return Logged(where=vault.ledger.where, head=head.size, proofs={one.digest: "holds" for one in documents})


def _lay_out(vault: Vault, version: Version, files: Sequence[File], folder: Path) -> Path:
    """The version's files, verified as they are written."""
    for one in files:
        if one.path.startswith(PACKAGE):
            place = folder / version.model / one.path.removeprefix(PACKAGE)
        elif one.path == SEALED:
            place = folder / f"{version.model}.sealed"
        elif one.path.startswith(EVIDENCE):
            place = folder / one.path
        else:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place, "wb") as file, writing(file.fileno()) as write:
            vault.artifacts.fetch(one.sha256, one.size_bytes, write)
    signature = signature_of(vault, files)
    if signature is not None:
        write_atomic(folder / f"{version.model}.sig", signature)
    return folder / (version.model if version.kind == "package" else f"{version.model}.sealed")


def _of_sealed(
    vault: Vault, version: Version, files: Sequence[File], place: Path, trust: Trust, at: datetime
) -> Model:
    """A sealed version: its inside is nobody's business here, its evidence tells what was measured before."""
    from hauberk.assurance.gathering.counting import Document, count
    from hauberk.assurance.gathering.packages import sealing_of

    documents = [Document(one.digest, one) for one in evidence_of(vault, files)]
    found = sealing_of(place, bound=version.subject != version.digest)
    names = {version.subject: "model", version.digest: "sealed file"}
    counted = count(documents, names, (), at)
    return Model(
        subject=Subject("model", str(version), version.subject),
        place=str(version),
        evidence=counted.own,
        related=counted.related,
        refused=counted.refused,
        sealed=(found,) if found else (),
        logged=_published(vault, trust, (*counted.own, *counted.related)),
        vault_version=(str(version.number), *version.aliases),
    )


def _trail(vault: Vault) -> tuple[str, float | None, datetime | None]:
    """Whether the trail holds, which share of it the ledger covers, and the time of its oldest line."""
    lines = schema.trail.c
    with vault.database.read() as connection:
        oldest = connection.execute(select(func.min(lines.time_ms))).scalar()
    first = None if oldest is None else datetime.fromtimestamp(oldest / 1000, UTC)
    try:
        found = check_trail(vault)
    except HauberkError as error:
        return str(error), None, first
    kept = found.last - found.first + 1
    # the lines of this very look are not there for the ledger yet
    share = None if kept <= 0 else max(0, found.covered - found.first + 1) / kept
    return "holds", share, first


def _schedule(vault: Vault, folders: Sequence[Path]) -> str:
    """How many old backups the schedule of this vault keeps, as its own options say it."""
    own = str(vault.folder.resolve())
    for folder in folders:
        for pattern in _UNITS:
            for one in sorted(folder.glob(pattern)):
                text = one.read_text(errors="replace") if one.is_file() and one.stat().st_size < 1 << 20 else ""
                if own in text and "hauberk" in text and (kept := _KEEP.findall(text)):
                    return " ".join(f"--keep-{name} {count}" for name, count in kept)
    return ""


def _encrypted(vault: Vault) -> bool | None:
    """Whether every file of every version has the length of its encrypted form, and no other in the clear."""
    try:
        with vault.database.read() as connection:
            listed = connection.execute(select(vault_schema.files.c.sha256, vault_schema.files.c.size_bytes))
            rows = {(sha256, size) for sha256, size in listed}
        if not all(vault.artifacts.has(sha256, size) for sha256, size in rows):
            return False
    except HauberkError:
        return None
    if is_url(vault.settings.artifacts):
        return True
    folder = vault.folder / vault.settings.artifacts
    own = {vault.keys.blob_name(sha256) for sha256, _size in rows}
    plain = [one for one in folder.rglob("*") if one.is_file() and one.name not in own and _readable(one)]
    return not plain


def _readable(path: Path) -> bool:
    """Whether a stray file reads as text or tensors, as no encrypted one does."""
    with open(path, "rb") as file:
        head = file.read(4096)
    return b'"dtype"' in head or (bool(head) and all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head))


_RIGHTS = (  # as the doctor of vaults says them
    (re.compile(r"others may write there \(mode (\d+)\)"), r"他人可在其中写入（权限 \1）"),
    (re.compile(r"mode (\d+)"), r"权限 \1"),
    (re.compile(r"belongs to (.+)"), r"属于 \1"),
)


def _rights(found: str) -> Text:
    zh = next((shape.sub(told, found) for shape, told in _RIGHTS if shape.fullmatch(found)), found)
    return Text(found, zh)


def _exposed(vault: Vault) -> list[Text]:
    secrets = [one for one in (vault.folder / KEY, vault.folder / vault.settings.ledger_key) if one.exists()]
    return [
        Text("{file}: {found}", "{file}：{found}").format(file=Path(one.place).name, found=_rights(one.found))
        for one in rights.look(vault.folder, secrets, [vault.folder / FILE])
        if one.status == "fail"
    ]


def state_of(vault: Vault) -> dict[str, Any]:
    """Settings, versions and who may do what. The trail has no part in it: it grows by looking."""
    access = ("identities", "links", "keys", "factors", "roles", "rules", "grants")
    with vault.database.read() as connection:
        tables = {name: _rows(connection, getattr(schema, name)) for name in access}
        tables |= {name: _rows(connection, getattr(vault_schema, name)) for name in ("versions", "aliases")}
    return {"settings": file_digest(vault.folder / FILE), **tables}


def _rows(connection: Any, table: Any) -> str:
    """A digest of all rows, in an order of their own."""
    rows = sorted([str(tuple(row)) for row in connection.execute(select(table))])
    return digest(rows)
