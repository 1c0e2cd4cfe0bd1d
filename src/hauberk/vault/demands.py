"""What the vault's policy demands of a version, when it comes in and again when it goes out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hauberk.core.errors import IntegrityError, PolicyViolation
from hauberk.vault.content import PACKAGE, SIGNATURE, Content
from hauberk.vault.registry import File, Kind

if TYPE_CHECKING:
    from hauberk.protection.sign import Trust
    from hauberk.vault.place import Vault

_HINT = "the policy stands in the vault's vault.toml"


def check_scan(vault: Vault, path: Path, content: Content) -> None:
    """Refuse a package in which the scan finds anything, or that is another one by now.

    Raises:
        PolicyViolation: with what was found first.
        IntegrityError: what was scanned is not what is stored.
    """
    from hauberk.protection.scan import scan

    if not vault.policy.scan or content.kind == "sealed":  # of which nobody here sees the inside
        return
    found = scan(path)
    if found.findings:
        worst = found.findings[0]
        raise PolicyViolation(
            f"{path} is not taken in: {worst.rule}, {worst.path}: {worst.line}",
            hint=f"hauberk scan {path} lists everything",
        )
    if found.unread:
        raise PolicyViolation(
            f"{path} is not taken in: {found.unread[0].path} could not be scanned", hint=_HINT
        )
    looked = {f"{PACKAGE}{one.path}": one.digest.removeprefix("sha256:") for one in found.files}
    if looked != _package(content.files):
        raise IntegrityError(f"{path} changed while it was pushed")


def check_evidence(vault: Vault, kinds: Iterable[str], what: str) -> None:
    """Raises ``PolicyViolation`` where a kind of evidence is lacking."""
    lacking = sorted(set(vault.policy.evidence) - set(kinds))
    if lacking:
        raise PolicyViolation(
            f"{what} has no evidence of the kind '{lacking[0]}', which the policy demands", hint=_HINT
        )


def check_signature(
    vault: Vault, kind: Kind, files: Sequence[File], signature: bytes | None, what: str
) -> str | None:
    """Who signed just these files, in words; None where the policy asks for no signature.

    Args:
        files: of the version, whose digests were compared with their bytes or will be.

    Raises:
        PolicyViolation: no signature, or a sealed file, whose inside cannot be compared with one.
        IntegrityError: nobody who is trusted signed them.

    Cost: none for the files, however large: the signature's digests are compared with those of the version.
    """
    if not vault.policy.asks_for_signature:
        return None
    if kind == "sealed":
        raise PolicyViolation(
            f"{what} is sealed, and a signature over what is in it cannot be checked from outside",
            hint="keep sealed files in a vault whose policy asks for no signature, or push the package",
        )
    if signature is None:
        raise PolicyViolation(
            f"{what} is not signed, and the policy demands it",
            hint="hauberk sign PKG --key PRIVATE.pem --out PKG.sig",
        )
    signer, signed = _signed(vault, signature, what)
    present = {path.removeprefix(PACKAGE): sha256 for path, sha256 in _package(files).items()}
    differing = sorted(name for name in present.keys() | signed.keys() if present.get(name) != signed.get(name))
    if differing:
        raise IntegrityError(f"{what} is not what was signed: {differing[0]} differs, is missing or was added")
    return signer


def _signed(vault: Vault, signature: bytes, what: str) -> tuple[str, Mapping[str, str]]:
    """The first trusted signer, and the digests that he signed."""
    from hauberk.protection.sign import verify

    refused: IntegrityError | None = None
    with tempfile.TemporaryDirectory() as folder:
        place, nothing = Path(folder) / SIGNATURE, Path(folder) / "nothing"
        place.write_bytes(signature)
        nothing.mkdir()
        for trust in _trusted(vault):
            try:
                found = verify(nothing, place, trust, clock=vault.clock)
            except IntegrityError as error:
                refused = refused or error
                continue
            return found.signer, found.digests
    reason = str(refused).replace(str(place), f"of {what}")
    raise IntegrityError(f"the signature {reason}" if reason.startswith("of ") else reason)


def _trusted(vault: Vault) -> list[Trust]:
    from hauberk.protection.sign import Authority, PublicKey

    policy, folder = vault.policy, vault.folder
    keys: list[Trust] = [PublicKey(folder / one) for one in policy.signed_by]
    authorities = tuple(folder / one for one in policy.authorities)
    return [*keys, *([Authority(authorities)] if authorities else [])]


def _package(files: Sequence[File]) -> dict[str, str]:
    return {one.path: one.sha256 for one in files if one.path.startswith(PACKAGE)}
