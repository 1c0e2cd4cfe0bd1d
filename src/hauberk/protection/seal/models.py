"""Opening into memory: tensors, one tensor, a classifier. Nothing that is read here touches the disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from hauberk.core.errors import DataError, UnsupportedModel
from hauberk.core.manifest import WEIGHTS
from hauberk.crypto import age
from hauberk.models.classifier import Classifier
from hauberk.models.package import align, build, evidence_of, fill
from hauberk.protection.seal.container import SealedFile, Unlocked
from hauberk.protection.seal.layout import Place
from hauberk.protection.seal.opening import manifest_of
from hauberk.protection.seal.weights import TensorEntry

_DTYPES = {
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "U16": torch.uint16, "I16": torch.int16,
    "U32": torch.uint32, "I32": torch.int32, "U64": torch.uint64, "I64": torch.int64, "F16": torch.float16,
    "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float64, "C64": torch.complex64,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}  # fmt: skip


def open_tensors(
    path: str | Path, identities: Iterable[age.Identity], *, threads: int = 2
) -> dict[str, Tensor]:
    """All tensors of a sealed file, on the CPU, decrypted straight into their memory.

    Raises:
        DataError: there is no such file.
        NoIdentityMatched: it is sealed for others.
        IntegrityError: anything is not what was sealed; then no tensor is handed out.

    Cost: memory for the tensors and a few segments.

    Limits: the tensors are what was sealed. Whether they are what the package's manifest lists is for
    ``open_model``.
    """
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        tensors = _empty(unlocked.index.weights.tensors)
        _decrypt(unlocked, tensors, threads)
        return tensors


def open_tensor(path: str | Path, name: str, identities: Iterable[age.Identity]) -> Tensor:
    """One tensor; only header, index and its own message are read, and these are verified.

    Raises:
        DataError: no tensor of this name.
        NoIdentityMatched, IntegrityError: as ``open_tensors``.
    """
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        entries = unlocked.index.weights.tensors
        place = next((place for place, one in enumerate(entries) if one.name == name), None)
        if place is None:
            raise DataError(f"{path} holds no tensor '{name}'")
        tensors = _empty([entries[place]])
        for _done in unlocked.pour([unlocked.tensors[place]], lambda _place: _bytes(tensors[name])):
            pass
        return tensors[name]


def open_model(
    path: str | Path,
    identities: Iterable[age.Identity],
    *,
    device: str | torch.device = "cpu",
    threads: int = 2,
) -> Classifier:
    """The classifier of a sealed package, verified, in eval mode, on ``device``; the equal of ``hauberk.load``.

    Raises:
        DataError, NoIdentityMatched, IntegrityError: as ``open_tensors``, and where the weights are not those
            that the manifest lists.
        AccessDenied: it needs a factory that this user has not allowed.
        UnsupportedModel: weights that do not fit the architecture.

    Cost: memory for the network and a few segments.

    Limits: parameters that the network shares between layers are opened as separate ones of equal values.
    """
    with SealedFile(path) as file, Unlocked(file, identities) as unlocked:
        manifest, files = manifest_of(unlocked)
        with file.distrusted():
            evidence = evidence_of(manifest.document, files, where=str(file.path))
        classifier = build(manifest.document, files)
        tensors = _empty(unlocked.index.weights.tensors)
        fill(classifier, tensors, str(file.path), assign=True)
        sha256 = _decrypt(unlocked, tensors, threads, hashed=True)
        prefix = unlocked.index.weights.prefix
        with file.distrusted():
            manifest.check(WEIGHTS, len(prefix) + unlocked.index.weights.data_bytes, sha256)
    align(classifier)
    classifier.evidence = evidence
    return classifier.to(device).eval()


def _empty(entries: Sequence[TensorEntry]) -> dict[str, Tensor]:
    """Tensors whose memory has not been written to: until then it costs nothing."""
    unknown = sorted({one.dtype for one in entries} - _DTYPES.keys())
    if unknown:
        raise UnsupportedModel(f"tensors of dtype {unknown[0]} cannot be opened in this version of torch")
    return {one.name: torch.empty(one.shape, dtype=_DTYPES[one.dtype]) for one in entries}


def _bytes(tensor: Tensor) -> memoryview:
    """The memory of a contiguous tensor."""
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def _decrypt(unlocked: Unlocked, tensors: Mapping[str, Tensor], threads: int, *, hashed: bool = False) -> str:
    """Fill the tensors; the weights file's SHA-256 where it is asked for."""
    first = unlocked.tensors[0].number if unlocked.tensors else 0
    memory = [_bytes(tensors[one.name]) for one in unlocked.index.weights.tensors]

    def target(place: Place) -> memoryview:
        return memory[place.number - first]

    digest = hashlib.sha256(unlocked.index.weights.prefix)
    for _piece, text in unlocked.pour(unlocked.tensors, target, threads=threads):
        if hashed:
            digest.update(text)
    return digest.hexdigest() if hashed else ""
