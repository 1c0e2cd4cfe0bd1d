"""The header of a safetensors file, read strictly and without torch.

It is kept as it is, letter by letter, so that an opened package has the very file that was sealed; names,
dtypes, shapes and order of the tensors are read from it and stand nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hauberk.core.canonical import parse_json
from hauberk.core.errors import DataError

LENGTH_BYTES = 8
_METADATA = "__metadata__"
_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32,
    "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


@dataclass(frozen=True)
class TensorEntry:
    """One tensor of the file.

    Args:
        dtype: in safetensors' letters, such as ``F32``.
        start: offset of its bytes in the data behind the header.
        size: of its bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True)
class WeightsHeader:
    """A safetensors header.

    Args:
        text: the JSON as it stands in the file, padding included.
        tensors: in the order of their bytes; of those without bytes at one place, in the order of their names.
    """

    text: str
    tensors: tuple[TensorEntry, ...]

    @property
    def data_bytes(self) -> int:
        """Of all tensors together."""
        return sum(one.size for one in self.tensors)

    @property
    def prefix(self) -> bytes:
        """What stands before the data in the file."""
        text = self.text.encode()
        return len(text).to_bytes(LENGTH_BYTES, "little") + text

    @classmethod
    def parse(cls, text: str, *, where: str) -> WeightsHeader:
        """Read a header.

        Raises:
            DataError: not a safetensors header, a dtype that is not known, or tensors that overlap or leave
                gaps.
        """
        document = parse_json(text.encode(), where=where) if text.startswith("{") else None
        if not isinstance(document, dict):
            raise DataError(f"{where} is not a safetensors header")
        metadata = document.pop(_METADATA, {})
        if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
            raise DataError(f"{where}: {_METADATA} must map names to texts")
        found = [_entry(name, facts, where) for name, facts in document.items()]
        found.sort(key=lambda one: (one.start, one.size, one.name))
        at = 0
        for one in found:
            if one.start != at:
                raise DataError(f"{where}: tensor '{one.name}' overlaps another or leaves a gap")
            at += one.size
        return cls(text, tuple(found))


def _entry(name: str, facts: Any, where: str) -> TensorEntry:
    if not isinstance(facts, Mapping) or facts.keys() != {"dtype", "shape", "data_offsets"}:
        raise DataError(f"{where}: tensor '{name}' is not described by dtype, shape and data_offsets")
    shape, offsets = facts["shape"], facts["data_offsets"]
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(one) is int and one >= 0 for one in numbers):
            raise DataError(f"{where}: tensor '{name}' has a shape or offsets that are no whole numbers")
    bits = _BITS.get(facts["dtype"]) if isinstance(facts["dtype"], str) else None
    if bits is None:
        raise DataError(f"{where}: tensor '{name}' has a dtype that is not known: {facts['dtype']!r}")
    if len(offsets) != 2 or (offsets[1] - offsets[0]) * 8 != math.prod(shape) * bits:
        raise DataError(f"{where}: tensor '{name}' has another size than its shape and dtype say")
    return TensorEntry(name, facts["dtype"], tuple(shape), offsets[0], offsets[1] - offsets[0])
