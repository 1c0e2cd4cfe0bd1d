"""Small packages and sealed files for these tests, made without torch."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hauberk.core.canonical import digest
from hauberk.crypto import age
from hauberk.crypto.secret import Secret

IDENTITY = age.parse_identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
HYBRID = age.parse_identity("AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR")
SEGMENT = 96  # several segments a tensor

TENSORS: dict[str, tuple[str, list[int], bytes]] = {
    "empty": ("F32", [0, 3], b""),
    "scalar": ("F32", [], struct.pack("<f", 2.5)),
    "half": ("BF16", [2, 2], bytes(range(8))),
    "bits": ("BOOL", [3], b"\x01\x00\x01"),
    "whole": ("I64", [2], struct.pack("<2q", -1, 1 << 40)),
    "weight": ("F32", [40], struct.pack("<40f", *range(40))),
}


def weights(tensors: dict[str, tuple[str, list[int], bytes]] = TENSORS) -> bytes:
    """A safetensors file, written from its specification."""
    header: dict[str, Any] = {"__metadata__": {"made": "by hand"}}
    at = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(data for _dtype, _shape, data in tensors.values())


def write_package(
    path: Path,
    files: dict[str, bytes] | None = None,
    change: Callable[[dict[str, Any]], Any] = lambda manifest: None,
) -> Path:
    """A package with these files; ``change`` may lie in its manifest before the digest is made."""
    held = {"weights.safetensors": weights(), "notes/猫.txt": b"more than one segment " * 9, **(files or {})}
    manifest: dict[str, Any] = {
        "format": "hauberk-model/1",
        "model": "sha256:" + "0" * 64,
        "provenance": ["sha256:" + "1" * 64],
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in sorted(held.items())
        },
    }
    change(manifest)
    manifest["digest"] = digest(manifest)
    for name, data in {**held, "model.json": json.dumps(manifest).encode()}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def drawn(seed: bytes) -> Callable[[int], bytes]:
    """The same bytes for the same seed, as if they were random."""
    count = 0

    def draw(length: int) -> bytes:
        nonlocal count
        count += 1
        return hashlib.shake_256(seed + count.to_bytes(4, "big")).digest(length)

    return draw


def phrase(text: str = "correct horse battery staple") -> age.Passphrase:
    return age.Passphrase(Secret(text.encode()), work_factor=4)
