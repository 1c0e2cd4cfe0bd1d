"""Prints: what the guard keeps of an image. One keyed sum for each of at most 64 cells of it.

Within a cell the pixels are added with random signs and weights that only the server knows; even light nearly
cancels. The print is linear in the image, so that lines, opposite steps and lengths among images show in
their prints; it is local, so that a change of part of an image leaves the other cells' sums exactly as they
were; and it is short. Who does not know the key cannot change an image without changing its print.

Limits: a print is 64 sums, and no encryption. Whoever has it and the key recognises an image that he knows,
and sees where two images differ; of an unknown image he learns 64 numbers, which is a twelfth of an MNIST
digit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from hauberk.core.errors import ConfigError
from hauberk.serving.protocol import Floats

SIDE = 8  # cells down and across, at most
_LIGHT = 0.05  # what even light adds, beside weights of about 1: enough to be noticed, too little to be a step
_DENSE = 1 << 13  # values up to which one matrix product is quicker than cutting


class Prints:
    """Makes prints of one model's inputs.

    Args:
        shape: of one input; ``(channels, height, width)`` is cut over height and width, all else is one row.
        span: the highest valid value less the lowest, by which prints are scaled.
        key: at least 16 bytes; the same key gives the same prints.

    ``cells`` is the number of values in a print.
    """

    def __init__(self, shape: Sequence[int], span: float, key: bytes) -> None:
        if len(key) < 16:
            raise ConfigError(f"a guard's key has at least 16 bytes, got {len(key)}")
        height, width = (shape[1], shape[2]) if len(shape) == 3 else (1, math.prod(shape))
        channels = shape[0] if len(shape) == 3 else 1
        down = min(SIDE, height)
        across = min(SIDE * SIDE // down, width)
        rows, columns = (np.arange(size) * cells // size for size, cells in ((height, down), (width, across)))
        place = np.broadcast_to((rows[:, None] * across + columns).ravel(), (channels, height * width)).ravel()
        size = math.prod(shape)
        drawn = np.frombuffer(hashlib.shake_256(b"hauberk guard prints" + key).digest(8 * size), "<i8")
        share = drawn / 2.0**63  # in [-1, 1)
        weights = (np.where(share < 0, -0.5, 0.5) + share) / span
        weights += (_LIGHT / span) - (np.bincount(place, weights) / np.bincount(place))[place]
        self.cells = down * across
        self._weights: Floats = weights.astype(np.float32)
        self._order = np.argsort(place, kind="stable")
        self._starts = np.searchsorted(place[self._order], np.arange(self.cells))
        self._matrix: Floats | None = None
        if size <= _DENSE:
            self._matrix = np.zeros((size, self.cells), np.float32)
            self._matrix[np.arange(size), place] = self._weights

    def __call__(self, rows: Floats) -> Floats:
        """Prints ``(n, cells)`` of float32 rows ``(n, ...)``. Cost: a multiplication per value."""
        values = rows.reshape(len(rows), -1)
        if self._matrix is not None:
            made: Floats = values @ self._matrix
            return made
        summed: Floats = np.add.reduceat((values * self._weights)[:, self._order], self._starts, axis=1)
        return summed
