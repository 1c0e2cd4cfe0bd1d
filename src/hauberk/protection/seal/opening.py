"""Opening without torch: check a sealed file, or turn it into a model package again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hauberk.core.errors import ConfigError
from hauberk.core.files import directory_aside, write_exactly
from hauberk.core.manifest import MANIFEST, WEIGHTS
from hauberk.crypto import age
from hauberk.protection.seal.container import SealedFile, Unlocked
from hauberk.protection.seal.package import Manifest


@dataclass(frozen=True)
class Opened:
    """What a sealed file held; all of it has been verified.

    Args:
        model: digest of the model.
        package: digest of the package.
        path: where the package was written, or None where the file was only checked.
    """

    model: str
    package: str
    tensors: int
    files: int
    weights_bytes: int
    path: Path | None


def manifest_of(unlocked: Unlocked) -> tuple[Manifest, dict[str, bytes]]:
    """The package's manifest and its files besides the weights, each as the manifest lists it.

    Raises:
        IntegrityError: they do not fit together.
    """
    with unlocked.file.distrusted():
        files = unlocked.contents()
        manifest = Manifest.parse(files[MANIFEST], where=MANIFEST)
        for name, data in files.items():
            if name != MANIFEST:
                manifest.check(name, len(data), hashlib.sha256(data).hexdigest())
        if files.keys() != {MANIFEST, *manifest.others}:
            manifest.check(min({*manifest.others} - files.keys()), -1, "")
        return manifest, files


def check(path: str | Path, identities: Iterable[age.Identity], *, threads: int = 2) -> Opened:
    """Decrypt everything, keep nothing, and say what it is.

    Raises:
        DataError: there is no such file.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: anything in it is not what was sealed, or not what its manifest lists.
    """
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        return _walk(unlocked, None, threads)


def extract(
    path: str | Path,
    identities: Iterable[age.Identity],
    out: str | Path,
    *,
    overwrite: bool = False,
    threads: int = 2,
) -> Opened:
    """Write the package that was sealed, byte for byte; it appears when all of it has been verified.

    Args:
        overwrite: replace a package that is already there.

    Raises:
        ConfigError: something is at ``out`` already.
        EnvironmentFailure: the disk is full or not writable; nothing is left behind.
        DataError, NoIdentityMatched, IntegrityError: as ``check``.

    Limits: the package is no longer protected. A program that only wants the model takes ``open_model``.
    """
    out = Path(out)
    if out.is_symlink() or (out.exists() and not (overwrite and (out / MANIFEST).is_file())):
        raise ConfigError(f"{out} exists already", hint="choose another --out, or --force to replace a package")
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked, directory_aside(out) as aside:
        opened = _walk(unlocked, aside, threads)
    return Opened(opened.model, opened.package, opened.tensors, opened.files, opened.weights_bytes, out)


def _walk(unlocked: Unlocked, folder: Path | None, threads: int) -> Opened:
    manifest, files = manifest_of(unlocked)
    prefix = unlocked.index.weights.prefix
    digest = hashlib.sha256(prefix)
    size = len(prefix) + unlocked.index.weights.data_bytes
    if folder is None:
        for _piece, text in unlocked.pour(unlocked.tensors, threads=threads):
            digest.update(text)
    else:
        for name, data in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        with open(folder / WEIGHTS, "wb") as weights:
            at = len(prefix)
            write_exactly(weights.fileno(), 0, prefix)
            for _piece, text in unlocked.pour(unlocked.tensors, threads=threads):
                write_exactly(weights.fileno(), at, text)
                digest.update(text)
                at += len(text)
    with unlocked.file.distrusted():
        manifest.check(WEIGHTS, size, digest.hexdigest())
    return Opened(
        model=manifest.model,
        package=str(manifest.document["digest"]),
        tensors=len(unlocked.tensors),
        files=len(files),
        weights_bytes=size,
        path=None,
    )
