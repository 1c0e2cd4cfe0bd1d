"""A model package as sealing sees it: a manifest, small files and one large one, read without torch.

Every file is opened once and what is sealed is what was checked, so a package that changes meanwhile is
noticed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError, IntegrityError
from hauberk.core.files import read_exactly
from hauberk.core.manifest import FORMAT, MANIFEST, WEIGHTS, check_digest
from hauberk.protection.seal.index import check_name, check_names
from hauberk.protection.seal.weights import LENGTH_BYTES, WeightsHeader

_LARGEST_FILE = 1 << 30  # files besides the weights are held in memory
_LARGEST_HEADER = 32 << 20


@dataclass(frozen=True)
class Manifest:
    """What sealing must know of a package's ``model.json``."""

    document: Mapping[str, Any]

    @classmethod
    def parse(cls, data: bytes, *, where: str) -> Manifest:
        """Read and verify it.

        Raises:
            DataError: no manifest of a model package.
            IntegrityError: it was changed after it was written.
        """
        document = parse_json(data, where=where)
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise DataError(f"{where} is not the manifest of a {FORMAT} package")
        check_digest(document, where=where)
        files = document.get("files")
        if not isinstance(files, dict) or WEIGHTS not in files:
            raise DataError(f"{where} lists no {WEIGHTS}")
        for name, facts in files.items():
            check_name(name)
            if not isinstance(facts, dict) or not {"sha256", "size_bytes"} <= facts.keys():
                raise DataError(f"{where}: '{name}' has no size and digest")
        found = cls(document)
        check_names([MANIFEST, *found.others])
        return found

    @property
    def others(self) -> list[str]:
        """The files besides the manifest and the weights, in the order of their names."""
        return sorted(name for name in self.document["files"] if name != WEIGHTS)

    @property
    def model(self) -> str:
        """The model's digest."""
        return str(self.document.get("model"))

    @property
    def last_evidence(self) -> str | None:
        """Digest of the newest evidence in the package."""
        provenance = self.document.get("provenance") or [None]
        return provenance[-1] if isinstance(provenance, list) else None

    def check(self, name: str, size: int, sha256: str) -> None:
        """Raises ``IntegrityError`` where the file is not the one that was listed."""
        facts = self.document["files"].get(name)
        if facts is None:
            raise IntegrityError(f"{name} is not listed in {MANIFEST}")
        if facts["size_bytes"] != size or facts["sha256"] != sha256:
            raise IntegrityError(f"{name} was changed after the package was written: SHA-256 differs")


@dataclass(frozen=True)
class Source:
    """An opened package.

    Args:
        files: by name, the manifest first, checked already.
        header: of the weights; their data start behind it.
        descriptor: of the weights' file.
    """

    path: Path
    manifest: Manifest
    files: Mapping[str, bytes]
    header: WeightsHeader
    descriptor: int

    def fill(self, start: int, out: memoryview) -> None:
        """Read ``len(out)`` bytes of tensors from ``start`` on; ``IntegrityError`` where they have gone."""
        read_exactly(self.descriptor, len(self.header.prefix) + start, out, self.path / WEIGHTS)


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a package for sealing.

    Raises:
        DataError: no package, or a file that is not one (a device, a link that leads out of the package).
        IntegrityError: a file that is not the one its manifest lists. The weights' own digest is checked while
            they are read.
    """
    if not path.is_dir():
        raise DataError(f"{path} is not a model package (a folder with {MANIFEST})")
    text = _small(path, MANIFEST)
    manifest = Manifest.parse(text, where=str(path / MANIFEST))
    files = {MANIFEST: text}
    for name in manifest.others:
        files[name] = _small(path, name)
        manifest.check(name, len(files[name]), hashlib.sha256(files[name]).hexdigest())
    with _file(path, WEIGHTS) as descriptor:
        size = os.fstat(descriptor).st_size
        listed = manifest.document["files"][WEIGHTS]["size_bytes"]
        if size != listed:
            raise IntegrityError(f"{path / WEIGHTS} has {size} bytes instead of {listed}: truncated or changed")
        header = _weights_header(descriptor, size, path / WEIGHTS)
        if size != len(header.prefix) + header.data_bytes:
            raise DataError(f"{path / WEIGHTS} is longer or shorter than its header says")
        yield Source(path, manifest, files, header, descriptor)


def _weights_header(descriptor: int, size: int, where: Path) -> WeightsHeader:
    length = bytearray(LENGTH_BYTES)
    read_exactly(descriptor, 0, memoryview(length), where)
    count = int.from_bytes(length, "little")
    if count > min(size, _LARGEST_HEADER):
        raise DataError(f"{where} claims a header of {count} bytes")
    text = bytearray(count)
    read_exactly(descriptor, LENGTH_BYTES, memoryview(text), where)
    try:
        return WeightsHeader.parse(text.decode(), where=str(where))
    except UnicodeDecodeError:
        raise DataError(f"{where} has a header that is not text") from None


@contextmanager
def _file(root: Path, name: str) -> Iterator[int]:
    """A regular file of the package, open for reading."""
    path = root / name
    try:
        real = path.resolve(strict=True)
        inside = real.is_relative_to(root.resolve())
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW) if inside else -1
    except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError
        missing = isinstance(error, FileNotFoundError)
        kind = DataError if missing and name == MANIFEST else IntegrityError
        what = "is missing" if missing else f"cannot be read ({getattr(error, 'strerror', error)})"
        raise kind(f"{path} {what}") from None
    if not inside:
        raise DataError(
            f"{path} is a link that leads out of the package",
            hint="put a copy of the file in its place",
        )
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise DataError(f"{path} is not an ordinary file")
        yield descriptor
    finally:
        os.close(descriptor)


def _small(root: Path, name: str) -> bytes:
    with _file(root, name) as descriptor:
        size = os.fstat(descriptor).st_size
        if size > _LARGEST_FILE:
            raise DataError(f"{root / name} has {size} bytes: too many for a file besides the weights")
        data = bytearray(size)
        read_exactly(descriptor, 0, memoryview(data), root / name)
        return bytes(data)
