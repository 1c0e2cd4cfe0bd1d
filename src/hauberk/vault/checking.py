"""Is a version what the ledger says was published? The database is not believed: whoever can write in it could
have put other files under a name, or taken back that a version was revoked."""

from __future__ import annotations

from collections.abc import Sequence

from hauberk.core.errors import DataError, IntegrityError, PolicyViolation
from hauberk.crypto.notes import parse_verifier
from hauberk.ledger import merkle
from hauberk.ledger.checking import verify_inclusion
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.policy import Policy
from hauberk.ledger.statements import Statement
from hauberk.vault import registry
from hauberk.vault.place import Vault
from hauberk.vault.registry import DEPLOYMENT, PUBLICATION, REVOCATION, File, Version


def check_published(vault: Vault, version: Version, files: Sequence[File]) -> None:
    """Go on only with a version that the ledger proves to be published as it is, and that nobody revoked.

    Args:
        files: as the registry lists them; whether the bytes are those is for whoever reads them.

    Raises:
        PolicyViolation: it was revoked.
        IntegrityError: the ledger says otherwise, or its head does not verify.
    """
    if version.revoked is not None:
        raise PolicyViolation(f"{version} was revoked: {version.revoked.reason}", version=str(version))
    log = vault.ledger
    head = Policy.of_log(parse_verifier(vault.settings.ledger_verifier)).check(log.head())
    if not 0 <= version.entry < head.size:
        raise IntegrityError(f"the ledger {log.where} has no entry {version.entry}, which published {version}")
    data = log.entry(version.entry)
    proof = merkle.inclusion(version.entry, head.size, log.hashes)
    verify_inclusion(leaf_hash(data), version.entry, head.size, proof, head.root)
    said = _said(data)
    if said is None or _published(said) != (
        PUBLICATION,
        version.subject,
        version.model,
        version.digest,
        {"version": version.number, "contents": registry.contents(files)},
    ):
        raise IntegrityError(
            f"{version} is not what entry {version.entry} of the ledger published: the database was changed"
        )
    for number in log.about(version.subject):
        other = _said(log.entry(number)) if number < head.size else None
        if (
            other is not None
            and (other.kind, other.name) == (REVOCATION, version.model)
            and other.facts.get("version") == version.number
        ):
            raise PolicyViolation(
                f"{version} was revoked, says entry {number} of the ledger", version=str(version)
            )


def check_promoted(vault: Vault, version: Version, alias: str) -> None:
    """Go on only where the ledger proves that an alias was moved to this version, and to no other one since.

    Raises:
        IntegrityError: the ledger says otherwise, or its head does not verify.

    Limits: who can write in the ledger's own database too could hide a later move there, until somebody audits
    the ledger.
    """
    log = vault.ledger
    head = Policy.of_log(parse_verifier(vault.settings.ledger_verifier)).check(log.head())
    with vault.database.read() as connection:
        subjects = {one.subject for one in registry.versions(connection, version.model)}
    moves = [
        (number, said.facts.get("version"), data)
        for subject in subjects
        for number in log.about(subject)
        if number < head.size
        for data in [log.entry(number)]
        for said in [_said(data)]
        if said is not None
        and (said.kind, said.name, said.facts.get("alias")) == (DEPLOYMENT, version.model, alias)
    ]
    number, moved, data = max(moves, default=(-1, None, b""))
    if moved != version.number:
        raise IntegrityError(
            f"the ledger does not say that {version} is {version.model}@{alias}: the database was changed",
            hint=f"promote it again: hauberk vault promote {version} --to {alias}",
        )
    proof = merkle.inclusion(number, head.size, log.hashes)
    verify_inclusion(leaf_hash(data), number, head.size, proof, head.root)


def _published(said: Statement) -> tuple[object, ...]:
    return said.kind, said.subject, said.name, said.document, dict(said.facts)


def _said(data: bytes) -> Statement | None:
    try:
        return Statement.parse(data)
    except DataError:
        return None
