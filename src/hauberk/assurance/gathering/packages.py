"""A model package, the evidence beside it, its signature, seals and marks, and what a ledger proves of them.

Read without torch. The package is read once and verified whole; where it cannot be believed, the facts say so
and nothing else of it counts.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from hauberk.assurance.finding import Subject
from hauberk.assurance.gathering.counting import count, read_folder
from hauberk.assurance.gathering.ledgers import Ledger
from hauberk.assurance.target import Model, Scanned, Sealing, Signed
from hauberk.assurance.text import Text, same
from hauberk.assurance.trust import Trust
from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import DataError, HauberkError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.files import read_bytes
from hauberk.core.manifest import MANIFEST
from hauberk.ledger.packages import read_subject

_AGE = b"age-encryption.org/v1\n"
_COMMITMENT = "hauberk-watermark-commitment/1"
_SMALL = 1 << 20  # bytes; a commitment is far below
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def is_package(path: Path) -> bool:
    return (path / MANIFEST).is_file()


def gather_model(
    path: Path,
    trust: Trust,
    *,
    at: datetime,
    evidence: Path | None = None,
    ledger: Ledger | None = None,
    place: str | None = None,
    versions: Sequence[str] = (),
) -> Model:
    """A package and all that is known of it.

    Args:
        evidence: the folder of later evidence [default: ``evidence`` beside it].
        place: how a command names it [default: the path].
        versions: number and aliases where it lies in a vault.

    Raises:
        DataError: there is no package.
    """
    named = place or str(path)
    beside = evidence if evidence is not None else path.resolve().parent / "evidence"
    try:
        read = read_subject(path, path / "no such folder")
    except (IntegrityError, DataError) as error:
        if not is_package(path):
            raise
        return _broken(path, named, error)
    documents = read_folder(beside)
    sealed = _sealed(path, [one.evidence for one in documents if one.evidence is not None], read.model)
    names = {read.model: "model", read.package: "package"}
    names |= {one.digest: "sealed file" for one in sealed if one.known}
    born = read.evidence
    counted = count(documents, names, born, at)
    manifest = parse_json(read_bytes(path / MANIFEST, what="manifest"), where=named)
    model = Model(
        subject=Subject("model", path.resolve().name if place is None else place, read.model),
        place=named,
        package=read.package,
        manifest=manifest,
        born=born,
        evidence=counted.own,
        related=counted.related,
        refused=counted.refused,
        signed=signature_of(path, trust),
        scanned=_scanned(path),
        sealed=sealed,
        commitments=_commitments(path, {read.model, *_ancestors(born)}),
        vault_version=tuple(versions),
        papers=_papers(named, path, beside),
    )
    if ledger is None:
        return model
    return replace(model, logged=ledger.proofs((*model.evidence, *model.related)))


def _broken(path: Path, named: str, error: HauberkError) -> Model:
    """A package that cannot be believed: it is named by its manifest's bytes, and by nothing that it says."""
    raw = read_bytes(path / MANIFEST, what="manifest")
    subject = Subject("model", path.resolve().name, f"sha256:{hashlib.sha256(raw).hexdigest()}")
    return Model(subject=subject, place=named, broken=str(error))


def _papers(named: str, path: Path, folder: Path) -> str:
    """The folder of later evidence as a command names it: from where the package is named."""
    usual = folder.resolve() == path.resolve().parent / "evidence"
    return os.path.normpath(Path(named) / ".." / "evidence") if usual else str(folder)


def _ancestors(born: Iterable[Evidence]) -> set[str]:
    """Digests of the models that this one was made of."""
    found = {one.subject.get("digest") for one in born}
    return {one for one in found if isinstance(one, str)}


