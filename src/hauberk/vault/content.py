"""What is pushed: a model package or a sealed file, its signature, and the evidence that tells of it.

All of it is opened once, and what is stored is what was checked. Nothing here needs torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hauberk.core.canonical import canonical_bytes, parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.core.files import read_bytes, read_exactly
from hauberk.core.manifest import WEIGHTS, check_model
from hauberk.protection.seal.container import SealedFile
from hauberk.protection.seal.package import opened
from hauberk.protection.sign.statement import PROVENANCE
from hauberk.vault.ciphering import Read
from hauberk.vault.registry import File, Kind

PACKAGE, SEALED, SIGNATURE, EVIDENCE = "package/", "sealed", "signature", "evidence/"
_PIECE_BYTES = 4 << 20
_LARGEST_SIGNATURE = 64 << 20


@dataclass(frozen=True)
class Part:
    """A file, and a way to read it that fails where it is no longer the one that was listed."""

    file: File
    read: Read


@dataclass(frozen=True)
class Content:
    """What becomes a version.

    Args:
        digest: of the package, or of the sealed file.
        subject: the model's digest; the sealed file's where no evidence names the model.
        evidence: what tells of it, that in the package included.
        signature: the bundle beside it, or None.
    """

    kind: Kind
    digest: str
    subject: str
    parts: tuple[Part, ...]
    evidence: tuple[Evidence, ...]
    signature: bytes | None

    @property
    def files(self) -> list[File]:
        return [one.file for one in self.parts]


@contextmanager
def opened_content(path: Path, signature: Path | None, evidence: Path | None) -> Iterator[Content]:
    """Open what is to be pushed.

    Args:
        path: a package's folder or a sealed file.
        signature: the signature's file [default: ``<path>.sig`` where there is one].
        evidence: the folder of later evidence [default: ``evidence`` beside ``path``].

    Raises:
        DataError: nothing of the kind is there, or the package holds files that its manifest does not list.
        IntegrityError: a file was changed. The weights' digest is checked when they are read.
    """
    if not path.exists():
        raise DataError(f"there is nothing to push at {path}", hint="a model package, or a sealed file")
    bundle = _signature(path, signature)
    folder = evidence if evidence is not None else path.resolve().parent / "evidence"
    shown = _load(folder) if folder.is_dir() else []
    with _package(path, shown) if path.is_dir() else _sealed(path, shown) as found:
        kind, digest, subject, parts, own = found
        parts += [
            _in_memory(f"{EVIDENCE}{one.kind}-{one.digest[7:]}.json", canonical_bytes(one.to_json()))
            for one in own[1]
        ]
        if bundle is not None:
            parts.append(_in_memory(SIGNATURE, bundle))
        yield Content(kind, digest, subject, tuple(parts), (*own[0], *own[1]), bundle)


_Found = tuple[Kind, str, str, list[Part], tuple[list[Evidence], list[Evidence]]]


@contextmanager
def _package(path: Path, shown: list[Evidence]) -> Iterator[_Found]:
    with opened(path) as source:
        document = source.manifest.document
        model = check_model(document, where=str(path))
        files = dict(source.files)
        if (path / PROVENANCE).is_file():
            files[PROVENANCE] = read_bytes(path / PROVENANCE, what="statement of provenance")
        _check_listed(path, {*files, WEIGHTS})
        parts = [_in_memory(f"{PACKAGE}{name}", data) for name, data in files.items()]
        facts = document["files"][WEIGHTS]
        weights = File(f"{PACKAGE}{WEIGHTS}", facts["sha256"], facts["size_bytes"])
        parts.append(Part(weights, _descriptor(source.descriptor, path / WEIGHTS)))
        born = [
            Evidence.from_json(parse_json(data, where=name), where=f"{path}/{name}")
            for name, data in files.items()
            if name.startswith("evidence/")
        ]
        known = {one.digest for one in born}
        later = [one for one in shown if one.digest not in known and _about(one, {model, document["digest"]})]
        yield "package", str(document["digest"]), model, parts, (born, later)


@contextmanager
def _sealed(path: Path, shown: list[Evidence]) -> Iterator[_Found]:
    with SealedFile(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        digest = f"sha256:{sha256}"
        sealing = [one for one in shown if one.kind == "sealing" and one.result.get("file_digest") == digest]
        subject = str(sealing[-1].subject["digest"]) if sealing else digest
        later = [one for one in shown if _about(one, {subject, digest})]
        part = Part(File(SEALED, sha256, size), _descriptor(file.fileno(), path))
        yield "sealed", digest, subject, [part], ([], later)


def verified(part: Part) -> None:
    """Read a part that is stored already.

    Raises:
        IntegrityError: it is not what it is said to be.
    """
    digest, at = hashlib.sha256(), 0
    piece = memoryview(bytearray(_PIECE_BYTES))
    while at < part.file.size_bytes:
        view = piece[: min(len(piece), part.file.size_bytes - at)]
        part.read(at, view)
        digest.update(view)
        at += len(view)
    if digest.hexdigest() != part.file.sha256:
        raise IntegrityError(f"{part.file.path} was changed after it was written: its SHA-256 differs")


def _check_listed(path: Path, listed: set[str]) -> None:
    """What the manifest does not name would not come back from the vault."""
    there = {one.relative_to(path).as_posix() for one in path.rglob("*") if not one.is_dir()}
    if there - listed:
        raise DataError(
            f"{path} holds {min(there - listed)}, which its manifest does not list",
            hint="a package holds what hauberk wrote into it: move the file elsewhere",
        )


def _signature(path: Path, chosen: Path | None) -> bytes | None:
    place = chosen if chosen is not None else path.with_name(f"{path.name}.sig")
    if chosen is None and not place.is_file():
        return None
    data = read_bytes(place, what="signature")
    if len(data) > _LARGEST_SIGNATURE:
        raise DataError(f"{place} has {len(data)} bytes: it is no signature")
    return data


def _load(folder: Path) -> list[Evidence]:
    return sorted((Evidence.load(one) for one in sorted(folder.glob("*.json"))), key=lambda one: one.created)


def _about(one: Evidence, names: set[str]) -> bool:
    """Whether it tells of the model: as what came out or was looked at, or as what went in."""
    went_in = [value.get("digest") for value in one.inputs.values() if isinstance(value, dict)]
    return any(name in names for name in (one.subject.get("digest"), *went_in) if isinstance(name, str))


def _in_memory(path: str, data: bytes) -> Part:
    return Part(File(path, hashlib.sha256(data).hexdigest(), len(data)), partial(_copy, data))


def _copy(data: bytes, at: int, into: memoryview) -> None:
    into[:] = memoryview(data)[at : at + len(into)]


def _descriptor(descriptor: int, where: Path) -> Callable[[int, memoryview], None]:
    def read(at: int, into: memoryview) -> None:
        read_exactly(descriptor, at, into, where)

    return read
