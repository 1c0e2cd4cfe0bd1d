"""One version: what it is made of, who vouches for it, and the proof of the ledger, checked as it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hauberk.core.errors import DataError, HauberkError, PolicyViolation
from hauberk.ledger.figures import figures, written
from hauberk.ledger.policy import Policy
from hauberk.ledger.proving import prove_inclusion
from hauberk.serving.console.models import Entry, May, Served, model
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.shelf import Shelf
from hauberk.vault import registry
from hauberk.vault.checking import check_published
from hauberk.vault.demands import check_signature
from hauberk.vault.listing import Event
from hauberk.vault.names import PRODUCTION
from hauberk.vault.place import Vault
from hauberk.vault.pulling import signature_of
from hauberk.vault.registry import File, Version

STAGING = "staging"


@dataclass(frozen=True)
class Check:
    """What came of looking at one thing.

    Args:
        state: ``ok``; ``bad``; ``revoked``, it was good and must not be used any more; ``unasked``, it is
            there and the policy asks for none; ``none``, it is not there and need not be.
        detail: who signed, or what is wrong.
    """

    state: Literal["ok", "bad", "revoked", "unasked", "none"]
    detail: str = ""


@dataclass(frozen=True)
class Line:
    """One piece of evidence; ``told`` are its figures."""

    kind: str
    created_ms: int | None
    digest: str
    told: str


@dataclass(frozen=True)
class VersionView:
    """One version.

    Args:
        proof: of the ledger that just this was published.
        ledger_size: of the head that covers it; None where there is no proof.
        approvals: how many others must agree before ``production`` moves.
        promotes: the aliases that the viewer may give to it.
        revokes: whether he may revoke it.
    """

    entry: Entry
    files: tuple[File, ...]
    evidence: tuple[Line, ...]
    events: tuple[Event, ...]
    signature: Check
    proof: Check
    ledger_size: int | None
    approvals: int
    promotes: tuple[str, ...]
    revokes: bool

    @property
    def version(self) -> Version:
        return self.entry.version


def version(
    vault: Vault, shelf: Shelf, name: str, number: int, may: May, served: Served, viewer: str
) -> VersionView:
    """One version, its signature and its proof checked now.

    Raises:
        DataError: there is none, or none that the viewer may see.
    """
    shown = model(vault, shelf, name, may, served, viewer)
    entry = next((one for one in shown.entries if one.version.number == number), None)
    if entry is None:
        raise DataError(f"there is no version {number} of '{name}'")
    one = entry.version
    with vault.database.read() as connection:
        files = registry.files(connection, name, number)
    proof, size = _proof(vault, one, files)
    usable = one.revoked is None
    aliases = [alias for alias in (STAGING, PRODUCTION) if usable and alias not in one.aliases]
    return VersionView(
        entry=entry,
        files=tuple(files),
        evidence=tuple(
            Line(
                each.kind, milliseconds(each.created), each.digest, written(figures(each.kind, each.to_json()))
            )
            for each in entry.known.evidence
        ),
        events=tuple(event for event in shown.events if event.number == number),
        signature=_signature(vault, one, files),
        proof=proof,
        ledger_size=size,
        approvals=vault.policy.approvals,
        promotes=tuple(alias for alias in aliases if may("model.promote", name, (str(number), alias))),
        revokes=usable and may("model.revoke", name, one.names),
    )


def _signature(vault: Vault, one: Version, files: Sequence[File]) -> Check:
    try:
        signature = signature_of(vault, files)
        signer = check_signature(vault, one.kind, files, signature, str(one))
    except HauberkError as error:
        return Check("bad", str(error))
    if signer is not None:
        return Check("ok", signer)
    return Check("none" if signature is None else "unasked")


def _proof(vault: Vault, one: Version, files: Sequence[File]) -> tuple[Check, int | None]:
    try:
        proof = prove_inclusion(vault.ledger, one.entry)
        size = Policy.of_log(vault.ledger.verifier).check(proof.head).size
    except HauberkError as error:
        return Check("bad", str(error)), None
    try:
        check_published(vault, one, files)
    except PolicyViolation as error:
        return Check("revoked", str(error)), size
    except HauberkError as error:
        return Check("bad", str(error)), size
    return Check("ok"), size