def signature_of(path: Path, trust: Trust) -> Signed:
    """The signature beside a package, as far as it is believed."""
    from hauberk.protection.sign.policy import beside

    place = beside(path)
    if not place.is_file():
        return Signed(state="absent")
    name = file_digest(place)
    if not trust.signers and not trust.authorities:
        why = Text("the policy trusts nobody's signature", "策略未信任任何人的签名")
        return Signed(state="unknown signer", digest=name, why=why)
    from hauberk.protection.sign import Authority, PublicKey, verify

    trusted: list[Any] = [PublicKey(one.path) for one in trust.signers]
    if trust.authorities:
        trusted.append(Authority(tuple(one.path for one in trust.authorities)))
    said = ""
    for one in trusted:
        try:
            found = verify(path, place, one)
            if found.ok:
                return Signed(state="holds", signer=_signer(one.method, found.signer), digest=name)
            found.require()
        except HauberkError as error:
            # a signature that holds over other files says more than one by another key
            said = str(error) if "is not what was signed" in str(error) or not said else said
    state = "broken" if "is not what was signed" in said else "unknown signer"
    return Signed(state=state, digest=name, why=same(said))  # type: ignore[arg-type]


def _signer(method: str, said: str) -> Text:
    """Who signed, in both languages; names and digests are the same in each."""
    if method == "key":
        return Text(said, "密钥 " + said.removeprefix("the key ").removeprefix("in "))
    subject, certified, issuer = said.rpartition(", certified by ")
    return Text(said, f"{subject}，由 {issuer} 认证" if certified else said)


def _scanned(path: Path) -> Scanned:
    from hauberk.protection.scan import scan

    found = scan(path, libraries=False)
    worst = found.findings[0] if found.findings else None
    said = f"{worst.rule}: {worst.path}" if worst else found.unread[0].path if found.unread else ""
    return Scanned(clean=found.clean, counts=found.counts, worst=said)


def _sealed(path: Path, documents: Iterable[Evidence], model: str) -> tuple[Sealing, ...]:
    """Sealed files beside the package, and whether evidence binds them to this model."""
    bound = {
        one.result.get("file_digest")
        for one in documents
        if one.kind == "sealing" and one.subject.get("digest") == model
    }
    found = []
    for one in sorted(path.resolve().parent.iterdir()):
        if one.is_file() and not one.is_symlink() and (sealing := sealing_of(one)) is not None:
            found.append(replace(sealing, known=sealing.digest in bound))
    return tuple(found)


def sealing_of(path: Path, *, bound: bool = False) -> Sealing | None:
    """A sealed model's outside; None for any other file, and for one that was cut short."""
    from hauberk.protection.seal.inspecting import inspect

    if not _begins(path, _AGE):
        return None
    try:
        outside = inspect(path)
    except HauberkError:
        return None
    return Sealing(
        file=path.name,
        digest=file_digest(path),
        kinds=outside.kinds,
        post_quantum=outside.post_quantum,
        known=bound,
    )


def _begins(path: Path, start: bytes) -> bool:
    with open(path, "rb") as file:
        return file.read(len(start)) == start


def _commitments(path: Path, models: set[str]) -> tuple[str, ...]:
    """Commitments of watermarks beside the package that name this model, or one that it was made of.

    Without the owner's key nobody sees whether a commitment is a true one; that it was made before a quarrel is
    what the ledger shows.
    """
    found = []
    for one in sorted(path.resolve().parent.glob("*.json")):
        if not one.is_file() or one.stat().st_size > _SMALL:
            continue
        try:
            document = parse_json(read_bytes(one, what="commitment"), where=one.name)
        except HauberkError:
            continue
        if not isinstance(document, dict) or document.get("format") != _COMMITMENT:
            continue
        if document.get("model") in models and _SHA256.fullmatch(str(document.get("commitment"))):
            found.append(str(document["commitment"]))
    return tuple(found)


def files_of(path: Path, evidence: Path | None = None) -> dict[str, str]:
    """Digests of everything that ``gather_model`` reads, by name, for ``Target.subject``."""
    beside = evidence if evidence is not None else path.resolve().parent / "evidence"
    found = {f"package/{one.relative_to(path).as_posix()}": one for one in path.rglob("*") if one.is_file()}
    found |= {f"evidence/{one.name}": one for one in beside.glob("*.json") if one.is_file()}
    signature = path.resolve().with_name(path.resolve().name + ".sig")
    if signature.is_file():
        found["signature"] = signature
    return {name: _digest(one) for name, one in sorted(found.items())}


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return "unreadable"
