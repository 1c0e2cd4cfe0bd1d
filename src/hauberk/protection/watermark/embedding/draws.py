"""A mark's random choices as tensors: the embedder's own reading of docs/spec/watermark.md."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hauberk.protection.watermark.keys import MarkKey


def draw(key: MarkKey, use: str, size: int) -> bytes:
    """``size`` bytes for the use that the spec calls ``use``."""
    return hashlib.shake_256(f"hauberk-watermark/1 {use}\0".encode() + key.secret).digest(size)


def octets(key: MarkKey, use: str, shape: Sequence[int]) -> Tensor:
    """uint8 in ``shape``, row-major."""
    raw = bytearray(draw(key, use, math.prod(shape)))
    return torch.frombuffer(raw, dtype=torch.uint8).view(*shape)


def numbers(key: MarkKey, use: str, count: int, below: int) -> Tensor:
    """int64 ``(count,)`` in [0, below): big-endian words of 8 bytes, modulo ``below``."""
    raw = draw(key, use, 8 * count)
    words = [int.from_bytes(raw[at : at + 8], "big") % below for at in range(0, len(raw), 8)]
    return torch.tensor(words, dtype=torch.int64)


def signs(key: MarkKey, use: str, shape: Sequence[int]) -> Tensor:
    """float32 of -1 and 1 in ``shape``: the highest bit of an octet set means 1."""
    return (octets(key, use, shape) >> 7).float() * 2 - 1
