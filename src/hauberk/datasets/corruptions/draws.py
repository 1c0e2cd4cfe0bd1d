"""A random stream for each sample, so that what befalls one image does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hauberk.core.seeds import derive_seed


class Draws:
    """Random fields for a batch: row ``i`` comes from the stream that (seed, use, ``indices[i]``) names.

    The streams are Philox (Salmon et al., SC 2011), a counter-based generator whose key is the pair of seed and
    index; NumPy makes them in a few microseconds each. Not for anything secret.

    Args:
        use: what the draws are for; another use has other streams.
        indices: each sample's number in its data set, at least 0.
    """

    def __init__(self, seed: int, use: str, indices: Sequence[int]) -> None:
        root = derive_seed(seed, "corruption", use)
        self._streams = [np.random.Generator(np.random.Philox(key=(root << 64) | one)) for one in indices]

    def __len__(self) -> int:
        return len(self._streams)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """float32 ``(n, *shape)`` in [low, high)."""
        field = np.empty((len(self), *shape), np.float32)
        for row, stream in enumerate(self._streams):
            field[row] = stream.random(shape, dtype=np.float32)
        return torch.from_numpy(field).mul_(high - low).add_(low)

    def normal(self, *shape: int) -> Tensor:
        """float32 ``(n, *shape)``, standard normal."""
        field = np.empty((len(self), *shape), np.float32)
        for row, stream in enumerate(self._streams):
            field[row] = stream.standard_normal(shape, dtype=np.float32)
        return torch.from_numpy(field)

    def poisson(self, mean: Tensor) -> Tensor:
        """float32 counts with the given means ``(n, ...)``."""
        counts = np.empty(mean.shape, np.float32)
        for row, (stream, one) in enumerate(zip(self._streams, mean.double().numpy(), strict=True)):
            counts[row] = stream.poisson(one)
        return torch.from_numpy(counts)
