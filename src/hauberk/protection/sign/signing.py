"""Signing a model package: every file of it, with a provenance statement among them."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.canonical import file_digest, parse_json
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.files import read_bytes, refuse_overwrite, write_atomic
from hauberk.core.manifest import MANIFEST
from hauberk.protection.sign import library, provenance
from hauberk.protection.sign.signers import Signer
from hauberk.protection.sign.statement import (
    PROVENANCE,
    digests,
    list_files,
    read_bundle,
    read_statement,
)


@dataclass(frozen=True)
class Signed:
    """What signing leaves.

    Args:
        signature: the signature's file, a Sigstore bundle.
        files: how many files it covers.
        evidence: the record, of kind ``signing``.
    """

    signature: Path
    files: int
    evidence: Evidence


def sign(package: str | Path, signer: Signer, out: str | Path, *, overwrite: bool = False) -> Signed:
    """Sign a package; its provenance statement is written into it first (``provenance.json``).

    Args:
        out: the signature's file, outside of the package.

    Raises:
        ConfigError: a key that cannot be used, or ``out`` lies in the package or exists already.
        DataError, IntegrityError: the package is damaged, holds links, or changed while it was signed; no
            signature is left.

    Limits:
        Says who vouches for these bytes. Whether the model is good, and whether the signer was careful, it does
        not say. An elliptic-curve key is not safe from a large quantum computer.
    """
    from hauberk.models.package import read

    started = time.perf_counter()
    root, target = Path(package), Path(out)
    if target.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"the signature {out} would lie in the package that it signs", hint="--out beside it")
    refuse_overwrite(target, force=overwrite)
    config = signer.configure()
    list_files(root)  # links first: nothing is read through them
    found = read(root)
    before = digests(list_files(root))
    document = provenance.statement(found, {name: one for name, one in before.items() if name != PROVENANCE})
    encoded = provenance.encoded(document)
    if not (root / PROVENANCE).is_file() or (root / PROVENANCE).read_bytes() != encoded:
        write_atomic(root / PROVENANCE, encoded)
    data = _signature(signer, config, root)
    listed = read_statement(read_bundle(data, str(out)), str(out))
    after = digests(list_files(root))
    _check_still(root, listed.resources, after)
    _check_manifest(root, found.manifest, listed.resources)
    write_atomic(target, data)
    evidence = Evidence(
        kind="signing",
        subject={"name": root.resolve().name, "digest": found.model_digest},
        inputs={"package": {"name": root.resolve().name, "digest": found.digest}},
        parameters={"method": signer.method},
        result={
            "signature": file_digest(target),
            "signed": f"sha256:{listed.root}",
            "files": len(listed.resources),
            "provenance": f"sha256:{listed.resources[PROVENANCE]}",
        },
        parents=(found.evidence[-1].digest,) if found.evidence else (),
        duration_s=round(time.perf_counter() - started, 3),
        versions=software_versions(("hauberk", "model-signing", "cryptography")),
    )
    return Signed(target, len(listed.resources), evidence)


def _signature(signer: Signer, config: object, root: Path) -> bytes:
    hashing = library.part("hashing").Config()
    # by itself it leaves .git and the like unsigned
    hashing.set_ignored_paths(paths=[], ignore_git_paths=False)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "signature"
        with library.wrong_call(f"{root} could not be signed"):
            config.set_hashing_config(hashing).sign(root, place)  # type: ignore[attr-defined]
        bundle = signer.finish(json.loads(place.read_bytes()))
    return json.dumps(bundle, separators=(",", ":")).encode()


def _check_still(root: Path, signed: Mapping[str, str], now: Mapping[str, str]) -> None:
    for name in sorted(signed.keys() | now.keys()):
        if signed.get(name) != now.get(name):
            raise IntegrityError(
                f"{root} changed while it was being signed: '{name}'; no signature was written"
            )


def _check_manifest(root: Path, manifest: Mapping[str, object], signed: Mapping[str, str]) -> None:
    """What was signed is the package that was read and found whole."""
    current = parse_json(read_bytes(root / MANIFEST, what="manifest"), where=str(root / MANIFEST))
    listed = {name: facts["sha256"] for name, facts in current["files"].items()}
    if current != manifest or any(signed.get(name) != value for name, value in listed.items()):
        raise IntegrityError(f"{root} changed while it was being signed; no signature was written")
