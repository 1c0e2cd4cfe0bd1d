"""The index: what a sealed file holds. It is itself a message, so nobody reads it without a key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError
from hauberk.core.manifest import MANIFEST, WEIGHTS
from hauberk.crypto.floe import TAG_BYTES
from hauberk.protection.seal.weights import WeightsHeader


@dataclass(frozen=True)
class FileEntry:
    """A file of the package besides the weights."""

    name: str
    size: int


@dataclass(frozen=True)
class Index:
    """What is sealed, in the order of the messages.

    Args:
        files: messages 1 to F; their names differ.
        weights: the tensors, messages F+1 to F+T.
        tags: of each message from 1 on, the last 32 bytes of its FLOE header.
    """

    files: tuple[FileEntry, ...]
    weights: WeightsHeader
    tags: tuple[bytes, ...]

    def sizes(self, index_bytes: int) -> list[int]:
        """Of the text of each message, the index first."""
        return [index_bytes, *(one.size for one in self.files), *(one.size for one in self.weights.tensors)]

    def to_bytes(self) -> bytes:
        """JSON in UTF-8; its length does not depend on the tags."""
        tags = [one.hex() for one in self.tags]
        document = {
            "files": [
                {"name": one.name, "size": one.size, "tag": tag}
                for one, tag in zip(self.files, tags, strict=False)
            ],
            "weights": {"header": self.weights.text, "tags": tags[len(self.files) :]},
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Index:
        """Read it back.

        Raises:
            DataError: anything that a writer would not have written.
        """
        document = _keys(parse_json(data, where="the index"), {"files", "weights"})
        weights = _keys(document["weights"], {"header", "tags"})
        if not isinstance(document["files"], list) or not isinstance(weights["tags"], list):
            raise DataError("the index lists no files or no tags")
        listed = [_keys(one, {"name", "size", "tag"}) for one in document["files"]]
        for one in listed:
            if type(one["size"]) is not int or one["size"] < 0:
                raise DataError("the index has a size that is no whole number")
        files = tuple(FileEntry(check_name(one["name"]), one["size"]) for one in listed)
        check_names([one.name for one in files])
        if not isinstance(weights["header"], str):
            raise DataError("the index has no header of the weights")
        header = WeightsHeader.parse(weights["header"], where="the index")
        if len(weights["tags"]) != len(header.tensors):
            raise DataError("the index has not one tag for each tensor")
        return cls(
            files, header, tuple(_tag(one) for one in (*(one["tag"] for one in listed), *weights["tags"]))
        )


def check_name(name: Any) -> str:
    """A file's name within a package: relative, with ``/`` between its parts.

    Raises:
        DataError: it would lead out of the package, or to another place on another machine.
    """
    parts = PurePosixPath(name).parts if isinstance(name, str) else ()
    clean = bool(parts) and "/".join(parts) == name and not name.startswith("/") and ".." not in parts
    if not clean or any(char in '\\:"*?<>|' or ord(char) < 32 for char in name):
        raise DataError(f"a file's name that leads out of the package or does not fit everywhere: {name!r}")
    return str(name)


def check_names(names: list[str]) -> None:
    """Refuse names that cannot all be files of one package, the weights beside them.

    Raises:
        DataError: one that stands twice, the weights' own, or one that another needs as a folder; or no
            manifest.
    """
    taken = {WEIGHTS, *names}
    folders = {str(parent) for name in taken for parent in PurePosixPath(name).parents}
    if len(taken) != len(names) + 1 or taken & folders:
        raise DataError("the index has two files in one place")
    if MANIFEST not in taken:
        raise DataError(f"the index has no {MANIFEST}")


def _keys(value: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise DataError(f"the index needs exactly the keys {', '.join(sorted(keys))}")
    return value


def _tag(text: Any) -> bytes:
    try:
        tag = bytes.fromhex(text)
    except (TypeError, ValueError):
        tag = b""
    if len(tag) != TAG_BYTES or tag.hex() != text:
        raise DataError("the index has a tag that is none")
    return tag
