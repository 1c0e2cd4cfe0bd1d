"""Packages to push, made from the specification alone, without torch."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

from hauberk.core.canonical import canonical_bytes, digest
from hauberk.core.evidence import Evidence


def make_package(path: Path, *, seed: int = 0, size: int = 4000) -> Path:
    """A package as the specification says, with one tensor of random bytes and one piece of evidence."""
    body = hashlib.shake_256(f"{seed}".encode()).digest(size - size % 4)
    header = json.dumps({"weight": {"dtype": "F32", "shape": [len(body) // 4], "data_offsets": [0, len(body)]}})
    header += " " * (-len(header) % 8)
    weights = struct.pack("<Q", len(header)) + header.encode() + body
    contract = {
        "architecture": {"name": "cnn", "args": {}},
        "input": {"shape": [1, 8, 8], "bounds": [0.0, 1.0], "normalization": None},
        "outputs": "logits",
        "labels": ["0", "1"],
    }
    listed = {"weights.safetensors": weights}
    model = digest({**contract, "weights": f"sha256:{hashlib.sha256(weights).hexdigest()}"})
    born = Evidence(
        kind="training", subject={"name": path.name, "digest": model}, created="2026-01-01T00:00:00Z"
    )
    listed["evidence/training.json"] = canonical_bytes(born.to_json())
    manifest = {
        "format": "hauberk-model/1",
        **contract,
        "model": model,
        "provenance": [born.digest],
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
            for name, data in listed.items()
        },
    }
    manifest["digest"] = digest(manifest)
    for name, data in {**listed, "model.json": json.dumps(manifest, indent=1).encode()}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path
