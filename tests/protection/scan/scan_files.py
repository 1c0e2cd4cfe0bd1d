"""Malicious files, made on the spot. Each would touch a canary if anything ran it."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hauberk.protection.scan import Scan, scan


class Bomb:
    """What touches a canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.canary}",)


def rules(found: Scan) -> set[str]:
    return {one.rule for one in found.findings}


def rules_of(path: Path, **settings: Any) -> set[str]:
    found = scan(path, **settings)
    assert not found.unread, found.unread
    return rules(found)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def zipped(entries: Mapping[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return stream.getvalue()


def torch_like(data: bytes) -> dict[str, bytes]:
    return {"archive/data.pkl": data, "archive/version": b"3\n", "archive/data/0": bytes(16)}


def safetensors_file(header: Any, body: bytes) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


TENSORS = {
    "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
    "b": {"dtype": "I64", "shape": [1, 1], "data_offsets": [8, 16]},
}


def good_pickle(protocol: int = 4) -> bytes:
    return pickle.dumps({"a": [1, 2.5, "text", b"bytes", (1, 2, 3, 4), {1, 2}, None, True]}, protocol)
