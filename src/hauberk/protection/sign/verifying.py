"""Verifying a package against a signature: first whether the signature holds, then every file.

The signature's list of files is compared here, file by file and with none left out: the library itself skips
what the signer told it to skip.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.clock import Clock, now
from hauberk.core.errors import DataError, EnvironmentFailure, IntegrityError
from hauberk.core.files import read_bytes
from hauberk.protection.sign import library
from hauberk.protection.sign.statement import (
    LARGEST,
    PROVENANCE,
    Listed,
    digests,
    list_files,
    method_of,
    read_bundle,
    read_statement,
)
from hauberk.protection.sign.trust import Trust


@dataclass(frozen=True)
class Verification:
    """A signature that holds, and how the package compares with it.

    Args:
        signer: who signed, in words.
        files: how many files were signed.
        changed: files with other content; ``missing`` are signed and not there, ``added`` there and not signed.
        digests: of the signed files, in hex, by name.
    """

    package: Path
    signer: str
    files: int
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    added: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def ok(self) -> bool:
        """The package is what was signed: nothing changed, nothing missing, nothing added."""
        return not (self.changed or self.missing or self.added)

    def require(self) -> None:
        """Go on only with what was signed.

        Raises:
            IntegrityError: with ``facts`` ``changed``, ``missing`` and ``added``.
        """
        if self.ok:
            return
        said = [
            f"{what} {', '.join(names[:5])}" + (" …" if len(names) > 5 else "")
            for what, names in (("changed", self.changed), ("missing", self.missing), ("added", self.added))
            if names
        ]
        raise IntegrityError(
            f"{self.package} is not what was signed: {'; '.join(said)}",
            changed=self.changed,
            missing=self.missing,
            added=self.added,
        )


def verify(package: str | Path, signature: str | Path, trust: Trust, *, clock: Clock = now) -> Verification:
    """Check a signature, and compare every file of a package with it.

    Args:
        trust: whose signature is believed.
        clock: the present, by which certificates must be valid.

    Returns:
        the comparison; ``require()`` turns a difference into an error.

    Raises:
        IntegrityError: the signature does not hold, is of another kind than ``trust``, or is not whole; or the
            package holds links.
        ConfigError, DataError: a key, certificate or folder that cannot be used.

    Cost:
        One pass over all files.
    """
    root, where = Path(package), str(signature)
    config = trust.configure()
    data = _read(Path(signature))
    bundle = read_bundle(data, where)
    if method_of(bundle) != trust.method:
        raise IntegrityError(
            f"{where} was made with {_MADE[method_of(bundle)]}, not with {_MADE[trust.method]}"
        )
    _check_signature(config, data, where)
    signer = trust.check(bundle, clock)
    listed = read_statement(bundle, where)
    present = _hashed(root, listed)
    changed = tuple(sorted(name for name, one in listed.resources.items() if present.get(name, one) != one))
    result = Verification(
        package=root,
        signer=signer,
        files=len(listed.resources),
        changed=changed,
        missing=tuple(sorted(listed.resources.keys() - present.keys())),
        added=tuple(sorted(present.keys() - listed.resources.keys())),
        digests=listed.resources,
    )
    if result.ok and PROVENANCE in listed.resources:
        _check_provenance(root, listed)
    return result


_MADE = {"key": "a bare key", "certificate": "a certificate", "sigstore": "an identity at Sigstore"}


def _read(path: Path) -> bytes:
    if path.is_file() and path.stat().st_size > LARGEST:
        raise IntegrityError(f"{path} is no signature of a model: it has {path.stat().st_size} bytes")
    return read_bytes(path, what="signature")


class _Held(Exception):
    """The signature holds; the library was about to hash the files."""


def _check_signature(config: Any, data: bytes, where: str) -> None:
    """The library's verdict on the signature alone, over the very bytes that were read."""
    hashing = library.part("hashing")

    class Stop(hashing.Config):  # type: ignore[misc,name-defined]  # a class of a library found at run time
        def hash(self, *arguments: Any, **settings: Any) -> Any:
            raise _Held

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "signature"
        place.write_bytes(data)
        try:
            with library.broken_signature(f"the signature {where}"):
                try:
                    config.set_hashing_config(Stop()).verify(Path(folder), place)
                except _Held:
                    return
        except OSError as error:
            raise EnvironmentFailure(f"could not verify {where}: {error}") from error
    raise IntegrityError(f"the signature {where} does not hold: nothing was compared")


def _hashed(root: Path, listed: Listed) -> dict[str, str]:
    """Digests of all files as the signature lists them, with none ignored."""
    files = list_files(root)
    if (listed.method, listed.algorithm) == ("files", "sha256"):
        return digests(files)
    hashing = library.part("hashing").Config()
    # it writes the one name and reads only the other
    algorithm = "blake2" if listed.algorithm == "blake2b" else listed.algorithm
    with library.broken_signature(f"the signature of {root}"):
        if listed.method == "shards":
            hashing.use_shard_serialization(
                hashing_algorithm=algorithm, shard_size=listed.shard_size or 1_000_000_000
            )
        elif listed.method == "files":
            hashing.use_file_serialization(hashing_algorithm=algorithm)
        else:
            raise DataError(f"files were hashed in the unknown way '{listed.method[:40]}'")
        hashing.set_ignored_paths(paths=[], ignore_git_paths=False)
        found = hashing.hash(root).resource_descriptors()
        return {one.identifier: one.digest.digest_hex for one in found}


def _check_provenance(root: Path, listed: Listed) -> None:
    """The statement is about these files and no others."""
    where = str(root / PROVENANCE)
    try:
        document = parse_json(read_bytes(root / PROVENANCE, what="provenance"), where=where)
        said = {one["name"]: one["digest"]["sha256"] for one in document["subject"]}
    except (KeyError, TypeError, DataError) as error:
        raise IntegrityError(f"{where} is no provenance statement: {error}") from error
    if listed.algorithm == "sha256" and listed.method == "files":
        signed = {name: one for name, one in listed.resources.items() if name != PROVENANCE}
        if said != signed:
            raise IntegrityError(f"{where} speaks of other files than those that were signed")
