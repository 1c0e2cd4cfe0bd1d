"""Pulling: everything is verified again, and what is written takes its place only when all of it was.

The files' digests, the ledger's proof that just these were published, the signature where the policy asks for
one, and that nobody revoked the version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.canonical import parse_json
from hauberk.core.errors import ConfigError, DataError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.files import directory_aside, file_aside, refuse_overwrite, write_atomic, write_exactly
from hauberk.core.manifest import MANIFEST, check_model
from hauberk.protection.seal.package import Manifest
from hauberk.protection.sign.statement import PROVENANCE
from hauberk.vault import registry
from hauberk.vault.checking import check_published
from hauberk.vault.ciphering import Write
from hauberk.vault.content import EVIDENCE, PACKAGE, SEALED, SIGNATURE
from hauberk.vault.demands import check_evidence, check_signature
from hauberk.vault.names import Reference, parse_reference
from hauberk.vault.place import Vault
from hauberk.vault.registry import File, Version


@dataclass(frozen=True)
class Pulled:
    """What was written.

    Args:
        path: the package's folder, or the sealed file.
        signature: the file beside it, or None.
        evidence: further evidence, in the folder for it.
    """

    version: Version
    path: Path
    signature: Path | None
    evidence: tuple[Path, ...]


def pull(
    vault: Vault,
    reference: str,
    out: str | Path,
    *,
    evidence: str | Path | None = None,
    overwrite: bool = False,
) -> Pulled:
    """Write a version as a package, or as the sealed file that it is.

    Args:
        reference: ``NAME@3``, ``NAME@production``, ``NAME@sha256:…``, or ``NAME`` for the newest that is not
            revoked.
        out: where it goes; a signature goes to ``<out>.sig``.
        evidence: where later evidence goes [default: ``evidence`` beside ``out``].
        overwrite: replace a package or sealed file that is there.

    Raises:
        ConfigError: something is at ``out``, or the reference is none.
        AccessDenied: who asks may not have it.
        DataError: there is no such version.
        PolicyViolation: it was revoked, or the policy does not let it out.
        IntegrityError: anything is not what was published. At ``out`` is what was there before.
        EnvironmentFailure: disk full, database or ledger away; the same.
    """
    target = Path(out)
    version, files = admitted(vault, reference, "model.pull")
    beside = target.with_name(f"{target.name}.sig")
    for one in (target, beside):
        if one.is_symlink():
            raise ConfigError(f"{one} is a link", hint="choose another --out")
    refuse_overwrite(target, force=overwrite)
    if target.is_dir() != (version.kind == "package") and target.exists():
        raise ConfigError(f"{target} is something else than {version}", hint="choose another --out")
    if target.is_dir() and not (target / MANIFEST).is_file():
        raise ConfigError(f"{target} is no package, and is not replaced", hint="choose another --out")
    if version.kind == "package":
        _write_package(vault, version, files, target)
    else:
        _write_sealed(vault, files, target)
    signature = signature_of(vault, files)
    if signature is not None:
        write_atomic(beside, signature)
    folder = Path(evidence) if evidence is not None else target.resolve().parent / "evidence"
    later = evidence_of(vault, files, EVIDENCE)
    saved = [one.save(folder, f"{one.kind}-{target.name}-{one.digest[7:15]}") for one in later]
    return Pulled(version, target, beside if signature is not None else None, tuple(saved))


def admitted(vault: Vault, reference: str, action: str) -> tuple[Version, list[File]]:
    """A version that may be used for what is wanted.

    The gate lets its caller through, the ledger proves that it was published, and the policy's demands still
    hold. Its bytes are yet to be read.

    Raises:
        AccessDenied, DataError, PolicyViolation, IntegrityError: as ``pull``.
    """
    version = seen(vault, reference, action)
    with vault.database.read() as connection:
        files = registry.files(connection, version.model, version.number)
    check_published(vault, version, files)
    if vault.policy.evidence:
        check_evidence(vault, (one.kind for one in evidence_of(vault, files)), str(version))
    check_signature(vault, version.kind, files, signature_of(vault, files), str(version))
    return version, files


def seen(vault: Vault, reference: str, action: str) -> Version:
    """The version that a reference names, if its caller may do this with it. Who may not is not told whether it
    is there."""
    wanted = parse_reference(reference)
    try:
        with vault.database.read() as connection:
            version = registry.find(connection, wanted)
    except DataError:
        vault.gate.check(action, wanted.model, _named(wanted), detail=reference)
        raise
    vault.gate.check(action, version.model, version.names, detail=reference)
    return version


def signature_of(vault: Vault, files: Sequence[File]) -> bytes | None:
    """The signature that came with a version."""
    found = [one for one in files if one.path == SIGNATURE]
    return bytes(vault.artifacts.read(found[0].sha256, found[0].size_bytes)) if found else None


def evidence_of(vault: Vault, files: Sequence[File], *within: str) -> list[Evidence]:
    """A version's evidence: all of it, or what lies under some of its folders."""
    folders = within or (EVIDENCE, f"{PACKAGE}{EVIDENCE}")
    return [
        Evidence.from_json(parse_json(bytes(vault.artifacts.read(one.sha256, one.size_bytes)), where=one.path))
        for one in files
        if one.path.startswith(folders)
    ]


def check_package(files: Sequence[File], manifest: bytes, where: str) -> Manifest:
    """A version's manifest, if it lists just these files.

    Raises:
        IntegrityError: it lists others.
    """
    found = Manifest.parse(manifest, where=where)
    check_model(found.document, where=where)
    there = {one.path.removeprefix(PACKAGE): one for one in files if one.path.startswith(PACKAGE)}
    for name, one in there.items():
        if name not in (MANIFEST, PROVENANCE):
            found.check(name, one.size_bytes, one.sha256)
    lacking = set(found.document["files"]) - there.keys()
    if lacking:
        raise IntegrityError(f"{where} lists {min(lacking)}, which the vault does not hold")
    return found


def _write_package(vault: Vault, version: Version, files: Sequence[File], target: Path) -> None:
    own = [one for one in files if one.path.startswith(PACKAGE)]
    with directory_aside(target) as aside:
        for one in own:
            place = aside / one.path.removeprefix(PACKAGE)
            place.parent.mkdir(parents=True, exist_ok=True)
            with open(place, "wb") as file, writing(file.fileno()) as write:
                vault.artifacts.fetch(one.sha256, one.size_bytes, write)
        check_package(own, (aside / MANIFEST).read_bytes(), str(version))


def _write_sealed(vault: Vault, files: Sequence[File], target: Path) -> None:
    one = next(one for one in files if one.path == SEALED)
    with file_aside(target) as descriptor, writing(descriptor) as write:
        vault.artifacts.fetch(one.sha256, one.size_bytes, write)


@contextmanager
def writing(descriptor: int) -> Iterator[Write]:
    """Bytes into a file, in order."""
    at = 0

    def write(piece: memoryview) -> None:
        nonlocal at
        write_exactly(descriptor, at, piece)
        at += len(piece)

    yield write


def _named(wanted: Reference) -> tuple[str, ...]:
    name = wanted.number or wanted.alias or wanted.digest
    return (str(name),) if name else ()
