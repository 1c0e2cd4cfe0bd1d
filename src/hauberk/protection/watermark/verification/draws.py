"""A mark's random choices as arrays: the verifier's own reading of docs/spec/watermark.md."""

from __future__ import annotations

from hashlib import shake_256

import numpy as np
import numpy.typing as npt

from hauberk.protection.watermark.keys import MarkKey

_LABEL = b"hauberk-watermark/1 "


def stream(key: MarkKey, use: str, size: int) -> npt.NDArray[np.uint8]:
    """The first ``size`` octets of the stream that the spec calls ``use``."""
    state = shake_256(_LABEL)
    state.update(use.encode("ascii"))
    state.update(b"\x00")
    state.update(key.secret)
    return np.frombuffer(state.digest(size), dtype=np.uint8)


def words(key: MarkKey, use: str, count: int) -> npt.NDArray[np.uint64]:
    """The first ``count`` big-endian words of 64 bits."""
    return stream(key, use, 8 * count).view(">u8").astype(np.uint64)


def plus_minus(octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """-1 for octets below 128, 1 for the others."""
    return np.where(octets >= 128, np.float32(1), np.float32(-1))
